"""The matrix product: op(left) · op(right), plus a bias, a mean over the samples, a sum so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.primitives.map import MEAN_OVER_SAMPLES
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value


@dataclass(frozen=True, slots=True)
class Product:
    """op(left) · op(right) [+ bias] [· 1/m] [+ accumulator].

    Inputs, in this order: left, right, the bias (k, 1) if `bias`, the accumulator if `accumulate`. The output may
    overwrite the accumulator, never left or right.
    """

    transpose_left: bool = False
    transpose_right: bool = False
    bias: bool = False
    mean: bool = False
    accumulate: bool = False

    @property
    def operation(self) -> str:
        return "product"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        rows, inner = _op(inputs[0], self.transpose_left)
        middle, columns = _op(inputs[1], self.transpose_right)
        if inner != middle:
            raise InternalError(f"a product of ({rows}, {inner}) and ({middle}, {columns})")
        if self.bias and inputs[2] != (rows, 1):
            raise InternalError(f"a bias of {inputs[2]} on a product of {rows} rows")
        return rows, columns

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """With Z = W A + b: dW = 1/m dZ Aᵀ, db = 1/m Σ dZ, dA = Wᵀ dZ; for Wᵀ A, dW is transposed."""
        if self.transpose_right or self.mean or self.accumulate:
            raise InternalError("this form of product stands in no forward computation")
        weights, right = inputs[0], inputs[1]
        if wanted(weights):
            pair = (right, upstream) if self.transpose_left else (upstream, right)
            yield Contribution(weights, OUTER, pair)
        if self.bias and wanted(inputs[2]):
            yield Contribution(inputs[2], MEAN_OVER_SAMPLES, (upstream,))
        if wanted(right):
            yield Contribution(right, product(transpose_left=not self.transpose_left), (weights, upstream))

    def overwritable(self, count: int) -> Sequence[int]:
        return range(3 if self.bias else 2, count)

    def accumulating(self) -> Product:
        return _accumulating(self)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        left = inputs[0] + ("ᵀ" if self.transpose_left else "")
        right = inputs[1] + ("ᵀ" if self.transpose_right else "")
        written = f"{'1/m ' if self.mean else ''}{left} {right}"
        if self.bias:
            written = f"{written} + {inputs[2]}"
        if self.accumulate:
            written = f"{inputs[-1]} + {written}"
        return written


def _op(shape: Shape, transpose: bool) -> Shape:
    return (shape[1], shape[0]) if transpose else shape


@cache
def _accumulating(primitive: Product) -> Product:
    return replace(primitive, accumulate=True)


@cache
def product(*, transpose_left: bool = False, bias: bool = False) -> Product:
    """The forms that forward computations use, one shared record each."""
    return Product(transpose_left=transpose_left, bias=bias)


OUTER: Final = Product(transpose_right=True, mean=True)
"""dW = 1/m dZ Aᵀ."""
