import numpy as np

import dnnlang

network = dnnlang.compile("input 3; layer 5 relu; layer 3 softmax").load()
network.loss(np.zeros((3, 4)), np.array([0, 1, 2, 3]))
