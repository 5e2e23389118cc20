"""Sizes: canonical polynomials, exact and bounded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.sizes import (
    InexactError,
    M,
    Maximum,
    Polynomial,
    Size,
    SizeError,
    TooLargeError,
    TooManyTermsError,
    UnboundError,
    add,
    at_least,
    balanced,
    divide,
    equation_text,
    evaluate,
    floor_divide,
    format_terms,
    maximum,
    multiply,
    power,
    substitute,
    symbol,
    symbols,
    terms,
    total,
)

d, k, n = symbol("d"), symbol("k"), symbol("n[0]")
NAMES = ("d", "k", "n[0]")

leaves = st.one_of(st.integers(-9, 9), st.sampled_from([d, k, n]))
exact: tuple[Callable[[Size, Size], Size], ...] = (add, multiply, lambda a, b: add(a, multiply(-1, b)))
polynomials = st.recursive(
    leaves, lambda parts: st.builds(lambda f, a, b: f(a, b), st.sampled_from(exact), parts, parts), max_leaves=8
)
with_quotients = st.recursive(
    leaves,
    lambda parts: st.builds(
        lambda f, a, b: f(a, b),
        st.sampled_from([*exact, lambda a, b: floor_divide(a, b if b != 0 else 1)]),
        parts,
        parts,
    ),
    max_leaves=6,
)
values = st.fixed_dictionaries({name: st.integers(1, 40) for name in NAMES})


@given(polynomials, polynomials, values)
def test_arithmetic_commutes_with_evaluation(a: Size, b: Size, at: dict[str, int]) -> None:
    x, y = evaluate(a, at), evaluate(b, at)
    assert evaluate(add(a, b), at) == x + y
    assert evaluate(multiply(a, b), at) == x * y
    assert evaluate(power(a, 3), at) == x**3


@given(with_quotients, st.integers(1, 9), values)
def test_floor_division_rounds_down(a: Size, b: int, at: dict[str, int]) -> None:
    try:
        expected = evaluate(a, at) // b
    except SizeError:  # a divisor inside is 0 there
        return
    assert evaluate(floor_divide(a, b), at) == expected


@given(polynomials, polynomials)
def test_a_product_divides_exactly(a: Size, b: Size) -> None:
    if b != 0:
        assert divide(multiply(a, b), b) == a


@given(polynomials, polynomials, polynomials)
def test_equal_formulas_are_equal_objects_whatever_their_order(a: Size, b: Size, c: Size) -> None:
    left, right = multiply(add(a, b), c), add(multiply(c, b), multiply(a, c))
    assert left == right
    assert hash(left) == hash(right)
    assert str(left) == str(right)


@given(polynomials)
def test_text_can_be_read_back(a: Size) -> None:
    python = str(a).replace("^", "**").replace("n[0]", "n")
    assert eval(python, {"d": d, "k": k, "n": n}) == a


@given(polynomials, values)
def test_substituting_everything_is_evaluating(a: Size, at: dict[str, int]) -> None:
    assert substitute(a, dict(at)) == evaluate(a, at)


@given(polynomials, polynomials, values)
def test_at_least_is_never_wrong(a: Size, b: Size, at: dict[str, int]) -> None:
    if at_least(a, b):
        assert evaluate(a, at) >= evaluate(b, at)


@given(st.lists(polynomials, min_size=1, max_size=5), values)
def test_maximum_keeps_what_may_be_largest(sizes: list[Size], at: dict[str, int]) -> None:
    largest = maximum(*sizes)
    value = largest.evaluate(at) if isinstance(largest, Maximum) else evaluate(largest, at)
    assert value == max(evaluate(s, at) for s in sizes)


@given(polynomials, st.integers(1, 9), values)
def test_a_maximum_is_added_and_multiplied_in_either_order(size: Size, factor: int, at: dict[str, int]) -> None:
    peak = maximum(2 * d + 3, k, n)
    assert isinstance(peak, Maximum)
    largest = peak.evaluate(at)
    assert (size + peak).evaluate(at) == (peak + size).evaluate(at) == evaluate(size, at) + largest
    assert (peak - size).evaluate(at) == largest - evaluate(size, at)
    assert (factor * peak).evaluate(at) == (peak * factor).evaluate(at) == factor * largest
    assert size + peak - size == peak
    assert size != peak
    assert peak != size


@pytest.mark.parametrize(
    ("operate", "error"),
    [
        (lambda peak: d - peak, TypeError),  # the smallest of several
        (lambda peak: 3 - peak, TypeError),
        (lambda peak: peak + peak, TypeError),
        (lambda peak: peak - peak, TypeError),
        (lambda peak: d * peak, TypeError),
        (lambda peak: peak * d, TypeError),
        (lambda peak: d // peak, TypeError),
        (lambda peak: d / peak, TypeError),
        (lambda peak: d**peak, TypeError),
        (lambda peak: d < peak, TypeError),
        (lambda peak: -1 * peak, ValueError),
        (lambda peak: peak * 0, ValueError),
    ],
)
def test_what_is_no_maximum_of_sizes_is_refused(operate: Callable[[Size | Maximum], object], error: type) -> None:
    with pytest.raises(error):
        operate(maximum(d, k))


@given(st.lists(polynomials, max_size=6))
def test_total_is_the_sum(sizes: list[Size]) -> None:
    expected: Size = 0
    for size in sizes:
        expected = add(expected, size)
    assert total(sizes) == expected


def test_constants_are_plain_ints() -> None:
    assert type(d - d + 3) is int
    assert type((2 * d) / d) is int
    assert isinstance(d + 1, Polynomial)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1 + n, "n[0] + 1"),
        (4 * n * M + 208, "4*n[0]*m + 208"),
        (1 - d, "-d + 1"),
        (d * d - k, "d^2 - k"),
        ((d - 1) // 2, "(d - 1) // 2"),
        (d // 2 + 1, "d // 2 + 1"),
        (M * (d / 2), "(d / 2)*m"),
        (2**d, "2^d"),
        (symbol("n[10]") + symbol("n[2]"), "n[2] + n[10]"),
    ],
)
def test_text(size: Size, text: str) -> None:
    assert str(size) == text


def test_whole_multiples_leave_a_floor_division() -> None:
    assert (4 * d + 1) // 4 == d
    assert (4 * d) // 6 == (2 * d) // 3
    assert (d * k + k) // k == d + 1


def test_terms_come_with_their_factors() -> None:
    assert terms(208 + 20 * M + n * M) == [(1, ("n[0]", "m")), (20, ("m",)), (208, ())]
    assert terms(7) == [(7, ())]
    assert format_terms(20 * M + 1208) == "20 m + 1,208"


def test_an_equation_has_nothing_negative() -> None:
    assert equation_text(k + 1, 2 * d) == "2*d == k + 1"
    assert equation_text(2 * d - k, 1) == "2*d == k + 1"
    assert balanced(d - 5, 1, ">=") == (d, 6)


def test_symbols_are_found_inside_quotients() -> None:
    assert symbols(M * (d // (k + 1)) + 2**n) == {"m", "d", "k", "n[0]"}
    assert symbols(3) == frozenset()


def test_nothing_of_two_to_the_63_is_computed() -> None:
    for refused in (
        lambda: power(9, 9**9),
        lambda: power(power(9, 9), 9),
        lambda: multiply(2**62, 2),
        lambda: add(2**63 - 1, 1),
        lambda: 2**62 * d * 2,
        lambda: (d + 1) ** 10**9,
        lambda: evaluate(d**10**6, {"d": 2}),
    ):
        with pytest.raises(TooLargeError):
            refused()


def test_a_formula_stays_below_ten_thousand_terms() -> None:
    many = [symbol(f"s{i}") for i in range(10_000)]
    assert len(total(many[:9_999])) == 9_999  # type: ignore[arg-type]
    with pytest.raises(TooManyTermsError):
        total(many)
    half, other = total(many[:200]), total(many[200:400])
    with pytest.raises(TooManyTermsError):
        multiply(half, other)


def test_formulas_neither_nest_nor_double_without_end() -> None:
    def repeated(step: Callable[[Size], Size], times: int) -> Size:
        size: Size = d
        for _ in range(times):
            size = step(size)
        return size

    with pytest.raises(TooManyTermsError):
        repeated(lambda s: floor_divide(s + 1, 2), 200)
    with pytest.raises(TooManyTermsError):
        repeated(lambda s: floor_divide(s + 1, 3) + floor_divide(s + 2, 5), 30)
    assert d // 2 // 3 // 4 == d // 24


def test_division_must_be_exact_once_numbers_are_known() -> None:
    with pytest.raises(InexactError):
        divide(65, 2)
    with pytest.raises(InexactError):
        divide(d, 0)
    with pytest.raises(InexactError):
        evaluate(d / 2, {"d": 3})
    with pytest.raises(InexactError):
        power(2, -1)
    assert evaluate(d / 2, {"d": 4}) == 2


def test_a_missing_symbol_is_named() -> None:
    with pytest.raises(UnboundError) as error:
        evaluate(d + k, {"d": 1})
    assert error.value.name == "k"


def test_maximum_drops_what_is_dominated() -> None:
    assert maximum(24 * M + 208, 20 * M + 300, 20 * M) == maximum(20 * M + 300, 24 * M + 208)
    assert str(maximum(24 * M + 208, 20 * M + 300, 20 * M)) == "max(24*m + 208, 20*m + 300)"
    assert maximum(24 * M + 4, 20 * M + 8) == 24 * M + 4  # since m is at least 1
    assert maximum(3, 5) == 5
    peak = maximum(d, k)
    assert isinstance(peak, Maximum)
    assert (peak + 1).evaluate({"d": 2, "k": 7}) == 8
    assert peak.substitute({"k": d}) == d
