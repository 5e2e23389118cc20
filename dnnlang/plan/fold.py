"""Rows that repeat: shown once, with how often, and read back exactly.

Copies of a body fold when their rows differ in whole numbers only, each of which grows or shrinks by the same step
from copy to copy: `A[3]`, `A[5]`, `A[7]`, … Then the first copy and the last one say it all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Final

FEWEST: Final = 4
"""Copies that are worth folding."""
LONGEST: Final = 8
"""Items of a list that may make up what is repeated."""
MOST_ROWS: Final = 20_000_000
"""A text that stands for more rows than this was not written by a plan."""

Cells = tuple[str, ...]
Path = tuple[tuple[int, int], ...]
"""The repeats around a row, the outermost first: each by a number of its own, and which copy it is."""

_NUMBER: Final = re.compile(r"(?<!\d)(?:0|[1-9]\d*)(?!\d)")
_MORE: Final = re.compile(r" ⋮ +([\d,]+) more copies of the (\d+) rows? above; the last:")
_ALIKE: Final = re.compile(r"(.*) \(([\d,]+) alike\)")
_BETWEEN: Final = " … "


@dataclass(frozen=True, slots=True)
class More:
    """In the place of rows: `copies` more of the last `rows` rows, of which the last follows."""

    copies: int
    rows: int

    def __str__(self) -> str:
        return f" ⋮   {self.copies:,} more copies of the {self.rows} row{'s' if self.rows > 1 else ''} above; the last:"

    @staticmethod
    def read(line: str) -> More | None:
        match = _MORE.fullmatch(line)
        return More(_whole(match[1]), int(match[2])) if match is not None else None


# ---------------------------------------------------------------- rows


def folded(rows: Sequence[Cells], paths: Sequence[Path]) -> Iterator[int | More]:
    """The places of the rows to show, and what stands for the others. `paths`, if there are any, are those of rows."""
    if not paths:
        return iter(range(len(rows)))
    return _folded(rows, paths, range(len(rows)), 0)


def _folded(rows: Sequence[Cells], paths: Sequence[Path], places: range, level: int) -> Iterator[int | More]:
    for copies in _stretches(paths, places, level):
        if len(paths[copies[0].start]) <= level:
            yield from copies[0]
            continue
        forms = [_form(rows[copy.start : copy.stop]) for copy in copies]
        at = 0
        while at < len(copies):
            yield from _folded(rows, paths, copies[at], level + 1)
            alike = _alike(forms, at)
            if alike < FEWEST:
                at += 1
                continue
            yield More(alike - 1, len(copies[at]))
            yield from _folded(rows, paths, copies[at + alike - 1], level + 1)
            at += alike


def _stretches(paths: Sequence[Path], places: range, level: int) -> Iterator[list[range]]:
    """The rows of one repeat, copy by copy; and as one range, rows that stand in none at this level."""
    stretch: list[range] = []
    before: int | None = None
    for key, run in groupby(places, lambda place: paths[place][level] if len(paths[place]) > level else None):
        first, *others = run
        group = range(first, first + 1 + len(others))
        repeat = key[0] if key is not None else None
        if stretch and (repeat is None or repeat != before):
            yield stretch
            stretch = []
        stretch.append(group)
        before = repeat
    if stretch:
        yield stretch


def unfolded(lines: Sequence[Cells | More]) -> tuple[list[Cells], list[Path]]:
    """All the rows that `folded` had, with paths that fold them the same way. Raises ValueError."""
    return _Unfolding(lines).all()


class _Unfolding:
    def __init__(self, lines: Sequence[Cells | More]) -> None:
        self.lines = iter(lines)
        self.rows: list[Cells] = []
        self.paths: list[Path] = []
        self.numbers = count()

    def all(self) -> tuple[list[Cells], list[Path]]:
        for line in self.lines:
            self._add(line)
        return self.rows, self.paths

    def _add(self, line: Cells | More) -> None:
        if not isinstance(line, More):
            self.rows.append(line)
            self.paths.append(())
            return
        begin, start = len(self.rows), len(self.rows) - line.rows
        if start < 0 or line.copies < 1 or begin + line.copies * line.rows > MOST_ROWS:
            raise ValueError("so many copies cannot be")
        while len(self.rows) < begin + line.rows:
            following = next(self.lines, None)
            if following is None or (isinstance(following, More) and len(self.rows) - following.rows < begin):
                raise ValueError("the last copy is missing")
            self._add(following)
        first, last = self.rows[start:begin], self.rows[begin:]
        inside = self.paths[start:begin]
        if len(last) != line.rows:
            raise ValueError("the last copy is longer than the first")
        del self.rows[start:], self.paths[start:]
        number = next(self.numbers)
        between = [_between(a, b, line.copies) for a, b in zip(first, last, strict=True)]
        for copy in range(line.copies + 1):
            self.rows.extend(tuple(cell(copy) for cell in cells) for cells in between)
            self.paths.extend(((number, copy), *path) for path in inside)


# ---------------------------------------------------------------- lists


def folded_list(text: str) -> str:
    """`a 1, a 2, a 3, a 4, b` → `a 1 … a 4 (4 alike), b`."""
    items = text.split(", ")
    shown: list[str] = []
    at = 0
    while at < len(items):
        size, alike = _period(items, at)
        shown.extend(items[at : at + size])
        if alike >= FEWEST:
            last = items[at + (alike - 1) * size : at + alike * size]
            shown[-1] += _BETWEEN + last[0]
            shown.extend(last[1:])
            shown[-1] += f" ({alike:,} alike)"
        at += size * alike
    return ", ".join(shown)


def unfolded_list(text: str) -> str:
    """What `folded_list` had. Raises ValueError."""
    items: list[str] = []
    pending = iter(text.split(", "))
    for item in pending:
        before, between, after = item.partition(_BETWEEN)
        items.append(before)
        if not between:
            continue
        last = [after]
        while (end := _ALIKE.fullmatch(last[-1])) is None:
            following = next(pending, None)
            if following is None:
                raise ValueError("how many are alike is missing")
            last.append(following)
        last[-1] = end[1]
        alike, first = _whole(end[2]), items[-len(last) :]
        if len(first) < len(last) or alike < 2 or alike * len(last) > MOST_ROWS:
            raise ValueError("so many items cannot be")
        cells = _between(tuple(first), tuple(last), alike - 1)
        del items[-len(last) :]
        items.extend(cell(copy) for copy in range(alike) for cell in cells)
    return ", ".join(items)


def _period(items: Sequence[str], at: int) -> tuple[int, int]:
    """How many items make up what is repeated from there on, and how often it is: (1, 1) if it is not worth it."""
    for size in range(1, LONGEST + 1):
        alike = _alike_items(items, at, size)
        if alike >= FEWEST:
            return size, alike
    return 1, 1


def _alike_items(items: Sequence[str], at: int, size: int) -> int:
    forms: list[_Form] = []
    while at + size <= len(items):
        forms.append(_form([tuple(items[at : at + size])]))
        if len(forms) > 1 and not _continues(forms[0], forms[1], forms[-1], len(forms) - 1):
            return len(forms) - 1
        at += size
    return len(forms)


# ---------------------------------------------------------------- numbers in text

_Form = tuple[str, tuple[int, ...]]
"""A text without its numbers, and the numbers."""


def _form(rows: Sequence[Cells]) -> _Form:
    text = "\n".join("\t".join(cells) for cells in rows)
    return _NUMBER.sub("#", text), tuple(int(n) for n in _NUMBER.findall(text))


def _alike(forms: Sequence[_Form], at: int) -> int:
    """How many texts from `at` on go on as the first two begin."""
    alike = 1
    while at + alike < len(forms) and _continues(forms[at], forms[at + 1], forms[at + alike], alike):
        alike += 1
    return alike


def _continues(first: _Form, second: _Form, other: _Form, steps: int) -> bool:
    if first[0] != other[0]:
        return False
    return all(c == a + steps * (b - a) for a, b, c in zip(first[1], second[1], other[1], strict=True))


@dataclass(frozen=True, slots=True)
class _Cell:
    """A text for each copy: `pieces` with numbers between them, each from a start by a step."""

    pieces: tuple[str, ...]
    numbers: tuple[tuple[int, int], ...]

    def __call__(self, copy: int) -> str:
        text = [self.pieces[0]]
        for piece, (start, step) in zip(self.pieces[1:], self.numbers, strict=True):
            text.append(f"{start + copy * step}{piece}")
        return "".join(text)


def _between(first: Cells, last: Cells, steps: int) -> tuple[_Cell, ...]:
    """The cells of every copy from the first to the last, `steps` later. Raises ValueError."""
    return tuple(_cell(a, b, steps) for a, b in zip(first, last, strict=True))


def _cell(first: str, last: str, steps: int) -> _Cell:
    pieces = tuple(_NUMBER.split(first))
    if pieces != tuple(_NUMBER.split(last)):
        raise ValueError(f"{first} and {last} are not alike")
    numbers = []
    for a, b in zip(_NUMBER.findall(first), _NUMBER.findall(last), strict=True):
        step, rest = divmod(int(b) - int(a), steps)
        if rest:
            raise ValueError(f"{first} and {last} are not {steps} equal steps apart")
        numbers.append((int(a), step))
    return _Cell(pieces, tuple(numbers))


def _whole(text: str) -> int:
    return int(text.replace(",", ""))
