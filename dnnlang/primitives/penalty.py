"""The l2 penalty: J += λ/(2m) Σ W², and what it adds to the gradient: dW += λ/m W."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.scalar.text import number


@dataclass(frozen=True, slots=True)
class Penalty:
    """J + λ/(2m) Σ W² over all entries of W. Inputs: W, J. m is the number of samples of the batch."""

    rate: Fraction

    @property
    def operation(self) -> str:
        return "penalty"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return inputs[1]

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        if wanted(inputs[0]):
            yield Contribution(inputs[0], Decay(self.rate), (inputs[0],))

    def overwritable(self, count: int) -> Sequence[int]:
        return (1,)

    def accumulating(self) -> Penalty:
        raise InternalError("a penalty always adds to J")

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        return f"{inputs[1]} + {number(self.rate)}/(2m) Σ {inputs[0]}²"


@dataclass(frozen=True, slots=True)
class Decay:
    """λ/m W; with `accumulate` added onto a second input, the gradient that the losses give."""

    rate: Fraction
    accumulate: bool = False

    @property
    def operation(self) -> str:
        return "decay"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return inputs[0]

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        raise InternalError("a decay stands in no forward computation")

    def overwritable(self, count: int) -> Sequence[int]:
        return (count - 1,) if self.accumulate else ()

    def accumulating(self) -> Decay:
        return Decay(self.rate, accumulate=True)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        written = f"{number(self.rate)}/m {inputs[0]}"
        return f"{inputs[1]} + {written}" if self.accumulate else written
