import dnnlang

network = dnnlang.compile("input 3; layer 5 relu; layer 1 sigmoid").load()
network.forward([["a"], ["b"], ["c"]])
