import numpy as np

import dnnlang

network = dnnlang.compile("input 3; layer 5 relu; layer 2 softmax").load()
network.loss(np.zeros((3, 100)), np.zeros((100, 2)))
