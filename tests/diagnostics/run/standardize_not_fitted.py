import numpy as np

import dnnlang

network = dnnlang.compile("input 3; standardize; layer 1 sigmoid").load()
network.forward(np.zeros((3, 10)))
