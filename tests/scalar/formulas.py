"""Formulas that the tests of this folder share: activations in several spellings, losses, random expressions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from dnnlang.scalar.construct import (
    ONE,
    TWO,
    ZERO,
    compare,
    function,
    greater,
    maximum,
    mean,
    minimum,
    minus,
    negative,
    over,
    plus,
    reduce,
    square,
    times,
    total,
    where,
)
from dnnlang.scalar.expression import Expr, constant, variable
from dnnlang.scalar.functions import Activation, Loss

Z, A, Y = variable("z"), variable("a"), variable("y")


def exp(x: Expr) -> Expr:
    return function("exp", x)


def log(x: Expr) -> Expr:
    return function("log", x)


def activation(label: str, value: Expr) -> Activation:
    return Activation(label, value, None, None, None)


SHIFTED = exp(minus(Z, reduce("max", Z)))

SIGMOIDS = {
    "1/(1+e^-z)": over(ONE, plus(ONE, exp(negative(Z)))),
    "e^z/(e^z+1)": over(exp(Z), plus(exp(Z), ONE)),
    "(1+tanh(z/2))/2": over(plus(ONE, function("tanh", over(Z, TWO))), TWO),
    "two branches": where(greater(Z, ZERO), over(ONE, plus(ONE, exp(negative(Z)))), over(exp(Z), plus(ONE, exp(Z)))),
    "1 - 1/(1+e^z)": minus(ONE, over(ONE, plus(ONE, exp(Z)))),
}
SOFTMAXES = {
    "shifted": over(SHIFTED, total(SHIFTED)),
    "plain": over(exp(Z), total(exp(Z))),
    "shifted by 3": over(exp(plus(Z, constant(3))), total(exp(plus(Z, constant(3))))),
    "through the logarithm": exp(minus(Z, log(total(exp(Z))))),
}
TANHS = {
    "tanh": function("tanh", Z),
    "quotient": over(minus(exp(Z), exp(negative(Z))), plus(exp(Z), exp(negative(Z)))),
}
OTHERS = {
    "linear": Z,
    "relu": maximum(Z, ZERO),
    "relu by where": where(greater(Z, ZERO), Z, ZERO),
    "relu by where, zero with the positive": where(compare("less_equal", ZERO, Z), Z, ZERO),
    "leaky_relu": maximum(Z, times(constant(Fraction(1, 100)), Z)),
    "a v that never goes below 0": maximum(Z, times(constant(-2), Z)),
    "exp": exp(Z),
    "softplus": log(plus(ONE, exp(Z))),
    "log_softmax": minus(Z, log(total(exp(Z)))),
    "swish": times(Z, SIGMOIDS["1/(1+e^-z)"]),
    "mish": times(Z, function("tanh", log(plus(ONE, exp(Z))))),
    "softsign": over(Z, plus(ONE, function("abs", Z))),
}
ACTIVATIONS = {
    name: activation(name, value) for family in (SIGMOIDS, SOFTMAXES, TANHS, OTHERS) for name, value in family.items()
}

LOSSES = {
    "binary_cross_entropy": Loss(
        "binary_cross_entropy",
        total(negative(plus(times(Y, log(A)), times(minus(ONE, Y), log(minus(ONE, A)))))),
        (),
        None,
    ),
    "cross_entropy": Loss("cross_entropy", negative(total(times(Y, log(A)))), ((total(Y), Fraction(1)),), None),
    "mse": Loss("mse", mean(square(minus(A, Y))), (), None),
}

_SMALL = st.fractions(min_value=-2, max_value=2, max_denominator=4)

_LEAVES = st.one_of(
    st.sampled_from([variable("x"), variable("w"), variable("x")]),
    _SMALL.map(constant),
)

_UNARY = st.sampled_from(["exp", "tanh", "sin", "cos", "abs", "logistic", "log1pexp", "erf", "negate", "square"])
_BINARY = st.sampled_from([plus, minus, times, maximum, minimum])
_COLUMN = st.sampled_from(["sum", "mean", "max", "logsumexp", "normalized_exp"])


def _unary(args: tuple[str, Expr]) -> Expr:
    op, x = args
    if op == "negate":
        return negative(x)
    return square(x) if op == "square" else function(op, x)


def _whole(args: tuple[str, Expr]) -> Expr:
    op, x = args
    if op == "normalized_exp":
        return function(op, x) if x.per_unit else x
    return reduce(op, x) if x.per_unit else x


def _deeper(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.tuples(_BINARY, inner, inner).map(lambda t: t[0](t[1], t[2])),
        st.tuples(_UNARY, inner).map(_unary),
        st.tuples(_COLUMN, inner).map(_whole),
        st.tuples(inner, inner).map(lambda t: over(t[0], plus(constant(2), function("abs", t[1])))),
        st.tuples(inner, inner, inner).map(lambda t: where(compare("less", t[0], constant(0)), t[1], t[2])),
        inner.map(lambda x: log(plus(ONE, exp(x)))),
    )


EXPRESSIONS = st.recursive(_LEAVES, _deeper, max_leaves=8)
"""Expressions in `x` and `w` that are defined everywhere."""

COLUMNS = st.lists(st.floats(-3, 3, allow_nan=False), min_size=3, max_size=3)


def close(a: float | list[float], b: float | list[float], tolerance: float = 1e-9) -> bool:
    """Equal up to rounding, entry by entry; a number for the column equals the same number at each unit."""
    a_list = a if isinstance(a, list) else [a]
    b_list = b if isinstance(b, list) else [b]
    n = max(len(a_list), len(b_list))
    pairs = zip(a_list * (n // len(a_list)), b_list * (n // len(b_list)), strict=True)
    return all(abs(x - y) <= tolerance * (1 + abs(x) + abs(y)) for x, y in pairs)
