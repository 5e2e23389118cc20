"""An expression of each column: activations, their derivatives, sums and products of entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Shape, Wanted
from dnnlang.primitives.values import Value
from dnnlang.scalar.construct import plus
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.derive import backward
from dnnlang.scalar.expression import Expr, is_constant, variable, variables
from dnnlang.scalar.functions import Activation
from dnnlang.scalar.text import text

UPSTREAM = "u"
ACCUMULATOR = "accumulator"
SPELLINGS = {"log1pexp": "softplus", "logistic": "sigmoid", "normalized_exp": "softmax"}
"""Operations that have a better known name than that of what they compute."""


@dataclass(frozen=True, slots=True)
class Map:
    """`expr`, with variable names[i] standing for input i. All inputs have the shape of the output.

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

    @property
    def operation(self) -> str:
        return "map"

    @property
    def is_copy(self) -> bool:
        return self.expr.op == "variable"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        if not inputs or any(s != inputs[0] for s in inputs):
            raise InternalError(f"a map over {', '.join(map(str, inputs))}")
        return inputs[0]

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        """The expression's own reverse rule; for an activation dZ = dA ∘ g'(Z), written in Z as in the lesson."""
        if self.activation is not None:
            primitive = slope(self.activation, from_output=False)
            if wanted(inputs[0]) and not is_constant(primitive.expr, 0):
                yield Contribution(inputs[0], primitive, slope_inputs(primitive, upstream, inputs[0], output))
            return
        done = set()
        for value in inputs:
            if value in done or not wanted(value):
                continue
            done.add(value)
            names = tuple(n for n, v in zip(self.names, inputs, strict=True) if v is value)
            primitive = reverse(self.expr, names)
            if is_constant(primitive.expr, 0):
                continue
            operands = dict(zip(self.names, inputs, strict=True), **{UPSTREAM: upstream})
            yield Contribution(value, primitive, tuple(operands[n] for n in primitive.names))

    def overwritable(self, count: int) -> Sequence[int]:
        return range(count)

    def accumulating(self) -> Map:
        return _accumulating(self)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        if self.activation is not None and not self.is_copy:
            return _called(self.activation.label, inputs[0])
        names = dict(zip(self.names, inputs, strict=True), units=units)
        return text(self.expr, names, spellings=SPELLINGS)


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
def reverse(expr: Expr, wrt: tuple[str, ...]) -> Map:
    """What arrives at the variables `wrt` together (one value standing in several places) when `u` arrives at expr."""
    u = variable(UPSTREAM)
    total = vjp(expr, wrt[0], u)
    for name in wrt[1:]:
        total = plus(total, vjp(expr, name, u))
    return Map(total, _used(total, (UPSTREAM, *sorted(variables(expr)))))


@lru_cache(maxsize=1024)
def _accumulating(primitive: Map) -> Map:
    total = plus(variable(ACCUMULATOR), primitive.expr)
    return Map(
        total, (*primitive.names, ACCUMULATOR), slope_of=primitive.slope_of, note=primitive.note, accumulate=True
    )
