"""Params, their domains, and values from outside; numbers and sizes as written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.build import bind
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import parse
from tests.graph.programs import built, mistake, mistakes


@pytest.mark.parametrize(
    ("size", "units"),
    [
        ("12_288", 12288),
        ("2 * (3 + 4) - 1", 13),
        ("width // 2^3", 8),
        ("2^3^2 / 2", 256),
        ("-3 + 5", 2),
        ("width * 1.5", 96),
        ("1e2", 100),
        ("rate * 10", 5),
        ("7 // 2 * 2", 6),
        ("half", 32),
        ("7.5 // 2", 3),
    ],
)
def test_sizes_are_exact(size: str, units: int) -> None:
    program = f"param half = width / 2\nparam width = 64\nparam rate = 0.5\nlayer {size}"
    assert built(program).nodes["layer[1]"].units == units


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ("65 / 2", "DNN204"),
        ("65 / 2 * 2", "DNN204"),
        ("1 / 0", "DNN204"),
        ("1 // 0", "DNN204"),
        ("2^-1", "DNN204"),
        ("2.5", "DNN201"),
        ("0.5 * 3", "DNN201"),
        ("3 - 3", "DNN201"),
        ("2^0.5", "DNN103"),
        ("exp(2)", "DNN103"),
        ("3 < 4", "DNN103"),
        ("widht", "DNN104"),
        ("h", "DNN105"),
        ("n[1]", "DNN105"),
        ("m", "DNN105"),
        ("L", "DNN105"),
    ],
)
def test_wrong_sizes(size: str, code: str) -> None:
    assert mistake(f"param width = 64\nlayer 3 as h\nlayer {size}").code == code


@pytest.mark.parametrize(
    ("size", "code"),
    [("-d", "DNN201"), ("d - d", "DNN201"), ("d + 0.5", "DNN204"), ("d / 0", "DNN204"), ("d^0.5", "DNN103")],
)
def test_wrong_open_sizes(size: str, code: str) -> None:
    assert mistake(f"dim d\nlayer {size}").code == code


def test_params_are_evaluated_in_any_order() -> None:
    assert dict(built("param c = a + b\nparam b = a * 2\nparam a = 1 / 4\nlayer 4 * c").params) == {
        "c": Fraction(3, 4),
        "b": Fraction(1, 2),
        "a": Fraction(1, 4),
    }


def test_a_cycle_of_params_is_told_once() -> None:
    found = mistake("param a = b\nparam b = c + 1\nparam c = a\nparam e = a\nlayer e")
    assert found.code == "DNN113"
    assert "a → b → c → a" in found.message
    assert len(found.labels) == 3
    assert mistake("param a = a\nlayer a").code == "DNN113"


def test_a_wrong_param_is_told_where_it_stands_only() -> None:
    found = mistake("param a = 1 / 0\nparam b = a\nlayer b\nlayer a\nexpect n[1] == 3\nexpect parameters == 2")
    assert found.code == "DNN204"


def test_a_param_is_no_formula_of_dims() -> None:
    assert mistake("dim d\nparam k = 2 * d\nlayer 3").code == "DNN105"
    assert mistake("dim d\nlayer 3\ndropout d").code == "DNN105"


@pytest.mark.parametrize(
    ("param", "code"),
    [
        ("w = 64 in {32, 64}", None),
        ("w = 3 in 1 .. 3", None),
        ("w = 0.01 in log(1e-4 .. 1e-1)", None),
        ("w = 48 in {32, 64}", "DNN114"),
        ("w = 4 in 1 .. 3", "DNN114"),
        ("w = 1 in log(1e-4 .. 1e-1)", "DNN114"),
        ("w = 2 in 3 .. 1", "DNN115"),
        ("w = 2 in log(0 .. 4)", "DNN115"),
    ],
)
def test_a_default_lies_in_its_domain(param: str, code: str | None) -> None:
    program = f"param {param}\nlayer 3\ntrain {{ learning_rate w }}"
    if code is None:
        built(program)
    else:
        assert mistake(program).code == code


def test_domains_may_use_params() -> None:
    built("param low = 2\nparam w = 3 in low .. 2 * low\nlayer w")


def test_values_from_outside_override() -> None:
    program = "param width = 64 in {32, 64}\nparam half = width // 2\nlayer half"
    for value in (128, 128.0, "128", "1_28", "1.28e2", Fraction(128)):
        assert built(program, params={"width": value}).nodes["layer[1]"].units == 64
    assert built("param r = 0.5\nlayer 3", params={"r": 0.1}).params == {"r": Fraction(1, 10)}


@pytest.mark.parametrize(
    "value", ["wide", "", "1/2", "0x10", "1e999", "nan", True, None, 2**63, "9" * 5000, float("inf")]
)
def test_wrong_values_from_outside(value: Any) -> None:
    assert [d.code for d in mistakes("param width = 64\nlayer width", params={"width": value})] == ["DNN117"]


@pytest.mark.parametrize("value", [0, -3, 2.5, "x", True, 2**63])
def test_wrong_sizes_from_outside(value: Any) -> None:
    assert mistakes("dim d\nlayer d", sizes={"d": value})[0].code == "DNN117"


def test_unknown_values_from_outside() -> None:
    found = mistake("param width = 64\nlayer width", params={"widht": 3})
    assert (found.code, found.help) == ("DNN116", "did you mean `width`?")
    assert mistake("layer 3", sizes={"n[1]": 3}).code == "DNN116"
    assert mistake("layer 3", sizes={"n[x]": 3}).code == "DNN116"


def test_a_size_from_outside_that_contradicts() -> None:
    found = mistake("input 5\nlayer 3", sizes={"n[0]": 4})
    assert found.code == "DNN117"
    assert "`-D n[0]=4`" in found.message
    assert found.labels[0].message == "5, from `input 5` on line 1"


def test_bind_tells_params_from_sizes() -> None:
    found = Diagnostics()
    tree = parse(SourceFile("t", "param w = 5\ndim d\ninput as left\ninput as right\nlayer w"), found)
    assert bind(tree, {"w": "1e2", "d": "4", "n[left]": "5"}, found) == ({"w": "1e2"}, {"d": 4, "n[left]": 5})
    assert not found.failed
    assert bind(tree, {"n[lft]": "3", "d": "x", "v": "1"}, found) == ({}, {})
    assert [d.code for d in found.found] == ["DNN116", "DNN117", "DNN116"]
    assert found.found[0].help == "did you mean `n[left]`?"


# ---------------------------------------------------------------- sizes bound when a network is loaded

OPEN = "dim d\ndim k\ninput 2*d as x\nlayer 3*k+1 from x\nadd from x, _"
SOLVED = "dim d\ndim k\ninput 2*d as x\nlayer k+1 from x\nadd from x, _"


@pytest.mark.parametrize(
    ("program", "sizes", "units"),
    [
        (OPEN, {"d": 5, "k": 3}, 10),
        (OPEN, {"d": 5}, 10),
        (OPEN, {"k": 3}, 10),
        (SOLVED, {"d": 2}, 4),
        (SOLVED, {"k": 3}, 4),
        ("dim d\ninput 3\nlayer d - 4", {"d": 5}, 1),
        ("dim d\ninput 3\nlayer d\nexpect d < 9", {"d": 8}, 8),
    ],
)
def test_bound_sizes_close_a_program(program: str, sizes: dict[str, int], units: int) -> None:
    architecture = built(program, sizes=sizes)
    assert list(architecture.nodes.values())[-1].units == units
    assert architecture.symbols == ()
    assert architecture.requirements == ()


@pytest.mark.parametrize(
    ("program", "sizes", "code"),
    [
        (OPEN, {"d": 4}, "DNN203"),
        (OPEN, {"d": 5, "k": 4}, "DNN203"),
        (SOLVED, {"k": 2}, "DNN203"),
        (SOLVED, {"d": 2, "k": 4}, "DNN203"),
        ("dim d\ninput 3\nlayer d - 4", {"d": 4}, "DNN201"),
        ("dim d\ninput 3\nlayer d / 2", {"d": 3}, "DNN201"),
        ("dim d\ninput 3\nlayer d\nexpect d < 9", {"d": 9}, "DNN206"),
        ("dim d\ninput 3\nlayer d", {"e": 9}, "DNN116"),
    ],
)
def test_bound_sizes_that_do_not_fit_are_told_where(program: str, sizes: dict[str, int], code: str) -> None:
    assert mistake(program, sizes=sizes).code == code
