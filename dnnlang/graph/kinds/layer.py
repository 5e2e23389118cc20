"""`layer SIZE [ACTIVATION]`: the dense layer, Z[l] = W[l] A[l-1] + b[l], A[l] = g[l](Z[l])."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dnnlang.diagnostics import Diagnostics, Label
from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node, Parameter
from dnnlang.graph.given import Slot
from dnnlang.graph.kinds.kind import Making, NodeKind, Shaping
from dnnlang.graph.kinds.sharing import CONFLICTING_KEYS, equations, share_target, tie_target
from dnnlang.graph.origin import Written
from dnnlang.graph.reader import Reader, decimal
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.functions import Activation, Initializer
from dnnlang.sizes import M, Size
from dnnlang.syntax.tree import Expression

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft


def _l2(expression: Expression, reader: Reader) -> Fraction | None:
    value = reader.number(expression)
    if value is None or value >= 0:
        return value
    reader.refuse(expression, f"`l2` is at least 0, not {decimal(value)}", "write a number such as 0.01")
    return None


SIZE: Slot[Size] = Slot("SIZE", "SIZE", lambda e, r: r.size(e), "how many units the layer has", optional=False)
ACTIVATION: Slot[Activation] = Slot(
    "ACTIVATION", "ACTIVATION", lambda e, r: r.activation(e), "g[l]; `linear` if left out"
)
INIT: Slot[Initializer] = Slot(
    "init", "init=NAME", lambda e, r: r.initializer(e), "how W starts; by default what fits the activation"
)
BIAS: Slot[str] = Slot("bias", "bias=none", lambda e, r: r.word(e, ["none"], "`bias`"), "leaves b out")
L2: Slot[Fraction] = Slot("l2", "l2=NUMBER", _l2, "λ of this W's penalty, in place of that of `train`")
TRAINABLE: Slot[str] = Slot(
    "trainable", "trainable=no", lambda e, r: r.word(e, ["no", "yes"], "`trainable`"), "keeps W and b as they start"
)
SHARE: Slot[Draft] = Slot("share", "share=LAYER", share_target, "uses the W and b of a layer above; gradients add up")
TIE: Slot[Draft] = Slot(
    "tie", "tie=transpose(LAYER)", tie_target, "uses the transpose of the W of a layer above, and has its own b"
)


@dataclass(frozen=True, slots=True)
class LayerDetail:
    """`W` and `b` are keys of parameters, perhaps of another layer; with `transpose` the product is with Wᵀ."""

    l: int  # noqa: E741 - the lesson's name
    activation: Activation
    W: str
    b: str | None
    transpose: bool


class Layer(NodeKind):
    name = "layer"
    sentence = "A dense layer: A[l] = g(W[l] A[l-1] + b[l])."
    operands = (SIZE, ACTIVATION)
    keys = (INIT, BIAS, L2, TRAINABLE, SHARE, TIE)
    letters = ("W", "b", "Z", "A")

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        units = self.units_alone(draft, shaping)
        if units is None or not (draft.given.has(SHARE) or draft.given.has(TIE)):
            return units
        if not _keys_agree(draft, shaping.found):
            return units
        for other, transposed in ((draft.given.get(SHARE), False), (draft.given.get(TIE), True)):
            if other is None or other.failed or any(i.failed for i in other.inputs):
                continue
            for equation in equations(draft, other, units, shaping, transposed=transposed):
                if not shaping.solver.equate(equation):
                    break
        return units

    def units_alone(self, draft: Draft, shaping: Shaping) -> Size | None:
        units = draft.given.get(SIZE)
        if units is not None:
            expression = draft.given.written[SIZE.name]
            draft.units = units
            draft.origin = Written(expression, draft.span, shaping.scope)
        return units

    def detail(self, draft: Draft, making: Making) -> LayerDetail:
        root, transpose = _weights(draft)
        bias = _bias(draft)
        if root is draft:
            _add_weights(draft, making)
        if bias is draft:
            _add_bias(draft, making)
        return LayerDetail(
            draft.number,
            draft.given.get(ACTIVATION) or making.linear(),
            f"W[{root.number}]",
            f"b[{bias.number}]" if bias is not None else None,
            transpose,
        )

    def trains(self, draft: Draft) -> bool:
        return any(of.given.get(TRAINABLE) != "no" for of in (_weights(draft)[0], _bias(draft)) if of is not None)

    def activation(self, draft: Draft) -> Activation | None:
        return draft.given.get(ACTIVATION)

    def size_name(self, draft: Draft) -> str:
        return f"n[{draft.alias or draft.number}]"

    def value_name(self, draft: Draft) -> str:
        return f"A[{draft.number}]"

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        if draft.units is None:
            return {}
        shapes: dict[str, tuple[Size, Size]] = {"Z": (draft.units, M), "A": (draft.units, M)}
        fan_in = draft.inputs[0].units if draft.inputs else None
        if fan_in is not None:
            shapes["W"] = (draft.units, fan_in)
        if _bias(draft) is not None:
            shapes["b"] = (draft.units, 1)
        return shapes

    def lower(self, node: Node, build: Builder) -> Value:
        detail = node.detail
        if not isinstance(detail, LayerDetail):
            raise InternalError(f"{node.name} is no `layer`")
        below = build.output_of(node.inputs[0])
        bias = build.parameter(detail.b) if detail.b is not None else None
        W = build.parameter(detail.W)
        Z = build.product(f"Z[{detail.l}]", W, below, bias, node.span, transpose=detail.transpose)
        return build.activate(node.value, detail.activation, Z, node.span)


def _keys_agree(draft: Draft, found: Diagnostics) -> bool:
    """Keys about W or b stand at the layer that W or b belongs to."""
    given = draft.given
    if given.has(SHARE) and given.has(TIE):
        found.add(
            CONFLICTING_KEYS.at(
                given.span(TIE),
                "a layer has `share` or `tie`, not both",
                labels=[Label(given.span(SHARE), "`share` stands here")],
                help="`share` takes W and b as they are, `tie` takes Wᵀ; keep one of them",
            )
        )
        return False
    owner, refused = (SHARE, (INIT, BIAS, L2, TRAINABLE)) if given.has(SHARE) else (TIE, (INIT, L2))
    if not given.has(owner):
        return True
    wrong = next((slot for slot in refused if given.has(slot)), None)
    if wrong is None:
        return True
    other = given.get(owner)
    place = f"the layer on line {other.span.line}" if other is not None else "the other layer"
    what = "W and b belong" if owner is SHARE else "W belongs"
    found.add(
        CONFLICTING_KEYS.at(
            given.span(wrong),
            f"`{wrong.name}` cannot stand beside `{owner.name}`: {what} to {place}",
            labels=[Label(given.span(owner), f"`{owner.name}` stands here")],
            help=f"write `{wrong.name}=…` at {place}",
        )
    )
    return False


def _weights(draft: Draft) -> tuple[Draft, bool]:
    """The layer that W belongs to, and whether this layer uses its transpose."""
    transpose = False
    while True:
        shared, tied = draft.given.get(SHARE), draft.given.get(TIE)
        if shared is None and tied is None:
            return draft, transpose
        if shared is None and tied is not None:
            transpose = not transpose
            shared = tied
        assert shared is not None
        draft = shared


def _bias(draft: Draft) -> Draft | None:
    """The layer that b belongs to; None without b."""
    while (shared := draft.given.get(SHARE)) is not None:
        draft = shared
    return None if draft.given.has(BIAS) else draft


def owns_weights(draft: Draft) -> bool:
    """Is its W its own, and not that of another layer?"""
    return _weights(draft)[0] is draft


def owns_bias(draft: Draft) -> bool:
    """Has it a b of its own?"""
    return _bias(draft) is draft


def _add_weights(draft: Draft, making: Making) -> None:
    given = draft.given
    units, fan_in = making.size(draft.units), making.size(draft.inputs[0].units)
    init = given.get(INIT) or making.default_init(given.get(ACTIVATION) or making.linear())
    key, trainable = f"W[{draft.number}]", given.get(TRAINABLE) != "no"
    making.parameters[key] = Parameter(
        key, (units, fan_in), init, (fan_in, units), given.get(L2), True, trainable, draft.span, draft.within
    )


def _add_bias(draft: Draft, making: Making) -> None:
    units, fan_in = making.size(draft.units), making.size(draft.inputs[0].units)
    key, trainable = f"b[{draft.number}]", draft.given.get(TRAINABLE) != "no"
    making.parameters[key] = Parameter(
        key, (units, 1), None, (fan_in, units), None, False, trainable, draft.span, draft.within
    )
