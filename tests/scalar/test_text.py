"""Formulas as the plan prints them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dnnlang.scalar.construct import (
    ONE,
    TWO,
    ZERO,
    function,
    greater,
    maximum,
    minus,
    negative,
    over,
    plus,
    square,
    times,
    total,
)
from dnnlang.scalar.expression import apply, constant, variable
from dnnlang.scalar.text import text

A, B, Y = variable("A"), variable("B"), variable("Y")
RATE = variable("rate", per_unit=False)


@pytest.mark.parametrize(
    ("e", "written"),
    [
        (minus(A, Y), "A - Y"),
        (times(A, greater(B, ZERO)), "A ∘ (B > 0)"),
        (times(times(A, B), minus(ONE, B)), "A ∘ B ∘ (1 - B)"),
        (times(A, times(B, Y)), "A ∘ B ∘ Y"),
        (minus(ONE, square(A)), "1 - A²"),
        (times(constant(Fraction(1, 100)), A), "0.01 A"),
        (times(constant(Fraction(1, 3)), A), "1/3 A"),
        (over(A, plus(ONE, B)), "A / (1 + B)"),
        (negative(plus(A, B)), "-(A + B)"),
        (minus(A, plus(B, Y)), "A - (B + Y)"),
        (minus(apply("logsumexp", A), total(times(Y, A))), "logsumexp(A) - Σ Y ∘ A"),
        (times(A, minus(Y, total(times(A, Y)))), "A ∘ (Y - Σ A ∘ Y)"),
        (times(total(A), B), "(Σ A) B"),
        (maximum(A, ZERO), "max(A, 0)"),
        (minus(A, times(RATE, Y)), "A - rate Y"),
        (apply("power", constant(Fraction(9, 10)), variable("t", per_unit=False)), "0.9^t"),
        (square(minus(A, B)), "(A - B)²"),
        (over(TWO, function("sqrt", A)), "2 / sqrt(A)"),
        (plus(A, constant(-3)), "A - 3"),
    ],
)
def test_notation(e, written):
    assert text(e) == written


def test_numbers_are_multiplied_with_a_star_outside_matrices():
    assert text(minus(A, times(RATE, Y)), matrix=False) == "A - rate * Y"


def test_operations_can_be_spelt_otherwise():
    assert text(apply("log1pexp", A), {"A": "Z[2]"}, spellings={"log1pexp": "softplus"}) == "softplus(Z[2])"
