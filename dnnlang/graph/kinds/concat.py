"""`concat from x, h`: the units of all inputs on top of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.kind import NodeKind, Shaping
from dnnlang.graph.origin import Stacked
from dnnlang.primitives.values import Builder, Value
from dnnlang.sizes import Size, total

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft


class Concat(NodeKind):
    name = "concat"
    sentence = "Stacks the units of two or more nodes, in the order in which they are named."
    least = 2
    most = None

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        draft.origin = Stacked(draft.inputs, draft.span)
        return total(source.units for source in draft.inputs if source.units is not None)

    def lower(self, node: Node, build: Builder) -> Value:
        return build.stack(node.value, [build.output_of(source) for source in node.inputs], node.span)
