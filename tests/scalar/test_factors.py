"""Quotients with one fraction bar: the same value, fewer bars."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings

from dnnlang.scalar.construct import function, minus, negative, over, plus, square, times, total
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import Expr, apply, constant, is_constant, topological, variable
from dnnlang.scalar.factors import split_coefficient, tidy
from dnnlang.scalar.text import text
from tests.exploring import examples
from tests.scalar.formulas import COLUMNS, EXPRESSIONS, close

A, B, U = variable("a"), variable("b"), variable("u")
ROOT = function("sqrt", plus(B, constant(1)))
CASES = [
    (over(over(A, B), U), "a / (b ∘ u)"),
    (over(over(A, ROOT), ROOT), "a / (b + 1)"),
    (over(over(over(A, ROOT), ROOT), times(constant(2), ROOT)), "0.5 a / (b + 1)^1.5"),
    (times(over(A, B), U), "a ∘ u / b"),
    (negative(over(negative(A), B)), "a / b"),
    (times(over(constant(3), A), over(U, constant(6))), "0.5 u / a"),
    (over(A, A), "a / a"),  # 0/0 stays undefined
    (times(A, square(A)), "a ∘ a²"),
    (plus(over(over(A, B), U), ROOT), "a / (b ∘ u) + sqrt(b + 1)"),
    (total(over(times(U, A), variable("s", per_unit=False))), "(Σ u ∘ a) / s"),
]


@pytest.mark.parametrize(("e", "expected"), CASES, ids=[expected for _, expected in CASES])
def test_written(e: Expr, expected: str) -> None:
    assert text(tidy(e)) == expected


@settings(max_examples=examples(200), deadline=None)
@given(EXPRESSIONS, COLUMNS, COLUMNS)
def test_tidying_keeps_the_value(e, x, w):
    here = {"x": x, "w": w}
    for formula in (e, vjp(e, "x", variable("w"))):
        before, after = evaluate(formula, here, 3), evaluate(tidy(formula), here, 3)
        values = before if isinstance(before, list) else [before]
        assume(all(math.isfinite(v) and abs(v) < 1e6 for v in values))
        assert close(before, after, 1e-6)


@settings(max_examples=examples(200), deadline=None)
@given(EXPRESSIONS)
def test_no_quotient_is_left_inside_another(e):
    """Nor a second constant: what is tidy stays as it is."""
    once = tidy(over(e, times(constant(2), function("sqrt", variable("w")))))
    assert tidy(once) is once
    for node in topological(once):
        if node.op == "divide":
            assert all(a.op != "divide" for a in node.args)


def test_the_coefficient_in_front() -> None:
    assert split_coefficient(times(constant(-2), A)) == (-2, A)
    assert split_coefficient(negative(times(constant(Fraction(1, 3)), A))) == (Fraction(-1, 3), A)
    assert split_coefficient(A) == (1, A)
    assert is_constant(split_coefficient(constant(5))[1], 5)
    assert split_coefficient(apply("add", A, B))[0] == 1


def test_deep_quotients_do_not_recurse() -> None:
    deep = A
    for n in range(3000):
        deep = over(deep, plus(B, constant(n))) if n % 2 else minus(deep, B)
    assert tidy(deep).op in ("divide", "add")
