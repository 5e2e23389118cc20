"""Building expressions with the small rewritings that are always right: constants fold, 0 and 1 vanish.

Nothing here reorders or expands; that is the work of canonical.py. Every rule keeps NaN and infinities
except that `0 * x` is 0, as a missing term of a sum is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final

from dnnlang.scalar.expression import Expr, apply, constant, is_constant, topological, units

ZERO: Final = constant(0)
ONE: Final = constant(1)
TWO: Final = constant(2)

COMPARISONS: Final = frozenset(("less", "less_equal", "equal", "not_equal"))
INTEGER_POWER_LIMIT: Final = 64
"""Constant powers beyond this are left to the backend: their exact value has too many digits."""


def _value(e: Expr) -> Fraction | None:
    return e.value if e.op == "constant" else None


def plus(a: Expr, b: Expr) -> Expr:
    x, y = _value(a), _value(b)
    if x is not None and y is not None:
        return constant(x + y)
    if x == 0:
        return b
    if y == 0:
        return a
    if a.op == "negate" and a.args[0] is b:
        return ZERO
    if b.op == "negate" and b.args[0] is a:
        return ZERO
    merged = _without_cancellation(a, b) or _merged_branches(a, b) or _merged_sums(a, b)
    if merged is not None:
        return merged
    if a.op == "negate" and b.op != "negate":
        return apply("add", b, a)
    return apply("add", a, b)


def _without_cancellation(a: Expr, b: Expr) -> Expr | None:
    """Sums that lose digits where their terms nearly cancel, as functions that do not."""
    if a.op == "exp" and is_constant(b, -1):
        return function("expm1", a.args[0])
    if b.op == "negate":
        return _less_its_own(a, b.args[0])
    if is_constant(a, 1) and b.op == "erf":  # 1 + erf(x), and erf is odd
        return function("erfc", negative(b.args[0]))
    if is_constant(a, 1) and b.op == "tanh":  # 1 + tanh(x) is 2 logistic(2 x)
        return times(TWO, function("logistic", times(TWO, b.args[0])))
    return None


def _less_its_own(a: Expr, b: Expr) -> Expr | None:
    """a - b where the large parts of a and b are the same."""
    if b.op == "logsumexp" and b.args[0] is a:
        return apply("log_normalized_exp", a)
    if a.op == "log1pexp" and b.op == "multiply" and a.args[0] in b.args:
        t = b.args[0] if b.args[1] is a.args[0] else b.args[1]
        return apply("logistic_loss", a.args[0], t)
    if is_constant(a, 1) and b.op == "erf":  # 1 - erf(x)
        return function("erfc", b.args[0])
    if is_constant(a, 1) and b.op == "tanh":  # 1 - tanh(x) is 2 logistic(-2 x)
        return times(TWO, function("logistic", times(constant(-2), b.args[0])))
    return None


def _merged_branches(a: Expr, b: Expr) -> Expr | None:
    """where(c, x, 0) + where(c, 0, y) is where(c, x, y); a comparison c alone is where(c, 1, 0)."""
    if "where" not in (a.op, b.op, *(x.op for x in (*a.args, *b.args))):
        return None
    (ac, ax, ay), (bc, bx, by) = _branches(a), _branches(b)
    if ac is None or ac is not bc:
        return None
    if ZERO in (ax, bx) and ZERO in (ay, by):
        return where(ac, plus(ax, bx), plus(ay, by))
    return None


def _branches(e: Expr) -> tuple[Expr | None, Expr, Expr]:
    """e as where(c, x, y); c is None where it is nothing of the kind."""
    if e.op == "where":
        condition, x, y = e.args
        return condition, x, y
    if e.op == "negate":
        of, x, y = _branches(e.args[0])
        return of, negative(x), negative(y)
    if e.op == "multiply" and e.args[0].op == "constant" and e.args[1].op in COMPARISONS:
        return e.args[1], e.args[0], ZERO
    return (e if e.op in COMPARISONS else None), ONE, ZERO


def _merged_sums(a: Expr, b: Expr) -> Expr | None:
    """Σ x ± Σ y is Σ (x ± y): one reduction instead of two."""
    if a.op == "sum" and b.op == "sum":
        return total(plus(a.args[0], b.args[0]))
    if a.op == "sum" and b.op == "negate" and b.args[0].op == "sum":
        return total(minus(a.args[0], b.args[0].args[0]))
    if b.op == "sum" and a.op == "negate" and a.args[0].op == "sum":
        return total(minus(b.args[0], a.args[0].args[0]))
    return None


def minus(a: Expr, b: Expr) -> Expr:
    return plus(a, negative(b))


def negative(a: Expr) -> Expr:
    if a.op == "constant" and a.value is not None:
        return constant(-a.value)
    if a.op == "negate":
        return a.args[0]
    if a.op == "multiply" and (x := _value(a.args[0])) is not None:
        return times(constant(-x), a.args[1])
    return apply("negate", a)


def times(a: Expr, b: Expr) -> Expr:
    x, y = _value(a), _value(b)
    if x is not None and y is not None:
        return constant(x * y)
    if x == 0 or y == 0:
        return ZERO
    if x == 1:
        return b
    if y == 1:
        return a
    if x == -1:
        return negative(b)
    if y == -1:
        return negative(a)
    if y is not None:  # constants stand in front
        return times(b, a)
    if b.op == "where" and ZERO in b.args[1:]:  # into the branch: 0 · inf on the other side would be NaN
        return where(b.args[0], times(a, b.args[1]), times(a, b.args[2]))
    if a.op == "where" and ZERO in a.args[1:]:
        return where(a.args[0], times(a.args[1], b), times(a.args[2], b))
    if a.op == "negate":
        return negative(times(a.args[0], b))
    if b.op == "negate":
        return negative(times(a, b.args[0]))
    if b.op == "multiply" and (y := _value(b.args[0])) is not None:
        return times(times(a, constant(y)), b.args[1]) if x is not None else times(constant(y), times(a, b.args[1]))
    if x is None and a.op == "multiply" and (y := _value(a.args[0])) is not None:
        return times(constant(y), times(a.args[1], b))
    if a.op == "divide" and a.args[0].op == "constant":
        return over(times(a.args[0], b), a.args[1])
    if x is None and b.op == "divide" and b.args[0].op == "constant":
        return over(times(b.args[0], a), b.args[1])
    return apply("multiply", a, b)


def over(a: Expr, b: Expr) -> Expr:
    x, y = _value(a), _value(b)
    if y is not None and y != 0:
        return times(constant(1 / y), a) if x is None else constant(x / y)
    if x == 0 and y is None:
        return ZERO
    if a.op == "multiply" and a.args[0].op == "constant":
        return times(a.args[0], over(a.args[1], b))
    if a.op == "negate":
        return negative(over(a.args[0], b))
    if b.op == "negate":
        return negative(over(a, b.args[0]))
    return apply("divide", a, b)


def power(a: Expr, b: Expr) -> Expr:
    x, n = _value(a), _value(b)
    if n == 0:
        return ONE
    if n == 1:
        return a
    if x == 1:
        return ONE
    if x is not None and n is not None and n.denominator == 1 and abs(n) <= INTEGER_POWER_LIMIT and (x != 0 or n > 0):
        return constant(x ** int(n))
    if n == -1:
        return over(ONE, a)
    return apply("power", a, b)


def square(a: Expr) -> Expr:
    return power(a, TWO)


def compare(op: str, a: Expr, b: Expr) -> Expr:
    """`op` is less, less_equal, equal or not_equal."""
    x, y = _value(a), _value(b)
    if x is not None and y is not None:
        holds = {"less": x < y, "less_equal": x <= y, "equal": x == y, "not_equal": x != y}[op]
        return constant(int(holds))
    return apply(op, a, b)


def greater(a: Expr, b: Expr) -> Expr:
    return compare("less", b, a)


def where(condition: Expr, a: Expr, b: Expr) -> Expr:
    if a is b:
        return a
    c = _value(condition)
    if c is not None:
        return a if c != 0 else b
    if condition.op in COMPARISONS and is_constant(a, 1) and is_constant(b, 0):
        return condition
    return apply("where", condition, a, b)


def maximum(a: Expr, b: Expr) -> Expr:
    x, y = _value(a), _value(b)
    if x is not None and y is not None:
        return constant(max(x, y))
    return a if a is b else apply("maximum", a, b)


def minimum(a: Expr, b: Expr) -> Expr:
    x, y = _value(a), _value(b)
    if x is not None and y is not None:
        return constant(min(x, y))
    return a if a is b else apply("minimum", a, b)


def total(a: Expr) -> Expr:
    """The sum over the units of a column; of what the whole column shares, that many times it."""
    if not a.per_unit:
        return times(units(), a)
    if a.op == "negate":
        return negative(total(a.args[0]))
    if a.op == "multiply":
        left, right = a.args
        if not left.per_unit:
            return times(left, total(right))
        if not right.per_unit:
            return times(total(left), right)
    if a.op == "divide" and not a.args[1].per_unit:
        return over(total(a.args[0]), a.args[1])
    return apply("sum", a)


def mean(a: Expr) -> Expr:
    return apply("mean", a) if a.per_unit else a


def reduce(op: str, a: Expr) -> Expr:
    """`op` is sum, mean, max, min or logsumexp."""
    if op == "sum":
        return total(a)
    if op in ("mean", "max", "min") and not a.per_unit:
        return a
    return apply(op, a)


def function(op: str, a: Expr) -> Expr:
    """An elementwise function of one argument; exact at the arguments where that is rational."""
    x = _value(a)
    if x is None:
        return apply(op, a)
    if op == "sqrt":
        root = _exact_root(x)
        return apply(op, a) if root is None else constant(root)
    exact = _EXACT.get(op, {}).get(x)
    if exact is not None:
        return constant(exact)
    if op == "abs":
        return constant(abs(x))
    if op == "sign":
        return constant((x > 0) - (x < 0))
    return apply(op, a)


_EXACT: Final[dict[str, dict[Fraction, int]]] = {
    "exp": {Fraction(0): 1},
    "log": {Fraction(1): 0},
    "expm1": {Fraction(0): 0},
    "log1p": {Fraction(0): 0},
    "tanh": {Fraction(0): 0},
    "erf": {Fraction(0): 0},
    "erfc": {Fraction(0): 1},
    "sin": {Fraction(0): 0},
    "cos": {Fraction(0): 1},
}


def _exact_root(x: Fraction) -> Fraction | None:
    if x < 0 or x.numerator.bit_length() > 2000 or x.denominator.bit_length() > 2000:
        return None
    n, d = math.isqrt(x.numerator), math.isqrt(x.denominator)
    return Fraction(n, d) if n * n == x.numerator and d * d == x.denominator else None


def rebuild(op: str, args: tuple[Expr, ...]) -> Expr:
    """`op` on new operands, through the constructors of this file."""
    if op in ("sum", "mean", "max", "min", "logsumexp"):
        return reduce(op, args[0])
    if op in COMPARISONS:
        return compare(op, *args)
    make = _BY_OPERATION.get(op)
    if make is not None:
        return make(*args)
    if len(args) == 1:
        return function(op, args[0])
    return apply(op, *args)


def put(root: Expr, by_name: Mapping[str, Expr]) -> Expr:
    """`root` with variables replaced, simplified on the way."""
    new: dict[Expr, Expr] = {}
    for e in topological(root):
        if e.name is not None and e.name in by_name:
            new[e] = by_name[e.name]
        else:
            same = all(new[a] is a for a in e.args)
            new[e] = e if same else rebuild(e.op, tuple(new[a] for a in e.args))
    return new[root]


_BY_OPERATION: Final[dict[str, Callable[..., Expr]]] = {
    "add": plus,
    "multiply": times,
    "divide": over,
    "power": power,
    "negate": negative,
    "maximum": maximum,
    "minimum": minimum,
    "where": where,
}
