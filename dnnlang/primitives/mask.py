"""The random mask of inverted dropout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.scalar.text import number


@dataclass(frozen=True, slots=True)
class Mask:
    """0 with probability `rate`, else 1/(1 - rate), each entry by itself; `node` numbers the random stream.

    No inputs: an entry depends on the seed, the step, `node`, its unit and its column alone.
    """

    rate: Fraction
    node: int
    like: Shape

    @property
    def operation(self) -> str:
        return "mask"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.like

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """None: nothing that could be trained goes in."""
        return iter(())

    def overwritable(self, count: int) -> Sequence[int]:
        return ()

    def accumulating(self) -> Mask:
        raise InternalError("a mask is the gradient of nothing, so it is never accumulated")

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        keep = 1 - self.rate
        return f"(random < {number(keep)}) / {number(keep)}"
