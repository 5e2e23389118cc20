import dnnlang

dnnlang.compile("param width = 8; input 3; layer width relu; layer 1 sigmoid", params={"widht": 16})
