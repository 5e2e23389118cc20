"""The network's inputs: made by `input` statements, or by a program that has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.kind import NodeKind, Shaping
from dnnlang.primitives.values import Builder, Value
from dnnlang.sizes import M, Size

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft


class Input(NodeKind):
    """Not in KINDS: `input` is a word of the grammar, because only it takes nothing in."""

    name = "input"
    sentence = "An input of the network: `input SIZE`, or `input` where the size is to be inferred."
    least = 0
    most = 0

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        return draft.units

    def lower(self, node: Node, build: Builder) -> Value:
        return build.output_of(node.name)

    def size_name(self, draft: Draft) -> str:
        return symbol_name(draft)

    def value_name(self, draft: Draft) -> str:
        return "X" if draft.number == 0 else draft.name

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        return {"A": (draft.units, M)} if draft.units is not None else {}


def symbol_name(draft: Draft) -> str:
    """The symbol of its size: `n[0]` for a single input (number 0), else `n[NAME]`."""
    return "n[0]" if draft.number == 0 else f"n[{draft.name}]"


INPUT = Input()
