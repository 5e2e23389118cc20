"""What primitives work on: values that are written once, and the builder that node kinds lower with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, Protocol

from dnnlang.scalar.expression import Expr
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import Size
from dnnlang.source import Span

BITS: Final = 32
"""Entries of a packed mask that lie in the room of one number, the smallest of which has 4 bytes."""


class Role(StrEnum):
    """Who owns a value, and how long it lives."""

    INPUT = "input"  # X; belongs to the caller
    TARGET = "target"  # Y; belongs to the caller
    PARAMETER = "parameter"  # W, b; persistent
    STATISTIC = "statistic"  # what nodes measure: running means, deviations; persistent
    STATE = "state"  # of the optimizer; persistent
    ACTIVATION = "activation"  # Z, A and what lies between; in a slot
    MASK = "mask"  # of dropout; in a slot
    DELTA = "delta"  # dZ, dA: gradient of an activation; in a slot
    GRADIENT = "gradient"  # dW, db: gradient of a parameter; persistent
    LOSS = "loss"  # J, a scalar; belongs to the caller


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """Something that exactly one instruction writes (or the caller brings). Compared by identity.

    `name` is the lesson's: `Z[1]`, `dA[2]`. A sum that is accumulated in several instructions has one
    value for each, of the same name, `version` counting from 0; so does a value of the forward part that is computed
    again. `packed` is a mask that is stored as one bit an entry.
    """

    name: str
    shape: tuple[Size, Size]
    role: Role
    version: int = 0
    packed: bool = False

    @property
    def stored(self) -> tuple[Size, Size]:
        """How many numbers it takes: as its shape says, or one for every 32 units of a column."""
        rows, columns = self.shape
        return ((rows + BITS - 1) // BITS, columns) if self.packed else self.shape


class Builder(Protocol):
    """What a node kind needs to lower itself to primitives, in forward order. Returns the value written."""

    training: bool
    """True in the plans for gradients and steps: dropout draws, batch statistics are used."""

    def output_of(self, node: str) -> Value:
        """The value of a node above."""

    def parameter(self, name: str) -> Value:
        """A parameter of the architecture, by its key (`W[1]`)."""

    def statistic(self, name: str) -> Value:
        """A statistic of the architecture, by its key (`running_mean[bn]`)."""

    def product(
        self, name: str, weights: Value, right: Value, bias: Value | None, span: Span, *, transpose: bool = False
    ) -> Value:
        """weights · right + bias, or weightsᵀ · right + bias; the bias broadcasts over the columns."""

    def activate(self, name: str, activation: Activation, z: Value, span: Span) -> Value:
        """A = g(Z). Rather than `map` with the activation's value: its label and stated derivative come along."""

    def map(self, name: str, expr: Expr, operands: Mapping[str, Value], span: Span, *, label: str) -> Value:
        """An expression of each column; `label` is how to print it if the expression has a name.

        Operands are (k, m), or (k, 1) where all samples share them. Variables that are one number for the column
        stand for (1, m), and so does the result if the expression is such a number.
        """

    def mean_over_samples(self, name: str, expr: Expr, operands: Mapping[str, Value], span: Span) -> Value:
        """1/m Σ of an expression of each column, (k, 1); operands as in `map`."""

    def average(self, running: Value, new: Value, momentum: Fraction, span: Span, *, unbiased: bool = False) -> None:
        """In training: running = momentum · running + (1 - momentum) · new, after the gradients.

        With `unbiased` new is a variance over the samples, and m/(m - 1) times it is averaged.
        """

    def stack(self, name: str, parts: Sequence[Value], span: Span) -> Value:
        """The parts on top of each other: (k₁, m), (k₂, m) → (k₁ + k₂, m)."""

    def mask(self, name: str, like: Value, rate: Fraction, node: int, span: Span) -> Value:
        """Random 0 (with probability `rate`) or 1/(1-rate), of the shape of `like`; `node` numbers the stream."""
