import dnnlang

dnnlang.load("model.safetensors")
