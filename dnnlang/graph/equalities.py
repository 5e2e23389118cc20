"""Sizes that are equal only by requirement, written in one way.

`2*d == 3*k + 1` cannot be solved for a symbol, and waits for numbers. Until then a plan must know that sizes of both
spellings are the same: each is reduced by the equation as one number is by another, to the remainder of a division by
one of its terms. That term is the one with the largest coefficient, a quotient before a symbol.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dnnlang.graph.architecture import Requirement
from dnnlang.sizes import Polynomial, Size, multiply, subtract
from dnnlang.sizes.monomial import ONE, Monomial


@dataclass(frozen=True, slots=True)
class Equality:
    """`zero` is 0 wherever the requirement holds; its term in `term` has the coefficient `coefficient`, positive."""

    zero: Polynomial
    term: Monomial
    coefficient: int


def equalities(requirements: Iterable[Requirement]) -> tuple[Equality, ...]:
    """The requirements that say `==`, ready for `reduced`."""
    found = []
    for requirement in requirements:
        zero = subtract(requirement.left, requirement.right) if requirement.relation == "==" else 0
        if isinstance(zero, int):
            continue
        term, coefficient = max(
            ((m, c) for m, c in zero.items() if m != ONE), key=lambda mc: (_is_opaque(mc[0]), abs(mc[1]), str(mc[0]))
        )
        found.append(Equality(zero if coefficient > 0 else -zero, term, abs(coefficient)))
    return tuple(found)


def reduced(size: Size, known: Iterable[Equality]) -> Size:
    """`size`, the same for all sizes that are equal by one of the equalities."""
    for equality in known:
        if isinstance(size, int):
            return size
        times = size.coefficient(equality.term) // equality.coefficient
        if times:
            size = subtract(size, multiply(times, equality.zero))
    return size


def _is_opaque(term: Monomial) -> bool:
    return any(not isinstance(atom, str) for atom, _ in term)
