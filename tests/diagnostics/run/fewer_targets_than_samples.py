import numpy as np

import dnnlang

network = dnnlang.compile("input 3; layer 5 relu; layer 1 sigmoid").load()
network.fit(np.zeros((3, 100)), np.zeros((1, 99)))
