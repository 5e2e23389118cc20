"""Pieces of C text: numbers, tables of them, lines of a limited length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite, isnan
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

WIDTH: Final = 110
_SIGNS: Final = str.maketrans({"…": "...", "Σ": "sum", "²": "^2", "·": "*", "ᵀ": "'", "∞": "infinity", "≤": "<="})


def literals(array: Array, bits: int) -> list[str]:
    """The shortest decimal numbers that are read back as these."""
    if not np.isfinite(array).all():
        return [literal(float(x)) for x in array.ravel()]
    if bits == 32:
        return [f"{x!s}f" for x in array.astype(np.float32).ravel()]
    return [repr(x) for x in array.ravel().tolist()]


def literal(x: float) -> str:
    """A double, with the words of math.h for what is no number."""
    if isnan(x):
        return "NAN"
    return repr(x) if isfinite(x) else f"{'-' if x < 0 else ''}INFINITY"


def wrapped(words: Iterable[str], indent: str = "    ", between: str = ", ") -> list[str]:
    """The words in lines, with commas between them."""
    lines: list[str] = []
    line = ""
    for word in words:
        longer = f"{line}{between}{word}" if line else word
        if line and len(indent) + len(longer) > WIDTH:
            lines.append(f"{indent}{line}{between.rstrip()}")
            longer = word
        line = longer
    return [*lines, f"{indent}{line}"] if line else lines


def table(declaration: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """A constant array of arrays; C fills each row up with zeros."""
    lines = [f"{declaration} = {{"]
    for number, row in enumerate(rows):
        made = wrapped(row)
        made[0] = f"    {{{made[0].strip()}"
        made[-1] += "}," if number < len(rows) - 1 else "}"
        lines += made
    return [*lines, "};"]


def in_ascii(text: str) -> str:
    return text.translate(_SIGNS).encode("ascii", "replace").decode("ascii")
