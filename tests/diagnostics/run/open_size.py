import dnnlang

dnnlang.compile("layer 5 relu; layer 1 sigmoid").load()
