"""The network in the DOT language of Graphviz: `dot -Tsvg` draws it.

Every name and text stands in quotes, in which only `"` and `\\` mean something (graphviz.org/doc/info/lang.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dnnlang.emit.drawing import Box, Shape, drawing, frames
from dnnlang.graph.architecture import Architecture

STYLES: Final = {
    Shape.INPUT: ", shape=ellipse",
    Shape.NODE: "",
    Shape.OUTPUT: ", peripheries=2",
    Shape.TARGET: ", shape=ellipse, style=dashed",
    Shape.LOSS: ", shape=hexagon",
}
INDENT: Final = "    "


def dot(architecture: Architecture) -> str:
    """The network as a directed graph; copies of bodies are clusters, outputs have a double frame."""
    return "\n".join(_lines(architecture)) + "\n"


def _lines(architecture: Architecture) -> Iterator[str]:
    drawn = drawing(architecture)
    yield f"digraph {_quoted(drawn.title)} {{"
    yield f"{INDENT}node [shape=box]"
    depth = 1
    for box, opened, closed in frames(drawn.boxes):
        for _ in range(closed):
            depth -= 1
            yield f"{INDENT * depth}}}"
        for group in opened:
            yield f"{INDENT * depth}subgraph {_quoted(f'cluster {group.number}')} {{"
            depth += 1
            yield f"{INDENT * depth}label={_quoted(group.label)}"
        yield f"{INDENT * depth}{_box(box)}"
    while depth > 1:
        depth -= 1
        yield f"{INDENT * depth}}}"
    yield ""
    for arrow in drawn.arrows:
        label = f" [label={_quoted(arrow.label)}]" if arrow.label else ""
        yield f"{INDENT}{_quoted(arrow.source)} -> {_quoted(arrow.target)}{label}"
    yield "}"


def _box(box: Box) -> str:
    return f"{_quoted(box.name)} [label={_quoted(*box.lines)}{STYLES[box.shape]}]"


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
