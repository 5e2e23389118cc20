"""`expect` in all its forms: true ones pass, false ones are told why."""

from __future__ import annotations

import pytest

from dnnlang.graph.expectations import decided
from dnnlang.sizes import Size, symbol
from tests.graph.programs import built, mistake

NET = """\
param width = 20
dim d
input 12288 as pixels
layer width relu
layer 7 relu as middle
concat from pixels, _ as wide
apply tanh
layer 1 sigmoid as head
"""


@pytest.mark.parametrize(
    "line",
    [
        "W[1] : (20, 12288)",
        "W[middle] : (7, 20)",
        "W[L] : (1, n[pixels] + n[2])",
        "W[L - 1] : (n[L - 1], n[L - 2])",
        "b[1] : (width, 1)",
        "Z[2] : (7, m)",
        "A[L] : (1, m)",
        "A[0] : (12288, m)",
        "dW[2] : (7, 20)",
        "db[head] : (1, 1)",
        "dZ[3] : (1, m)",
        "dA[L-1] : (7, m)",
        "dA[0] : (n[0], m)",
        "X : (n[0], m)",
        "dX : (n[pixels], m)",
        "Y : (1, m)",
        "Y[head] : (1, m)",
        "wide : (12295, m)",
        "dwide : (12295, m)",
        "apply[1] : (n[wide], m)",
        "dapply[1] : (n[wide], m)",
        "pixels : (12_288, m)",
        "_ : (1, m)",
        "n[1] == width",
        "n[2] < n[1]",
        "n[1] <= 20",
        "n[1] >= 20",
        "n[1] != 21",
        "n[0] > 12287",
        "parameters == 20*12288 + 20 + 7*20 + 7 + 12295 + 1",
        "parameters < 260_000",
        "L == 3",
        "m == m",
        "m >= 1",
        "d == d",
        "d + 1 > d",
        "2 * width == n[1] + n[1]",
    ],
)
def test_true_expectations(line: str) -> None:
    assert built(f"{NET}expect {line}").requirements == ()
    assert built(f"expect {line.replace('_ :', 'head :')}\n{NET}").requirements == ()  # they may stand anywhere


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("W[1] : (21, 12288)", "DNN205"),
        ("W[1] : (12288, 20)", "DNN205"),
        ("A[1] : (20, 64)", "DNN205"),
        ("A[1] : (m, 20)", "DNN205"),
        ("b[1] : (20, m)", "DNN205"),
        ("dW[2] : (20, 7)", "DNN205"),
        ("wide : (12294, m)", "DNN205"),
        ("W[1] : (0, 12288)", "DNN205"),
        ("n[1] == 21", "DNN206"),
        ("n[1] < 20", "DNN206"),
        ("n[1] == 20.5", "DNN206"),
        ("parameters == 5", "DNN206"),
        ("L == 2", "DNN206"),
        ("m == 64", "DNN206"),
        ("d < 1", "DNN206"),
        ("d == d + 1", "DNN206"),
        ("W[4] : (1, 1)", "DNN120"),
        ("W[0] : (1, 1)", "DNN120"),
        ("A[-1] : (1, m)", "DNN120"),
        ("W[L + 1] : (1, 1)", "DNN120"),
        ("W[mddle] : (1, 1)", "DNN120"),
        ("W[wide] : (1, 1)", "DNN120"),
        ("w[1] : (1, 1)", "DNN120"),
        ("V : (1, m)", "DNN120"),
        ("W[1.5] : (1, 1)", "DNN106"),
        ("W[d] : (1, 1)", "DNN106"),
        ("A[1] : (20.5, m)", "DNN106"),
        ("A[1] : (W[1], m)", "DNN120"),
        ("n[1] == widht", "DNN104"),
        ("n[1] == middle", "DNN105"),
        ("n[1] == relu", "DNN105"),
        ("n[1] == sqrt(400)", "DNN103"),
    ],
)
def test_false_or_wrong_expectations(line: str, code: str) -> None:
    assert mistake(f"{NET}expect {line}").code == code


def test_a_false_shape_names_both_ends() -> None:
    found = mistake("input 3\nlayer 5 relu\nlayer 1 sigmoid\nexpect W[2] : (1, 6)")
    assert found.message == "W[2] has shape (1, 5), not (1, 6)"
    assert [(label.span.line, label.span.text, label.message) for label in found.labels] == [
        (4, "6", "expected 6, found 5"),
        (2, "5", "n[1] = 5, from `layer 5` on line 2"),
    ]
    assert found.notes == ("W[l] is (n[l], n[l-1])",)
    assert found.help is not None
    assert "`expect W[2] : (1, 5)`" in found.help


def test_a_swapped_shape_says_so() -> None:
    assert "the other way round" in (mistake("input 3\nlayer 5\nexpect W[1] : (3, 5)").help or "")
    assert "each sample is a column" in (mistake("input 3\nlayer 5\nexpect A[1] : (m, 5)").help or "")


def test_a_false_count_tells_the_true_one() -> None:
    assert "`expect parameters == 26`" in (
        mistake("input 3\nlayer 5 relu\nlayer 1 sigmoid\nexpect parameters == 27").help or ""
    )


def test_a_missing_bias_is_explained() -> None:
    assert "`bias=none`" in (mistake("layer 5 bias=none\nexpect b[1] : (5, 1)").help or "")


def test_several_inputs_and_targets_are_asked_for_by_name() -> None:
    two = "input 3 as p\ninput 4 as q\nlayer 1 from p as a\nlayer 2 from q as b\noutput a, b\n"
    built(two + "expect p : (3, m)\nexpect Y[b] : (2, m)\nexpect n[q] == 4\nexpect A[p] : (3, m)")
    assert mistake(two + "expect Y : (1, m)").code == "DNN120"
    assert mistake(two + "expect A[0] : (3, m)").code == "DNN120"
    assert mistake(two + "expect X : (3, m)").code == "DNN120"


def test_relations_of_open_sizes_are_left_over() -> None:
    architecture = built("dim d\nlayer d\nexpect d < 100\nexpect n[1] != n[0]\nexpect parameters <= 5_000")
    assert [f"{r.left} {r.relation} {r.right}" for r in architecture.requirements] == [
        "d < 100",
        "d != n[0]",
        "d*n[0] + d <= 5000",
    ]


d, k = symbol("d"), symbol("k")


@pytest.mark.parametrize(
    ("left", "relation", "right", "answer"),
    [
        (d + 1, ">", d, True),
        (d, ">=", 1, True),
        (d, "<", 1, False),
        (d + k, "<=", 1, False),
        (d, "==", k, None),
        (d, "==", -1 * k, False),
        (d, "!=", d + 3, True),
        (2 * d, "<", d + k, None),
        (3, "<=", 3, True),
    ],
)
def test_relations_that_can_be_decided(left: Size, relation: str, right: Size, answer: bool | None) -> None:
    assert decided(left, relation, right) is answer
