"""Bounds: between which numbers an expression stays, and whether computing it can overflow or be undefined.

Interval arithmetic, open and closed ends told apart. Intermediate results count: log(exp(z)) is not safe,
though its value is z. Numbers are those of float32, the smaller of the two dtypes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dnnlang.scalar.expression import Expr, topological

LARGEST: Final = 3e38
"""About the largest float32."""

LOG_SMALLEST: Final = -104.0
"""About the logarithm of the smallest positive float32."""

PROBE: Final = 1e4
"""Pre-activations up to this size must not overflow; language.md asks for finite results at ±1e4."""

MOST_UNITS: Final = 1e6
"""Reductions are bounded for columns of up to this many units."""


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; an end that is `open` is not reached.

    `safe` is False once a step could overflow, `defined` once one could have no value at all, like log 0.
    What follows from an overflow (inf - inf) counts as overflow.
    """

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False
    safe: bool = True
    defined: bool = True

    @property
    def risk(self) -> int:
        """0: nothing can go wrong. 1: overflow to infinity. 2: an undefined value."""
        return 2 if not self.defined else int(not self.safe)

    @property
    def has_zero(self) -> bool:
        above = self.low < 0 or (self.low == 0 and not self.low_open)
        below = self.high > 0 or (self.high == 0 and not self.high_open)
        return above and below

    @property
    def positive(self) -> bool:
        return self.low > 0 or (self.low == 0 and self.low_open)

    @property
    def negative(self) -> bool:
        return self.high < 0 or (self.high == 0 and self.high_open)


ANY: Final = Interval(-PROBE, PROBE)
OVERFLOWN: Final = Interval(-math.inf, math.inf, safe=False)
UNKNOWN: Final = Interval(-math.inf, math.inf, safe=False, defined=False)


def bounds(expr: Expr, operands: Mapping[str, Interval]) -> Interval:
    """Where `expr` lies when its variables lie where `operands` says; others anywhere within ±PROBE."""
    found: dict[Expr, Interval] = {}
    for e in topological(expr):
        found[e] = bound_of(e, [found[a] for a in e.args], operands)
    return found[expr]


def bound_of(e: Expr, args: list[Interval], operands: Mapping[str, Interval]) -> Interval:
    """The bounds of one node from those of its operands."""
    if e.op == "constant" and e.value is not None:
        return _constant(float(e.value)) if abs(e.value) < 10**300 else UNKNOWN
    if e.op == "units":
        return Interval(1, MOST_UNITS)
    if e.op == "variable":
        return operands.get(e.name or "", ANY)
    rule = _RULES.get(e.op)
    if rule is None:
        return UNKNOWN
    if e.op == "power":
        return _checked(_power(e, args), args)
    if e.op == "where":
        args = [args[0], *_branches(e, args, operands)]
    if _minus_its_top(e):
        return _checked(Interval(_add(*args).low, 0), args)
    if e.op == "multiply" and e.args[0] is e.args[1]:
        return _checked(_square(args[0]), args)
    return _checked(rule(*args), args)


def _branches(e: Expr, args: list[Interval], operands: Mapping[str, Interval]) -> tuple[Interval, Interval]:
    """The bounds of both branches, each where its condition on a variable holds: where(y > 0, log(y), 0) is safe."""
    condition, first, second = e.args
    if condition.op not in ("less", "less_equal"):
        return args[1], args[2]
    left, right = condition.args
    if left.op == "constant" and left.value is not None and right.op == "variable":
        name, limit, above = right.name or "", float(left.value), True
    elif right.op == "constant" and right.value is not None and left.op == "variable":
        name, limit, above = left.name or "", float(right.value), False
    else:
        return args[1], args[2]
    strict = condition.op == "less"
    whole = operands.get(name, ANY)
    over = Interval(max(whole.low, limit), whole.high, limit >= whole.low and strict == above, whole.high_open)
    under = Interval(whole.low, min(whole.high, limit), whole.low_open, limit <= whole.high and strict != above)
    holds, fails = (over, under) if above else (under, over)
    if holds.low > holds.high or fails.low > fails.high:
        return args[1], args[2]
    return bounds(first, {**operands, name: holds}), bounds(second, {**operands, name: fails})


def _minus_its_top(e: Expr) -> bool:
    """x - max(x) and x - logsumexp(x) are never above 0."""
    if e.op != "add" or e.args[1].op != "negate":
        return False
    top = e.args[1].args[0]
    return top.op in ("max", "logsumexp") and top.args[0] is e.args[0]


def _checked(interval: Interval, args: list[Interval]) -> Interval:
    in_range = abs(interval.low) < LARGEST and abs(interval.high) < LARGEST
    safe = interval.safe and in_range and all(a.safe for a in args)
    defined = interval.defined and all(a.defined for a in args)
    if safe == interval.safe and defined == interval.defined:
        return interval
    return Interval(*_ends(interval), safe, defined)


