"""Zeros: the gradient of a parameter that no loss depends on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value


@dataclass(frozen=True, slots=True)
class Zeros:
    """A value of the shape `like` whose entries are all 0."""

    like: Shape

    @property
    def operation(self) -> str:
        return "zeros"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.like

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """None: it is constant."""
        return iter(())

    def overwritable(self, count: int) -> Sequence[int]:
        return ()

    def accumulating(self) -> Zeros:
        raise InternalError("zeros are never accumulated")

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        return "0"
