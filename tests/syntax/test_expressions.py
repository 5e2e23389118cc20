"""Precedence, grouping, numbers, and the limits of expressions."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dnnlang.syntax.tree import MAX_DEPTH, Number, Product, Sum
from tests.syntax.tools import mistake, operand, outline


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("1 + 2 * 3 ^ 4", "(+ 1 + (* 2 * (3 ^ 4)))"),
        ("2 ^ 3 ^ 4", "(2 ^ (3 ^ 4))"),
        ("-a ^ 2", "(-(a ^ 2))"),
        ("2 ^ -a", "(2 ^ (-a))"),
        ("-a * b", "(* (-a) * b)"),
        ("a - b - c + d", "(+ a - b - c + d)"),
        ("a - (b - c)", "(+ a - (+ b - c))"),
        ("a / b * c // d", "(* a / b * c // d)"),
        ("a / (b * c)", "(* a / (* b * c))"),
        ("--a", "(-(-a))"),
        ("(a + b) * c", "(* (+ a + b) * c)"),
        ("a + b <= c * d", "((+ a + b) <= (* c * d))"),
        ("(a < b) == c", "((a < b) == c)"),
        ("f(a, b + 1, k=g(2), l=-3)", "f(a, (+ b + 1), k=g(2), l=(-3))"),
        ("f()", "f()"),
        ("n[L - 1]", "n[(+ L - 1)]"),
        ("f(a,\n  b  # why\n)", "f(a, b)"),
        ("(1\r\n + 2)", "(+ 1 + 2)"),
        ("f(W[1\n + 1])", "f(W[(+ 1 + 1)])"),
        ("(a\n -b)", "(+ a - b)"),
    ],
)
def test_grouping(text: str, meaning: str) -> None:
    assert outline(operand(text)) == meaning


def test_a_parenthesised_expression_spans_its_parentheses() -> None:
    product = operand("(a + b) * c")
    assert isinstance(product, Product)
    assert product.span.text == "(a + b) * c"
    assert product.factors[0][1].span.text == "(a + b)"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12_288", Fraction(12288)),
        ("0.1", Fraction(1, 10)),
        ("1e-4", Fraction(1, 10_000)),
        ("2.5E3", Fraction(2500)),
        ("1_0.2_5e+1", Fraction(205, 2)),
        ("9" * 100, Fraction(10**100 - 1)),
        ("1e-400", Fraction(1, 10**400)),
    ],
)
def test_numbers_are_exact(text: str, value: Fraction) -> None:
    number = operand(text)
    assert isinstance(number, Number)
    assert number.value == value


@pytest.mark.parametrize("text", ["9" * 5_000, "0." + "1" * 5_000, "1e999999999", "1e-401", "1e" + "9" * 5_000])
def test_numbers_have_a_size(text: str) -> None:
    assert mistake(f"layer {text}").code == "DNN004"


@pytest.mark.parametrize("text", [".5", "5.", "1__0", "1_", "12abc", "0x10", "1.2.3", "1e", "1e+", "5é", "1_.5"])
def test_what_only_looks_like_a_number(text: str) -> None:
    found = mistake(f"layer {text}")
    assert found.code == "DNN004"
    assert found.span is not None
    assert found.span.text.startswith(text.rstrip("+"))
    assert found.help


def test_a_long_sum_is_one_node() -> None:
    total = operand(" + ".join(["k"] * 9_999))
    assert isinstance(total, Sum)
    assert (len(total.terms), total.depth) == (9_999, 2)
    product = operand(" * ".join(["k"] * 9_999))
    assert isinstance(product, Product)
    assert (len(product.factors), product.depth) == (9_999, 2)


@pytest.mark.parametrize("operator", ["+", "*"])
def test_too_many_terms(operator: str) -> None:
    assert mistake("layer " + f" {operator} ".join(["1"] * 10_000)).code == "DNN009"


def test_parentheses_alone_are_not_depth() -> None:
    number = operand("(" * 1_000 + "5" + ")" * 1_000)
    assert (number.depth, number.span.end - number.span.start) == (1, 2_001)


@pytest.mark.parametrize("inside", ["(1 + {})", "f({})", "-{}", "2 ^ {}", "W[{}]", "f(k={})", "(1 < {})", "(2 * {})"])
def test_depth_has_a_limit(inside: str) -> None:
    def nested(times: int) -> str:
        before, _, after = inside.partition("{}")
        return before * times + "5" + after * times

    assert operand(nested(MAX_DEPTH - 1)).depth == MAX_DEPTH
    assert mistake(f"layer {nested(MAX_DEPTH)}").code == "DNN007"
    assert mistake(f"layer {nested(1_000)}").code == "DNN007"


@pytest.mark.parametrize("text", ["gate 32 -1", "gate 32\t-1", "param a = b -c", "layer f(a -b)", "gate 32 -k relu"])
def test_a_lopsided_minus_is_neither(text: str) -> None:
    found = mistake(text)
    assert found.code == "DNN013"
    assert found.span is not None
    assert found.span.text == "-"
    assert found.help is not None
    assert "(-b)" in found.help
