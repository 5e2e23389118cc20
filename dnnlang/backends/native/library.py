"""A plan as a loaded library: written as C, compiled or found compiled, its function ready to be called."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends.native import toolchain
from dnnlang.backends.native.execute import Library
from dnnlang.backends.native.forward import Forward, SourceOfData
from dnnlang.backends.native.machine import this_machine
from dnnlang.backends.native.source import write
from dnnlang.plan.ir import Plan


def lanes_of(dtype: npt.DTypeLike) -> int:
    """How many numbers a vector of this machine holds."""
    return max(1, this_machine().vector_bytes // np.dtype(dtype).itemsize)


def load(plan: Plan, dtype: np.dtype[Any]) -> Library:
    """The plan, all of whose sizes but m are numbers, ready to run.

    Raises UsageError where there is no C compiler, or none that works.
    """
    written = write(plan, lanes=lanes_of(dtype), bits=dtype.itemsize * 8)
    path = toolchain.build(written.text, units=written.units)
    return Library(plan, written, _run(path), _forward(path), lanes_of(dtype), dtype)


@cache
def _run(path: Path) -> Any:
    """`dnn_run` of a compiled library. A library that was loaded stays."""
    run = ctypes.CDLL(str(path)).dnn_run
    run.restype = None
    pointer, whole = ctypes.c_void_p, ctypes.c_int64
    run.argtypes = [
        pointer, pointer, whole, ctypes.c_int, ctypes.POINTER(SourceOfData), whole, pointer, pointer,
    ]  # fmt: skip
    return run


@cache
def _forward(path: Path) -> Forward:
    """They are called with a ctypes structure itself: to convert arguments would take longer than a small network."""
    loaded = ctypes.CDLL(str(path))
    return Forward(loaded.dnn_forward, ctypes.PyDLL(str(path)).dnn_forward, loaded.dnn_forward_many)
