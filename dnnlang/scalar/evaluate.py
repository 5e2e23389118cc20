"""The slow and plain meaning of an expression: Python floats, one column, one number at a time.

The compiler checks stated derivatives with it, and tests hold the backends against it. A value that is
one number a unit is a list; a value of the whole column is a float.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.scalar.expression import Expr, topological

Number = float
Column = list[float]


def evaluate(expr: Expr, operands: Mapping[str, float | Sequence[float]], n: int | None = None) -> float | Column:
    """The value of `expr` for one column.

    `operands` gives each variable a float, or a list with one number a unit; `n` is the number of units,
    needed only where no operand is a list. Undefined operations give NaN or infinities, as IEEE 754 does.
    """
    if n is None:
        n = next((len(v) for v in operands.values() if not isinstance(v, (int, float))), 1)
    values: dict[Expr, Column] = {}
    for e in topological(expr):
        values[e] = _one(e, [values[a] for a in e.args], operands, n)
    result = values[expr]
    return result if expr.per_unit else result[0]


def _one(e: Expr, args: list[Column], operands: Mapping[str, float | Sequence[float]], n: int) -> Column:
    if e.op == "constant" and e.value is not None:
        return [float(e.value)] * n
    if e.op == "units":
        return [float(n)] * n
    if e.op == "variable" and e.name is not None:
        given = operands[e.name]
        return [float(given)] * n if isinstance(given, (int, float)) else [float(v) for v in given]
    whole = _WHOLE_COLUMN.get(e.op)
    if whole is not None:
        return whole(args[0])
    function = ENTRIES.get(e.op)
    if function is None:
        raise InternalError(f"the operation {e.op} has no reference evaluation")
    return [function(*entries) for entries in zip(*args, strict=True)]


def _guarded(f: Callable[..., float]) -> Callable[..., float]:
    """IEEE 754 results where Python's math raises: overflow is an infinity, an undefined value NaN."""

    def call(*args: float) -> float:
        try:
            return f(*args)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return math.nan

    return call


def divide(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _log(x: float) -> float:
    return -math.inf if x == 0 else math.log(x)


def _log1p(x: float) -> float:
    return -math.inf if x == -1 else math.log1p(x)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _logistic_slope(x: float) -> float:
    e = math.exp(-abs(x))
    return e / (1 + e) ** 2


def _log1pexp(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _nan_or(pick: Callable[[float, float], float]) -> Callable[[float, float], float]:
    return lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else pick(a, b)


def _sign(x: float) -> float:
    return math.nan if math.isnan(x) else float((x > 0) - (x < 0))


ENTRIES: Final[dict[str, Callable[..., float]]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": divide,
    "negate": lambda a: -a,
    "power": _guarded(math.pow),
    "exp": _guarded(math.exp),
    "log": _guarded(_log),
    "expm1": _guarded(math.expm1),
    "log1p": _guarded(_log1p),
    "sqrt": _guarded(math.sqrt),
    "abs": abs,
    "tanh": math.tanh,
    "erf": math.erf,
    "erfc": math.erfc,
    "sin": _guarded(math.sin),
    "cos": _guarded(math.cos),
    "sign": _sign,
    "maximum": _nan_or(max),
    "minimum": _nan_or(min),
    "less": lambda a, b: float(a < b),
    "less_equal": lambda a, b: float(a <= b),
    "equal": lambda a, b: float(a == b),
    "not_equal": lambda a, b: float(a != b),
    "where": lambda c, a, b: a if c != 0 else b,
    "logistic": _guarded(_logistic),
    "logistic_slope": _logistic_slope,
    "tanh_slope": lambda x: 4 * _logistic_slope(2 * x),
    "log1pexp": _log1pexp,
    "logistic_loss": lambda x, t: (max(x, 0.0) - t * x) + math.log1p(math.exp(-abs(x))),
}
"""Each elementwise operation on Python floats."""


def _first(column: Column, extreme: Callable[[Column], float]) -> Column:
    best = column.index(extreme(column)) if not any(map(math.isnan, column)) else -1
    return [float(i == best) for i in range(len(column))]


def _extreme(pick: Callable[[Column], float]) -> Callable[[Column], Column]:
    return lambda x: [math.nan if any(map(math.isnan, x)) else pick(x)] * len(x)


def _logsumexp(x: Column) -> Column:
    top = max(x)
    if math.isinf(top) or any(map(math.isnan, x)):
        return [math.nan if any(map(math.isnan, x)) else top] * len(x)
    return [top + math.log(math.fsum(math.exp(v - top) for v in x))] * len(x)


def _log_normalized_exp(x: Column) -> Column:
    top = max(x)
    if math.isinf(top) or any(map(math.isnan, x)):
        return [math.nan] * len(x)
    rest = math.log1p(math.fsum([-1.0, *(math.exp(v - top) for v in x)]))
    return [(v - top) - rest for v in x]


def _normalized_exp(x: Column) -> Column:
    top = max(x)
    if math.isinf(top) or any(map(math.isnan, x)):
        return [math.nan] * len(x)
    parts = [math.exp(v - top) for v in x]
    whole = math.fsum(parts)
    return [p / whole for p in parts]


_WHOLE_COLUMN: Final[dict[str, Callable[[Column], Column]]] = {
    "sum": lambda x: [sum(x)] * len(x),
    "mean": lambda x: [sum(x) / len(x)] * len(x),
    "max": _extreme(max),
    "min": _extreme(min),
    "logsumexp": _logsumexp,
    "normalized_exp": _normalized_exp,
    "log_normalized_exp": _log_normalized_exp,
    "first_max": lambda x: _first(x, max),
    "first_min": lambda x: _first(x, min),
}
