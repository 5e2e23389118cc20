"""The form for people: the message, the lines it is about with what is wrong underlined, and advice.

error[DNN203]: `add` needs inputs of equal size, but these have 64 and 32 units
   ┌─ houses.dnn:21:1
21 │ add from stem, head
   │          ──── 64 = width, set on line 5
   │                ──── 32 = width // 2, from `layer width // 2` on line 17
   = n[stem] = 64, n[head] = 32
   help: put a layer between them: `layer width from head as head2`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.diagnostics.display import cells, printable, width
from dnnlang.source import SourceFile, Span

WIDEST: Final = 110
"""Columns of a source line that are shown; a longer one is cut around what is wrong."""
_HUGE: Final = 10_000
"""Characters of a line, such as a file that is one line, of which only what is near a mark is looked at."""
_BEFORE: Final = 30
"""Columns shown before what is wrong, where a line is cut."""

_RED: Final = "1;31"
_YELLOW: Final = "1;33"
_BLUE: Final = "1;34"
_CYAN: Final = "1;36"
_BOLD: Final = "1"


@dataclass(frozen=True, slots=True)
class _Mark:
    """An underline, on one line: from character `start` up to `end`, both from 0."""

    line: int
    start: int
    end: int
    text: str
    primary: bool


def full(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """Several lines, the last one with its line end."""
    paint = _Paint(colour, _RED if diagnostic.severity == "error" else _YELLOW)
    head = paint.main(f"{diagnostic.severity}[{diagnostic.code}]")
    lines = [f"{head}{paint.bold(': ' + printable(diagnostic.message))}"]
    files = list(_marks_by_file(diagnostic))
    last_line = max((mark.line for _, _, marks in files for mark in marks), default=0)
    gutter = max(len(str(last_line)), 2 if files else 1)
    for source, place, marks in files:
        lines.append(f"{' ' * gutter} {paint.blue('┌─')} {printable(source.name)}:{place}")
        lines += _excerpt(source, marks, gutter, paint)
    for note in diagnostic.notes:
        lines += _advice(paint.blue("="), 2, note, gutter)
    if diagnostic.help is not None:
        lines += _advice(paint.cyan("help:"), 6, diagnostic.help, gutter)
    return "\n".join(line.rstrip() for line in lines) + "\n"


# ---------------------------------------------------------------- what is underlined


def _marks_by_file(diagnostic: Diagnostic) -> Iterator[tuple[SourceFile, str, list[_Mark]]]:
    """Each file with the place to name for it and its marks; the file of the main span comes first."""
    main = diagnostic.span
    marks: dict[int, tuple[SourceFile, list[_Mark]]] = {}
    if main is not None:
        marks[id(main.source)] = (main.source, [])
        inside = any(_contains(main, label.span) for label in diagnostic.labels)
        same = any(label.span == main for label in diagnostic.labels)
        if not inside and not same:  # labels inside the main span say more precisely what is wrong than it does
            marks[id(main.source)][1].append(_mark(main, "", True))
    for label in diagnostic.labels:
        source = label.span.source
        marks.setdefault(id(source), (source, []))[1].append(_mark(label.span, label.message, label.span == main))
    for source, in_file in marks.values():
        in_file.sort(key=lambda m: (m.line, m.start, not m.primary))
        if main is not None and source is main.source:
            place = f"{main.line}:{main.column}"
        else:
            place = f"{in_file[0].line}:{in_file[0].start + 1}"
        yield source, place, in_file


def _contains(outer: Span, inner: Span) -> bool:
    return (
        outer.source is inner.source
        and outer.start <= inner.start
        and inner.end <= outer.end
        and outer.line == inner.line
        and (outer.start, outer.end) != (inner.start, inner.end)
    )


def _mark(span: Span, text: str, primary: bool) -> _Mark:
    """Of a span that goes over several lines only the first is underlined."""
    line, column = span.source.position(span.start)
    length = len(span.source.line(line))
    start = min(column - 1, length)
    end = min(start + span.end - span.start, length)
    return _Mark(line, start, max(end, start + 1), text, primary)


# ---------------------------------------------------------------- lines of source


def _excerpt(source: SourceFile, marks: list[_Mark], gutter: int, paint: _Paint) -> Iterator[str]:
    before = None
    for number, in_line in groupby(marks, key=lambda m: m.line):
        if before is not None and number > before + 1:
            yield f"{' ' * gutter} {paint.blue('·')}"
        before = number
        for text, underlines in _views(source.line(number), list(in_line)):
            yield f"{paint.blue(f'{number:>{gutter}} │')} {text}"
            for indent, length, mark in underlines:
                line = "^" * length if mark.primary else "─" * length
                words = f" {printable(mark.text)}" if mark.text else ""
                words = words.replace("\n", "\n" + " " * gutter + f" │ {' ' * (indent + length)} ")
                painted = paint.main(line + words) if mark.primary else paint.blue(line + words)
                yield f"{' ' * gutter} {paint.blue('│')} {' ' * indent}{painted}"


def _views(line: str, marks: list[_Mark]) -> Iterator[tuple[str, list[tuple[int, int, _Mark]]]]:
    """The line as shown, with (indent, length, mark) of its underlines; a long one in as many pieces as needed."""
    if len(line) > _HUGE:
        for mark in marks:
            first = max(mark.start - WIDEST, 0)
            piece = line[first : mark.start + 4 * WIDEST]
            yield from _views(piece, [replace(mark, start=mark.start - first, end=min(mark.end - first, len(piece)))])
        return
    shown = cells(line)
    starts = [0]
    for cell in shown:
        starts.append(starts[-1] + width(cell))
    while marks:
        first, last, here = 0, len(shown), marks
        if starts[-1] > WIDEST:
            first, last = _window(starts, marks[0])
            here = [m for m in marks if m is marks[0] or first <= m.start < last]
        left, right = "… " if first > 0 else "", " …" if last < len(shown) else ""
        underlines = []
        for mark in here:
            begin = starts[min(mark.start, len(shown))]
            end = starts[min(mark.end, last)]
            indent = width(left) + begin - starts[first]
            underlines.append((indent, max(end - begin, 1), mark))
        yield f"{left}{''.join(shown[first:last])}{right}", underlines
        marks = [m for m in marks if not any(m is h for h in here)]


def _window(starts: list[int], mark: _Mark) -> tuple[int, int]:
    """The characters to show of a line that is too long: from a little before the mark, as many as fit."""
    at = min(mark.start, len(starts) - 1)
    first = at
    while first > 0 and starts[at] - starts[first - 1] <= _BEFORE:
        first -= 1
    last = first
    while last < len(starts) - 1 and starts[last + 1] - starts[first] <= WIDEST:
        last += 1
    return first, last


# ---------------------------------------------------------------- advice and colour


def _advice(sign: str, indent: int, text: str, gutter: int) -> Iterable[str]:
    first, *others = printable(text).split("\n")
    yield f"{' ' * gutter} {sign} {first}"
    for line in others:
        yield f"{' ' * (gutter + 1 + indent)}{line}"


class _Paint:
    """ANSI colours, or none."""

    def __init__(self, colour: bool, main: str) -> None:
        self._colour = colour
        self._main = main

    def main(self, text: str) -> str:
        return self._wrap(self._main, text)

    def bold(self, text: str) -> str:
        return self._wrap(_BOLD, text)

    def blue(self, text: str) -> str:
        return self._wrap(_BLUE, text)

    def cyan(self, text: str) -> str:
        return self._wrap(_CYAN, text)

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
