import dnnlang

dnnlang.compile("input 400_000; layer 400_000 relu; layer 1 sigmoid").load()
