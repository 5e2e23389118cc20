"""Backward steps written in the activation's output A, so that Z need not be kept.

Two ways. If A is a quotient of linear forms in one exponential, or linear in z, that equation is solved for
the exponential (for z) and put in: for A = E / (1 + E), E = A / (1 - A). And a condition on the sign of z is one on
the sign of A where bounds show that the activation keeps the sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from dnnlang.scalar.bound import Interval, bounds
from dnnlang.scalar.canonical import Canon, constant_of, single_generator
from dnnlang.scalar.construct import ZERO, compare, rebuild
from dnnlang.scalar.expression import Expr, apply, topological, variable
from dnnlang.scalar.polynomial import (
    ONE_MONOMIAL,
    Generator,
    Monomial,
    Polynomial,
    Quotient,
    TooWide,
    integer_power,
    inverse,
    negated,
    number,
    of_generator,
    plus,
    product,
    substituted,
)

Z: Final = variable("z")
A: Final = variable("a")


# ---------------------------------------------------------------- solving for z


def in_output(canon: Canon, activation: Expr, target: Expr) -> Quotient | None:
    """The canonical form of `target` in `a` instead of `z`, or None where that equation is not solved here.

    Raises TooWide when a form grows too large.
    """
    solved = _solve(canon, canon.form(activation))
    if solved is None:
        return None
    result = solved.replace(canon.form(target))
    return None if result is None or any("z" in g.depends for g in result.generators()) else result


class _Solved:
    """z, or a power of one exponential of it, as a quotient in A; `kept` cancel in the end or spoil the result."""

    def __init__(
        self,
        canon: Canon,
        generator: Generator,
        unit: Fraction,
        value: Quotient,
        kept: frozenset[Generator],
    ) -> None:
        self.canon = canon
        self.generator = generator
        self.unit = unit
        self.value = value
        self.kept = kept

    def replace(self, q: Quotient) -> Quotient | None:
        try:
            return substituted(q, self._monomial)
        except _NotSolvable:
            return None

    def _monomial(self, m: Monomial) -> Quotient:
        result = number(1)
        for g, p in m:
            result = product(result, self._power(g, p))
        return result

    def _power(self, g: Generator, p: Fraction) -> Quotient:
        if "z" not in g.depends or g in self.kept:
            return Quotient({((g, p),): Fraction(1)}, {})
        if g is self.generator:
            steps = p / self.unit
            if steps.denominator != 1 or abs(steps) > 8:
                raise _NotSolvable
            return integer_power(self.value, int(steps))
        if g.kind == "exp" and isinstance(g.inside, tuple) and self.generator.kind == "leaf":
            inside = product(number(p), self._monomial(g.inside))
            return self.canon.exp(inside)
        if g.kind == "sum" and isinstance(g.inside, Quotient):
            if p.denominator != 1:
                raise _NotSolvable
            return integer_power(self.canon.sum(substituted(g.inside, self._monomial)), int(p))
        raise _NotSolvable


class _NotSolvable(Exception):
    """z occurs in a way that the solved equation says nothing about."""


def _solve(canon: Canon, activation: Quotient) -> _Solved | None:
    own = [g for g in activation.generators() if "z" in g.depends and g.per_unit]
    if len(own) == 2:
        return _solve_odd(canon, activation, own)
    if len(own) != 1:
        return None
    g = own[0]
    kept = frozenset(_with_logarithms(x for x in activation.generators() if "z" in x.depends and x is not g))
    a = canon.form(A)
    if g.kind == "leaf":
        return _solve_linear(canon, activation, g, kept, a)
    if g.kind != "exp":
        return None
    return _solve_quotient(canon, activation, g, kept, a)


def _with_logarithms(generators: Iterable[Generator]) -> Iterator[Generator]:
    """What is kept as it is: with log(S) also S, so that exp(z) = exp(A) S has an S to cancel."""
    for g in generators:
        yield g
        if g.kind == "log" and isinstance(g.inside, frozenset):
            yield from (x for monomial, _ in g.inside for x, _ in monomial)


def _solve_linear(
    canon: Canon, activation: Quotient, z: Generator, kept: frozenset[Generator], a: Quotient
) -> _Solved | None:
    """A = c z + rest, where the column shares the rest: z = (A - rest) / c."""
    if activation.denominator:
        return None
    parts = _by_power(activation.numerator, z, Fraction(1))
    if parts is None or set(parts) - {0, 1}:
        return None
    slope = constant_of(Quotient(parts.get(1, {}), {}))
    if slope is None or slope == 0:
        return None
    rest = Quotient(parts.get(0, {}), {})
    value = product(plus(a, negated(rest)), number(1 / slope))
    return _Solved(canon, z, Fraction(1), value, kept)


def _solve_quotient(
    canon: Canon, activation: Quotient, e: Generator, kept: frozenset[Generator], a: Quotient
) -> _Solved | None:
    """A = (α t + β) / (γ t + δ) with t a power of the exponential: t = (A δ - β) / (α - A γ)."""
    below: Polynomial = {ONE_MONOMIAL: Fraction(1)}
    if len(activation.denominator) > 1 or any(k > 1 for k in activation.denominator.values()):
        return None
    for factor in activation.denominator:
        below = dict(factor)
    powers = {p for poly in (activation.numerator, below) for m in poly for g, p in m if g is e}
    if len(powers) != 1:
        return None
    (unit,) = powers
    top = _by_power(activation.numerator, e, unit)
    bottom = _by_power(below, e, unit)
    if top is None or bottom is None:
        return None
    alpha, beta = (Quotient(top.get(k, {}), {}) for k in (1, 0))
    gamma, delta = (Quotient(bottom.get(k, {}), {}) for k in (1, 0))
    above = plus(product(a, delta), negated(beta))
    under = plus(alpha, negated(product(a, gamma)))
    if not under.numerator:
        return None
    return _Solved(canon, e, unit, product(above, inverse(under)), kept)


def _solve_odd(canon: Canon, activation: Quotient, own: list[Generator]) -> _Solved | None:
    """A = z R(|z|) with R positive: |A| = |z| R(|z|), an equation in |z| alone."""
    z, size = canon.leaf(Z), single_generator(canon.form(apply("abs", Z)))
    if size is None or set(own) != {z, size} or not _all_positive(activation):
        return None
    if any(dict(m).get(z) != 1 for m in activation.numerator) or any(
        g is z for factor in activation.denominator for m, _ in factor for g, _ in m
    ):
        return None
    in_size: Polynomial = {}
    for m, c in activation.numerator.items():
        powers = dict(m)
        del powers[z]
        powers[size] = powers.get(size, Fraction(0)) + 1
        in_size[tuple(powers.items())] = c
    return _solve_quotient(
        canon, Quotient(in_size, activation.denominator), size, frozenset(), canon.form(apply("abs", A))
    )


def _all_positive(q: Quotient) -> bool:
    coefficients = list(q.numerator.values()) + [c for f in q.denominator for _, c in f]
    return all(c > 0 for c in coefficients)


def _by_power(p: Polynomial, g: Generator, unit: Fraction) -> dict[int, Polynomial] | None:
    """p as a polynomial in g^unit: its coefficients by power; None unless the powers are 0 and 1."""
    parts: dict[int, Polynomial] = {}
    for monomial, c in p.items():
        powers = dict(monomial)
        k = powers.pop(g, Fraction(0)) / unit
        if k not in (0, 1):
            return None
        parts.setdefault(int(k), {})[tuple(powers.items())] = c
    return parts


# ---------------------------------------------------------------- signs


POSITIVE: Final = Interval(0, math.inf, low_open=True, high_open=True)
NOT_POSITIVE: Final = Interval(-math.inf, 0, low_open=True)
NEGATIVE: Final = Interval(-math.inf, 0, low_open=True, high_open=True)
NOT_NEGATIVE: Final = Interval(0, math.inf, high_open=True)


def signs_of_output(activation: Expr, target: Expr) -> Expr:
    """`target` with conditions `z > 0` and `z < 0` written as `a > 0` and `a < 0`, where they are the same."""
    new: dict[Expr, Expr] = {}
    for e in topological(target):
        if e is activation and activation is not Z:
            new[e] = A
            continue
        condition = _sign_condition(e)
        if condition is not None and _keeps_sign(activation, condition):
            new[e] = _on_output(condition)
        elif any(new[a] is not a for a in e.args):
            new[e] = rebuild(e.op, tuple(new[a] for a in e.args))
        else:
            new[e] = e
    return new[target]


def _sign_condition(e: Expr) -> str | None:
    """`>`, `>=`, `<` or `<=` if e says that of z and 0; z > slope * z counts, for a slope below 1."""
    if e.op not in ("less", "less_equal"):
        return None
    slope = _slope_of_difference(e.args[0], e.args[1])
    if slope is None or slope == 0:
        return None
    strict = e.op == "less"
    # left < right is 0 < right - left = slope z
    if slope > 0:
        return ">" if strict else ">="
    return "<" if strict else "<="


def _slope_of_difference(left: Expr, right: Expr) -> Fraction | None:
    """c if right - left is c z."""
    try:
        canon = Canon()
        difference = plus(canon.form(right), negated(canon.form(left)))
    except TooWide:
        return None
    if difference.denominator or len(difference.numerator) != 1:
        return None
    ((monomial, c),) = difference.numerator.items()
    return c if of_generator(canon.leaf(Z)).numerator.keys() == {monomial} else None


def _keeps_sign(activation: Expr, condition: str) -> bool:
    """Whether `a` fulfils the condition exactly where z does."""
    inside, outside = _REGIONS[condition]
    return _within(bounds(activation, {"z": inside}), condition) and _within(
        bounds(activation, {"z": outside}), _OPPOSITE[condition]
    )


def _within(image: Interval, condition: str) -> bool:
    if math.isnan(image.low) or math.isnan(image.high):
        return False
    if condition == ">":
        return image.positive
    if condition == "<":
        return image.negative
    return image.low >= 0 if condition == ">=" else image.high <= 0


_REGIONS: Final[Mapping[str, tuple[Interval, Interval]]] = {
    ">": (POSITIVE, NOT_POSITIVE),
    ">=": (NOT_NEGATIVE, NEGATIVE),
    "<": (NEGATIVE, NOT_NEGATIVE),
    "<=": (NOT_POSITIVE, POSITIVE),
}
_OPPOSITE: Final = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def _on_output(condition: str) -> Expr:
    if condition in (">", ">="):
        return compare("less" if condition == ">" else "less_equal", ZERO, A)
    return compare("less" if condition == "<" else "less_equal", A, ZERO)
