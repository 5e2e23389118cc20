"""`layernorm`: each sample normalised over its units, then scaled and shifted unit by unit.

Ba, Kiros and Hinton 2016, "Layer Normalization". In training and outside it alike, for n units:

    mu = mean(A)      var = mean((A - mu)²)    over the units of a column (biased: divided by n, as in PyTorch)
    ln = gamma ∘ (A - mu) / sqrt(var + epsilon) + beta
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.kind import Making
from dnnlang.graph.kinds.normalized import (
    EPSILON,
    Normalized,
    NormalizedDetail,
    add_scale_and_shift,
    normalized,
    squared_deviation,
)
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.construct import mean
from dnnlang.scalar.expression import variable
from dnnlang.sizes import M, Size

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft


class Layernorm(Normalized):
    name = "layernorm"
    sentence = (
        "Brings the units of each sample to mean 0 and variance 1, then scales each unit by gamma and shifts it by "
        "beta, which are trained."
    )
    notes = "The variance is biased: the sum over the k units is divided by k, as in PyTorch."
    keys = (EPSILON,)

    def detail(self, draft: Draft, making: Making) -> NormalizedDetail:
        return add_scale_and_shift(draft, making)

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        return {**super().tensors(draft), "mu": (1, M), "var": (1, M)}

    def lower(self, node: Node, build: Builder) -> Value:
        detail = node.detail
        if not isinstance(detail, NormalizedDetail):
            raise InternalError(f"{node.name} is no `layernorm`")
        z = build.output_of(node.inputs[0])
        mu = build.map(f"mu[{node.name}]", mean(variable("z")), {"z": z}, node.span, label="")
        deviation = mean(squared_deviation(per_unit=False))
        var = build.map(f"var[{node.name}]", deviation, {"mu": mu, "z": z}, node.span, label="")
        operands = {
            "gamma": build.parameter(detail.gamma),
            "mu": mu,
            "var": var,
            "beta": build.parameter(detail.beta),
            "z": z,  # last, so that its gradient is computed last and can overwrite the one that arrives
        }
        return build.map(node.value, normalized(detail.epsilon, per_unit=False), operands, node.span, label="")
