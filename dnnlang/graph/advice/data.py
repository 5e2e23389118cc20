"""Advice that needs the data, found by training (dnnlang/training/advice.py).

The rules stand here, because a comment in a program may name them, and a check must know their codes.
"""

from __future__ import annotations

from dnnlang.diagnostics import rule

BATCH_LARGER = rule(
    "DNN340",
    "batch-larger-than-data",
    "`batch` is larger than the number of samples to train on.",
    why="Every mini-batch then is the whole of the data, and an epoch is one update. Ten epochs of it are ten updates, "
    "where many hundreds were meant. What is held out by `validation` is not trained on, and does not count.",
    wrong="train { batch 512 }   # and a table with 150 rows",
    right="train { batch 32 }",
    severity="warning",
    program=False,
)
UNSCALED = rule(
    "DNN341",
    "unscaled-inputs",
    "A layer is trained on inputs that are far from 0.",
    why="Initial weights and the usual learning rates are made for inputs of about -1 to 1. Hundreds or thousands make "
    "Z so large that sigmoid and tanh no longer move and steps overshoot, and a column of large numbers drowns "
    "the others.",
    wrong="layer 5 relu      # and a column `area` with values from 143 to 2501",
    right="standardize\nlayer 5 relu",
    severity="warning",
    program=False,
)
