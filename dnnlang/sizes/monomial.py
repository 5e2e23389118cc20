"""Monomials: products of atoms. An atom is a symbol, or a quotient or power that is kept as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dnnlang.sizes.errors import TooLargeError

if TYPE_CHECKING:
    from dnnlang.sizes.polynomial import Size

LIMIT: Final = 2**63


@dataclass(frozen=True, slots=True)
class Opaque:
    """`left // right`, `left / right` (checked to divide when numbers are known) or `left ^ right`."""

    operator: str
    left: Size
    right: Size
    weight: int = field(compare=False, default=1)  # terms written out, those of inner atoms included
    depth: int = field(compare=False, default=1)

    def __str__(self) -> str:
        space = "" if self.operator == "^" else " "
        return f"{wrapped(self.left)}{space}{self.operator}{space}{wrapped(self.right)}"


Atom = str | Opaque
Monomial = tuple[tuple[Atom, int], ...]
"""Atoms with their exponents (1 or more), in the order of `_atom_key`; the empty one is the constant term."""

ONE: Final[Monomial] = ()


def checked(value: int) -> int:
    """`value`, unless it is too large."""
    if -LIMIT < value < LIMIT:
        return value
    raise TooLargeError("a number in it is 2^63 or more")


def join(a: Monomial, b: Monomial) -> Monomial:
    """The product of two monomials."""
    if not a:
        return b
    if not b:
        return a
    exponents = dict(a)
    for atom, exponent in b:
        exponents[atom] = checked(exponents.get(atom, 0) + exponent)
    return tuple(sorted(exponents.items(), key=_item_key))


def _item_key(item: tuple[Atom, int]) -> tuple[bool, str]:
    return _atom_key(item[0])


def _atom_key(atom: Atom) -> tuple[bool, str]:
    return (False, atom) if isinstance(atom, str) else (True, str(atom))


def lexicographic(monomial: Monomial) -> tuple[_Factor, ...]:
    """A key that orders monomials as long division needs it: products keep the order of their factors."""
    return tuple(_Factor(_atom_key(atom), exponent) for atom, exponent in monomial)


class _Factor:
    """Orders `d^2 > d > e > 1`: an earlier atom weighs more, then a higher exponent."""

    __slots__ = ("exponent", "key")

    def __init__(self, key: tuple[bool, str], exponent: int) -> None:
        self.key = key
        self.exponent = exponent

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Factor) and self.key == other.key and self.exponent == other.exponent

    def __lt__(self, other: _Factor) -> bool:
        if self.key != other.key:
            return self.key > other.key
        return self.exponent < other.exponent

    def __gt__(self, other: _Factor) -> bool:
        return other < self


def wrapped(size: Size) -> str:
    """In parentheses, unless it is a name or a number that needs none."""
    text = str(size)
    plain = size >= 0 if isinstance(size, int) else all(c.isalnum() or c in "_[]" for c in text)
    return text if plain else f"({text})"


def quotient(a: Monomial, b: Monomial) -> Monomial | None:
    """a / b, or None where b does not divide a."""
    left = dict(a)
    for atom, exponent in b:
        remaining = left.get(atom, 0) - exponent
        if remaining < 0:
            return None
        left[atom] = remaining
    return tuple((atom, e) for atom, e in left.items() if e)
