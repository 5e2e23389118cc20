"""Stacking units and taking some of them: concat, and its derivative."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.sizes import Size


@dataclass(frozen=True, slots=True)
class Stack:
    """The inputs on top of each other: (k₁, m), (k₂, m), … → (k₁ + k₂ + …, m)."""

    @property
    def operation(self) -> str:
        return "stack"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        rows: Size = 0
        for k, columns in inputs:
            if columns != inputs[0][1]:
                raise InternalError(f"a stack of {', '.join(map(str, inputs))}")
            rows = rows + k
        return rows, inputs[0][1]

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """Each part's gradient is the part of the gradient that stands at its rows."""
        start: Size = 0
        for value in inputs:
            rows = value.shape[0]
            if wanted(value):
                yield Contribution(value, Slice(start, rows), (upstream,))
            start = start + rows

    def overwritable(self, count: int) -> Sequence[int]:
        return ()

    def accumulating(self) -> Stack:
        raise InternalError("a stack is the derivative of nothing, so it is never accumulated")

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        return f"[{'; '.join(inputs)}]"


@dataclass(frozen=True, slots=True)
class Slice:
    """`rows` rows of the input from row `start` on, counted from 0; with `accumulate` added onto a second input."""

    start: Size
    rows: Size
    accumulate: bool = False

    @property
    def operation(self) -> str:
        return "slice"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.rows, inputs[0][1]

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        raise InternalError("a slice stands in no forward computation")

    def overwritable(self, count: int) -> Sequence[int]:
        return (count - 1,) if self.accumulate else ()

    def accumulating(self) -> Slice:
        return Slice(self.start, self.rows, accumulate=True)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        written = f"{inputs[0]}, rows {self.start + 1} to {self.start + self.rows}"
        return f"{inputs[1]} + ({written})" if self.accumulate else written
