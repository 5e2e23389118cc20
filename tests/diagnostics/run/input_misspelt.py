import numpy as np

import dnnlang

program = dnnlang.compile("input 2 as left; input 3 as right; concat from left, right; layer 1 sigmoid")
program.load().forward({"left": np.zeros((2, 10)), "rigth": np.zeros((3, 10))})
