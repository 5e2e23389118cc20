"""Warnings that experts would give: found from facts, whatever things are called, and not where all is well."""

from __future__ import annotations

import pytest

from dnnlang.diagnostics import Diagnostic, Diagnostics
from dnnlang.graph.build import build
from dnnlang.graph.definitions import Library
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import parse

SHARES = "define activation shares(z) = exp(z) / sum(exp(z))\n"
SURPRISE = "define loss surprise(a, y) = -sum(y * log(a)) given sum(y) = 1\n"


def said(text: str) -> list[Diagnostic]:
    found = Diagnostics()
    build(parse(SourceFile("test.dnn", text), found), found)
    return found.in_source_order()


def codes(text: str) -> list[str]:
    return [d.code for d in said(text)]


@pytest.mark.parametrize(
    ("definitions", "output", "code"),
    [
        ("", "layer 3 softmax\nloss cross_entropy", None),
        ("", "layer 3 softmax\nloss kl_divergence", None),
        ("", "layer 3 sigmoid\nloss binary_cross_entropy", None),
        ("", "layer 3 sigmoid\nloss mse", None),
        ("", "layer 3\nloss mse", None),
        ("", "layer 3 exp\nloss poisson", None),
        ("", "layer 3\napply softmax\nloss cross_entropy", None),
        ("", "layer 3 sigmoid\nloss cross_entropy", "DNN311"),
        ("", "layer 3 exp\nloss kl_divergence", "DNN311"),
        ("", "layer 3\napply sigmoid\nloss cross_entropy", "DNN311"),
        ("", "layer 3 softmax\nloss mse", "DNN312"),
        ("", "layer 3 softmax\nloss mae", "DNN312"),
        ("", "layer 3 softmax\nloss huber", "DNN312"),
        ("", "layer 3 relu\nloss binary_cross_entropy", "DNN310"),
        ("", "layer 3\nloss binary_cross_entropy", "DNN310"),
        ("", "layer 3 tanh\nloss binary_cross_entropy", "DNN310"),
        ("", "layer 3 relu\nloss cross_entropy", "DNN310"),
        ("", "layer 3\nloss cross_entropy", "DNN310"),
        # the same under other names
        (SHARES + SURPRISE, "layer 3 shares\nloss surprise", None),
        (SHARES, "layer 3 shares\nloss cross_entropy", None),
        (SHARES, "layer 3 shares\nloss mse", "DNN312"),
        (SURPRISE, "layer 3 sigmoid\nloss surprise", "DNN311"),
        ("define loss far(a, y) = sum((a - y)^2)\n", "layer 3 softmax\nloss far", "DNN312"),
        ("define activation squash(z) = 1 / (1 + exp(-z))\n", "layer 3 squash\nloss cross_entropy", "DNN311"),
        ("define activation ramp(z) = max(z, 0)\n", "layer 3 ramp\nloss binary_cross_entropy", "DNN310"),
        # what is given of the targets is of no use to these losses: they do not count on it
        ("define loss nll(a, y) = -sum(y * a) given sum(y) = 1\n", "layer 3 log_softmax\nloss nll", None),
        ("define loss far(a, y) = sum((a - y)^2) given sum(y) = 1\n", "layer 3 sigmoid\nloss far", None),
        # shares of 2 instead of 1, and a sum that targets have to obey accordingly
        (
            f"define activation pairs(z) = 2 * softmax(z)\n{SURPRISE}".replace("log(a)", "log(a / 2)"),
            "layer 3 pairs\nloss surprise",
            "DNN311",
        ),
    ],
)
def test_a_loss_and_its_output(definitions: str, output: str, code: str | None) -> None:
    assert codes(f"{definitions}layer 5 relu\n{output}\n") == ([] if code is None else [code])


@pytest.mark.parametrize("activation", Library.standard().names("activation"))
def test_no_default_loss_is_warned_of(activation: str) -> None:
    assert codes(f"layer 5 relu\nlayer 3 {activation}\n") == []


