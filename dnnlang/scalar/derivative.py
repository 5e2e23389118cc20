"""Derivatives: one formula a line, and the reverse sweep that puts them together.

Where a function has a kink the language fixes the side: at a tie maximum and minimum differentiate their
second argument, a reduction its first extremal unit, abs'(0) = 0, and `where` follows its condition.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.scalar.construct import (
    ONE,
    TWO,
    ZERO,
    compare,
    function,
    minus,
    negative,
    over,
    plus,
    power,
    square,
    times,
    total,
    where,
)
from dnnlang.scalar.expression import Expr, apply, constant, topological, units

TWO_OVER_ROOT_PI: Final = constant(Fraction(2 / math.sqrt(math.pi)))

Partials = Callable[..., tuple[Expr, ...]]

PARTIALS: Final[dict[str, Partials]] = {
    # f(x, …) → ∂f/∂x, …; the last argument, f, is the value itself
    "add": lambda x, y, f: (ONE, ONE),
    "multiply": lambda x, y, f: (y, x),
    "divide": lambda x, y, f: (over(ONE, y), negative(over(f, y))),
    "power": lambda x, y, f: (times(y, power(x, minus(y, ONE))), times(function("log", x), f)),
    "negate": lambda x, f: (constant(-1),),
    "exp": lambda x, f: (f,),
    "log": lambda x, f: (over(ONE, x),),
    "expm1": lambda x, f: (function("exp", x),),
    "log1p": lambda x, f: (over(ONE, plus(ONE, x)),),
    "sqrt": lambda x, f: (over(ONE, times(TWO, f)),),
    "abs": lambda x, f: (function("sign", x),),
    "tanh": lambda x, f: (apply("tanh_slope", x),),
    "tanh_slope": lambda x, f: (times(times(constant(-2), function("tanh", x)), f),),
    "erf": lambda x, f: (times(TWO_OVER_ROOT_PI, function("exp", negative(square(x)))),),
    "erfc": lambda x, f: (negative(times(TWO_OVER_ROOT_PI, function("exp", negative(square(x))))),),
    "sin": lambda x, f: (function("cos", x),),
    "cos": lambda x, f: (negative(function("sin", x)),),
    "sign": lambda x, f: (ZERO,),
    "maximum": lambda x, y, f: (compare("less", y, x), compare("less_equal", x, y)),
    "minimum": lambda x, y, f: (compare("less", x, y), compare("less_equal", y, x)),
    "where": lambda c, x, y, f: (ZERO, where(c, ONE, ZERO), where(c, ZERO, ONE)),
    "less": lambda x, y, f: (ZERO, ZERO),
    "less_equal": lambda x, y, f: (ZERO, ZERO),
    "equal": lambda x, y, f: (ZERO, ZERO),
    "not_equal": lambda x, y, f: (ZERO, ZERO),
    "logistic": lambda x, f: (apply("logistic_slope", x),),
    "logistic_slope": lambda x, f: (times(f, minus(ONE, times(TWO, apply("logistic", x)))),),
    "log1pexp": lambda x, f: (apply("logistic", x),),
    "logistic_loss": lambda x, t, f: (minus(apply("logistic", x), t), negative(x)),
    "sum": lambda x, f: (ONE,),
    "mean": lambda x, f: (over(ONE, units()),),
    "max": lambda x, f: (apply("first_max", x),),
    "min": lambda x, f: (apply("first_min", x),),
    "logsumexp": lambda x, f: (apply("normalized_exp", x),),
    "first_max": lambda x, f: (ZERO,),
    "first_min": lambda x, f: (ZERO,),
}


def vjp(expr: Expr, wrt: str, upstream: Expr) -> Expr:
    """The gradient that arrives at the variable `wrt` when `upstream` arrives at `expr`, for one column.

    With u = upstream: Σ_i u_i ∂expr_i/∂wrt_k for each unit k (summed over k too where wrt is one number
    for the column).
    """
    order = topological(expr)
    leaf = next((e for e in order if e.name == wrt), None)
    if leaf is None:
        return ZERO
    depends = {leaf}
    for e in order:
        if any(a in depends for a in e.args):
            depends.add(e)
    if upstream.per_unit and not expr.per_unit:  # one number for the column, read by every unit
        upstream = total(upstream)
    arriving: dict[Expr, Expr] = {expr: upstream}
    for e in reversed(order):
        if e is leaf or e not in depends or e not in arriving:
            continue
        u = arriving.pop(e)
        both = len(e.args) == 2 and all(a in depends for a in e.args)
        for a, contribution in zip(e.args, _contributions(e, u, both), strict=True):
            if a not in depends or contribution is ZERO:
                continue
            if e.per_unit and not a.per_unit:
                contribution = total(contribution)
            arriving[a] = plus(arriving[a], contribution) if a in arriving else contribution
    return arriving.get(leaf, ZERO)


def _contributions(e: Expr, u: Expr, both: bool) -> tuple[Expr, ...]:
    if e.op == "normalized_exp":  # a_i depends on every unit: Σ_i u_i ∂a_i/∂x_k = a_k (u_k - Σ_i u_i a_i)
        return (times(e, minus(u, total(times(u, e)))),)
    if e.op == "log_normalized_exp":  # Σ_i u_i ∂f_i/∂x_k = u_k - exp(f_k) Σ_i u_i
        return (minus(u, times(total(u), apply("normalized_exp", e.args[0]))),)
    partials = PARTIALS.get(e.op)
    if partials is None:
        raise InternalError(f"the operation {e.op} has no derivative")
    if e.op == "divide":  # u/y rather than u·(1/y): one operation, and nothing lost when y is tiny
        _, y = e.args
        return over(u, y), negative(over(times(u, e), y))
    if e.op in ("maximum", "minimum") and both:  # one choice between two slopes, rather than a sum of two products
        first, _ = partials(*e.args, e)
        return _gate(u, first, first=True), _gate(u, first, first=False)
    if e.op == "where":  # not a product with the condition: the branch not taken may be infinite
        c, _, _ = e.args
        return ZERO, _gate(u, c, first=True), _gate(u, c, first=False)
    return tuple(times(u, p) for p in partials(*e.args, e))


def _gate(u: Expr, condition: Expr, *, first: bool) -> Expr:
    return where(condition, u, ZERO) if first else where(condition, ZERO, u)
