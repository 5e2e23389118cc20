"""Sizes as text, in the user's own names: `2*d + 1`, and for tables `20 m`."""

from __future__ import annotations

import re

from dnnlang.sizes.monomial import Atom, Monomial, Opaque
from dnnlang.sizes.polynomial import Polynomial, Size, subtract, total

_NUMBER = re.compile(r"(\d+)")


def terms(size: Size) -> list[tuple[int, tuple[str, ...]]]:
    """Coefficients with the factors they multiply, highest degree first, `m` the last factor.

    `20*m + 208` gives [(20, ("m",)), (208, ())]. A power is one factor, `m^2`; an int has one term.
    """
    if isinstance(size, int):
        return [(size, ())]
    ordered = sorted(size.items(), key=lambda item: _order(item[0]))
    return [(coefficient, _factors(coefficient, _sorted(monomial))) for monomial, coefficient in ordered]


def format_terms(size: Size, times: str = " ") -> str:
    """A sum for people: `20 m + 208`, numbers with thousands separated."""
    return _sum(terms(size), times, "{:,}")


def text(size: Size) -> str:
    """The canonical text: `2*d + 1`. It can be read back as a SIZE."""
    return _sum(terms(size), "*", "{}")


def balanced(left: Size, right: Size, relation: str = "==") -> tuple[Size, Size]:
    """Both sides of `left relation right` without anything negative: `2*d - k == 1` gives 2*d and k + 1.

    Equal terms cancel. For `==` and `!=` the side with the higher term comes first, so both orders read the same.
    """
    difference = subtract(left, right)
    if isinstance(difference, int):
        return left, right
    zero: Size = 0
    positive = total([zero, *(Polynomial({k: c}) if k else c for k, c in difference.items() if c > 0)])
    negative = total([zero, *(Polynomial({k: -c}) if k else -c for k, c in difference.items() if c < 0)])
    if relation in ("==", "!=") and terms(difference)[0][0] < 0:
        return negative, positive
    return positive, negative


def equation_text(left: Size, right: Size, relation: str = "==") -> str:
    """`2*d == k + 1`: the balanced relation as text."""
    left, right = balanced(left, right, relation)
    return f"{left} {relation} {right}"


def _sum(parts: list[tuple[int, tuple[str, ...]]], times: str, number: str) -> str:
    pieces: list[str] = []
    for coefficient, factors in parts:
        sign = "-" if coefficient < 0 else "+"
        if pieces:
            pieces.append(f" {sign} ")
        elif sign == "-":
            pieces.append("-")
        amount = abs(coefficient)
        shown = [number.format(amount)] if amount != 1 or not factors else []
        pieces.append(times.join([*shown, *factors]))
    return "".join(pieces)


def _factors(coefficient: int, monomial: list[tuple[Atom, int]]) -> tuple[str, ...]:
    if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
        return (str(monomial[0][0]),)  # a quotient that stands alone needs no parentheses
    return tuple(_factor(atom, exponent) for atom, exponent in monomial)


def _factor(atom: Atom, exponent: int) -> str:
    if isinstance(atom, Opaque):
        return f"({atom})" if exponent == 1 else f"({atom})^{exponent}"
    return atom if exponent == 1 else f"{atom}^{exponent}"


def _order(monomial: Monomial) -> tuple[object, ...]:
    """Higher degrees first, then by name; the constant term last."""
    degree = sum(exponent for _, exponent in monomial)
    return (-degree, tuple((_natural(atom), -exponent) for atom, exponent in _sorted(monomial)))


def _sorted(monomial: Monomial) -> list[tuple[Atom, int]]:
    return sorted(monomial, key=lambda factor: _natural(factor[0]))


def _natural(atom: Atom) -> tuple[bool, bool, tuple[tuple[bool, int, str], ...]]:
    """Symbols, then opaque atoms, `m` last of all; n[2] before n[10]."""
    parts = _NUMBER.split(str(atom))
    pieces = tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
    return (atom == "m", isinstance(atom, Opaque), pieces)
