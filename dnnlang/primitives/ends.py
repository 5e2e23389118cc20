"""What primitives share that gradients do not pass: those that begin a computation, and those that come after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Primitive, Shape, Wanted
from dnnlang.primitives.values import Value


class _NeverSummed(ABC):
    __slots__ = ()

    @property
    @abstractmethod
    def operation(self) -> str:
        """The name under which listings and JSON show it."""

    def accumulating(self) -> Primitive:
        raise InternalError(f"{self.operation} makes no gradient that is a sum, so it is never accumulated")


class WithoutInputs(_NeverSummed):
    """Has no inputs: its value of the shape `like` comes from nowhere else, and no gradient goes on from it."""

    __slots__ = ()

    like: Shape

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.like

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """None: nothing that could be trained goes in."""
        return iter(())

    def overwritable(self, count: int) -> Sequence[int]:
        return ()


class AfterGradients(_NeverSummed):
    """Runs when every gradient is there. The output overwrites the first input."""

    __slots__ = ()

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        raise InternalError("nothing is differentiated after the gradients")

    def overwritable(self, count: int) -> Sequence[int]:
        return (0,)
