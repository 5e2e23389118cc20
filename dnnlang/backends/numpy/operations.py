"""Every operation of expressions on NumPy arrays, written into arrays that exist already.

Each function gets the output, the operands, then its temporaries. The output may be one of the operands: nothing is
written to it before the operands have been read. None of them overflows where the result does not, and NaN stays NaN.
Warnings are off while a plan runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.erf import erf, erfc
from dnnlang.backends.numpy.tiles import by_columns, by_entries

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """`run(out, *operands, *temporaries)`. `whole` temporaries have the operand's shape, `column` ones are (1, m)."""

    run: Callable[..., object]
    whole: int = 0
    column: int = 0


def _ufunc(f: Callable[..., object]) -> Operation:
    return Operation(lambda out, *operands: f(*operands, out=out))


def where(out: Array, condition: Array, first: Array, second: Array, t: Array) -> None:
    chosen = np.not_equal(condition, 0)
    np.copyto(t, second)
    np.copyto(t, first, where=chosen)
    np.copyto(out, t)


def logistic(out: Array, x: Array, t: Array) -> None:
    """1/(1 + e^-x), as (1 if x >= 0 else e^-|x|) / (1 + e^-|x|)."""
    np.absolute(x, t)
    np.negative(t, t)
    np.exp(t, t)
    np.greater_equal(x, 0, out)
    np.maximum(out, t, out=out)
    np.add(t, 1, t)
    np.divide(out, t, out)


def logistic_slope(out: Array, x: Array, t: Array) -> None:
    """The derivative of the logistic function, as e/(1 + e)² with e = e^-|x|."""
    np.absolute(x, t)
    np.negative(t, t)
    np.exp(t, t)
    np.add(t, 1, out)
    np.multiply(out, out, out)
    np.divide(t, out, out)


def tanh_slope(out: Array, x: Array, t: Array) -> None:
    """1 - tanh(x)², as 4 times the slope of the logistic function at 2x."""
    np.multiply(x, 2, out)
    logistic_slope(out, out, t)
    np.multiply(out, 4, out)


def log1pexp(out: Array, x: Array, t: Array) -> None:
    """log(1 + e^x), as max(x, 0) + log1p(e^-|x|)."""
    np.absolute(x, t)
    np.negative(t, t)
    np.exp(t, t)
    np.log1p(t, t)
    np.maximum(x, 0, out=out)
    np.add(out, t, out)


def logistic_loss(out: Array, x: Array, target: Array, t: Array, u: Array) -> None:
    """log(1 + e^x) - target·x, as (max(x, 0) - target·x) + log1p(e^-|x|): nothing cancels where target is 1."""
    np.absolute(x, t)
    np.negative(t, t)
    np.exp(t, t)
    np.log1p(t, t)
    np.multiply(target, x, u)
    np.maximum(x, 0, out=out)
    np.subtract(out, u, out)
    np.add(out, t, out)


def power(out: Array, base: Array, exponent: Array) -> None:
    if np.ndim(exponent) == 0 and exponent == 2:
        np.multiply(base, base, out)
    else:
        np.power(base, exponent, out)


# ---------------------------------------------------------------- over the units of each column


def total(out: Array, x: Array) -> None:
    np.add.reduce(x, axis=0, keepdims=True, out=out)


def mean(out: Array, x: Array) -> None:
    np.add.reduce(x, axis=0, keepdims=True, out=out)
    np.divide(out, x.shape[0], out)


def largest(out: Array, x: Array) -> None:
    np.maximum.reduce(x, axis=0, keepdims=True, out=out)


def smallest(out: Array, x: Array) -> None:
    np.minimum.reduce(x, axis=0, keepdims=True, out=out)


def logsumexp(out: Array, x: Array, t: Array, shift: Array) -> None:
    """Shifted by the largest entry, unless that is infinite and the result with it."""
    largest(shift, x)
    np.copyto(shift, 0, where=~np.isfinite(shift))
    np.subtract(x, shift, t)
    np.exp(t, t)
    total(out, t)
    np.log(out, out)
    np.add(out, shift, out)


def normalized_exp(out: Array, x: Array, top: Array) -> None:
    largest(top, x)
    np.subtract(x, top, out)
    np.exp(out, out)
    total(top, out)
    np.divide(out, top, out)


def log_normalized_exp(out: Array, x: Array, t: Array, top: Array) -> None:
    """(x - largest) - log(1 + the rest of Σ e^(x - largest)): near 0 where one unit has it all."""
    largest(top, x)
    np.subtract(x, top, t)
    np.exp(t, t)
    t[np.argmax(x, axis=0), np.arange(x.shape[1])] -= 1
    np.subtract(x, top, out)
    total(top, t)
    np.log1p(top, top)
    np.subtract(out, top, out)


@by_columns
def first_max(out: Array, x: Array) -> None:
    _first(out, x, np.argmax(x, axis=0))


@by_columns
def first_min(out: Array, x: Array) -> None:
    _first(out, x, np.argmin(x, axis=0))


def _first(out: Array, x: Array, unit: npt.NDArray[np.intp]) -> None:
    """1 at `unit` of each column, unless that is NaN: then there is no first extremal unit."""
    columns = np.arange(x.shape[1])
    hit = ~np.isnan(x[unit, columns])
    out[...] = 0
    out[unit, columns] = hit


OPERATIONS: Final[dict[str, Operation]] = {
    "add": _ufunc(np.add),
    "multiply": _ufunc(np.multiply),
    "divide": _ufunc(np.divide),
    "power": Operation(power),
    "negate": _ufunc(np.negative),
    "exp": _ufunc(np.exp),
    "log": _ufunc(np.log),
    "expm1": _ufunc(np.expm1),
    "log1p": _ufunc(np.log1p),
    "sqrt": _ufunc(np.sqrt),
    "abs": _ufunc(np.absolute),
    "tanh": _ufunc(np.tanh),
    "erf": Operation(by_entries(lambda out, x: erf(x, out))),
    "erfc": Operation(by_entries(lambda out, x: erfc(x, out))),
    "sin": _ufunc(np.sin),
    "cos": _ufunc(np.cos),
    "sign": _ufunc(np.sign),
    "maximum": _ufunc(np.maximum),
    "minimum": _ufunc(np.minimum),
    "less": _ufunc(np.less),
    "less_equal": _ufunc(np.less_equal),
    "equal": _ufunc(np.equal),
    "not_equal": _ufunc(np.not_equal),
    "where": Operation(where, whole=1),
    "logistic": Operation(logistic, whole=1),
    "logistic_slope": Operation(logistic_slope, whole=1),
    "tanh_slope": Operation(tanh_slope, whole=1),
    "log1pexp": Operation(log1pexp, whole=1),
    "logistic_loss": Operation(logistic_loss, whole=2),
    "sum": Operation(total),
    "mean": Operation(mean),
    "max": Operation(largest),
    "min": Operation(smallest),
    "logsumexp": Operation(logsumexp, whole=1, column=1),
    "normalized_exp": Operation(normalized_exp, column=1),
    "log_normalized_exp": Operation(log_normalized_exp, whole=1, column=1),
    "first_max": Operation(first_max),
    "first_min": Operation(first_min),
}
"""Those that compute. Constants, variables, `units` and draws are operands, which `expressions` provides."""

OPERANDS: Final = frozenset(("constant", "variable", "units", "draw_normal", "draw_uniform"))
