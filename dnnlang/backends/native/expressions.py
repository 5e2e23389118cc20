"""Expressions as C: one line for each operation on a vector, with the functions of c/vectors.h and c/math.h."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import inf, isinf
from typing import Final

import numpy as np

from dnnlang.errors import InternalError
from dnnlang.scalar.expression import COLUMNWISE, REDUCTIONS, Expr, topological

COLUMN_OPERATIONS: Final = REDUCTIONS | COLUMNWISE
"""Those that need a whole column; `elementwise` has none of them."""

_TEMPLATES: Final = {
    "add": "{} + {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negate": "-{}",
    "abs": "vabs({})",
    "sign": "vsign({})",
    "sqrt": "vsqrt({})",
    "exp": "vexp({})",
    "log": "vlog({})",
    "expm1": "vexpm1({})",
    "log1p": "vlog1p({})",
    "tanh": "vtanh({})",
    "erf": "verf({})",
    "erfc": "verfc({})",
    "sin": "vsin({})",
    "cos": "vcos({})",
    "logistic": "vlogistic({})",
    "logistic_slope": "vlogistic_slope({})",
    "tanh_slope": "vtanh_slope({})",
    "log1pexp": "vlog1pexp({})",
    "logistic_loss": "vlogistic_loss({}, {})",
}
_COMPARISONS: Final = {
    "less": "less({}, {})",
    "less_equal": "less_equal({}, {})",
    "equal": "equal({}, {})",
    "not_equal": "differs({}, {})",
}
_POWERS: Final = {
    Fraction(2): "{0} * {0}",
    Fraction(3): "{0} * {0} * {0}",
    Fraction(4): "({0} * {0}) * ({0} * {0})",
    Fraction(1, 2): "vsqrt({0})",  # as NumPy takes it, -0 and -∞ included
}
"""Powers that need no logarithm. Of a negative exponent, the power of the inverse: nothing overflows on the way."""


def elementwise(
    expr: Expr, operands: Mapping[str, str], fresh: Callable[[], str], bits: int, units: str = "1"
) -> tuple[list[str], str]:
    """Lines of C that compute `expr` of vectors, and the C variable that has the result.

    `operands` are the C variables, of type vec, that variables of the expression stand for; `fresh` makes new names.
    Constants are rounded once, to `bits` bits (32 or 64). `units` is the C text of the number of units. What is used
    twice is computed once. Raises InternalError for an operation over a column or a random draw.
    """
    writer = _Writer(operands, fresh, bits, units)
    for e in topological(expr):
        writer.write(e)
    return writer.lines, writer.result(expr)


def literal(value: Fraction, bits: int) -> str:
    """A constant as C text, exactly the number that the numpy backend takes; beyond the largest, an infinity."""
    rounded = _rounded(value, bits)
    if isinf(rounded):
        return "(real)INFINITY" if rounded > 0 else "-(real)INFINITY"
    return f"{rounded.hex()}f" if bits == 32 else rounded.hex()


def _rounded(value: Fraction, bits: int) -> float:
    try:
        near = float(value)
    except OverflowError:
        return inf if value > 0 else -inf
    with np.errstate(over="ignore"):
        return float(np.float32(near)) if bits == 32 else near


class _Writer:
    """A comparison is a mask; it becomes numbers where somebody counts with it."""

    def __init__(self, operands: Mapping[str, str], fresh: Callable[[], str], bits: int, units: str) -> None:
        self.lines: list[str] = []
        self._operands, self._fresh, self._bits, self._units = operands, fresh, bits, units
        self._texts: dict[Expr, str] = {}
        self._masks: dict[Expr, str] = {}

    def write(self, e: Expr) -> None:
        if e.op == "variable" and e.name is not None:
            self._texts[e] = self._operands[e.name]
        elif e.op == "constant" and e.value is not None:
            self._texts[e] = f"splat({literal(e.value, self._bits)})"
        elif e.op == "units":
            self._texts[e] = f"splat((real)({self._units}))"
        elif e.op in _COMPARISONS:
            self._masks[e] = self._named("ivec", _COMPARISONS[e.op].format(*map(self._text, e.args)))
        else:
            self._texts[e] = self._named("vec", self._computed(e))

    def result(self, e: Expr) -> str:
        """The variable that has the value of `e`."""
        text = self._text(e)
        return self._named("vec", text) if text.startswith("splat(") else text

    def _computed(self, e: Expr) -> str:
        if e.op == "where":
            _, first, second = e.args
            return f"pick({self._mask(e.args[0])}, {self._text(first)}, {self._text(second)})"
        if e.op in ("maximum", "minimum"):
            return self._extreme("vmax" if e.op == "maximum" else "vmin", *e.args)
        if e.op == "power":
            return self._power(*e.args)
        template = _TEMPLATES.get(e.op)
        if template is None:
            raise InternalError(f"the operation {e.op} is not one of entries, or the native backend does not have it")
        return template.format(*map(self._text, e.args))

    def _extreme(self, function: str, a: Expr, b: Expr) -> str:
        """One of the two is a number more often than not, and a number is not NaN."""
        if a.op in ("constant", "units"):
            a, b = b, a
        suffix = "_number" if b.op in ("constant", "units") else ""
        return f"{function}{suffix}({self._text(a)}, {self._text(b)})"

    def _power(self, base: Expr, exponent: Expr) -> str:
        n = exponent.value
        template = _POWERS.get(abs(n)) if n is not None else None
        if n is None or template is None:
            return f"vpow({self._text(base)}, {self._text(exponent)})"
        if n > 0:
            return template.format(self._text(base))
        return template.format(self._named("vec", f"splat(1) / {self._text(base)}"))

    def _text(self, e: Expr) -> str:
        if e not in self._texts:
            self._texts[e] = self._named("vec", f"ones({self._masks[e]})")
        return self._texts[e]

    def _mask(self, e: Expr) -> str:
        if e not in self._masks:
            self._masks[e] = self._named("ivec", f"differs({self._text(e)}, splat(0))")
        return self._masks[e]

    def _named(self, kind: str, text: str) -> str:
        name = self._fresh()
        self.lines.append(f"{kind} {name} = {text};")
        return name
