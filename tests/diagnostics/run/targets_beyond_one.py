import numpy as np

import dnnlang

network = dnnlang.compile("input 3; layer 5 relu; layer 3 softmax").load()
network.loss(np.zeros((3, 2)), np.array([[1, 0.5], [1, 0.5], [0, 0]]))
