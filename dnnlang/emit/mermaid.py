"""The network as a Mermaid flowchart, which GitHub and many other sites draw where it stands in Markdown.

Boxes go by numbers, because Mermaid takes names such as `end` for its own words; texts stand in quotes, with whatever
could mean something in them as a character code (mermaid.js.org/syntax/flowchart.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dnnlang.emit.drawing import Box, Shape, drawing, frames
from dnnlang.graph.architecture import Architecture

FORMS: Final = {
    Shape.INPUT: "([{}])",
    Shape.NODE: "[{}]",
    Shape.OUTPUT: "[[{}]]",
    Shape.TARGET: "([{}])",
    Shape.LOSS: "{{{{{}}}}}",
}
INDENT: Final = "    "
_SPECIAL: Final = re.compile(r"[\"#<>&`%{}\\;\x00-\x1f]")


def mermaid(architecture: Architecture) -> str:
    """The network as a flowchart; copies of bodies are subgraphs, outputs have double sides."""
    return "\n".join(_lines(architecture)) + "\n"


def _lines(architecture: Architecture) -> Iterator[str]:
    drawn = drawing(architecture)
    numbers = {box.name: f"n{number}" for number, box in enumerate(drawn.boxes, 1)}
    yield "flowchart TD"
    depth = 1
    for box, opened, closed in frames(drawn.boxes):
        for _ in range(closed):
            depth -= 1
            yield f"{INDENT * depth}end"
        for group in opened:
            yield f"{INDENT * depth}subgraph g{group.number} [{_quoted(group.label)}]"
            depth += 1
        yield f"{INDENT * depth}{numbers[box.name]}{_box(box)}"
    while depth > 1:
        depth -= 1
        yield f"{INDENT * depth}end"
    for arrow in drawn.arrows:
        label = f"|{_quoted(arrow.label)}|" if arrow.label else ""
        yield f"{INDENT}{numbers[arrow.source]} -->{label} {numbers[arrow.target]}"
    dashed = [numbers[box.name] for box in drawn.boxes if box.shape is Shape.TARGET]
    if dashed:
        yield f"{INDENT}classDef target stroke-dasharray: 4 3"
        yield f"{INDENT}class {','.join(dashed)} target"


def _box(box: Box) -> str:
    return FORMS[box.shape].format(_quoted(*box.lines))


def _quoted(*lines: str) -> str:
    return '"' + "<br>".join(_SPECIAL.sub(lambda found: f"#{ord(found[0])};", line) for line in lines) + '"'
