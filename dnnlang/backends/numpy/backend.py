"""The reference backend: plans as steps on NumPy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.execute import Executable
from dnnlang.backends.runner import Arrays
from dnnlang.plan.ir import Plan


class NumPy:
    """Runs everywhere; every other backend is compared with it."""

    name = "numpy"

    def __init__(self, dtype: np.dtype[Any], seed: int) -> None:
        self._dtype = dtype
        self._seed = seed

    def array(self, shape: tuple[int, int]) -> npt.NDArray[Any]:
        """Zeros that outlive a run."""
        return np.zeros(shape, self._dtype)

    def array_bytes(self, shape: tuple[int, int]) -> int:
        """What such an array takes."""
        return math.prod(shape) * self._dtype.itemsize

    def executable(self, plan: Plan, m: int, persistent: Arrays) -> Executable:
        """The plan for m samples."""
        return Executable(plan, m, self._dtype, persistent, self._seed)
