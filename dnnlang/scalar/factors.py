"""Products and quotients written with one fraction bar: `u gamma / s / s` as `u gamma / s^2`.

What differentiation makes of a quotient is a chain of quotients. Only factors are moved together, and square roots of
one number multiplied; sums stay as they are, and nothing is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dnnlang.scalar.construct import ONE, negative, over, power, rebuild, times
from dnnlang.scalar.expression import Expr, constant, topological

HALF: Final = Fraction(1, 2)
MOST_ROUNDS: Final = 4

Power = tuple[Expr, Fraction]


@dataclass(frozen=True, slots=True)
class _Factors:
    """coefficient · Π above / Π below; exponents are positive."""

    coefficient: Fraction
    above: tuple[Power, ...] = ()
    below: tuple[Power, ...] = ()

    def times(self, other: _Factors) -> _Factors:
        return _Factors(
            self.coefficient * other.coefficient, _joined(self.above + other.above), _joined(self.below + other.below)
        )

    def over(self, other: _Factors) -> _Factors:
        return self.times(_Factors(1 / other.coefficient, other.below, other.above))

    def expression(self) -> Expr:
        written = over(_product(self.above), _product(self.below))
        if self.coefficient == -1:
            return negative(written)
        return times(constant(self.coefficient), written)


def tidy(root: Expr) -> Expr:
    """`root` with every product and quotient in it as one fraction, constants in front."""
    for _ in range(MOST_ROUNDS):  # what a reduction lets out of it is a factor for the next round
        before, root = root, _tidied(root)
        if root is before:
            break
    return root


def _tidied(root: Expr) -> Expr:
    factors: dict[Expr, _Factors] = {}
    written: dict[Expr, Expr] = {}
    for e in topological(root):
        factors[e] = _of(e, factors, written)
        written[e] = factors[e].expression()
    return written[root]


def split_coefficient(e: Expr) -> tuple[Fraction, Expr]:
    """`-2 u` as (-2, u): the constant in front, and the rest."""
    if e.op == "negate":
        inner, rest = split_coefficient(e.args[0])
        return -inner, rest
    if e.op == "multiply" and e.args[0].value is not None:
        return e.args[0].value, e.args[1]
    return Fraction(1), e


def _of(e: Expr, factors: dict[Expr, _Factors], written: dict[Expr, Expr]) -> _Factors:
    parts = [factors[a] for a in e.args]
    if e.value is not None and e.value != 0:
        return _Factors(e.value)
    if e.op == "multiply":
        return parts[0].times(parts[1])
    if e.op == "divide":
        return parts[0].over(parts[1])
    if e.op == "negate":
        return parts[0].times(_Factors(Fraction(-1)))
    if e.op == "sqrt":
        return _Factors(Fraction(1), ((written[e.args[0]], HALF),))
    kept = e if all(written[a] is a for a in e.args) else rebuild(e.op, tuple(written[a] for a in e.args))
    return _Factors(Fraction(1), ((kept, Fraction(1)),))


def _joined(powers: Iterable[Power]) -> tuple[Power, ...]:
    """Powers of one base together where one of them is a root; other factors stay as they are."""
    found: list[Power] = []
    for base, exponent in powers:
        at = next((n for n, (b, x) in enumerate(found) if b is base and HALF in (x % 1, exponent % 1)), None)
        if at is None:
            found.append((base, exponent))
        else:
            found[at] = (base, found[at][1] + exponent)
    return tuple(found)


def _product(powers: Iterable[Power]) -> Expr:
    total = ONE
    for base, exponent in powers:
        total = times(total, rebuild("sqrt", (base,)) if exponent == HALF else power(base, constant(exponent)))
    return total
