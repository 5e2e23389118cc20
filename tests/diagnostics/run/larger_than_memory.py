import dnnlang

dnnlang.compile("input 500_000; layer 500_000 relu; layer 1 sigmoid").load()
