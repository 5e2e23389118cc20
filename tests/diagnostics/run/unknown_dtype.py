import dnnlang

dnnlang.compile("input 3; layer 1 sigmoid").load(dtype="float16")
