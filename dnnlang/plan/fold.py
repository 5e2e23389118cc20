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
WORTH: Final = 8
"""Copies are folded where there are FEWEST of them, and WORTH rows or items fewer to read."""
MOST_TOGETHER: Final = 4
"""Copies that may go together."""
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
            together, alike = _period(forms, copies, at)
            first = copies[at : at + together]
            for copy in first:
                yield from _folded(rows, paths, copy, level + 1)
            if alike > 1:
                yield More(alike - 1, sum(map(len, first)))
                for copy in copies[at + (alike - 1) * together : at + alike * together]:
                    yield from _folded(rows, paths, copy, level + 1)
            at += alike * together


def _period(forms: Sequence[_Form], copies: Sequence[range], at: int) -> tuple[int, int]:
    """How many copies go together, and how often they are repeated from there on: (1, 1) if it is not worth it.

    They go together where slots take turns: one copy in slot 1, the next in slot 2, and so on from the beginning.
    """
    for together in range(1, MOST_TOGETHER + 1):
        alike = _alike(forms, at, together)
        if _is_worth_it(alike, sum(map(len, copies[at : at + together]))):
            return together, alike
    return 1, 1


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
    forms = [_form([(item,)]) for item in items]
    shown: list[str] = []
    at = 0
    while at < len(items):
        size, alike = _period_of_items(forms, at)
        shown.extend(items[at : at + size])
        if alike > 1:
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


def _period_of_items(forms: Sequence[_Form], at: int) -> tuple[int, int]:
    """How many items make up what is repeated from there on, and how often it is: (1, 1) if it is not worth it."""
    for size in range(1, LONGEST + 1):
        alike = _alike(forms, at, size)
        if _is_worth_it(alike, size):
            return size, alike
    return 1, 1


# ---------------------------------------------------------------- numbers in text


def _is_worth_it(alike: int, rows: int) -> bool:
    return alike >= FEWEST and (alike - 2) * rows > WORTH


_Form = tuple[str, tuple[int, ...]]
"""A text without its numbers, and the numbers."""


def _form(rows: Sequence[Cells]) -> _Form:
    text = "\n".join("\t".join(cells) for cells in rows)
    return _NUMBER.sub("#", text), tuple(int(n) for n in _NUMBER.findall(text))


def _alike(forms: Sequence[_Form], at: int, size: int) -> int:
    """How often `size` texts from `at` on are repeated, going on as the first two times begin."""
    alike = 1
    while at + (alike + 1) * size <= len(forms) and all(
        _continues(forms[i], forms[i + size], forms[i + alike * size], alike) for i in range(at, at + size)
    ):
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
