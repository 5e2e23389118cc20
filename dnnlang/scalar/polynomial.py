"""Laurent polynomials over generators, and quotients of them with the denominator kept in factors.

A generator stands for something that is not taken apart further: a variable, exp of a monomial, a sum over
units, the logarithm of a polynomial, any other function of canonical arguments. Powers are integers,
except those of exponentials, which may be fractions: exp(z/2) is exp(z)^(1/2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dnnlang.scalar.expression import Expr

POLYNOMIAL_LIMIT: Final = 300
"""Terms of a numerator beyond which the canonical form is given up; formulas on paper stay far below."""

DIVISION_STEPS: Final = 400


class TooWide(Exception):
    """A canonical form grew beyond POLYNOMIAL_LIMIT, or divides by zero; the formula is used as it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """Compared by identity; `id` orders. `inside` is what it was made of, by its kind:

    `leaf` nothing, `exp` the monomial in the exponent, `sum` the quotient summed, `log` the polynomial,
    `other` the operation and its quotients.
    """

    id: int
    kind: str
    expr: Expr | None
    per_unit: bool
    positive: bool
    depends: frozenset[str]
    inside: object


Monomial = tuple[tuple[Generator, Fraction], ...]
Polynomial = dict[Monomial, Fraction]
Factor = frozenset[tuple[Monomial, Fraction]]

ONE_MONOMIAL: Final[Monomial] = ()


@dataclass(frozen=True, slots=True)
class Quotient:
    """`numerator / Π factor^power`. Each factor is primitive (see `primitive`), each power at least 1."""

    numerator: Polynomial
    denominator: Mapping[Factor, int]

    @property
    def key(self) -> tuple[frozenset[tuple[Monomial, Fraction]], frozenset[tuple[Factor, int]]]:
        return frozenset(self.numerator.items()), frozenset(self.denominator.items())

    def generators(self) -> set[Generator]:
        found = {g for monomial in self.numerator for g, _ in monomial}
        for factor in self.denominator:
            found.update(g for monomial, _ in factor for g, _ in monomial)
        return found


def number(value: Fraction | int) -> Quotient:
    return Quotient({ONE_MONOMIAL: Fraction(value)} if value else {}, {})


def of_generator(g: Generator) -> Quotient:
    return Quotient({((g, Fraction(1)),): Fraction(1)}, {})


def monomial_product(a: Monomial, b: Monomial, power: Fraction | int = 1) -> Monomial:
    """a · b^power."""
    if not b:
        return a
    powers = dict(a)
    for g, p in b:
        powers[g] = powers.get(g, Fraction(0)) + p * power
    return tuple(sorted(((g, p) for g, p in powers.items() if p), key=lambda gp: gp[0].id))


def _lexicographic(monomial: Monomial, order: list[Generator]) -> tuple[Fraction, ...]:
    powers = dict(monomial)
    return tuple(powers.get(g, Fraction(0)) for g in order)


def _order(monomials: Iterable[Monomial]) -> list[Generator]:
    return sorted({g for m in monomials for g, _ in m}, key=lambda g: g.id)


def poly_sum(a: Polynomial, b: Polynomial) -> Polynomial:
    total = dict(a)
    for monomial, c in b.items():
        value = total.get(monomial, Fraction(0)) + c
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    return _bounded(total)


def poly_product(a: Polynomial, b: Polynomial) -> Polynomial:
    if len(a) * len(b) > POLYNOMIAL_LIMIT * 4:
        raise TooWide
    total: Polynomial = {}
    for ma, ca in a.items():
        for mb, cb in b.items():
            monomial = monomial_product(ma, mb)
            value = total.get(monomial, Fraction(0)) + ca * cb
            if value:
                total[monomial] = value
            else:
                total.pop(monomial, None)
    return _bounded(total)


def _bounded(p: Polynomial) -> Polynomial:
    if len(p) > POLYNOMIAL_LIMIT:
        raise TooWide
    return p


def primitive(p: Polynomial) -> tuple[Fraction, Monomial, Polynomial]:
    """p = coefficient · monomial · rest, the rest unique: its least monomial in exponentials is 1.

    Of every other generator the smallest power is taken out; the first term of the rest has coefficient 1.
    """
    order = _order(p)
    least = min((tuple((g, q) for g, q in m if g.kind == "exp") for m in p), key=lambda m: _lexicographic(m, order))
    content = dict(least)
    for g in order:
        if g.kind != "exp":
            lowest = min(dict(m).get(g, Fraction(0)) for m in p)
            if lowest:
                content[g] = lowest
    monomial = tuple(sorted(content.items(), key=lambda gp: gp[0].id))
    rest = {monomial_product(m, monomial, -1): c for m, c in p.items()}
    leading = rest[min(rest, key=lambda m: _lexicographic(m, order))]
    return leading, monomial, {m: c / leading for m, c in rest.items()}


