"""The four families of functions that the language defines in itself, once their options are bound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dnnlang.scalar.expression import Expr
from dnnlang.source import Span


@dataclass(frozen=True, slots=True)
class Activation:
    """A = g(Z): `value` in the variable `z`. `label` is how the plan prints it, options included.

    `derivative` is the one stated by hand, in `z` and the output `a`, already checked against the derived one.
    `init` and `loss` name the defaults that go with the activation.
    """

    label: str
    value: Expr
    init: str | None
    loss: str | None
    span: Span | None
    derivative: Expr | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of one sample: `value` in `a` and `y`, one number for the column.

    `given` are equations that targets obey, each an expression in `y` and the number that it equals.
    """

    label: str
    value: Expr
    given: tuple[tuple[Expr, Fraction], ...]
    span: Span | None


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Statements run in order for each entry of a parameter.

    Variables: `w` the parameter, `g` its gradient, `rate` the learning rate and `t` the step from 1 (both
    the same for all entries), the names in `state` (kept from step to step, 0 at first), and names
    assigned by an earlier statement.
    """

    label: str
    statements: tuple[tuple[str, Expr], ...]
    state: tuple[str, ...]
    span: Span | None


@dataclass(frozen=True, slots=True)
class Initializer:
    """Initial entries of a weight matrix: `value` in `fan_in`, `fan_out` and draws."""

    label: str
    value: Expr
    span: Span | None
