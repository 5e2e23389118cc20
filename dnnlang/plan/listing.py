"""The plan as text, and back. A Listing is exactly what the text shows; `read_plan(str(listing)) == listing`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Final

from dnnlang.diagnostics import rule
from dnnlang.errors import UsageError
from dnnlang.plan.fold import Cells, More, Path, folded, folded_list, unfolded, unfolded_list

GAP: Final = "   "
LAYER_COLUMNS: Final = ("l", "layer", "W[l]", "b[l]", "Z[l], A[l]", "parameters")

NOT_A_PLAN = rule(
    "DNN880",
    "not-a-plan",
    "A text is not the listing of a plan.",
    why="`dnnlang.read_plan` reads back what `print(program)` and `dnnc compile` wrote, unchanged.",
    wrong='dnnlang.read_plan("layer 5 relu")',
    right="dnnlang.read_plan(str(program))",
    program=False,
)

_LABEL: Final = re.compile(r" ([FBU]\d+) +")
_PLACE: Final = re.compile(r"(slot \d+(, in place)?|in place|gradient|parameter|statistic|state)")
_SECTIONS: Final = ("forward", "backward", "update")
_FOOTERS: Final = ("cache", "slots", "peak", "budget")


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One row of the table of layers; `l` is empty for nodes that are not layers."""

    l: str  # noqa: E741 - the lesson's name
    layer: str
    W: str
    b: str
    ZA: str
    parameters: str

    def cells(self) -> Cells:
        return self.l, self.layer, self.W, self.b, self.ZA, self.parameters


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction: `F2`, `A[1] = relu(Z[1])`, `(5, m)`, `slot 1, in place`, `kept: …`."""

    label: str
    formula: str
    shape: str
    place: str
    note: str

    def cells(self) -> Cells:
        return self.label, self.formula, self.shape, self.place, self.note


@dataclass(frozen=True, slots=True)
class Listing:
    """`sections` are the rows by the name of the part; `footer` the lines about memory, by their first word.

    A plan that is not finished yet has no footer. `paths` are the repeats around each row, for the layers and then for
    each section; there are none in a program without `repeat`. Its text shows a body that is repeated once.
    """

    title: str
    layers: tuple[LayerRow, ...]
    sections: tuple[tuple[str, tuple[Row, ...]], ...]
    footer: tuple[tuple[str, str], ...]
    paths: tuple[tuple[Path, ...], ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return self.text()

    def text(self, *, flat: bool = False) -> str:
        """The listing; with `flat`, every copy of a repeated body."""
        paths = () if flat else self.paths
        layers = _shown([row.cells() for row in self.layers], paths[0] if paths else ())
        sections = [
            (name, _shown([row.cells() for row in rows], paths[at] if paths else ()))
            for at, (name, rows) in enumerate(self.sections, 1)
        ]
        lines = [self.title, "", *_layer_lines(layers)]
        widths = _widths([line for _, part in sections for line in part])
        for name, part in sections:
            lines += ["", name, *(_row_line(line, widths) for line in part)]
        if self.footer:
            lines.append("")
            # Lists go by the rows, so that whoever reads the text back knows whether to fold them.
            fold = any(isinstance(line, More) for line in (*layers, *(line for _, part in sections for line in part)))
            lines += (f"{name:<11}{folded_list(text) if fold else text}" for name, text in self.footer)
        return "\n".join(lines)


def _shown(rows: Sequence[Cells], paths: Sequence[Path]) -> list[Cells | More]:
    return [place if isinstance(place, More) else rows[place] for place in folded(rows, paths)]


def _layer_lines(rows: Iterable[Cells | More]) -> list[str]:
    table = [LAYER_COLUMNS, *rows]
    widths = _widths(table)
    lines = []
    for line in table:
        if isinstance(line, More):
            lines.append(str(line))
            continue
        *cells, last = line
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
        lines.append((" " + GAP.join([*padded, last.rjust(widths[-1])])).rstrip())
    return lines


def _widths(lines: Iterable[Cells | More]) -> list[int]:
    """How wide each column is."""
    widths: list[int] = []
    for line in lines:
        if not isinstance(line, More):
            widths = [max(pair) for pair in zip_longest(widths, map(len, line), fillvalue=0)]
    return widths


def _row_line(line: Cells | More, widths: Sequence[int]) -> str:
    if isinstance(line, More):
        return str(line)
    label, *cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
    return f" {label}  {GAP.join(cells)}".rstrip()


# ---------------------------------------------------------------- back


def read_plan(text: str) -> Listing:
    """The listing that `text` is the print of. Raises UsageError where it is none."""
    lines = text.rstrip("\n").split("\n")
    try:
        return _Reader(lines).listing()
    except (IndexError, ValueError):
        raise _not_a_plan(lines) from None


def _not_a_plan(lines: Sequence[str]) -> UsageError:
    first = lines[0][:60] if lines else ""
    return UsageError(
        NOT_A_PLAN.at(
            None,
            f"this is not the listing of a plan; it begins with `{first}`",
            help="pass the text of `print(program)` or of `dnnc compile`, unchanged",
        )
    )


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def listing(self) -> Listing:
        title = self._next()
        self._expect("")
        layers, inside = self._layers()
        sections, paths = [], [tuple(inside)]
        while self.at < len(self.lines) and self.lines[self.at] in _SECTIONS:
            name = self._next()
            rows, inside = unfolded([More.read(line) or _row(line) for line in self._paragraph()])
            sections.append((name, tuple(Row(*cells) for cells in rows)))
            paths.append(tuple(inside))
        footer = tuple(_footer(line) for line in self._paragraph()) if self.at < len(self.lines) else ()
        if self.at < len(self.lines) or not sections:
            raise ValueError("something else follows")
        return Listing(title, layers, tuple(sections), footer, tuple(paths) if any(map(any, paths)) else ())

    def _layers(self) -> tuple[tuple[LayerRow, ...], list[Path]]:
        header, *lines = self._paragraph()
        starts = [header.index(name) for name in LAYER_COLUMNS]
        rows, paths = unfolded([More.read(line) or _layer(line, starts) for line in lines])
        return tuple(LayerRow(*cells) for cells in rows), paths

    def _paragraph(self) -> list[str]:
        start = self.at
        while self.at < len(self.lines) and self.lines[self.at]:
            self.at += 1
        paragraph = self.lines[start : self.at]
        self.at += 1
        if not paragraph:
            raise ValueError("an empty paragraph")
        return paragraph

    def _next(self) -> str:
        self.at += 1
        return self.lines[self.at - 1]

    def _expect(self, line: str) -> None:
        if self._next() != line:
            raise ValueError("another line was expected")


def _layer(line: str, starts: Sequence[int]) -> Cells:
    l, layer, W, b = (line[start:end].strip() for start, end in pairwise(starts[:5]))  # noqa: E741
    # The last column stands flush right, so it does not begin under its heading.
    ZA, *count = re.split(r" {3,}", line[starts[4] :].rstrip())
    return l, layer, W, b, ZA, count[0] if count else ""


def _row(line: str) -> Cells:
    label = _LABEL.match(line)
    if label is None:
        raise ValueError("no label")
    cells = re.split(r" {3,}", line[label.end() :])
    if not 2 <= len(cells) <= 4:
        raise ValueError("too many columns")
    formula, shape, *rest = cells
    place = rest.pop(0) if rest and _PLACE.fullmatch(rest[0]) else ""
    return label[1], formula, shape, place, rest[0] if rest else ""


def _footer(line: str) -> tuple[str, str]:
    name, _, text = line.partition(" ")
    if name not in _FOOTERS:
        raise ValueError("no line about memory")
    return name, unfolded_list(text.lstrip(" "))
