import dnnlang

dnnlang.compile_file("houses.dnn")
