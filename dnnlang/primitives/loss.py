"""The loss: from the network's output and the targets to J, in one step with the output activation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dnnlang.primitives.map import SPELLINGS, Map
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.scalar.construct import times
from dnnlang.scalar.expression import Expr, apply, constant, is_constant, variables
from dnnlang.scalar.text import number, text

OPERANDS: Final = ("z", "a", "y")
"""Pre-activation, output, target: what a loss may be written in."""


@dataclass(frozen=True, slots=True, eq=False)
class LossGradient:
    """Where the backward computation begins: dZ in z, a and y, and the values that these are.

    `of` is the value that receives it: Z of the output activation, or the loss's input if it has none.
    """

    of: Value
    expr: Expr
    operands: tuple[tuple[str, Value], ...]
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """J = weight/m Σ over samples of `expr`, [+ accumulator]; `names` are the variables of the inputs.

    `gradient` is the derivative, known from the start because it is derived from loss and activation at once.
    """

    expr: Expr
    names: tuple[str, ...]
    weight: Fraction
    label: str
    of_activation: str | None
    gradient: LossGradient
    accumulate: bool = False

    @property
    def operation(self) -> str:
        return "loss"

    @property
    def note(self) -> str:
        """What the formula was derived from: `binary_cross_entropy of sigmoid, from Z[2]`."""
        if self.of_activation is None:
            return self.label
        origin = f", from {self.gradient.of.name}" if "z" in self.names else ""
        return f"{self.label} of {self.of_activation}{origin}"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return 1, 1

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """dZ, per sample and unscaled; only the weight of the loss enters, the gradient of J itself being 1."""
        g = self.gradient
        if not wanted(g.of):
            return
        expr = times(constant(self.weight), g.expr)
        if is_constant(expr, 0):
            return
        used = variables(expr)
        operands = [(n, v) for n, v in g.operands if n in used]
        primitive = Map(expr, tuple(n for n, _ in operands), note=g.note)
        yield Contribution(g.of, primitive, tuple(v for _, v in operands))

    def overwritable(self, count: int) -> Sequence[int]:
        return (count - 1,) if self.accumulate else ()

    def accumulating(self) -> Loss:
        return Loss(self.expr, self.names, self.weight, self.label, self.of_activation, self.gradient, True)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        names = dict(zip(self.names, inputs, strict=False), units=units)
        # One Σ stands for both sums, over the samples and over the units.
        sign, rest = ("-", self.expr.args[0]) if self.expr.op == "negate" else ("", self.expr)
        total = rest if rest.op == "sum" else apply("sum", rest)
        factor = "1/m" if self.weight == 1 else f"{number(self.weight)}/m"
        written = f"{factor} {text(total, names, spellings=SPELLINGS)}"
        if self.accumulate:
            return f"{inputs[-1]} {sign or '+'} {written}"
        return f"{sign}{written}"
