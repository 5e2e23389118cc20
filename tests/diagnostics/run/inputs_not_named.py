import numpy as np

import dnnlang

program = dnnlang.compile("input 2 as left; input 3 as right; concat from left, right; layer 1 sigmoid")
program.load().forward(np.zeros((5, 10)))
