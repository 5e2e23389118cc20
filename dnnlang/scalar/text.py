"""Expressions as text, in the lesson's notation: `∘` multiplies entry by entry, `Σ` adds up the units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final

from dnnlang.scalar.expression import Expr, topological

# How tightly each form binds; an operand that binds less tightly than its place asks for gets parentheses.
_COMPARE, _SUM, _SIGMA, _PRODUCT, _NEGATE, _POWER, _ATOM = range(7)

Operand = Callable[[Expr, int], str]
"""An operand as text, in parentheses if it binds less tightly than asked."""

_COMPARISON_SIGNS: Final = {"less": "<", "less_equal": "≤", "equal": "=", "not_equal": "≠"}
_FLIPPED: Final = {"<": ">", "≤": "≥", "=": "=", "≠": "≠"}


def text(
    expr: Expr,
    names: Mapping[str, str] | None = None,
    *,
    matrix: bool = True,
    spellings: Mapping[str, str] | None = None,
) -> str:
    """`expr` in one line.

    `names` says how to print variables. With `matrix` the operands are matrices, multiplied entry by entry
    with `∘`; otherwise numbers, multiplied with `*`. `spellings` prints operations under another name.
    """
    names = {} if names is None else names
    spellings = {} if spellings is None else spellings
    done: dict[Expr, tuple[str, int]] = {}
    for e in topological(expr):
        done[e] = _one(e, done, names, matrix, spellings)
    return done[expr][0]


def number(value: Fraction) -> str:
    """A constant as people write it: 2, 0.01, 1/3."""
    if value.denominator == 1 and abs(value.numerator) < 10**15:
        return str(value.numerator)
    as_float = float(value)
    shortest = repr(as_float)
    if Fraction(shortest) == value or value.denominator > 10_000:
        return shortest
    return f"{value.numerator}/{value.denominator}"


def _one(
    e: Expr, done: dict[Expr, tuple[str, int]], names: Mapping[str, str], matrix: bool, spellings: Mapping[str, str]
) -> tuple[str, int]:
    def operand(a: Expr, at_least: int) -> str:
        written, binds = done[a]
        return written if binds >= at_least else f"({written})"

    if e.op == "constant" and e.value is not None:
        written = number(e.value)
        return written, _NEGATE if e.value < 0 else (_PRODUCT if "/" in written else _ATOM)
    if e.op == "variable" and e.name is not None:
        return names.get(e.name, e.name), _ATOM
    if e.op == "units":
        return names.get("units", "n"), _ATOM
    if e.op == "add":
        return _sum(e.args[0], e.args[1], operand)
    if e.op == "negate":
        return "-" + operand(e.args[0], _SIGMA), _NEGATE
    if e.op == "multiply":
        return _product(e.args[0], e.args[1], operand, matrix), _PRODUCT
    if e.op == "divide":
        return f"{operand(e.args[0], _PRODUCT)} / {operand(e.args[1], _POWER)}", _PRODUCT
    if e.op == "power":
        exponent = operand(e.args[1], _ATOM)
        return operand(e.args[0], _ATOM) + ("²" if exponent == "2" else f"^{exponent}"), _POWER
    if e.op in _COMPARISON_SIGNS:
        return _comparison(e, operand), _COMPARE
    if e.op == "sum":
        return f"Σ {operand(e.args[0], _PRODUCT)}", _SIGMA
    if e.op in ("draw_normal", "draw_uniform"):
        return f"{e.op.removeprefix('draw_')}()", _ATOM
    shape = _SHAPES.get(e.op)
    if shape is not None:
        return shape(e, operand, lambda op: spellings.get(op, op), " ∘ " if matrix else " * ")
    name = spellings.get(e.op, _PRINTED.get(e.op, e.op))
    return f"{name}({', '.join(done[a][0] for a in e.args)})", _ATOM


def _logistic_loss(e: Expr, write: Operand, spell: Callable[[str], str], times: str) -> tuple[str, int]:
    x, t = e.args
    return f"{spell('log1pexp')}({write(x, _COMPARE)}) - {write(t, _PRODUCT)}{times}{write(x, _POWER)}", _SUM


def _logistic_slope(e: Expr, write: Operand, spell: Callable[[str], str], times: str) -> tuple[str, int]:
    a = f"{spell('logistic')}({write(e.args[0], _COMPARE)})"
    return f"{a}{times}(1 - {a})", _PRODUCT


def _tanh_slope(e: Expr, write: Operand, spell: Callable[[str], str], times: str) -> tuple[str, int]:
    return f"1 - {spell('tanh')}({write(e.args[0], _COMPARE)})²", _SUM


_SHAPES: Final = {
    "logistic_loss": _logistic_loss,
    "logistic_slope": _logistic_slope,
    "tanh_slope": _tanh_slope,
}
"""Operations that print as the formula that they compute without cancellation."""

_PRINTED: Final = {"maximum": "max", "minimum": "min"}


def _sum(a: Expr, b: Expr, write: Operand) -> tuple[str, int]:
    if b.op == "negate":
        return f"{write(a, _SUM)} - {write(b.args[0], _SIGMA)}", _SUM
    if b.op == "constant" and b.value is not None and b.value < 0:
        return f"{write(a, _SUM)} - {number(-b.value)}", _SUM
    if b.op == "multiply" and b.args[0].value is not None and b.args[0].value < 0:
        return f"{write(a, _SUM)} - {write(b, _PRODUCT).removeprefix('-')}", _SUM
    return f"{write(a, _SUM)} + {write(b, _SIGMA)}", _SUM


def _product(a: Expr, b: Expr, write: Operand, matrix: bool) -> str:
    if not matrix:
        return f"{write(a, _PRODUCT)} * {write(b, _POWER)}"
    left = write(a, _PRODUCT)
    right = write(b, _PRODUCT if b.op in ("multiply", "divide") else _POWER)  # ∘ groups either way
    entrywise = a.per_unit and b.per_unit
    return f"{left} ∘ {right}" if entrywise else f"{left} {right}"


def _comparison(e: Expr, write: Operand) -> str:
    a, b = e.args
    sign = _COMPARISON_SIGNS[e.op]
    if a.op == "constant" and b.op != "constant":  # people write A > 0, not 0 < A
        a, b, sign = b, a, _FLIPPED[sign]
    return f"{write(a, _SUM)} {sign} {write(b, _SUM)}"
