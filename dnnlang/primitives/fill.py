"""Zeros: the gradient of a parameter that no loss depends on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnnlang.primitives.ends import WithoutInputs
from dnnlang.primitives.primitive import Shape


@dataclass(frozen=True, slots=True)
class Zeros(WithoutInputs):
    """A value of the shape `like` whose entries are all 0."""

    like: Shape

    @property
    def operation(self) -> str:
        return "zeros"

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        return "0"
