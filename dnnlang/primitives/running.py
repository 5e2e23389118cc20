"""Statistics of the batches, averaged as training goes on: what `batchnorm` uses outside training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from dnnlang.errors import InternalError
from dnnlang.primitives.ends import AfterGradients
from dnnlang.primitives.primitive import Shape
from dnnlang.scalar.text import number


@dataclass(frozen=True, slots=True)
class Running(AfterGradients):
    """running = momentum · running + (1 - momentum) · new. Inputs: running, new. The output overwrites the first.

    With `unbiased` new is a variance over the m samples of the batch, and m/(m - 1) times it is what is averaged:
    the estimate of the variance of all samples. A batch of one sample gives none, and changes nothing.
    """

    momentum: Fraction
    unbiased: bool = False

    @property
    def operation(self) -> str:
        return "running"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        if inputs[0] != inputs[1]:
            raise InternalError(f"a running average of {inputs[1]} in {inputs[0]}")
        return inputs[0]

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        new = f"m/(m - 1) {inputs[1]}" if self.unbiased else inputs[1]
        return f"{number(self.momentum)} {inputs[0]} + {number(1 - self.momentum)} {new}"
