"""`standardize`: each unit less its mean over the training data, divided by its deviation there.

    x = (X - mean) / deviation        deviation = sqrt(1/m Σ (X - mean)²), m all training samples

The two are fitted once, before training, and stored with the model, which so takes in raw data ever after. A unit
that is the same in all training samples has no deviation; it is divided by 1, and becomes 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node, Statistic
from dnnlang.graph.kinds.kind import Making, NodeKind, Shaping
from dnnlang.graph.origin import SameAs
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.construct import minus, over
from dnnlang.scalar.expression import Expr, variable
from dnnlang.sizes import Size

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

BEHIND_TRAINED = rule(
    "DNN133",
    "standardize-behind-trained",
    "`standardize` stands behind a node that training changes.",
    why="Its mean and deviation are fitted once, before training. Behind a node whose output moves as it is trained "
    "they would be wrong after the first step. `batchnorm` measures anew in every batch.",
    wrong="input 4\nlayer 8 relu\nstandardize\nlayer 1 sigmoid\n",
    right="input 4\nstandardize\nlayer 8 relu\nlayer 1 sigmoid\n",
)

FORMULA: Final[Expr] = over(minus(variable("z"), variable("mean")), variable("deviation"))


@dataclass(frozen=True, slots=True)
class StandardizeDetail:
    """`mean` and `deviation` are keys of statistics."""

    mean: str
    deviation: str


class Standardize(NodeKind):
    name = "standardize"
    sentence = (
        "Subtracts from each unit its mean over the training data and divides by its deviation. Both are fitted once, "
        "before training, and stored with the model."
    )

    notes = (
        "The deviation is biased: Σ (A - mean)² over the m training samples is divided by m, and the root taken. "
        "What is held out for validation is not looked at. A unit that is the same in all training samples is "
        "divided by 1. Nothing that is trained may stand before it. `network.fit` and `dnnc train` fit it before "
        "they train; with `step`, call `network.standardize(X)` first."
    )
    measured = ("mean", "deviation")

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        draft.origin = SameAs(draft.inputs[0], draft.span)
        trained = _trained_above(draft, shaping.untrained)
        if trained is not None:
            shaping.found.add(_behind_trained(draft, trained))
        return draft.inputs[0].units

    def detail(self, draft: Draft, making: Making) -> StandardizeDetail:
        units = making.size(draft.units)
        mean, deviation = f"mean[{draft.name}]", f"deviation[{draft.name}]"
        for key in (mean, deviation):
            making.statistics[key] = Statistic(key, (units, 1), None, draft.span, draft.within)
        return StandardizeDetail(mean, deviation)

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        return {} if draft.units is None else dict.fromkeys(self.measured, (draft.units, 1))

    def lower(self, node: Node, build: Builder) -> Value:
        detail = node.detail
        if not isinstance(detail, StandardizeDetail):
            raise InternalError(f"{node.name} is no `standardize`")
        operands = {
            "z": build.output_of(node.inputs[0]),
            "mean": build.statistic(detail.mean),
            "deviation": build.statistic(detail.deviation),
        }
        return build.map(node.value, FORMULA, operands, node.span, label="")


def _trained_above(draft: Draft, untrained: set[int]) -> Draft | None:
    """The nearest node above that is trained. `untrained` are ids of drafts that are known to have none above."""
    waiting, seen = list(draft.inputs), set[int]()
    for node in waiting:
        if id(node) in untrained or id(node) in seen:
            continue
        if node.kind.trains(node):
            return node
        seen.add(id(node))
        waiting.extend(node.inputs)
    untrained |= seen
    return None


def _behind_trained(draft: Draft, trained: Draft) -> Diagnostic:
    return BEHIND_TRAINED.at(
        draft.span,
        f"`standardize` stands behind `{trained.name}`, which training changes",
        labels=[Label(trained.span, "this node is trained")],
        help="put it before the first layer; here, `batchnorm` does what you want",
    )
