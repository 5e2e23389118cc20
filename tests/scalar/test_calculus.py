"""Properties of the calculus over random expressions: every rewriting keeps the value."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings

from dnnlang.scalar.bound import Interval, bounds
from dnnlang.scalar.canonical import Canon, same
from dnnlang.scalar.construct import ONE, ZERO, minus, plus, power, put, times
from dnnlang.scalar.derivative import PARTIALS, vjp
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import (
    ELEMENTWISE,
    OPERATIONS,
    REDUCTIONS,
    Expr,
    apply,
    constant,
    topological,
    units,
    variable,
)
from dnnlang.scalar.polynomial import TooWide
from dnnlang.scalar.rewrite import expression
from dnnlang.scalar.stable import stabilize
from tests.exploring import examples
from tests.scalar.formulas import COLUMNS, EXPRESSIONS, Z, close, exp, log

X = variable("x")
KINKS = {"maximum", "minimum", "abs", "less", "max", "where", "sign", "first_max", "min"}


def entries(value):
    return value if isinstance(value, list) else [value]


@settings(max_examples=examples(200), deadline=None)
@given(EXPRESSIONS, COLUMNS, COLUMNS)
def test_the_canonical_form_has_the_same_value(e, x, w):
    try:
        back = expression(Canon().form(e))
    except TooWide:
        assume(False)
    here = {"x": x, "w": w}
    before, after = evaluate(e, here, 3), evaluate(back, here, 3)
    assume(all(math.isfinite(v) and abs(v) < 1e6 for v in entries(before)))
    assume(all(map(math.isfinite, entries(after))))
    assert close(before, after, 1e-6)


@settings(max_examples=examples(200), deadline=None)
@given(EXPRESSIONS, COLUMNS, COLUMNS)
def test_stabilizing_keeps_the_value(e, x, w):
    here = {"x": x, "w": w}
    before, after = evaluate(e, here, 3), evaluate(stabilize(e), here, 3)
    assume(all(math.isfinite(v) and abs(v) < 1e6 for v in entries(before)))
    assert close(before, after, 1e-6)


@settings(max_examples=examples(200), deadline=None)
@given(EXPRESSIONS, COLUMNS, COLUMNS)
def test_values_lie_within_their_bounds(e, x, w):
    box = Interval(-3, 3)
    within = bounds(e, {"x": box, "w": box})
    assume(within.safe)
    for value in entries(evaluate(e, {"x": x, "w": w}, 3)):
        slack = 1e-9 * (1 + abs(value))
        assert within.low - slack <= value <= within.high + slack


@settings(max_examples=examples(200), deadline=None)
@given(EXPRESSIONS, COLUMNS, COLUMNS)
def test_the_derivative_is_the_slope(e, x, w):
    assume(not any(n.op in KINKS for n in topological(e)))
    gradient = vjp(e, "x", ONE)
    step = 1e-5

    def value(at):
        return math.fsum(entries(evaluate(e, {"x": at, "w": w}, 3)))

    assume(all(abs(v) < 1e3 for n in topological(e) for v in entries(evaluate(n, {"x": x, "w": w}, 3))))
    found = entries(evaluate(gradient, {"x": x, "w": w}, 3))
    found = found * 3 if len(found) == 1 else found
    for k in range(3):
        up, down = list(x), list(x)
        up[k] += step
        down[k] -= step
        slope = (value(up) - value(down)) / (2 * step)
        assert abs(found[k] - slope) <= 1e-4 * (1 + abs(slope) + abs(found[k]))


@pytest.mark.parametrize("op", sorted(REDUCTIONS))
def test_reductions_stay_within_their_bounds_at_the_ends(op):
    for column in ([3.0, 3.0, 3.0], [-3.0, -3.0, -3.0], [3.0, -3.0, 0.0]):
        within = bounds(apply(op, X), {"x": Interval(-3, 3)})
        assert within.low <= evaluate(apply(op, X), {"x": column}) <= within.high


def test_every_operation_has_a_derivative_an_evaluation_and_bounds():
    leaves = {"constant", "variable", "units", "draw_normal", "draw_uniform"}
    assert set(PARTIALS) | {"normalized_exp", "log_normalized_exp"} == set(OPERATIONS) - leaves
    for op in sorted(OPERATIONS - leaves):
        e = _example(op)
        value = evaluate(e, {"x": [0.25, 0.5, 0.75]})
        assert all(map(math.isfinite, entries(value)))
        assert bounds(e, {"x": Interval(0.25, 0.75)}).safe, op


_TWO_OPERANDS = set("add multiply divide power maximum minimum less less_equal equal not_equal logistic_loss".split())


def _example(op: str) -> Expr:
    if op == "where":
        return apply(op, apply("less", X, constant(1)), X, ONE)
    two = op in _TWO_OPERANDS
    return apply(op, X, constant(2)) if two else apply(op, X)


def test_reductions_share_one_number_with_the_column():
    for op in REDUCTIONS:
        assert not apply(op, X).per_unit
    for op in ELEMENTWISE - {"constant", "variable", "units"}:
        assert _example(op).per_unit


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (log(times(exp(Z), exp(Z))), times(constant(2), Z), True),
        (log(apply("logistic", Z)), minus(Z, apply("log1pexp", Z)), True),
        (minus(ONE, apply("logistic", Z)), apply("logistic", apply("negate", Z)), True),
        (power(plus(Z, ONE), constant(2)), plus(times(Z, Z), plus(times(constant(2), Z), ONE)), True),
        (exp(plus(Z, ONE)), exp(Z), False),
        (apply("mean", Z), apply("divide", apply("sum", Z), units()), True),
        (log(times(Z, Z)), times(constant(2), log(Z)), False),  # not for negative z
        (apply("where", apply("less", Z, ZERO), exp(Z), exp(Z)), exp(Z), True),
    ],
)
def test_what_is_the_same(a, b, equal):
    assert same(a, b) is equal


def test_expressions_are_shared_and_deep_ones_are_walked_without_recursion():
    assert plus(X, ONE) is plus(X, ONE)
    e = X
    for _ in range(20_000):
        e = apply("sin", e)
    assert len(topological(e)) == 20_001
    assert put(e, {"x": Z}) is not e
    assert vjp(e, "x", ONE).per_unit


def test_two_choices_by_one_condition_are_one():
    below = apply("less", X, ZERO)
    slope = plus(apply("where", below, ZERO, constant(3)), times(constant(-2), below))
    assert slope is apply("where", below, constant(-2), constant(3))
