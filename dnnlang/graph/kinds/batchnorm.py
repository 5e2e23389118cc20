"""`batchnorm`: each unit normalised over the samples of the batch, then scaled and shifted.

Ioffe and Szegedy 2015, "Batch Normalization". In training, with m samples in the batch:

    mu = 1/m Σ Z                       var = 1/m Σ (Z - mu)²           (biased: divided by m)
    bn = gamma ∘ (Z - mu) / sqrt(var + epsilon) + beta

and after the gradients, `momentum` being how much of the old is kept (0.9; PyTorch calls 1 - 0.9 its momentum):

    running_mean     = momentum · running_mean     + (1 - momentum) · mu
    running_variance = momentum · running_variance + (1 - momentum) · m/(m - 1) var    (unbiased, as in PyTorch)

Outside training these two stand for mu and var, so that a sample's output does not depend on those beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node, Statistic
from dnnlang.graph.given import Slot
from dnnlang.graph.kinds.kind import Making
from dnnlang.graph.kinds.normalized import (
    EPSILON,
    Normalized,
    NormalizedDetail,
    add_scale_and_shift,
    normalized,
    squared_deviation,
)
from dnnlang.graph.reader import Reader, decimal
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.expression import variable
from dnnlang.sizes import Size
from dnnlang.syntax.tree import Expression

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

DEFAULT_MOMENTUM: Final = Fraction(9, 10)


def _momentum(expression: Expression, reader: Reader) -> Fraction | None:
    value = reader.number(expression)
    if value is None or 0 <= value < 1:
        return value
    reader.refuse(
        expression,
        f"`momentum` is at least 0 and below 1, not {decimal(value)}",
        "write how much of the old statistics each step keeps, such as 0.9",
    )
    return None


MOMENTUM: Slot[Fraction] = Slot(
    "momentum", "momentum=NUMBER", _momentum, "how much of the running statistics each step keeps (0.9)"
)


@dataclass(frozen=True, slots=True)
class BatchnormDetail(NormalizedDetail):
    """`mean` and `variance` are keys of statistics."""

    mean: str
    variance: str
    momentum: Fraction


class Batchnorm(Normalized):
    name = "batchnorm"
    sentence = (
        "Brings each unit to mean 0 and variance 1 over the samples of the batch, then scales it by gamma and shifts "
        "it by beta, which are trained. Outside training it uses running statistics."
    )
    notes = (
        "The variance that normalises is biased: Σ is divided by m. The running variance averages unbiased ones, "
        "divided by m - 1, to which a batch of one sample adds nothing. PyTorch does the same, and calls 1 - 0.9 its "
        "momentum. The running statistics follow in `gradients`, `step` and `fit`, not in `forward` and `loss`."
    )
    keys = (EPSILON, MOMENTUM)
    measured = ("running_mean", "running_variance")

    def detail(self, draft: Draft, making: Making) -> BatchnormDetail:
        units = making.size(draft.units)
        mean, variance = f"running_mean[{draft.name}]", f"running_variance[{draft.name}]"
        for key, initial in ((mean, 0), (variance, 1)):
            making.statistics[key] = Statistic(key, (units, 1), Fraction(initial), draft.span, draft.within)
        scaling, momentum = add_scale_and_shift(draft, making), draft.given.get(MOMENTUM)
        return BatchnormDetail(
            scaling.gamma,
            scaling.beta,
            scaling.epsilon,
            mean,
            variance,
            DEFAULT_MOMENTUM if momentum is None else momentum,
        )

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        return {} if draft.units is None else dict.fromkeys((*self.letters, *self.measured), (draft.units, 1))

    def lower(self, node: Node, build: Builder) -> Value:
        detail = node.detail
        if not isinstance(detail, BatchnormDetail):
            raise InternalError(f"{node.name} is no `batchnorm`")
        z = build.output_of(node.inputs[0])
        mu, var = build.statistic(detail.mean), build.statistic(detail.variance)
        if build.training:
            mu, var = self._of_the_batch(node, detail, z, build)
        operands = {
            "gamma": build.parameter(detail.gamma),
            "mu": mu,
            "var": var,
            "beta": build.parameter(detail.beta),
            "z": z,  # last, so that its gradient is computed last and can overwrite the one that arrives
        }
        formula = normalized(detail.epsilon, per_unit=True)
        return build.map(node.value, formula, operands, node.span, label="")

    def _of_the_batch(self, node: Node, detail: BatchnormDetail, z: Value, build: Builder) -> tuple[Value, Value]:
        """mu and var, which the running statistics then follow. In two passes: no digits of var cancel."""
        mu = build.mean_over_samples(f"mu[{node.name}]", variable("z"), {"z": z}, node.span)
        deviation = squared_deviation(per_unit=True)
        var = build.mean_over_samples(f"var[{node.name}]", deviation, {"mu": mu, "z": z}, node.span)
        build.average(build.statistic(detail.mean), mu, detail.momentum, node.span)
        build.average(build.statistic(detail.variance), var, detail.momentum, node.span, unbiased=True)
        return mu, var
