import numpy as np

import dnnlang

source = "input 3; layer 1; loss mse; train { optimizer sgd; learning_rate 1e15; epochs 60; batch all; seed 1 }"
network = dnnlang.compile(source).load()
network.fit(np.ones((3, 4)), np.ones((1, 4)))
