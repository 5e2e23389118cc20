"""The random mask of inverted dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from dnnlang.primitives.ends import WithoutInputs
from dnnlang.primitives.primitive import Shape
from dnnlang.scalar.text import number


@dataclass(frozen=True, slots=True)
class Mask(WithoutInputs):
    """0 with probability `rate`, else 1/(1 - rate), each entry by itself; `node` numbers the random stream.

    No inputs: an entry depends on the seed, the step, `node`, its unit and its column alone.
    """

    rate: Fraction
    node: int
    like: Shape

    @property
    def operation(self) -> str:
        return "mask"

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        keep = 1 - self.rate
        return f"(random < {number(keep)}) / {number(keep)}"
