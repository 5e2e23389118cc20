"""What a data file looks like once it is open, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dnnlang.source import Span

Numbers = NDArray[np.float64]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a table: `numbers` is (rows, columns asked for), `raw` one sequence a column.

    A raw column is a float64 array if every cell was a number, else a list of the cells as text.
    """

    rows: int
    numbers: Numbers
    raw: Mapping[str, Numbers | list[str]]


class Table(Protocol):
    """An open data file: its columns are known, its rows not yet read."""

    @property
    def name(self) -> str:
        """The path, as the user wrote it."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All column names, in order, each once."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Names that stand for several columns: a matrix `X` in an archive is `X[0]`, `X[1]`, …"""

    def read(self, numbers: Sequence[str], raw: Sequence[str]) -> Block:
        """All rows of the columns `numbers` (each cell must be a finite number) and `raw` (no empty cell).

        Raises DataError with a diagnostic for each bad cell, up to `data_rules.SHOWN`.
        """

    def places(self, cells: Sequence[tuple[int, str | None]]) -> list[Span | None]:
        """Where cells (row from 0, column; None: the whole row) stand, if the file is text that can be shown."""


def cell(row: int, column: str) -> str:
    """How messages name a cell: rows from 1, the header not counted."""
    return f"row {row + 1}, column `{column}`"


def is_number(text: str) -> bool:
    """Whether a cell can be read as a number (NaN and infinities can)."""
    try:
        float(text)
    except ValueError:
        return False
    return True
