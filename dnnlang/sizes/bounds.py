"""Which of two sizes is the larger, when every symbol is at least 1; and the maximum of several."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import Final

from dnnlang.sizes.monomial import Monomial, Opaque
from dnnlang.sizes.polynomial import SIZES, Size, evaluate, substitute, subtract, symbols

_MAX_DEGREE: Final = 8


class Maximum:
    """The largest of two or more sizes, none of which is certain to be at most another. Immutable, hashable."""

    __slots__ = ("sizes",)

    sizes: tuple[Size, ...]

    def __init__(self, sizes: tuple[Size, ...]) -> None:
        """Made by `maximum`, never directly."""
        self.sizes = sizes

    def __hash__(self) -> int:
        return hash(frozenset(self.sizes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Maximum) and frozenset(self.sizes) == frozenset(other.sizes)

    def __str__(self) -> str:
        return f"max({', '.join(str(s) for s in self.sizes)})"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __add__(self, other: Size) -> Maximum:
        return Maximum(tuple(s + other for s in self.sizes)) if isinstance(other, SIZES) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Size) -> Maximum:
        return Maximum(tuple(s - other for s in self.sizes)) if isinstance(other, SIZES) else NotImplemented

    def __mul__(self, other: int) -> Maximum:
        """Times a positive number. Times a negative one the largest would be the smallest."""
        if other < 1:
            raise ValueError(f"{self} times {other} is no maximum")
        return Maximum(tuple(s * other for s in self.sizes))

    __rmul__ = __mul__

    def evaluate(self, values: Mapping[str, int]) -> int:
        """The number it is when symbols have these values."""
        return max(evaluate(s, values) for s in self.sizes)

    def substitute(self, values: Mapping[str, Size]) -> Size | Maximum:
        return maximum(*(substitute(s, values) for s in self.sizes))

    def symbols(self) -> frozenset[str]:
        return frozenset().union(*(symbols(s) for s in self.sizes))


def maximum(*sizes: Size | Maximum) -> Size | Maximum:
    """The largest; sizes that another is certain to reach are dropped."""
    flat: list[Size] = []
    for size in sizes:
        flat.extend(size.sizes if isinstance(size, Maximum) else (size,))
    if not flat:
        raise ValueError("maximum of nothing")
    kept: list[Size] = []
    for size in dict.fromkeys(flat):
        if any(at_least(other, size) for other in kept):
            continue
        kept = [other for other in kept if not at_least(size, other)]
        kept.append(size)
    return kept[0] if len(kept) == 1 else Maximum(tuple(kept))


def at_least(size: Size, bound: Size) -> bool:
    """Is `size` certain to be `bound` or more, whatever the symbols (each at least 1)? False if in doubt.

    With every symbol s written as 1 + t, t at least 0, a polynomial without negative coefficients is not negative.
    """
    difference = subtract(size, bound)
    if isinstance(difference, int):
        return difference >= 0
    if all(len(k) < 2 and (not k or (k[0][1] == 1 and isinstance(k[0][0], str))) for k in difference.monomials()):
        # Linear: the lowest value is that at 1 for every symbol, if none has a negative coefficient.
        return sum(c for _, c in difference.items()) >= 0 and all(c > 0 or not k for k, c in difference.items())
    if all(c > 0 for _, c in difference.items()) and all(_is_counting(k) for k, _ in difference.items()):
        return True
    shifted: dict[tuple[tuple[object, int], ...], int] = {}
    for monomial, coefficient in difference.items():
        if sum(e for _, e in monomial) > _MAX_DEGREE or not _is_counting(monomial):
            return False
        for product, factor in _shift(monomial):
            shifted[product] = shifted.get(product, 0) + factor * coefficient
    return all(c >= 0 for c in shifted.values())


def _is_counting(monomial: Monomial) -> bool:
    """Is every opaque atom in it certain not to be negative?"""
    return all(isinstance(atom, str) or _not_negative(atom) for atom, _ in monomial)


def _not_negative(atom: Opaque) -> bool:
    return at_least(atom.left, 0) and at_least(atom.right, 1 if atom.operator != "^" else 0)


def _at_least_one(atom: Opaque) -> bool:
    """An exact quotient of positive numbers is one, and so is a power; one rounded down may be 0."""
    return atom.operator != "//" and at_least(atom.left, 1)


def _shift(monomial: Monomial) -> list[tuple[tuple[tuple[object, int], ...], int]]:
    """The monomial, with everything of at least 1 replaced by 1 + t, as products of powers with their coefficients."""
    products: list[tuple[tuple[tuple[object, int], ...], int]] = [((), 1)]
    for atom, exponent in monomial:
        if isinstance(atom, Opaque) and not _at_least_one(atom):
            products = [((*p, (atom, exponent)), c) for p, c in products]
            continue
        products = [
            (((*p, (atom, e)) if e else p), c * comb(exponent, e)) for p, c in products for e in range(exponent + 1)
        ]
    return products
