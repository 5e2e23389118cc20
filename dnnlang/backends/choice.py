"""Which backend runs a network: the one that was asked for, or the one that its training is worth.

`auto` begins with NumPy, which starts at once. `fit` goes over to native code where a C compiler is there and NumPy
would take longer than WORTH_IT seconds, by an estimate from the plan alone: the same program with the same data always
runs on the same backend, whatever the machine is doing, so a run can be resumed bit for bit.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from dnnlang.backends.numpy.backend import NumPy
from dnnlang.backends.runner import Backend
from dnnlang.plan.ir import Instruction, Plan, parts
from dnnlang.primitives.product import Product
from dnnlang.primitives.values import Value
from dnnlang.sizes import evaluate

BACKENDS: Final = ("auto", "numpy", "native")

WORTH_IT: Final = 3.0
"""Seconds on NumPy from which on a compile, of about one second a plan, pays."""
CALL_SECONDS: Final = 4e-6
"""What NumPy takes to begin with an instruction."""
PRODUCTS_A_SECOND: Final = 1e10
"""Multiplications and additions that a modest machine does."""
ENTRIES_A_SECOND: Final = 5e8
"""Entries of maps that a modest machine computes."""


def native_if_there(dtype: np.dtype[Any], seed: int) -> Backend | None:
    """The native backend, if there is a C compiler; nothing is started to find out."""
    from dnnlang.backends.native.toolchain import available  # only where somebody trains: it takes a while to import

    return native(dtype, seed) if available() else None


def native(dtype: np.dtype[Any], seed: int) -> Backend:
    """The native backend. It raises UsageError when it is asked for an executable, and there is no C compiler."""
    from dnnlang.backends.native.backend import Native

    return Native(dtype, seed)


def reference(dtype: np.dtype[Any], seed: int) -> NumPy:
    """NumPy, whatever the network runs on: also for those who look at single values."""
    return NumPy(dtype, seed)


def is_worth_compiling(seconds: float) -> bool:
    """Does what NumPy would take so long for pay for a compile?"""
    return seconds > WORTH_IT


def why(backend: str, seconds: float) -> str | None:
    """The backend that `auto` has run what NumPy would take so long for, and why; None where that is not long."""
    if not is_worth_compiling(seconds):
        return None
    if backend == "numpy":
        return "numpy, because there is no C compiler; with one this would be faster"
    return f"{backend}, because NumPy would take about {seconds:,.0f} s"


def numpy_seconds(plan: Plan, m: int) -> float:
    """About how long NumPy takes to run the plan once, for m samples."""
    return sum(_seconds(part, m) for i in plan.instructions for part in parts(i))


def _seconds(i: Instruction, m: int) -> float:
    entries = max((_entries(v, m) for v in (*i.inputs, *i.outputs)), default=0)
    if not isinstance(i.primitive, Product):
        return CALL_SECONDS + entries / ENTRIES_A_SECOND
    left, right, out = (_entries(v, m) for v in (i.inputs[0], i.inputs[1], i.outputs[0]))
    # (n, k) · (k, m) has n·k, k·m and n·m entries, so their product is the square of n·k·m.
    return CALL_SECONDS + math.sqrt(left * right * out) / PRODUCTS_A_SECOND


def _entries(value: Value, m: int) -> int:
    return evaluate(value.shape[0], {"m": m}) * evaluate(value.shape[1], {"m": m})
