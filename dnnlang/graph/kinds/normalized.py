"""What `batchnorm` and `layernorm` share: gamma ∘ (A - mu) / sqrt(var + epsilon) + beta, its keys and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dnnlang.graph.architecture import Parameter
from dnnlang.graph.given import Slot
from dnnlang.graph.kinds.kind import Making, NodeKind, Shaping
from dnnlang.graph.origin import SameAs
from dnnlang.graph.reader import Reader, decimal
from dnnlang.scalar.construct import minus, over, plus, square, times
from dnnlang.scalar.expression import Expr, apply, constant, variable
from dnnlang.scalar.functions import Initializer
from dnnlang.sizes import Size
from dnnlang.syntax.tree import Expression

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

DEFAULT_EPSILON: Final = Fraction(1, 100_000)
ONES: Final = Initializer("ones", constant(1), None)


def _epsilon(expression: Expression, reader: Reader) -> Fraction | None:
    value = reader.number(expression)
    if value is None or value > 0:
        return value
    reader.refuse(expression, f"`epsilon` is above 0, not {decimal(value)}", "write a small number such as 1e-5")
    return None


EPSILON: Slot[Fraction] = Slot(
    "epsilon", "epsilon=NUMBER", _epsilon, "is added to the variance under the root, so that it is never 0 (1e-5)"
)


@dataclass(frozen=True, slots=True)
class NormalizedDetail:
    """`gamma` and `beta` are keys of parameters."""

    gamma: str
    beta: str
    epsilon: Fraction


class Normalized(NodeKind):
    """One input, whose entries become (A - mu) / sqrt(var + epsilon); then scaled by gamma and shifted by beta."""

    letters = ("gamma", "beta", "mu", "var")

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        draft.origin = SameAs(draft.inputs[0], draft.span)
        return draft.inputs[0].units

    def trains(self, draft: Draft) -> bool:
        return True

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        units = draft.units
        return {} if units is None else {"gamma": (units, 1), "beta": (units, 1)}


def add_scale_and_shift(draft: Draft, making: Making) -> NormalizedDetail:
    """Makes gamma, which starts as 1, and beta, which starts as 0; neither is penalized."""
    units = making.size(draft.units)
    gamma, beta = f"gamma[{draft.name}]", f"beta[{draft.name}]"
    for key, init in ((gamma, ONES), (beta, None)):
        making.parameters[key] = Parameter(
            key, (units, 1), init, (units, units), None, False, True, draft.span, draft.within
        )
    return NormalizedDetail(gamma, beta, draft.given.get(EPSILON) or DEFAULT_EPSILON)


def squared_deviation(*, per_unit: bool) -> Expr:
    """(z - mu)², where mu is one number a unit (shared by the samples), or one a sample (shared by the units)."""
    return square(minus(variable("z"), variable("mu", per_unit)))


@lru_cache(maxsize=64)
def normalized(epsilon: Fraction, *, per_unit: bool) -> Expr:
    """gamma ∘ (z - mu) / sqrt(var + epsilon) + beta."""
    mu, var = variable("mu", per_unit), variable("var", per_unit)
    scaled = times(variable("gamma"), minus(variable("z"), mu))
    return plus(over(scaled, apply("sqrt", plus(var, constant(epsilon)))), variable("beta"))