def _ends(i: Interval) -> tuple[float, float, bool, bool]:
    return i.low, i.high, i.low_open, i.high_open


def _constant(value: float) -> Interval:
    return Interval(value, value)


def _sum(a: float, b: float) -> float:
    total = a + b
    return 0.0 if math.isnan(total) else total


def _add(a: Interval, b: Interval) -> Interval:
    if (a.high == math.inf and b.low == -math.inf) or (a.low == -math.inf and b.high == math.inf):
        return OVERFLOWN
    return Interval(_sum(a.low, b.low), _sum(a.high, b.high), a.low_open or b.low_open, a.high_open or b.high_open)


def _negate(a: Interval) -> Interval:
    return Interval(-a.high, -a.low, a.high_open, a.low_open)


def _times(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _unbounded(a: Interval) -> bool:
    return a.low == -math.inf or a.high == math.inf


def _multiply(a: Interval, b: Interval) -> Interval:
    if (_unbounded(a) and b.has_zero) or (_unbounded(b) and a.has_zero):
        return OVERFLOWN
    corners = [
        (_times(x, y), (x_open and y != 0) or (y_open and x != 0) or (x == 0 and x_open) or (y == 0 and y_open))
        for x, x_open in ((a.low, a.low_open), (a.high, a.high_open))
        for y, y_open in ((b.low, b.low_open), (b.high, b.high_open))
    ]
    low = min(v for v, _ in corners)
    high = max(v for v, _ in corners)
    inner_zero = a.has_zero or b.has_zero
    low_open = all(is_open for v, is_open in corners if v == low) and not (low == 0 and inner_zero)
    high_open = all(is_open for v, is_open in corners if v == high) and not (high == 0 and inner_zero)
    return Interval(low, high, low_open, high_open)


def _square(a: Interval) -> Interval:
    if a.has_zero:
        return Interval(0, max(_times(a.low, a.low), _times(a.high, a.high)))
    return _multiply(a, a)


def _divide(a: Interval, b: Interval) -> Interval:
    if b.has_zero or b.low == 0 or b.high == 0:
        return UNKNOWN
    return _multiply(a, Interval(1 / b.high, 1 / b.low, b.high_open, b.low_open))


def _power(e: Expr, args: list[Interval]) -> Interval:
    base, exponent = args
    n = e.args[1].value
    if n is None:
        if base.low < 0 or exponent.low < 0:
            return UNKNOWN
        return Interval(0, max(1.0, _safe_power(max(base.high, 1.0), exponent.high)))
    if n.denominator == 1 and n > 0 and n % 2 == 0:
        low, high = sorted((abs(base.low), abs(base.high)))
        return Interval(0.0 if base.has_zero else _safe_power(low, float(n)), _safe_power(high, float(n)))
    if n.denominator == 1 and n > 0:
        return Interval(
            math.copysign(_safe_power(abs(base.low), float(n)), base.low),
            math.copysign(_safe_power(abs(base.high), float(n)), base.high),
            base.low_open,
            base.high_open,
        )
    if n > 0:
        return UNKNOWN if base.low < 0 else Interval(_safe_power(base.low, float(n)), _safe_power(base.high, float(n)))
    if base.has_zero or base.low <= 0:
        return UNKNOWN
    return Interval(_safe_power(base.high, float(n)), _safe_power(base.low, float(n)))


def _safe_power(x: float, n: float) -> float:
    try:
        return math.pow(x, n)
    except (OverflowError, ValueError):
        return math.inf


def _exp(a: Interval) -> Interval:
    """The least value is reached: far below zero exp underflows to 0."""
    return Interval(0.0 if a.low < -80 else math.exp(a.low), math.exp(a.high) if a.high < 700 else math.inf)


def _log(a: Interval) -> Interval:
    if not a.positive:
        return UNKNOWN
    low = math.log(a.low) if a.low > 0 else LOG_SMALLEST
    return Interval(low, math.log(a.high) if a.high < math.inf else math.inf, a.low_open, a.high_open)


def _expm1(a: Interval) -> Interval:
    high = math.expm1(a.high) if a.high < 700 else math.inf
    if a.low < -30:
        return Interval(-1, high)
    return Interval(math.expm1(a.low), high, a.low_open, a.high_open)


def _log1p(a: Interval) -> Interval:
    if a.low <= -1:
        return UNKNOWN
    return Interval(math.log1p(a.low), math.log1p(a.high), a.low_open, a.high_open)


def _sqrt(a: Interval) -> Interval:
    if a.low < 0:
        return UNKNOWN
    return Interval(math.sqrt(a.low), math.sqrt(a.high), a.low_open, a.high_open)


def _abs(a: Interval) -> Interval:
    if a.has_zero:
        return Interval(0, max(-a.low, a.high))
    return a if a.positive else _negate(a)


def _tanh(a: Interval) -> Interval:
    return Interval(math.tanh(a.low), math.tanh(a.high), a.low_open and a.low > -10, a.high_open and a.high < 10)


def _erf(a: Interval) -> Interval:
    return Interval(math.erf(a.low), math.erf(a.high), a.low_open and a.low > -4, a.high_open and a.high < 4)


def _sign(a: Interval) -> Interval:
    return Interval(1.0 if a.positive else (0.0 if a.low >= 0 else -1.0), -1.0 if a.negative else float(a.high > 0))


def _maximum(a: Interval, b: Interval) -> Interval:
    low = max(a.low, b.low)
    high = max(a.high, b.high)
    low_open = any(i.low_open for i in (a, b) if i.low == low)
    high_open = all(i.high_open for i in (a, b) if i.high == high)
    return Interval(low, high, low_open, high_open)


def _minimum(a: Interval, b: Interval) -> Interval:
    return _negate(_maximum(_negate(a), _negate(b)))


def _less(a: Interval, b: Interval) -> Interval:
    if a.high < b.low or (a.high == b.low and (a.high_open or b.low_open)):
        return _constant(1)
    return _constant(0) if a.low >= b.high else _ZERO_TO_ONE


def _less_equal(a: Interval, b: Interval) -> Interval:
    if a.high <= b.low:
        return _constant(1)
    beyond = a.low > b.high or (a.low == b.high and (a.low_open or b.high_open))
    return _constant(0) if beyond else _ZERO_TO_ONE


def _where(c: Interval, a: Interval, b: Interval) -> Interval:
    if not c.has_zero:
        return a
    if c.low == c.high == 0:
        return b
    low, high = min(a.low, b.low), max(a.high, b.high)
    return Interval(
        low,
        high,
        all(i.low_open for i in (a, b) if i.low == low),
        all(i.high_open for i in (a, b) if i.high == high),
    )


def _logistic(a: Interval) -> Interval:
    def at(x: float) -> float:
        return 1 / (1 + math.exp(-x)) if x > -80 else 0.0

    return Interval(at(a.low), at(a.high), a.low_open and a.low > -30, a.high_open and a.high < 15)


def _log1pexp(a: Interval) -> Interval:
    def at(x: float) -> float:
        return max(x, 0.0) + math.log1p(math.exp(-abs(x))) if x > -80 else 0.0

    return Interval(at(a.low), at(a.high))


def _total(a: Interval) -> Interval:
    return Interval(min(a.low, a.low * MOST_UNITS), max(a.high, a.high * MOST_UNITS), a.low_open, a.high_open)


_ZERO_TO_ONE: Final = Interval(0, 1)

_RULES: Final[dict[str, Callable[..., Interval]]] = {
    "add": _add,
    "negate": _negate,
    "multiply": _multiply,
    "divide": _divide,
    "power": lambda a, b: UNKNOWN,  # needs the exponent itself: see _power
    "exp": _exp,
    "log": _log,
    "expm1": _expm1,
    "log1p": _log1p,
    "sqrt": _sqrt,
    "abs": _abs,
    "tanh": _tanh,
    "erf": _erf,
    "erfc": lambda a: Interval(math.erfc(a.high), math.erfc(a.low)),
    "sin": lambda a: Interval(-1, 1),
    "cos": lambda a: Interval(-1, 1),
    "sign": _sign,
    "maximum": _maximum,
    "minimum": _minimum,
    "less": _less,
    "less_equal": _less_equal,
    "equal": lambda a, b: _ZERO_TO_ONE,
    "not_equal": lambda a, b: _ZERO_TO_ONE,
    "where": _where,
    "logistic": _logistic,
    "logistic_slope": lambda a: Interval(0, 0.25),
    "tanh_slope": lambda a: Interval(0, 1),
    "log1pexp": _log1pexp,
    "logistic_loss": lambda x, t: _add(_log1pexp(x), _negate(_multiply(t, x))),
    "sum": _total,
    "mean": lambda a: a,
    "max": lambda a: a,
    "min": lambda a: a,
    "logsumexp": lambda a: Interval(a.low, a.high + math.log(MOST_UNITS)),
    "normalized_exp": lambda a: _ZERO_TO_ONE,
    "log_normalized_exp": lambda a: Interval(a.low - a.high - math.log(MOST_UNITS), 0),
    "first_max": lambda a: _ZERO_TO_ONE,
    "first_min": lambda a: _ZERO_TO_ONE,
}
