"""Where values lie in memory, and the C text that reads and writes them.

Values of one column a sample, (k, m), lie in k rows of e->ld numbers: samples side by side, as vectors. Whatever has
no samples lies transposed, a row for each of its columns, padded to whole vectors: W (n, k) in k rows of n numbers, b
in one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dnnlang.backends.native.expressions import literal
from dnnlang.backends.native.steps import Place, Work, constant
from dnnlang.primitives.values import Value
from dnnlang.sizes import M

if TYPE_CHECKING:
    from dnnlang.backends.native.writing import Writing

_STEADY: Final = re.compile(r"\bo\[(\d+)\]|\be->(ld|mean)\b|\be->scalars\[(\d+)\]")

SKEWED_FROM = 256
"""Rows of so many numbers do not begin at multiples of a large power of two: those share few lines of the cache."""


def row_length(numbers: int, lanes: int) -> int:
    """How far rows of so many numbers lie apart."""
    vectors = -(-numbers // lanes)
    if vectors * lanes >= SKEWED_FROM and vectors % 2 == 0:
        vectors += 1
    return vectors * lanes


def has_samples(place: Place) -> bool:
    """Is it one column a sample?"""
    return place.columns is None if isinstance(place, Work) else place.shape[1] == M


def units(place: Place) -> int:
    return constant(place.rows if isinstance(place, Work) else place.shape[0])


@dataclass(slots=True)
class Operands:
    """The values that a function is called with, numbered in the order in which its text names them."""

    places: list[Place] = field(default_factory=list)
    written: list[Place] = field(default_factory=list)
    read: list[Place] = field(default_factory=list)

    def pointer(self, place: Place) -> str:
        """`o[3]`: where the place begins."""
        if place not in self.places:
            self.places.append(place)
        return f"o[{self.places.index(place)}]"

    def read_from(self, place: Place) -> str:
        """`o[3]`, of a place that the function reads."""
        self._note(self.read, place)
        return self.pointer(place)

    def write_to(self, place: Place) -> str:
        """`o[3]`, of a place that the function writes."""
        self._note(self.written, place)
        return self.pointer(place)

    def load(self, w: Writing, value: Value, i: str, j: str) -> str:
        """A vector of row i, from column j on; what samples or units share, in every lane."""
        self._note(self.read, value)
        o = self.pointer(value)
        if value.packed:
            word = f"bits(LOAD({o} + (({i}) >> 5) * e->ld + {j}))"
            bit = f"(({word} >> (word)(({i}) & 31)) & isplat(1))"
            return f"unbits((isplat(0) - {bit}) & bits(splat({literal(w.scale(value), w.bits)})))"
        one = units(value) == 1
        if has_samples(value):
            return f"LOAD({o} + {j})" if one else f"LOAD({o} + ({i}) * e->ld + {j})"
        return f"splat({o}[0])" if one else f"splat({o}[{i}])"

    def store(self, value: Value, i: str, j: str, text: str) -> str:
        """The statement that writes a vector to row i, from column j on."""
        self._note(self.written, value)
        o = self.pointer(value)
        if has_samples(value):
            at = f"{o} + {j}" if units(value) == 1 else f"{o} + ({i}) * e->ld + {j}"
            return f"STORE({at}, {text});"
        return f"{o}[{i}] = lane({text}, 0);"

    def load_row(self, w: Writing, value: Value, row: str, j: str) -> str:
        """A vector of a stored row of what has no samples: of one column of W, from unit j on."""
        self._note(self.read, value)
        return f"LOAD({self._in_row(w, value, row, j)})"

    def store_row(self, w: Writing, value: Value, row: str, j: str, text: str) -> str:
        self._note(self.written, value)
        return f"STORE({self._in_row(w, value, row, j)}, {text});"

    def _in_row(self, w: Writing, value: Value, row: str, j: str) -> str:
        return f"{self.pointer(value)} + ({row}) * {w.row_length(value)} + {j}"

    @staticmethod
    def _note(places: list[Place], value: Place) -> None:
        if value not in places:
            places.append(value)


def read_once(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Lines to begin with, and `lines`, which use them: what a store could change, if one knew nothing of it.

    A compiler has to read that again after each store, work out addresses again, and takes long over both.
    """
    declared: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        pointer, size, scalar = found.groups()
        name = f"o{pointer}" if pointer else size or f"scalar{scalar}"
        kind = "real *const" if pointer else "const int64_t" if size == "ld" else "const real"
        declared[name] = f"{kind} {name} = {found[0]};"
        return name

    changed = [_STEADY.sub(named, line) for line in lines]
    return list(declared.values()), changed
