"""Polynomials over atoms: symbols, and quotients and powers that are kept as they stand.

Every symbol stands for an integer of at least 1, every opaque atom for an integer. Arithmetic is exact; what
would reach 2^63 is refused before it is computed, and so is a formula of 10,000 terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from math import gcd
from typing import Final

from dnnlang.sizes.errors import InexactError, TooLargeError, TooManyTermsError, UnboundError
from dnnlang.sizes.monomial import ONE, Atom, Monomial, Opaque, checked, join, lexicographic, wrapped
from dnnlang.sizes.monomial import quotient as monomial_quotient

MAX_TERMS: Final = 10_000
FEW: Final = 4
"""Symbols, such as nearly all sizes have at most."""
MAX_DEPTH: Final = 40
"""Of quotients and powers inside one another: so whoever walks a formula may recurse."""


class Polynomial:
    """A sum of monomials with integer coefficients; immutable, hashable, never a constant.

    The operators take integers and polynomials and return an `int` where the result is constant. `//` is floor
    division, `/` exact division; where neither can be carried out the quotient becomes an opaque atom.
    """

    __slots__ = ("_hash", "_plain", "_symbols", "_terms")

    _terms: dict[Monomial, int]
    _hash: int | None
    _symbols: frozenset[str] | None
    _plain: bool | None  # without opaque atoms

    def __init__(self, terms: dict[Monomial, int]) -> None:
        """Takes over `terms`, without zeros and not constant; use `symbol` and operators instead."""
        self._terms = terms
        self._hash = None
        self._symbols = None
        self._plain = None

    def items(self) -> Iterable[tuple[Monomial, int]]:
        """The monomials with their coefficients, in no particular order."""
        return self._terms.items()

    def monomials(self) -> Iterable[Monomial]:
        return self._terms

    def coefficient(self, monomial: Monomial) -> int:
        return self._terms.get(monomial, 0)

    def __len__(self) -> int:
        return len(self._terms)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._terms.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polynomial):
            return False
        return self is other or self._terms == other._terms

    def __str__(self) -> str:
        from dnnlang.sizes.text import text  # the printer knows polynomials; only this convenience looks back

        return text(self)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __add__(self, other: Size) -> Size:
        return add(self, other) if isinstance(other, SIZES) else NotImplemented

    def __radd__(self, other: int) -> Size:
        return add(other, self)

    def __sub__(self, other: Size) -> Size:
        return subtract(self, other) if isinstance(other, SIZES) else NotImplemented

    def __rsub__(self, other: int) -> Size:
        return subtract(other, self)

    def __neg__(self) -> Polynomial:
        return Polynomial({k: -v for k, v in self._terms.items()})

    def __mul__(self, other: Size) -> Size:
        return multiply(self, other) if isinstance(other, SIZES) else NotImplemented

    def __rmul__(self, other: int) -> Size:
        return multiply(other, self)

    def __floordiv__(self, other: Size) -> Size:
        return floor_divide(self, other) if isinstance(other, SIZES) else NotImplemented

    def __rfloordiv__(self, other: int) -> Size:
        return floor_divide(other, self)

    def __truediv__(self, other: Size) -> Size:
        return divide(self, other) if isinstance(other, SIZES) else NotImplemented

    def __rtruediv__(self, other: int) -> Size:
        return divide(other, self)

    def __pow__(self, other: Size) -> Size:
        return power(self, other) if isinstance(other, SIZES) else NotImplemented

    def __rpow__(self, other: int) -> Size:
        return power(other, self)


Size = int | Polynomial
SIZES: Final[tuple[type, ...]] = (int, Polynomial)
"""What operators know; with anything else the other operand has its say."""


@lru_cache(maxsize=4096)
def symbol(name: str) -> Polynomial:
    """The size called `name`, an integer of at least 1 that is not known yet."""
    return Polynomial({((name, 1),): 1})


M: Final = symbol("m")
"""The number of samples, one a column."""


def symbols(size: Size) -> frozenset[str]:
    """The names of the symbols that occur, inside opaque atoms too."""
    if isinstance(size, int):
        return frozenset()
    if size._symbols is None:
        names: set[str] = set()
        for monomial in size._terms:
            for atom, _ in monomial:
                names.update((atom,) if isinstance(atom, str) else symbols(atom.left) | symbols(atom.right))
        found = frozenset(names)
        size._symbols = _shared(found) if len(found) <= FEW else found
    return size._symbols


@lru_cache(maxsize=1024)
def _shared(names: frozenset[str]) -> frozenset[str]:
    """One set for all sizes in the same symbols: it takes more room than most of them."""
    return names


# ---------------------------------------------------------------- sums and products


def add(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        return checked(a + b)
    if isinstance(a, int) or (isinstance(b, Polynomial) and len(b) > len(a)):
        a, b = b, a
    result = dict(_terms(a))
    for monomial, coefficient in _terms(b):
        result[monomial] = checked(result.get(monomial, 0) + coefficient)
    return _made(result, plain=_plain(a) and _plain(b))


def subtract(a: Size, b: Size) -> Size:
    if isinstance(a, int) and isinstance(b, int):
        return checked(a - b)
    return add(a, -b)


def total(sizes: Iterable[Size]) -> Size:
    """The sum of many sizes, in time linear in their terms."""
    result: dict[Monomial, int] = {}
    plain = True
    for size in sizes:
        plain = plain and _plain(size)
        for monomial, coefficient in _terms(size):
            result[monomial] = checked(result.get(monomial, 0) + coefficient)
    return _made(result, plain=plain)


def multiply(a: Size, b: Size) -> Size:
    if isinstance(a, int):
        if isinstance(b, int):
            return checked(a * b)
        a, b = b, a
    if isinstance(b, int):
        if b == 0:
            return 0
        return Polynomial({k: checked(v * b) for k, v in a._terms.items()})
    if len(a) * len(b) > MAX_TERMS * 100:
        raise TooManyTermsError(f"the product of formulas of {len(a):,} and {len(b):,} terms is too long")
    result: dict[Monomial, int] = {}
    for left, x in a._terms.items():
        for right, y in b._terms.items():
            monomial = join(left, right)
            result[monomial] = checked(result.get(monomial, 0) + x * y)
    return _made(result)


def power(base: Size, exponent: Size) -> Size:
    """base ^ exponent. A negative exponent is inexact; one with symbols makes an opaque atom."""
    if isinstance(exponent, int):
        return _integer_power(base, exponent)
    if base == 1:
        return 1
    return _opaque("^", base, exponent)


def _integer_power(base: Size, exponent: int) -> Size:
    if exponent < 0:
        if base in (1, -1):
            return _integer_power(base, -exponent)
        raise InexactError(f"{wrapped(base)}^({exponent}) is not a whole number")
    if isinstance(base, int):
        if base in (0, 1, -1):
            return 1 if exponent == 0 else base if exponent % 2 else abs(base)
        if exponent >= 63:
            raise TooLargeError(f"{wrapped(base)}^{exponent} is 2^63 or more")
        return checked(base**exponent)
    if exponent == 0:
        return 1
    if len(base) == 1:
        ((monomial, coefficient),) = base._terms.items()
        factor = _integer_power(coefficient, exponent)
        raised = tuple((atom, checked(e * exponent)) for atom, e in monomial)
        return multiply(Polynomial({raised: 1}), factor)
    if exponent > 128:  # its middle coefficients are certainly too large
        raise TooLargeError(f"({base})^{exponent} has coefficients of 2^63 or more")
    result: Size = base
    for _ in range(exponent - 1):
        result = multiply(result, base)
    return result


# ---------------------------------------------------------------- quotients


def divide(a: Size, b: Size) -> Size:
    """a / b. Inexact where two numbers leave a remainder; opaque where a formula does not visibly divide."""
    if b == 0:
        raise InexactError("division by zero")
    if isinstance(a, int) and isinstance(b, int):
        if a % b:
            raise InexactError(f"{a} / {b} is not a whole number")
        return a // b
    exact = _exact_quotient(a, b)
    if exact is not None:
        return exact
    return _opaque("/", *_lowest_terms(a, b))


def floor_divide(a: Size, b: Size) -> Size:
    """a // b, rounded down. Whole multiples of a constant b are taken out: (4*d + 1) // 4 is d."""
    if b == 0:
        raise InexactError("division by zero")
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    exact = _exact_quotient(a, b)
    if exact is not None:
        return exact
    a, b = _lowest_terms(a, b)
    if isinstance(a, int) or isinstance(b, Polynomial):
        return _opaque("//", a, b)
    inner = _single_floor(a)
    if inner is not None:  # rounding down twice is rounding down once
        return floor_divide(inner.left, multiply(inner.right, b))
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in a._terms.items():
        quotient = abs(coefficient) // b * (1 if coefficient > 0 else -1)
        whole[monomial] = quotient
        rest[monomial] = coefficient - quotient * b
    remainder = _made(rest)
    tail = remainder // b if isinstance(remainder, int) else _opaque("//", remainder, b)
    return add(_made(whole), tail)