def exact_quotient(p: Polynomial, divisor: Polynomial) -> Polynomial | None:
    """p / divisor if that is a polynomial, else None."""
    if not p:
        return p
    order = _order([*p, *divisor])

    def key(m: Monomial) -> tuple[Fraction, ...]:
        return _lexicographic(m, order)

    shift = _floor([*p], order)
    shift_divisor = _floor([*divisor], order)
    rest = {monomial_product(m, shift, -1): c for m, c in p.items()}
    by = {monomial_product(m, shift_divisor, -1): c for m, c in divisor.items()}
    lead = max(by, key=key)
    quotient: Polynomial = {}
    for _ in range(DIVISION_STEPS):
        if not rest:
            back = monomial_product(shift, shift_divisor, -1)
            return {monomial_product(m, back): c for m, c in quotient.items()}
        top = max(rest, key=key)
        monomial = monomial_product(top, lead, -1)
        if any(q < 0 for _, q in monomial):
            return None
        c = rest[top] / by[lead]
        quotient[monomial] = c
        rest = poly_sum(rest, {monomial_product(m, monomial): -c * d for m, d in by.items()})
    return None


def _floor(monomials: list[Monomial], order: list[Generator]) -> Monomial:
    lowest = {g: min(dict(m).get(g, Fraction(0)) for m in monomials) for g in order}
    return tuple((g, q) for g, q in lowest.items() if q)


def reduced(numerator: Polynomial, denominator: Mapping[Factor, int]) -> Quotient:
    """numerator / denominator, without the factors of the denominator that divide the numerator."""
    if not numerator:
        return Quotient({}, {})
    kept: dict[Factor, int] = {}
    for factor, power in denominator.items():
        while power > 0:
            divided = exact_quotient(numerator, dict(factor))
            if divided is None:
                break
            numerator, power = divided, power - 1
        if power:
            kept[factor] = power
    return Quotient(numerator, kept)


def product(a: Quotient, b: Quotient) -> Quotient:
    denominator = dict(a.denominator)
    for factor, power in b.denominator.items():
        denominator[factor] = denominator.get(factor, 0) + power
    return reduced(poly_product(a.numerator, b.numerator), denominator)


def plus(a: Quotient, b: Quotient) -> Quotient:
    common = dict(a.denominator)
    for factor, power in b.denominator.items():
        common[factor] = max(common.get(factor, 0), power)
    return reduced(poly_sum(_raised(a, common), _raised(b, common)), common)


def _raised(q: Quotient, common: Mapping[Factor, int]) -> Polynomial:
    numerator = q.numerator
    for factor, power in common.items():
        for _ in range(power - q.denominator.get(factor, 0)):
            numerator = poly_product(numerator, dict(factor))
    return numerator


def negated(a: Quotient) -> Quotient:
    return Quotient({m: -c for m, c in a.numerator.items()}, a.denominator)


def inverse(a: Quotient) -> Quotient:
    """1 / a. Raises TooWide for 1 / 0: that formula is left as it stands."""
    if not a.numerator:
        raise TooWide
    coefficient, monomial, rest = primitive(a.numerator)
    numerator: Polynomial = {monomial_product(ONE_MONOMIAL, monomial, -1): 1 / coefficient}
    for factor, power in a.denominator.items():
        for _ in range(power):
            numerator = poly_product(numerator, dict(factor))
    if len(rest) == 1:
        return Quotient(numerator, {})
    return Quotient(numerator, {frozenset(rest.items()): 1})


def integer_power(a: Quotient, n: int) -> Quotient:
    if n < 0:
        return integer_power(inverse(a), -n)
    result = number(1)
    for _ in range(n):
        result = product(result, a)
    return result


def substituted(a: Quotient, monomial_value: Callable[[Monomial], Quotient]) -> Quotient:
    """`a` with every monomial replaced by a quotient."""
    result = _poly_value(a.numerator, monomial_value)
    for factor, power in a.denominator.items():
        result = product(result, integer_power(inverse(_poly_value(dict(factor), monomial_value)), power))
    return result


def _poly_value(p: Polynomial, monomial_value: Callable[[Monomial], Quotient]) -> Quotient:
    total = number(0)
    for monomial, c in p.items():
        total = plus(total, product(number(c), monomial_value(monomial)))
    return total
