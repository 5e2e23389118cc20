"""The lines of one statement: one if it fits, else broken inside its parentheses.

A newline ends a statement except inside `( )`, so a long line can be broken only there: after the commas, or before
the operators that tie most loosely, the outermost parentheses first. How the text was broken before does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from dnnlang.syntax.pieces import CLOSING, OPENING, Piece
from dnnlang.syntax.spacing import FACTOR, SEPARATOR

WIDTH: Final = 120
"""Characters in a line that can be broken."""
INDENT: Final = 4
_DEEPEST: Final = 60
"""Deeper parentheses are not indented further, or little would be left of the line."""


@dataclass(slots=True)
class Line:
    """A line to be written. Without `text` it is a comment by itself, or blank."""

    indent: int
    text: str = ""
    comment: str | None = None
    continues: bool = False  # the comment stands below the one at the end of the line before


def flat(pieces: Sequence[Piece]) -> str | None:
    """All in one line; None where a comment stands in the way. One behind the last piece does not."""
    if any(piece.above for piece in pieces) or any(piece.behind is not None for piece in pieces[:-1]):
        return None
    return "".join(piece.gap + piece.text for piece in pieces)


def lines(pieces: Sequence[Piece], indent: int) -> list[Line]:
    """The pieces in as many lines as they need."""
    text = flat(pieces)
    if text is not None and indent + len(text) <= WIDTH:
        return [Line(indent, text, pieces[-1].behind)]
    return _Breaking(pieces).run(indent)


class _Breaking:
    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self._closing = _closing(pieces)
        self._widths = [0, *accumulate(len(p.gap) + len(p.text) for p in pieces)]
        self._comments = [0, *accumulate(len(p.above) + (p.behind is not None) for p in pieces)]
        self._lines: list[Line] = []
        self._line: Line | None = None  # the one that is being written
        # What is still to be written, the next last: the pieces from .. to, their indent, and that of further lines
        # if they begin one. Not recursion, because parentheses may be nested as deep as anybody likes.
        self._waiting: list[tuple[int, int, int, int | None]] = []

    def run(self, indent: int) -> list[Line]:
        self._waiting.append((0, len(self._pieces), indent, None))
        while self._waiting:
            start, end, indent, further = self._waiting.pop()
            if further is None:
                self._write(start, end, indent)
                continue
            self._line = None
            parts = self._parts(start, end, indent)
            if len(parts) == 1:
                self._write(start, end, indent)
                continue
            self._waiting += [(*part, further, further) for part in reversed(parts[1:])]
            self._waiting.append((*parts[0], indent, further))
        return self._lines

    def _write(self, start: int, end: int, indent: int) -> None:
        """Up to the first parenthesis that must be broken; what follows is left waiting."""
        for at in range(start, end):
            self._put(at, indent)
            if self._pieces[at].type == "LPAR" and self._must_break(at, end, indent):
                self._waiting.append((self._closing[at] + 1, end, indent, None))
                self._break(at, indent)
                return

    def _put(self, at: int, indent: int) -> None:
        piece = self._pieces[at]
        for comment in piece.above:
            self._line = None
            self._lines.append(Line(_deeper(indent) if piece.type == "RPAR" else indent, comment=comment))
        if self._line is None:
            self._line = Line(indent, piece.text)
            self._lines.append(self._line)
        else:
            self._line.text += piece.gap + piece.text
        if piece.behind is not None:
            self._line.comment = piece.behind
            self._line = None

    def _must_break(self, opening: int, end: int, indent: int) -> bool:
        """Whether the parenthesis just written holds a comment, or does not fit with what follows it."""
        pieces, closing = self._pieces, self._closing[opening]
        if self._comments[closing] > self._comments[opening + 1] or pieces[opening].behind or pieces[closing].above:
            return True
        if closing == opening + 1 or self._line is None:
            return False
        at = closing + 1  # what follows, up to the next place where the line can be broken
        while at < end and pieces[at - 1].behind is None and pieces[at - 1].type != "LPAR":
            at += 1
        return indent + len(self._line.text) + self._widths[at] - self._widths[opening + 1] > WIDTH

    # ------------------------------------------------------------ inside parentheses

    def _break(self, opening: int, indent: int) -> None:
        """Leave waiting what stands in the parenthesis just written, on lines of its own, and what closes it."""
        while self._holds_another(opening):
            self._waiting.append((self._closing[opening], self._closing[opening] + 1, indent, None))
            opening += 1
            self._put(opening, indent)
            if self._pieces[opening].type == "CALLEE":
                opening += 1
                self._put(opening, indent)
        closing = self._closing[opening]
        self._waiting.append((closing, closing + 1, indent, indent))
        deeper = _deeper(indent)
        items = self._items(opening + 1, closing)
        further = deeper if len(items) == 1 else _deeper(deeper)
        self._waiting += [(*item, deeper, further) for item in reversed(items)]

    def _holds_another(self, opening: int) -> bool:
        """Whether there is nothing but another pair of parentheses inside, or a call: `mean(where(…))`."""
        pieces, closing = self._pieces, self._closing[opening]
        inner = opening + 2 if pieces[opening + 1].type == "CALLEE" else opening + 1
        if pieces[inner].type != "LPAR" or self._closing[inner] != closing - 1:
            return False
        between = (*pieces[opening:inner], pieces[closing - 1])
        above = (*pieces[opening + 1 : inner + 1], pieces[closing])
        return all(p.behind is None for p in between) and not any(p.above for p in above)

    def _items(self, start: int, end: int) -> list[tuple[int, int]]:
        """What the commas and semicolons in a pair of parentheses divide, each with its comma."""
        items = []
        for at in self._outer(start, end):
            if self._pieces[at].rank == SEPARATOR:
                items.append((start, at + 1))
                start = at + 1
        return [*items, (start, end)] if start < end else items

    def _parts(self, start: int, end: int, indent: int) -> list[tuple[int, int]]:
        """The terms (or factors, or sides) of a formula that is too long for a line, each with its operator."""
        width = self._widths[end] - self._widths[start] - len(self._pieces[start].gap)
        if indent + width <= WIDTH:
            return [(start, end)]
        outer = list(self._outer(start, end))
        operators = [at for at in outer if at > start and self._pieces[at].rank > SEPARATOR]
        rank = min((self._pieces[at].rank for at in operators), default=FACTOR)
        if rank == FACTOR and any(self._breakable(at) for at in outer):
            return [(start, end)]
        return list(pairwise([start, *(at for at in operators if self._pieces[at].rank == rank), end]))

    def _outer(self, start: int, end: int) -> Iterator[int]:
        """The pieces that stand in no bracket of their own, opening ones included."""
        at = start
        while at < end:
            yield at
            at = self._closing[at] + 1

    def _breakable(self, at: int) -> bool:
        return self._pieces[at].type == "LPAR" and self._closing[at] > at + 1


def _deeper(indent: int) -> int:
    return indent + INDENT if indent < _DEEPEST else indent


def _closing(pieces: Sequence[Piece]) -> list[int]:
    """Where each opening bracket is closed; every other piece closes itself, and so does the `{` of a body."""
    closing = list(range(len(pieces)))
    opened = []
    for at, piece in enumerate(pieces):
        if piece.type in OPENING:
            opened.append(at)
        elif piece.type in CLOSING and opened:
            closing[opened.pop()] = at
    return closing
