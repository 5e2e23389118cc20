"""CSV tables, plain or gzipped: a header, then one sample a row."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from typing import IO, Any, Final

import numpy as np

from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.errors import DataError
from dnnlang.source import SourceFile, Span
from dnnlang.training import data_rules as rules
from dnnlang.training.table import Block, Numbers, cell, is_number

_ABSENT: Final = frozenset(("na", "n/a", "null", "none", "?", "-", "missing", "#n/a"))
"""What tools and people write where they have no value; `nan` is a number that is not finite."""
CHUNK: Final = 4096
"""Rows converted at a time: text is short-lived, only the numbers of a table are kept."""


class CsvTable:
    """A CSV file whose header has been read and checked. Raises DataError."""

    def __init__(self, path: str) -> None:
        self.name = path
        self.groups: Mapping[str, tuple[str, ...]] = {}
        self.columns = self._header()
        self._index = {name: i for i, name in enumerate(self.columns)}

    def read(self, numbers: Sequence[str], raw: Sequence[str]) -> Block:
        bad = _Bad(self)
        blocks: list[Numbers] = []
        texts: dict[str, list[str]] = {name: [] for name in raw}
        columns = [self._index[name] for name in numbers]
        pick = _picker(columns)
        rows = 0
        with self._records() as records:
            next(records, None)
            while chunk := list(islice(records, CHUNK)):
                whole = self._whole_rows(chunk, rows, bad)
                rows += len(chunk)
                if bad.found:
                    self._find_bad_numbers(whole, columns, bad)
                else:
                    blocks.append(self._numbers(whole, pick, columns, bad))
                for name, cells in texts.items():
                    at = self._index[name]
                    cells += [record[at].strip() for _, record in whole]
                    for row, record in whole:
                        if not record[at].strip():
                            bad.cell(rules.MISSING_VALUE, row, at, "is empty")
        if rows == 0:
            advice = "each sample is a row below the header"
            raise DataError(rules.EMPTY.at(None, f"`{self.name}` has a header, but no rows", help=advice))
        bad.throw()
        return Block(rows, np.concatenate(blocks), {name: _as_numbers(cells) for name, cells in texts.items()})

    def places(self, cells: Sequence[tuple[int, str | None]]) -> list[Span | None]:
        wanted = {row for row, _ in cells}
        try:
            lines, starts = self._lines_of(wanted)
        except DataError:
            return [None] * len(cells)
        source = SourceFile(self.name, "".join(lines))
        return [self._span(source, starts.get(row), column) for row, column in cells]

    # ------------------------------------------------------------ reading

    def _header(self) -> tuple[str, ...]:
        with self._records() as records:
            names = [name.strip() for name in next(records, [])]
        if not any(names):
            raise DataError(
                rules.EMPTY.at(
                    None, f"`{self.name}` is empty", help="the first row names the columns: `size,rooms,price`"
                )
            )
        if all(is_number(name) for name in names):
            raise DataError(
                rules.HEADER.at(
                    self._line_span(0),
                    f"the first row of `{self.name}` is all numbers, but it should name the columns",
                    help="put a row of names above it: `size,rooms,price`",
                )
            )
        found = [d for i, name in enumerate(names) if (d := self._bad_name(names, i, name)) is not None]
        if found:
            raise DataError(*found[: rules.SHOWN])
        return tuple(names)

    def _bad_name(self, names: list[str], i: int, name: str) -> Diagnostic | None:
        if not name:
            return rules.HEADER.at(
                self._line_span(0),
                f"column {i + 1} of `{self.name}` has no name",
                help="pandas writes its row numbers like that; leave them out with `to_csv(path, index=False)`"
                if i == 0
                else "name it in the first row, or remove the comma",
            )
        first = names.index(name)
        if first == i:
            return None
        return rules.HEADER.at(
            self._line_span(0),
            f"columns {first + 1} and {i + 1} of `{self.name}` are both named `{name}`",
            help="give each column a name of its own",
        )

    def _whole_rows(self, chunk: list[list[str]], start: int, bad: _Bad) -> list[tuple[int, list[str]]]:
        width = len(self.columns)
        whole = []
        for row, record in enumerate(chunk, start):
            if len(record) == width:
                whole.append((row, record))
            else:
                bad.row(row, len(record), width)
        return whole

    def _numbers(self, whole: list[tuple[int, list[str]]], pick: Any, columns: list[int], bad: _Bad) -> Numbers:
        try:
            block = np.array([[*map(float, pick(record))] for _, record in whole], np.float64)
        except ValueError:
            self._find_bad_numbers(whole, columns, bad)
            return np.empty((0, len(columns)))
        block = block.reshape(len(whole), len(columns))
        if not np.isfinite(block).all():
            self._find_bad_numbers(whole, columns, bad)
        return block

    def _find_bad_numbers(self, whole: list[tuple[int, list[str]]], columns: list[int], bad: _Bad) -> None:
        for row, record in whole:
            for at in columns:
                text = record[at].strip()
                if not text:
                    bad.cell(rules.MISSING_VALUE, row, at, "is empty")
                elif not is_number(text):
                    what = "marks a missing value" if text.lower() in _ABSENT else "is not a number"
                    bad.cell(rules.NOT_A_NUMBER, row, at, f"is `{_short(text)}`, which {what}")
                elif not math.isfinite(float(text)):
                    bad.cell(rules.NOT_FINITE, row, at, f"is `{_short(text)}`")

    @contextmanager
    def _records(self) -> Iterator[Iterator[list[str]]]:
        """The records that are not blank, the header first."""
        try:
            with self._open() as file:
                yield filter(None, csv.reader(file, strict=True))
        except csv.Error as error:
            raise self._unreadable(str(error), 'quotes inside a quoted cell are doubled: `"say ""hi"""`') from None
        except UnicodeDecodeError as error:
            raise self._unreadable(f"byte {error.start} is not UTF-8", "save the file as UTF-8") from None
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(_reason(error), None) from None

    def _open(self) -> IO[str]:
        if self.name.lower().endswith(".gz"):
            return gzip.open(self.name, "rt", encoding="utf-8-sig", newline="")
        return open(self.name, encoding="utf-8-sig", newline="")

    def _unreadable(self, reason: str, help: str | None) -> DataError:
        return DataError(rules.UNREADABLE.at(None, f"cannot read `{self.name}`: {reason}", help=help))

    # ------------------------------------------------------------ showing where

    def _line_span(self, number: int) -> Span | None:
        """A whole line of the file, from 0; only used for the header."""
        with self._open() as file:
            line = next(islice(file, number, None), "")
        return Span(SourceFile(self.name, line), 0, len(line.rstrip("\r\n")))

    def _lines_of(self, wanted: set[int]) -> tuple[list[str], dict[int, int]]:
        """The header and the wanted rows on lines of their own number, all others left blank, and where rows start.

        So a message can show a row of a large file without keeping the file.
        """
        lines: list[str] = []
        starts: dict[int, int] = {}
        taken: list[str] = []
        length = 0
        row = -2
        last = max(wanted, default=-1)

        def tee(file: IO[str]) -> Iterator[str]:
            for line in file:
                taken.append(line)
                yield line

        with self._open() as file:
            for record in csv.reader(tee(file), strict=True):
                row += bool(record)
                text = "".join(taken)
                if record and (row in wanted or row == -1):
                    starts[row] = length
                else:
                    text = "\n" * len(taken)
                lines.append(text)
                length += len(text)
                taken.clear()
                if row >= last:
                    break
        return lines, starts

    def _span(self, source: SourceFile, start: int | None, column: str | None) -> Span | None:
        if start is None:
            return None
        end = source.text.find("\n", start)
        line = source.text[start : end if end >= 0 else None].rstrip("\r")
        if column is None:
            return Span(source, start, start + max(1, len(line)))
        cells = _cell_bounds(line)
        at = self._index[column]
        if at >= len(cells):  # a cell with a line break in it; the row is shown instead
            return Span(source, start, start + max(1, len(line)))
        first, last = cells[at]
        return Span(source, start + first, start + max(last, first + 1))


class _Bad:
    """Bad rows and cells: the first few in full, the rest counted."""

    def __init__(self, table: CsvTable) -> None:
        self.table = table
        self.found: list[tuple[Any, int, str | None, str, str]] = []
        self.more = 0

    def row(self, row: int, cells: int, width: int) -> None:
        help = f"every row needs {width} cells, like the header"
        if cells == 1 and width > 1:
            help += "; are the cells separated by something other than a comma?"
        self._add(
            rules.RAGGED, row, None, f"row {row + 1} has {_count(cells, 'cell')}, but the header has {width}", help
        )

    def cell(self, rule: Any, row: int, at: int, what: str) -> None:
        column = self.table.columns[at]
        self._add(rule, row, column, f"{cell(row, column)} {what}", _ADVICE[rule.code])

    def _add(self, rule: Any, row: int, column: str | None, message: str, help: str) -> None:
        if len(self.found) < rules.SHOWN:
            self.found.append((rule, row, column, message, help))
        else:
            self.more += 1

    def throw(self) -> None:
        if not self.found:
            return
        self.found.sort(key=lambda f: f[1])
        spans = self.table.places([(row, column) for _, row, column, _, _ in self.found])
        last = len(self.found) - 1
        raise DataError(
            *(
                rule.at(
                    span,
                    f"{message} in `{self.table.name}`" if span is None else message,
                    help=help,
                    notes=[f"{self.more:,} more bad places in `{self.table.name}` are not shown"]
                    if i == last and self.more
                    else [],
                )
                for i, ((rule, _, _, message, help), span) in enumerate(zip(self.found, spans, strict=True))
            )
        )


_ADVICE: Final = {
    rules.MISSING_VALUE.code: "fill it in, or drop the row or the column",
    rules.NOT_A_NUMBER.code: "write a number (with a point for decimals), turn the column into numbers, "
    "or leave it out with `--input`",
    rules.NOT_FINITE.code: "put a finite number there, or drop the row",
}


def open_csv(path: str) -> CsvTable:
    """Open a CSV table. Raises DataError if it cannot be read or its header is unusable."""
    table = CsvTable(path)
    if len(table.columns) == 1:
        only = table.columns[0]
        separator = next((name for sign, name in ((";", "`;`"), ("\t", "tabs"), ("|", "`|`")) if sign in only), None)
        if separator is not None:
            raise DataError(
                rules.HEADER.at(
                    None,
                    f"`{path}` has one column, `{_short(only)}`; its cells seem to be separated by {separator}",
                    help="separate the cells by commas",
                )
            )
    return table


def _picker(columns: list[int]) -> Any:
    if not columns:
        return lambda record: ()
    if len(columns) == 1:
        only = columns[0]
        return lambda record: (record[only],)
    return itemgetter(*columns)


def _as_numbers(cells: list[str]) -> Numbers | list[str]:
    try:
        return np.array([*map(float, cells)], np.float64)
    except ValueError:
        return cells


def _cell_bounds(line: str) -> list[tuple[int, int]]:
    """Where the cells of a line begin and end, quotes included; commas between quotes do not count."""
    bounds = []
    start = 0
    quoted = False
    for i, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            bounds.append((start, i))
            start = i + 1
    bounds.append((start, len(line)))
    return bounds


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, gzip.BadGzipFile | zlib.error):
        return "it is not a gzip file, or a damaged one"
    if isinstance(error, EOFError):
        return "the compressed file ends too early"
    return getattr(error, "strerror", None) or str(error)
