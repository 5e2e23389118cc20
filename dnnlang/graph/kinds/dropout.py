"""`dropout 0.5`: inverted dropout. Outside training it is the identity."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node
from dnnlang.graph.given import Slot
from dnnlang.graph.kinds.kind import Making, NodeKind, Shaping
from dnnlang.graph.origin import SameAs
from dnnlang.graph.reader import Reader, decimal
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.expression import apply, variable
from dnnlang.sizes import Size
from dnnlang.syntax.tree import Expression

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft


def _rate(expression: Expression, reader: Reader) -> Fraction | None:
    value = reader.number(expression)
    if value is None or 0 <= value < 1:
        return value
    advice = f"write `dropout {decimal(value / 100)}`" if 2 <= value < 100 else "write a number such as 0.5"
    reader.refuse(expression, f"a dropout rate is at least 0 and below 1, not {decimal(value)}", advice)
    return None


RATE: Slot[Fraction] = Slot("RATE", "RATE", _rate, "the share of units that is dropped: 0 ≤ RATE < 1", optional=False)


@dataclass(frozen=True, slots=True)
class DropoutDetail:
    """`number` (from 1) tells the random streams of the dropouts of a program apart."""

    rate: Fraction
    number: int


class Dropout(NodeKind):
    name = "dropout"
    sentence = "Drops units at random in training and scales the others by 1/(1 - RATE); does nothing otherwise."
    operands = (RATE,)

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        draft.origin = SameAs(draft.inputs[0], draft.span)
        return draft.inputs[0].units

    def detail(self, draft: Draft, making: Making) -> DropoutDetail:
        rate = draft.given.get(RATE)
        if rate is None:
            raise InternalError("`dropout` without a rate was not refused")
        return DropoutDetail(rate, draft.number)

    def lower(self, node: Node, build: Builder) -> Value:
        detail = node.detail
        if not isinstance(detail, DropoutDetail):
            raise InternalError(f"{node.name} is no `dropout`")
        source = build.output_of(node.inputs[0])
        if not build.training or detail.rate == 0:
            return source
        mask = build.mask(f"mask[{node.name}]", source, detail.rate, detail.number, node.span)
        kept = apply("multiply", variable("z"), variable("mask"))
        return build.map(node.value, kept, {"z": source, "mask": mask}, node.span, label="")
