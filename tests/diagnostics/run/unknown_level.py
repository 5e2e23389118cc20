import dnnlang

dnnlang.compile("layer 1 sigmoid", optimize=3)
