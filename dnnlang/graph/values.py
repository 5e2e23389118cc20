"""Expressions of numbers and sizes: `width // 2^i`, `0.5`, `n[1] + 1`. Exact, and bounded before they are computed."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Protocol

from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.sizes import (
    LIMIT,
    MAX_TERMS,
    InexactError,
    Polynomial,
    Size,
    SizeError,
    TooManyTermsError,
    add,
    divide,
    floor_divide,
    multiply,
    power,
)
from dnnlang.source import Span
from dnnlang.syntax.tree import Call, Compare, Expression, Index, Name, Negate, Number, Power, Product, Sum

Value = int | Fraction | Polynomial
"""Whole numbers are `int`; a Fraction is never whole."""

_MAX_BITS: Final = 4096  # of a fraction's numerator and denominator: 1e-300 is fine, 0.1^5000 is not

TOO_LARGE = rule(
    "DNN202",
    "number-too-large",
    "A number of 2^63 or more, or a formula of 10,000 terms or more.",
    why="Sizes are exact whole numbers below 2^63. What would be larger is refused before it is computed, so that "
    "no program can keep the compiler busy for ever.",
    wrong="layer 9^9^9 relu\nlayer 1 sigmoid\n",
    right="layer 9^3 relu\nlayer 1 sigmoid\n",
)
_FUNCTIONS: Final = frozenset("sqrt log abs min max sum mean round int floor ceil sin cos".split())
"""Functions that somebody may expect in numbers."""

INEXACT = rule(
    "DNN204",
    "inexact-division",
    "A quotient of sizes that is not a whole number.",
    why="`/` must divide exactly: half a unit does not exist, and rounding without being asked hides mistakes. "
    "`//` rounds down.",
    wrong="param width = 65\nlayer width / 2 relu\nlayer 1 sigmoid\n",
    right="param width = 65\nlayer width // 2 relu\nlayer 1 sigmoid\n",
)
NOT_A_NUMBER = rule(
    "DNN103",
    "not-a-number",
    "Where a number or a size belongs stands something else.",
    why="Sizes and numbers are made of numbers, params, dims, `+ - * / // ^` and parentheses.",
    wrong="layer 5 relu\nlayer sigmoid(1)\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
)


class Refusal(Exception):
    """An expression has no value. `diagnostic` is None when the reason was reported before."""

    def __init__(self, diagnostic: Diagnostic | None) -> None:
        self.diagnostic = diagnostic
        super().__init__()


class Names(Protocol):
    """What names stand for where an expression stands. Both raise Refusal."""

    def value(self, name: Name) -> Value: ...

    def indexed(self, index: Index) -> Value: ...


def value_of(expression: Expression, names: Names, *, exact: bool) -> Value:
    """The value of an expression. With `exact`, `/` between whole numbers must divide. Raises Refusal."""
    if isinstance(expression, Number):
        return _bounded(whole(expression.value), expression.span)
    if isinstance(expression, Name):
        return names.value(expression)
    try:
        return _compound(expression, names, exact)
    except InexactError as error:
        raise Refusal(_inexact(expression, str(error))) from None
    except TooManyTermsError as error:
        raise Refusal(TOO_LARGE.at(expression.span, f"this is too long: {error}", help="make it simpler")) from None
    except SizeError as error:
        message = "this is 2^63 or more, and sizes stay below" if exact else "this number is too large"
        raise Refusal(TOO_LARGE.at(expression.span, message, notes=[str(error)], help="use a smaller number")) from None


def whole(value: Fraction) -> int | Fraction:
    """The int that equals a fraction, if one does."""
    return value.numerator if value.denominator == 1 else value


def decimal(value: Fraction | int) -> str:
    """`0.5` where that is exact and short, else `1/3`."""
    if isinstance(value, int) or value.denominator == 1:
        return str(value)
    rounded = f"{float(value):.6g}"
    return rounded if Fraction(rounded) == value else f"{value.numerator}/{value.denominator}"


def shown(value: Value) -> str:
    return str(value) if isinstance(value, Polynomial) else decimal(value)


def _compound(expression: Expression, names: Names, exact: bool) -> Value:
    if isinstance(expression, Index):
        return names.indexed(expression)
    if isinstance(expression, Negate):
        return _times(-1, value_of(expression.operand, names, exact=exact))
    if isinstance(expression, Sum):
        return _sum(expression, names, exact)
    if isinstance(expression, Product):
        return _product(expression, names, exact)
    if isinstance(expression, Power):
        base = value_of(expression.base, names, exact=exact)
        return _raise(base, value_of(expression.exponent, names, exact=exact), expression.span, exact)
    raise Refusal(_not_a_number(expression))


def _sum(expression: Sum, names: Names, exact: bool) -> Value:
    if len(expression.terms) >= MAX_TERMS:
        raise TooManyTermsError(f"a sum of {len(expression.terms):,} terms; {MAX_TERMS:,} are too many")
    result: Value = 0
    for sign, term in expression.terms:
        amount = value_of(term, names, exact=exact)
        result = _plus(result, amount if sign > 0 else _times(-1, amount), expression.span)
    return _bounded(result, expression.span)


def _product(expression: Product, names: Names, exact: bool) -> Value:
    if len(expression.factors) >= MAX_TERMS:
        raise TooManyTermsError(f"a product of {len(expression.factors):,} factors; {MAX_TERMS:,} are too many")
    result: Value = 1
    for operator, factor in expression.factors:
        amount = value_of(factor, names, exact=exact)
        if operator == "*":
            result = _times(result, amount)
        else:
            result = _over(result, amount, floor=operator == "//", exact=exact)
        _bounded(result, expression.span)
    return result


def _plus(a: Value, b: Value, span: Span) -> Value:
    if not isinstance(a, Fraction) and not isinstance(b, Fraction):
        return add(a, b)
    if isinstance(a, Polynomial) or isinstance(b, Polynomial):
        raise Refusal(_inexact_at(span, f"{a} + {b} is not a whole number"))
    return whole(Fraction(a) + b)


def _times(a: Value, b: Value) -> Value:
    if not isinstance(a, Fraction) and not isinstance(b, Fraction):
        return multiply(a, b)
    if isinstance(a, Polynomial):
        a, b = b, a
    if isinstance(b, Polynomial):
        fraction = Fraction(a) if not isinstance(a, Polynomial) else Fraction(1)
        return divide(multiply(b, fraction.numerator), fraction.denominator)
    return whole(Fraction(b) * Fraction(_number(a)))


def _over(a: Value, b: Value, *, floor: bool, exact: bool) -> Value:
    if b == 0:
        raise InexactError("division by zero")
    if not isinstance(a, Polynomial) and not isinstance(b, Polynomial):
        if floor:
            return int(Fraction(a) // b) if isinstance(a, Fraction) or isinstance(b, Fraction) else a // b
        if exact and isinstance(a, int) and isinstance(b, int):
            return divide(a, b)
        return whole(Fraction(a) / b)
    if isinstance(b, Fraction):
        a, b = _times(a, b.denominator), b.numerator
    if isinstance(a, Fraction):
        a, b = a.numerator, multiply(b, a.denominator)
    return floor_divide(a, b) if floor else divide(a, b)


def _raise(base: Value, exponent: Value, span: Span, exact: bool) -> Value:
    if isinstance(exponent, Fraction):
        raise Refusal(
            NOT_A_NUMBER.at(span, f"the exponent is {exponent}, and must be a whole number", help="use a whole number")
        )
    if isinstance(base, Fraction) or (isinstance(exponent, int) and exponent < 0 and not exact):
        return _fraction_power(_number(base), exponent)
    return power(base, exponent)


def _fraction_power(base: int | Fraction, exponent: Size) -> Value:
    if isinstance(exponent, Polynomial):
        raise InexactError(f"({base})^({exponent}) is not a whole number")
    if base == 0:
        raise InexactError("division by zero")
    base = Fraction(base)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent) > _MAX_BITS:
        raise SizeError("it has more than 1,000 digits")
    return whole(base**exponent)


def _number(value: Value) -> int | Fraction:
    if isinstance(value, Polynomial):
        raise InexactError(f"{value} is not a number")
    return value


def _bounded(value: Value, span: Span) -> Value:
    """`value`, unless it is 2^63 or more or a fraction of excessive precision."""
    if isinstance(value, Polynomial):
        return value
    if isinstance(value, int):
        if -LIMIT < value < LIMIT:
            return value
    elif abs(value) < LIMIT and value.denominator.bit_length() <= _MAX_BITS:
        return value
    raise Refusal(TOO_LARGE.at(span, "this number is too large: numbers stay below 2^63", help="use a smaller number"))


def _inexact(expression: Expression, reason: str) -> Diagnostic:
    return _inexact_at(expression.span, reason)


def _inexact_at(span: Span, reason: str) -> Diagnostic:
    if "zero" in reason:
        return INEXACT.at(span, "this divides by zero", help="divide by 1 or more")
    return INEXACT.at(span, f"a size is a whole number, but {reason}", help="`//` divides and rounds down")


def _not_a_number(expression: Expression) -> Diagnostic:
    text = " ".join(expression.span.text.split())
    if isinstance(expression, Compare):
        return NOT_A_NUMBER.at(
            expression.span, f"a number belongs here, not the comparison `{text}`", help="write a number"
        )
    called = expression.callee.id if isinstance(expression, Call) else text
    if called in _FUNCTIONS:
        message = f"a number belongs here, not `{text}`: sizes and numbers have no functions"
        return NOT_A_NUMBER.at(expression.span, message, help="write the number; there are `+ - * / // ^`")
    return NOT_A_NUMBER.at(
        expression.span,
        f"a number belongs here, not `{text}`: sizes and numbers have no functions",
        help=f"an activation such as `{called}` stands after the size: `layer 5 {called}`",
    )
