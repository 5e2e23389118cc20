"""Sums over the samples, where a gradient leaves them: db = 1/m Σ dZ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.sizes import M


@dataclass(frozen=True, slots=True)
class MeanOverSamples:
    """1/m Σ over the columns: (k, m) → (k, 1). With `accumulate` added onto a second input."""

    accumulate: bool = False

    @property
    def operation(self) -> str:
        return "mean over samples"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        if inputs[0][1] != M:
            raise InternalError(f"a mean over samples of {inputs[0]}, which has none")
        return inputs[0][0], 1

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        raise InternalError("a mean over samples in the forward computation has no derivative yet")

    def overwritable(self, count: int) -> Sequence[int]:
        return (count - 1,) if self.accumulate else ()

    def accumulating(self) -> MeanOverSamples:
        return MeanOverSamples(accumulate=True)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        written = f"1/m Σ {inputs[0]}"
        return f"{inputs[1]} + {written}" if self.accumulate else written


MEAN_OVER_SAMPLES: Final = MeanOverSamples()