def test_a_concrete_case_is_shown() -> None:
    (diagnostic,) = said("layer 5\nlayer 1 tanh\nloss binary_cross_entropy")
    assert diagnostic.notes == ("for Z = -1 the output is -0.7616, and the loss of that is no number (y = 1)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer 5\nlayer 1 softmax", ["DNN314"]),
        ("layer 5\nlayer 1 softmax\nloss mse", ["DNN314"]),
        ("layer 5\nlayer 1\napply softmax", ["DNN314"]),
        ("param k = 1\nlayer 5\nlayer k log_softmax", ["DNN314"]),
        (SHARES + "layer 5\nlayer 1 shares", ["DNN314"]),
        ("layer 5\nlayer 1 softmax from layer[1] as gate\nlayer 3 softmax", ["DNN314"]),
        ("layer 1\nlayernorm\nlayer 1", ["DNN314"]),
        ("dim k\nlayer 5\nlayer k softmax", []),
        ("layer 5\nlayer 2 softmax", []),
        ("define activation one(z) = 0 * z + 1\nlayer 1 one\nlayer 1", []),
    ],
)
def test_one_unit(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("input 8 as x\nlayer 8 relu as h\nlayer 1 from x", [2]),
        ("input 8 as x\nlayer 8 relu\nlayer 8 relu\nlayer 8 relu\nlayer 1 from x", [4]),
        ("input 8 as x\ninput 8 as y\nlayer 1 from x", [2]),
        ("layer 8\nlayer 3 softmax as p\nlayer 9\noutput p", [3]),
        ("layer 8 as h\nlayer 1 sigmoid as p\nlayer 1 from h as q\noutput p\nloss mse from q\nloss mse from p", []),
        ("input 8\nlayer 8 as a\nlayer 8 share=a\nlayer 1", []),
        ("input 8 as x\nlayer 8 from x as a\nlayer 8 from x share=a\nlayer 1", []),
        ("repeat 3 { layer 8 as a; layer 8 as b; add from a, b }\nlayer 1", []),
        ("repeat 3 {\nlayer 8 as a\nlayer 8 as b\nlayer 8 from a\n}\nlayer 1", [3]),
        ("repeat 3 { layer 8 as a }\nlayer 1", []),
    ],
)
def test_nodes_that_reach_no_output(text: str, lines: list[int]) -> None:
    found = said(text)
    assert {d.code for d in found} <= {"DNN320"}
    assert [d.span.line for d in found if d.span is not None] == lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("param a = 1\nlayer 1", ["DNN321"]),
        ("dim a\nlayer 1", ["DNN321"]),
        ("param a = 1\nparam b = a\nlayer 1", ["DNN321", "DNN321"]),
        ("param a = 1\nparam b = a\nlayer b\nlayer 1", []),
        ("param a = 0.1\nlayer 1\ntrain { learning_rate a }", []),
        ("param a = 5\nlayer a as h\nlayer 1\nexpect n[1] == a", []),
        ("param a = 5\nlayer 5\nlayer 1\nexpect n[1] == a", []),
        ("param a = 5\nblock b(k) { layer a }\nb 3\nlayer 1", []),
        ("param k = 5\nblock b(k) { layer k }\nb 3\nlayer 1", ["DNN321"]),
        ("param k = 5\nblock b(k) { layer k }\nb k\nlayer 1", []),
        ("param d = 2\nrepeat d { layer 3 }\nlayer 1", []),
        ("param d = 2\ndefine activation f(z; d=1) = d * z\nlayer 3 f\nlayer 1", ["DNN321"]),
        ("block a(k) { layer k }\nlayer 1", ["DNN322"]),
        ("block a(k) { layer k }\nblock b(k) { a k }\nlayer 1", ["DNN322", "DNN322"]),
        ("block a(k) { layer k }\nblock b(k) { a k }\nb 3\nlayer 1", []),
        ("block a(k) { layer k }\nrepeat 2 { a 3 }\nlayer 1", []),
        ("define activation f(z) = z^3\nlayer 1", ["DNN323"]),
        ("define activation f(z) = z^3\ndefine activation g(z) = f(z) + z\nlayer 3 g\nlayer 1", []),
        ("define activation f(z) = z^3\nlayer 3 f\nlayer 1", []),
        ("define activation f(z) = z^3\nblock b(g) { layer 3 g }\nb f\nlayer 1", []),
        ("define init f(fan_in, fan_out) = normal()\nlayer 3 init=f\nlayer 1", []),
        ("define init f(fan_in, fan_out) = normal()\ndefine activation g(z) = z^3 init=f\nlayer 3 g\nlayer 1", []),
        ("define loss f(a, y) = (a - y)^4\nlayer 1", ["DNN323"]),
        ("define loss f(a, y) = (a - y)^4\nlayer 1\nloss f", []),
        ("define optimizer f(w, g) { w = w - rate * g }\nlayer 1", ["DNN323"]),
        ("define optimizer f(w, g) { w = w - rate * g }\nlayer 1\ntrain { optimizer f }", []),
        ("define init xavier(fan_in, fan_out) = normal()\nlayer 1", ["DNN405"]),  # the default initializer
    ],
)
def test_what_nothing_uses(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer 3 softmax\ndropout 0.5\nloss cross_entropy", ["DNN330"]),
        ("layer 3\ndropout 0.5\napply softmax\nloss cross_entropy", ["DNN330"]),
        ("layer 3 relu\ndropout 0\nloss mse", []),
        ("layer 3 relu\ndropout 0.5\nlayer 3 softmax", []),
        ("layer 8\nbatchnorm\napply relu\nlayer 1", ["DNN331"]),
        ("layer 8 linear\nbatchnorm\nlayer 1", ["DNN331"]),
        ("layer 8 bias=none\nbatchnorm\nlayer 1", []),
        ("layer 8 relu\nbatchnorm\nlayer 1", []),
        ("input 8\nlayer 8 as h\nbatchnorm\nadd from h, _\nlayer 1", []),
        ("layer 8\nlayernorm\nlayer 1", []),
        ("layer 8 relu init=zeros\nlayer 1", ["DNN332"]),
        ("layer 8 relu init=ones\nlayer 1", ["DNN332"]),
        ("layer 8 relu init=constant(0.3)\nlayer 1", ["DNN332"]),
        ("define init flat(fan_in, fan_out) = 1 / fan_in\nlayer 8 init=flat\nlayer 1", ["DNN332"]),
        ("define activation f(z) = z^3 init=zeros\nlayer 8 f\nlayer 1", ["DNN332"]),
        ("layer 1 relu init=zeros\nlayer 1", []),  # one unit cannot be like another
        ("layer 3 softmax init=zeros", []),  # the targets make the units of the output differ
        ("input 8 as x\nlayer 8 relu\nlayer 8 init=zeros\nadd from x, _\nlayer 1", []),  # a residual branch
        ("block b(k) { layer k relu init=zeros }\nb 3\nb 4\nlayer 1", ["DNN332"]),
    ],
)
def test_nodes_in_the_wrong_place(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_a_program_with_an_error_gets_no_advice() -> None:
    assert codes("param a = 1\nlayer 5 rellu\nlayer 1 softmax") == ["DNN401"]


def test_imported_declarations_may_stay_unused() -> None:
    from dnnlang.syntax.imports import Kept, with_imports

    found = Diagnostics()
    library = SourceFile("lib.dnn", "param a = 1\nblock b(k) { layer k }\n", imported=True)
    tree = with_imports(
        parse(SourceFile("test.dnn", 'import "lib.dnn"\nlayer 1'), found), Kept({"lib.dnn": library}), found
    )
    assert build(tree, found) is not None
    assert found.found == []
