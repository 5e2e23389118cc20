"""What every primitive offers: its shape rule, its derivative, and its formula, side by side in one file each.

Gradients of activations (dZ, dA) are per sample and unscaled: column j of dZ is the derivative of the loss of
sample j alone. The 1/m of the mean over samples enters where a gradient leaves the samples, at dW and db,
exactly as in the lesson.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from dnnlang.primitives.values import Value
from dnnlang.sizes import Size

Shape = tuple[Size, Size]
Wanted = Callable[[Value], bool]
"""Does anything trained stand behind this value? Only such values get a gradient."""


@dataclass(frozen=True, slots=True, eq=False)
class Contribution:
    """One summand of the gradient of `of`: what `primitive` makes of `inputs`."""

    of: Value
    primitive: Primitive
    inputs: tuple[Value, ...]


class Primitive(Protocol):
    """An operation that backends implement. Instances are frozen records without operands, shared freely."""

    @property
    def operation(self) -> str:
        """The name under which listings and JSON show it."""

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """The shape of the (first) output. Raises InternalError where the inputs do not fit."""

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """The contributions to the gradients of `inputs` when `upstream` is the gradient of `output`."""

    def overwritable(self, count: int) -> Sequence[int]:
        """Which of its `count` inputs the output may overwrite, where that has the output's shape."""

    def accumulating(self) -> Primitive:
        """The same, added onto one more input, which comes last."""

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        """The right side of the lesson's formula, given how the operands and the number of units are called."""
