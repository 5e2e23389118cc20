import numpy as np

import dnnlang

network = dnnlang.compile("input 3; layer 5 relu; layer 1 sigmoid").load()
X = np.zeros((3, 10))
X[1, 4] = np.nan
network.step(X, np.zeros((1, 10)))
