"""An expression of each column, as it stands or averaged over the samples.

Activations and their slopes, sums and products of entries, the statistics of `batchnorm`, and gradients where they
leave the samples: db = 1/m Σ dZ.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.scalar.construct import plus
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.derive import backward
from dnnlang.scalar.expression import Expr, apply, is_constant, topological, variable, variables
from dnnlang.scalar.factors import split_coefficient, tidy
from dnnlang.scalar.functions import Activation
from dnnlang.scalar.text import number, text
from dnnlang.sizes import M, Size

UPSTREAM = "u"
ACCUMULATOR = "accumulator"
SPELLINGS = {
    "log1pexp": "softplus",
    "logistic": "sigmoid",
    "normalized_exp": "softmax",
    "log_normalized_exp": "log_softmax",
}
"""Operations that have a better known name than that of what they compute."""


@dataclass(frozen=True, slots=True)
class Map:
    """`expr`, with variable names[i] standing for input i.

    Inputs are (k, m), or (k, 1) where all samples share them; variables that are one number for the whole column
    stand for (1, m). The output is (k, m), or (1, m) where not `per_unit`; one column if no input has more.

    `activation` is set where the expression is an activation's value, A = g(Z); `slope_of` where it is
    one's backward step, dZ in `u` = dA and `z` or `a`. `note` says where an expression comes from that
    nobody wrote: the gradient of a loss. The output may overwrite any input of its shape.
    """

    expr: Expr
    names: tuple[str, ...]
    activation: Activation | None = None
    slope_of: Activation | None = None
    note: str | None = None
    accumulate: bool = False
    per_unit: bool = True

    @property
    def operation(self) -> str:
        return "map"

    @property
    def is_copy(self) -> bool:
        """Is it what its only input is? If that has the output's shape, nothing is computed."""
        return self.expr.op == "variable"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        rows, columns = _column_shape(self.expr, self.names, inputs)
        return (rows if self.per_unit else 1), columns

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """The expression's own reverse rule; for an activation dZ = dA ∘ g'(Z), written in Z as in the lesson."""
        if self.activation is not None:
            primitive = slope(self.activation, from_output=False)
            if wanted(inputs[0]) and not is_constant(primitive.expr, 0):
                yield Contribution(inputs[0], primitive, slope_inputs(primitive, upstream, inputs[0], output))
            return
        yield from _contributions(self.expr, self.names, inputs, upstream, wanted, per_unit=self.per_unit)

    def overwritable(self, count: int) -> Sequence[int]:
        return range(count)

    def accumulating(self) -> Map:
        return _accumulating(self)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        if self.activation is not None and not self.is_copy:
            return _called(self.activation.label, inputs[0])
        names = dict(zip(self.names, inputs, strict=True), units=units)
        return text(self.expr, names, spellings=SPELLINGS)


@dataclass(frozen=True, slots=True)
class MeanOverSamples:
    """1/m Σ over the samples of `expr`, its variables as in Map: (k, 1). `accumulate` adds it onto a last input."""

    expr: Expr
    names: tuple[str, ...]
    accumulate: bool = False

    @property
    def operation(self) -> str:
        return "mean over samples"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        rows, columns = _column_shape(self.expr, self.names, inputs)
        if columns != M:
            raise InternalError(f"a mean over samples of {', '.join(map(str, inputs))}, which has none")
        return rows, 1

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """Of mu = 1/m Σ Z: dZ = dmu in every column, because dZ is per sample and unscaled, and dmu is neither."""
        return _contributions(self.expr, self.names, inputs, upstream, wanted)

    def overwritable(self, count: int) -> Sequence[int]:
        return (count - 1,) if self.accumulate else ()

    def accumulating(self) -> MeanOverSamples:
        return replace(self, accumulate=True)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        names = dict(zip(self.names, inputs, strict=False), units=units)
        coefficient, rest = split_coefficient(self.expr)
        size = abs(coefficient)
        written = f"{number(size)}/m {text(apply('sum', rest), names, spellings=SPELLINGS)}"
        if self.accumulate:
            return f"{inputs[-1]} {'-' if coefficient < 0 else '+'} {written}"
        return f"-{written}" if coefficient < 0 else written


