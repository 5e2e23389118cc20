import dnnlang

dnnlang.compile("dim d; input d; layer 1 sigmoid").load(sizes={"n": 3})
