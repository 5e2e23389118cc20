import dnnlang

dnnlang.compile('import "blocks.dnn"; input 3; layer 1 sigmoid')