_ALONE: Final = variable("z")
MEAN_OVER_SAMPLES: Final = MeanOverSamples(_ALONE, ("z",))
"""1/m Σ of the input as it stands."""


def _column_shape(expr: Expr, names: Sequence[str], inputs: Sequence[Shape]) -> Shape:
    """(k, m) of the columns that an expression works on: the largest of its inputs, which must fit each other."""
    rows: Size = 1
    columns: Size = 1
    for k, m in inputs:
        rows, columns = (k if rows == 1 else rows), (m if columns == 1 else columns)
    for k, m in inputs:
        if k not in (1, rows) or m not in (1, columns):
            raise InternalError(f"{text(expr)} of {', '.join(map(str, inputs))}")
    if not inputs:
        raise InternalError(f"{text(expr)} of nothing")
    return rows, columns


# ---------------------------------------------------------------- backwards


def _contributions(
    expr: Expr,
    names: Sequence[str],
    inputs: Sequence[Value],
    upstream: Value,
    wanted: Wanted,
    *,
    per_unit: bool = True,
) -> Iterator[Contribution]:
    """The expression's reverse rule for each input; averaged over the samples where these share the input.

    That is the lesson's 1/m at db = 1/m Σ dZ: what samples have of their own is differentiated per sample and
    unscaled, what they share is not (decision 0005).
    """
    operands = dict(zip(names, inputs, strict=False), **{UPSTREAM: upstream})
    several = any(v.shape[1] == M for v in inputs)
    for value in dict.fromkeys(inputs):
        if not wanted(value):
            continue
        wrt = tuple(n for n, v in zip(names, inputs, strict=False) if v is value)
        averaged = several and value.shape[1] != M
        primitive = reverse(expr, wrt, per_unit=per_unit, averaged=averaged)
        if not is_constant(primitive.expr, 0):
            yield Contribution(value, primitive, tuple(operands[n] for n in primitive.names))


@lru_cache(maxsize=1024)
def reverse(
    expr: Expr, wrt: tuple[str, ...], *, per_unit: bool = True, averaged: bool = False
) -> Map | MeanOverSamples:
    """What arrives at the variables `wrt` together (one value standing in several places) when `u` arrives at expr.

    `per_unit`: is `u` one number a unit? `averaged`: is what arrives averaged over the samples?
    """
    u = variable(UPSTREAM, per_unit=per_unit)
    total = vjp(expr, wrt[0], u)
    for name in wrt[1:]:
        total = plus(total, vjp(expr, name, u))
    total = tidy(total)
    names = _used(total, (UPSTREAM, *sorted(variables(expr))))
    if averaged:
        return MeanOverSamples(total, names)
    return Map(total, names, per_unit=_is_per_unit(expr, wrt[0]))


def _is_per_unit(expr: Expr, name: str) -> bool:
    return next((e.per_unit for e in topological(expr) if e.name == name), True)


def _called(label: str, operand: str) -> str:
    """`relu` of Z[1] is relu(Z[1]); `leaky_relu(slope=0.1)` is leaky_relu(Z[1]; slope=0.1)."""
    name, parenthesis, options = label.partition("(")
    return f"{name}({operand}; {options}" if parenthesis else f"{name}({operand})"


def _used(expr: Expr, candidates: Sequence[str]) -> tuple[str, ...]:
    used = variables(expr)
    return tuple(n for n in candidates if n in used)


@lru_cache(maxsize=1024)
def slope(activation: Activation, *, from_output: bool) -> Map:
    """dZ = dA ∘ g'(Z): in `u` and `z`, or from the output in `u` and whichever of `a` and `z` it needs."""
    expr = backward(activation, from_output=from_output)
    return Map(expr, _used(expr, (UPSTREAM, "a", "z")), slope_of=activation)


def slope_inputs(primitive: Map, upstream: Value, z: Value, a: Value) -> tuple[Value, ...]:
    """The operands of a slope, in the order in which it names them."""
    operands = {UPSTREAM: upstream, "z": z, "a": a}
    return tuple(operands[n] for n in primitive.names if n in operands)


@lru_cache(maxsize=1024)
def _accumulating(primitive: Map) -> Map:
    total = plus(variable(ACCUMULATOR, per_unit=primitive.per_unit), primitive.expr)
    return replace(primitive, expr=total, names=(*primitive.names, ACCUMULATOR), accumulate=True)
