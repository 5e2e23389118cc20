"""Definitions evaluated with many digits: the reference for accuracy.

The formula is taken as it is written, before anything is rewritten, and evaluated with mpmath at DIGITS digits, enough
for what cancels in it even far out. Every operand is a number of the dtype, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import mpmath
from mpmath import mp, mpf

from dnnlang.scalar.expression import Expr, topological

DIGITS = 400


def _where(c: mpf, a: mpf, b: mpf) -> mpf:
    return a if c != 0 else b


def _divide(a: mpf, b: mpf) -> mpf:
    if b == 0:
        return mp.nan if a == 0 else mp.inf * mp.sign(a)
    return a / b


ENTRIES: dict[str, Callable[..., mpf]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": _divide,
    "negate": lambda a: -a,
    "power": lambda a, b: a**b,
    "exp": mpmath.exp,
    "log": lambda a: -mp.inf if a == 0 else mpmath.log(a) if a > 0 else mp.nan,
    "expm1": mpmath.expm1,
    "log1p": mpmath.log1p,
    "sqrt": mpmath.sqrt,
    "abs": abs,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "sign": mpmath.sign,
    "maximum": max,
    "minimum": min,
    "less": lambda a, b: mpf(a < b),
    "less_equal": lambda a, b: mpf(a <= b),
    "equal": lambda a, b: mpf(a == b),
    "not_equal": lambda a, b: mpf(a != b),
    "where": _where,
    "logistic": lambda a: 1 / (1 + mpmath.exp(-a)),
    "logistic_slope": lambda a: mpmath.exp(-a) / (1 + mpmath.exp(-a)) ** 2,
    "tanh_slope": lambda a: mpmath.sech(a) ** 2,
    "log1pexp": lambda a: mpmath.log(1 + mpmath.exp(a)),
    "sum": lambda a: a,  # of the one unit that there is
    "mean": lambda a: a,
    "max": lambda a: a,
    "min": lambda a: a,
}


def precise(expr: Expr, operands: Mapping[str, float | mpf]) -> mpf:
    """The value of `expr` for a column of one unit, to DIGITS digits less what cancels."""
    with mp.workdps(DIGITS):
        values: dict[Expr, mpf] = {}
        for e in topological(expr):
            if e.value is not None:
                values[e] = mpf(e.value.numerator) / mpf(e.value.denominator)
            elif e.name is not None:
                values[e] = mpf(operands[e.name])
            elif e.op == "units":
                values[e] = mpf(1)
            else:
                values[e] = ENTRIES[e.op](*(values[a] for a in e.args))
        return values[expr]
