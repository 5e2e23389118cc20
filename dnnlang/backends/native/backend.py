"""The native backend: plans as C, compiled on this machine, run by all its cores."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends.native.execute import Executable, Library, persistent_array, persistent_bytes
from dnnlang.backends.native.library import lanes_of, load
from dnnlang.backends.runner import Arrays
from dnnlang.plan.ir import Plan


class Native:
    """`threads` is how many may run at once: by default all cores, or what DNNLANG_THREADS says."""

    name = "native"

    def __init__(self, dtype: np.dtype[Any], seed: int, threads: int | None = None) -> None:
        self._dtype = dtype
        self._seed = seed
        self._threads = cores() if threads is None else threads
        self._libraries: dict[int, Library] = {}  # by the id of the plan, which the library keeps alive

    def array(self, shape: tuple[int, int]) -> npt.NDArray[Any]:
        """Zeros that outlive a run, the columns of W one behind the other."""
        return persistent_array(shape, self._dtype, lanes_of(self._dtype))

    def array_bytes(self, shape: tuple[int, int]) -> int:
        """What such an array takes, padding included."""
        return persistent_bytes(shape, self._dtype, lanes_of(self._dtype))

    def executable(self, plan: Plan, m: int, persistent: Arrays) -> Executable:
        """The plan for m samples; it is compiled once, whatever the batch size."""
        if id(plan) not in self._libraries:
            self._libraries[id(plan)] = load(plan, self._dtype)
        return Executable(self._libraries[id(plan)], m, persistent, seed=self._seed, threads=self._threads)


def cores() -> int:
    """How many threads may run at once; DNNLANG_THREADS says otherwise."""
    given = os.environ.get("DNNLANG_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