def _lowest_terms(a: Size, b: Size) -> tuple[Size, Size]:
    """The fraction a/b with common numeric factors taken out and a positive number below."""
    if not isinstance(b, int):
        return a, b
    common = gcd(b, *(c for _, c in _terms(a))) * (-1 if b < 0 else 1)
    if common == 1:
        return a, b
    return _made({k: v // common for k, v in _terms(a)}), b // common


def _single_floor(size: Polynomial) -> Opaque | None:
    """`size` as a quotient by a positive number, if that is all it is."""
    if len(size) != 1 or next(iter(size._terms.values())) != 1:
        return None
    factors = next(iter(size._terms))
    atom, exponent = factors[0]
    if len(factors) != 1 or exponent != 1 or not isinstance(atom, Opaque) or atom.operator != "//":
        return None
    return atom if isinstance(atom.right, int) and atom.right > 0 else None


def _exact_quotient(a: Size, b: Size) -> Size | None:
    """a / b as a polynomial, or None. Long division by the leading term, in lexicographic order."""
    if a == 0:
        return 0
    if isinstance(b, int):
        if any(c % b for _, c in _terms(a)):
            return None
        return _made({k: v // b for k, v in _terms(a)})
    lead = max(b._terms, key=lexicographic)
    quotient: dict[Monomial, int] = {}
    rest: Size = a
    while rest != 0:
        terms = dict(_terms(rest))
        top = max(terms, key=lexicographic)
        factor = monomial_quotient(top, lead)
        if factor is None or terms[top] % b._terms[lead]:
            return None
        coefficient = terms[top] // b._terms[lead]
        quotient[factor] = coefficient
        if len(quotient) > MAX_TERMS:
            return None
        rest = subtract(rest, multiply(_made({factor: coefficient}), b))
    return _made(quotient)


# ---------------------------------------------------------------- values


def evaluate(size: Size, values: Mapping[str, int]) -> int:
    """The number that `size` is when symbols have these values. Raises UnboundError, InexactError, TooLargeError."""
    if isinstance(size, int):
        return size
    result = 0
    for monomial, coefficient in size._terms.items():
        for atom, exponent in monomial:
            value = _atom_value(atom, values)
            coefficient = _number(multiply(coefficient, value if exponent == 1 else power(value, exponent)))
        result = checked(result + coefficient)
    return result


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """`size` with symbols replaced, all at once."""
    if isinstance(size, int) or values.keys().isdisjoint(symbols(size)):
        return size
    parts: list[Size] = []
    for monomial, coefficient in size._terms.items():
        part: Size = coefficient
        for atom, exponent in monomial:
            part = multiply(part, power(_replaced(atom, values), exponent))
        parts.append(part)
    return total(parts)


def _atom_value(atom: Atom, values: Mapping[str, int]) -> int:
    if isinstance(atom, str):
        value = values.get(atom)
        if value is None:
            raise UnboundError(atom)
        return value
    return _number(_apply(atom.operator, evaluate(atom.left, values), evaluate(atom.right, values)))


def _replaced(atom: Atom, values: Mapping[str, Size]) -> Size:
    if isinstance(atom, str):
        return values.get(atom, _atom(atom))
    return _apply(atom.operator, substitute(atom.left, values), substitute(atom.right, values))


def _apply(operator: str, left: Size, right: Size) -> Size:
    if operator == "//":
        return floor_divide(left, right)
    if operator == "/":
        return divide(left, right)
    return power(left, right)


def _number(size: Size) -> int:
    if isinstance(size, Polynomial):
        raise TypeError(f"{size} is not a number")
    return size


# ---------------------------------------------------------------- canonical form


def _terms(size: Size) -> Iterable[tuple[Monomial, int]]:
    if isinstance(size, int):
        return ((ONE, size),)
    return size._terms.items()


def _plain(size: Size) -> bool:
    """Is it free of opaque atoms?"""
    if isinstance(size, int):
        return True
    if size._plain is None:
        size._plain = all(isinstance(atom, str) for monomial in size._terms for atom, _ in monomial)
    return size._plain


def _made(terms: dict[Monomial, int], *, plain: bool = False) -> Size:
    """The size of these terms; zeros are dropped, a constant comes back as an int. `plain`: without opaque atoms."""
    if 0 in terms.values():
        terms = {k: v for k, v in terms.items() if v}
    if not terms:
        return 0
    if len(terms) == 1 and ONE in terms:
        return terms[ONE]
    if len(terms) >= MAX_TERMS or (not plain and _weight(terms) >= MAX_TERMS):
        raise TooManyTermsError(f"a formula of {_weight(terms):,} terms; {MAX_TERMS:,} are too many")
    made = Polynomial(terms)
    made._plain = plain or None
    return made


def _weight(terms: Iterable[Monomial]) -> int:
    """How many terms they are when inner formulas are counted too."""
    return sum(1 + sum(atom.weight for atom, _ in monomial if isinstance(atom, Opaque)) for monomial in terms)


def _opaque(operator: str, left: Size, right: Size) -> Polynomial:
    inner = [atom for size in (left, right) for k, _ in _terms(size) for atom, _ in k if isinstance(atom, Opaque)]
    depth = 1 + max((atom.depth for atom in inner), default=0)
    if depth > MAX_DEPTH:
        raise TooManyTermsError(f"quotients and powers of sizes inside one another, more than {MAX_DEPTH} deep")
    weight = sum(_weight(k for k, _ in _terms(size)) for size in (left, right))
    if weight >= MAX_TERMS:
        raise TooManyTermsError(f"a formula of {weight:,} terms; {MAX_TERMS:,} are too many")
    return _atom(Opaque(operator, left, right, weight, depth))


def _atom(atom: Atom) -> Polynomial:
    return Polynomial({((atom, 1),): 1})


def atoms(size: Size) -> Iterator[Opaque]:
    """Every opaque atom that occurs, inner ones included."""
    if isinstance(size, int):
        return
    for monomial in size._terms:
        for atom, _ in monomial:
            if isinstance(atom, Opaque):
                yield from atoms(atom.left)
                yield from atoms(atom.right)
                yield atom
