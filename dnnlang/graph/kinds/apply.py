"""`apply relu`: an activation by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node
from dnnlang.graph.given import Slot
from dnnlang.graph.kinds.kind import Making, NodeKind, Shaping
from dnnlang.graph.origin import SameAs
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import Size

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

ACTIVATION: Slot[Activation] = Slot(
    "ACTIVATION",
    "ACTIVATION",
    lambda expression, reader: reader.activation(expression),
    "the activation, with its options: `relu`, `leaky_relu(slope=0.1)`",
    optional=False,
)


@dataclass(frozen=True, slots=True)
class ApplyDetail:
    activation: Activation


class Apply(NodeKind):
    name = "apply"
    sentence = "Applies an activation to a node, without weights."
    operands = (ACTIVATION,)

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        draft.origin = SameAs(draft.inputs[0], draft.span)
        return draft.inputs[0].units

    def detail(self, draft: Draft, making: Making) -> ApplyDetail:
        activation = draft.given.get(ACTIVATION)
        if activation is None:
            raise InternalError("`apply` without an activation was not refused")
        return ApplyDetail(activation)

    def activation(self, draft: Draft) -> Activation | None:
        return draft.given.get(ACTIVATION)

    def lower(self, node: Node, build: Builder) -> Value:
        detail = node.detail
        if not isinstance(detail, ApplyDetail):
            raise InternalError(f"{node.name} is no `apply`")
        return build.activate(node.value, detail.activation, build.output_of(node.inputs[0]), node.span)
