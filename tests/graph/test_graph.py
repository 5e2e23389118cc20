"""The Architecture as a whole: names, numbers, the networkx graph, outputs and losses, limits, speed."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.build import build
from dnnlang.sizes import M
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import parse
from dnnlang.syntax.tree import NodeStatement, Tree
from tests.graph.programs import attempt, built, mistake, mistakes

RESIDUAL = """\
input 64 as x
layer 64 relu as h
layer 64
add from h, _
apply relu
concat from x, _ as wide
layer 10 softmax from wide
"""


def test_nodes_are_named_and_numbered() -> None:
    architecture = built(RESIDUAL)
    assert [(n.name, n.kind.name, n.inputs, n.value) for n in architecture.nodes.values()] == [
        ("x", "input", (), "X"),
        ("h", "layer", ("x",), "A[1]"),
        ("layer[2]", "layer", ("h",), "A[2]"),
        ("add[1]", "add", ("h", "layer[2]"), "add[1]"),
        ("apply[1]", "apply", ("add[1]",), "apply[1]"),
        ("wide", "concat", ("x", "apply[1]"), "wide"),
        ("layer[3]", "layer", ("wide",), "A[3]"),
    ]
    assert architecture.inputs == ("x",)
    assert architecture.outputs == ("layer[3]",)
    assert architecture.aliases == {"h": "1"}


def test_nodes_can_be_named_by_their_number() -> None:
    architecture = built("layer 3\nlayer 3\nadd from layer[1], layer[2]\nadd from add[1], layer[1]")
    assert architecture.nodes["add[2]"].inputs == ("add[1]", "layer[1]")
    assert built("layer 3 from X").nodes["layer[1]"].inputs == ("X",)


def test_the_graph_has_nodes_and_edges_with_attributes() -> None:
    architecture = built(RESIDUAL)
    graph = architecture.graph
    assert list(graph.nodes) == list(architecture.nodes)
    assert graph.nodes["h"]["shape"] == (64, M)
    assert graph.nodes["h"]["kind"] == "layer"
    assert graph.nodes["h"]["data"] is architecture.nodes["h"]
    assert (graph.nodes["layer[3]"]["l"], graph.nodes["layer[3]"]["W"], graph.nodes["layer[3]"]["b"]) == (
        3,
        (10, 128),
        (10, 1),
    )
    assert graph.edges["x", "wide"]["operands"] == (0,)
    assert graph.edges["apply[1]", "wide"]["operands"] == (1,)
    assert "b" not in built("layer 3 bias=none").graph.nodes["layer[1]"]


def test_an_input_taken_twice_is_one_edge_with_two_operands() -> None:
    graph = built("layer 3 as h\nlayer 3 as g\nmultiply from h, g, h").graph
    assert graph.edges["h", "multiply[1]"]["operands"] == (0, 2)


def test_several_inputs_are_called_by_their_names() -> None:
    architecture = built("input 3 as a\ninput 4 as b\nconcat from a, b\nlayer 1")
    assert architecture.inputs == ("a", "b")
    assert architecture.nodes["a"].value == "a"
    unnamed = built("input 3 as a\ninput 4\nconcat from a, _")
    assert unnamed.inputs == ("a", "input[2]")


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [
        ("layer 3 as h\nadd from h, g", "DNN107", "g"),
        ("layer 3 as h\nadd from h, layer[3]", "DNN107", "layer[3]"),
        ("layer 3 as h\nadd from h, A[1]", "DNN107", "A[1]"),
        ("layer 3 as h\nadd from h, ad[1]", "DNN107", "ad[1]"),
        ("param w = 3\nlayer w as h\nadd from h, w", "DNN107", "w"),
        ("layer 3 as h\nadd from h, g\nlayer 3 as g", "DNN108", "g"),
        ("add from _, g as g\nlayer 3", "DNN108", "g"),
        ("layer 3\ninput 5", "DNN109", "layer"),
        ("input 3 as a\ninput 3 as b\nadd from a, X", "DNN107", "X"),
        ("layer 3 as h\nlayer 3 as h", "DNN101", "h"),
        ("param h = 3\nlayer h as h", "DNN101", "h"),
        ("dim d\nparam d = 3\nlayer d", "DNN101", "d"),
        ("layer 3 as L", "DNN102", "L"),
        ("dim X\nlayer X", "DNN102", "X"),
        ("layer 3 as parameters", "DNN102", "parameters"),
    ],
)
def test_wrong_names(program: str, code: str, text: str) -> None:
    found = mistake(program)
    assert found.code == code
    assert found.span is not None
    assert found.span.text == text


def test_a_duplicate_points_to_the_first() -> None:
    found = mistake("layer 3 as h\nlayer 4 as h\nlayer 5")
    assert [label.span.line for label in found.labels] == [1]


def test_close_names_are_suggested_with_a_fix() -> None:
    found = mistake("layer 3 as stem\nlayer 3\nadd from stm, _")
    assert found.help == "did you mean `stem`?"
    assert found.fix is not None
    assert [(e.span.text, e.text) for e in found.fix.edits] == [("stm", "stem")]


# ---------------------------------------------------------------- outputs and losses


def losses(program: str) -> list[tuple[str, str, Fraction, str]]:
    return [(use.loss.label, use.node, use.weight, use.target) for use in built(program).losses]


@pytest.mark.parametrize(
    ("program", "label"),
    [
        ("layer 1 sigmoid", "binary_cross_entropy"),
        ("layer 3 softmax", "cross_entropy"),
        ("layer 1", "mse"),
        ("layer 1 tanh", "mse"),
        ("layer 1\napply sigmoid", "binary_cross_entropy"),
        ("layer 1 sigmoid\ndropout 0.5", "mse"),
    ],
)
def test_the_default_loss_fits_the_output(program: str, label: str) -> None:
    assert [use[0] for use in losses(program)] == [label]


def test_several_losses_have_targets_of_their_own() -> None:
    program = "layer 8 as h\nlayer 1 sigmoid from h as p\nlayer 2 from h as q\noutput p, q\n"
    assert losses(program) == [("binary_cross_entropy", "p", 1, "Y[p]"), ("mse", "q", 1, "Y[q]")]
    stated = program + "loss mse from q weight=0.5\nloss mse from p\nloss mse from q"
    assert losses(stated) == [
        ("mse", "q", Fraction(1, 2), "Y[q]"),
        ("mse", "p", 1, "Y[p]"),
        ("mse", "q", 1, "Y[q]"),
    ]
    assert losses("layer 1\nloss mse\nloss mse weight=2") == [("mse", "layer[1]", 1, "Y"), ("mse", "layer[1]", 2, "Y")]


def test_outputs_may_stand_above_the_nodes_and_be_several() -> None:
    assert built("output p, q\nlayer 1 as p\nlayer 1 as q").outputs == ("p", "q")
    assert built("layer 1 as p\noutput _\nlayer 1 as q\noutput q").outputs == ("p", "q")


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("layer 1 as p\noutput p, p", "DNN121"),
        ("layer 1 as p\noutput q", "DNN107"),
        ("layer 1 as p\nlayer 1 as q\noutput p, q\nloss mse", "DNN122"),
        ("layer 1\nloss mse weight=-1", "DNN106"),
        ("layer 1\nloss mse wieght=1", "DNN118"),
        ("layer 1\nloss mse weight=1 weight=2", "DNN118"),
        ("layer 1\nloss msee", "DNN401"),
        ("layer 1\nloss mse from h", "DNN107"),
    ],
)
def test_wrong_outputs_and_losses(program: str, code: str) -> None:
    assert mistake(program).code == code


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("program", ["", "# nothing\n\n", "input 3", "param w = 3\nexpect m == m"])
def test_an_empty_program_is_refused(program: str) -> None:
    assert mistake(program).code == "DNN123"


def test_a_network_of_a_tebibyte_is_refused_with_an_estimate() -> None:
    found = mistake("layer 10^12")
    assert found.code == "DNN208"
    assert "7.28 TiB" in found.message
    assert any("taken as 1: n[0]" in note for note in found.notes)
    assert mistake("input 2^19\nlayer 2^19").code == "DNN208"
    assert attempt("input 2^19\nlayer 2^18")[0] is not None


@pytest.mark.parametrize(
    "size", ["9^9^9", "10^19", "2^62 * 4", "9_999_999_999 * 9_999_999_999", "9223372036854775808", "1" + "0" * 4000]
)
def test_large_numbers_are_refused_before_they_are_computed(size: str) -> None:
    start = time.perf_counter()
    assert len(mistakes(f"layer {size}")) == 1
    assert time.perf_counter() - start < 1


def test_sizes_that_double_are_refused_before_they_are_large() -> None:
    program = "layer 5 as h0\n" + "".join(f"concat from h{i}, h{i} as h{i + 1}\n" for i in range(80)) + "layer 1"
    assert mistake(program).code == "DNN202"


def test_a_long_sum_and_a_long_formula_are_refused() -> None:
    assert mistake(f"layer {'1 + ' * 10_000}1").code in ("DNN009", "DNN202")  # the parser's own limit comes first
    dims = "".join(f"dim d{i}\n" for i in range(150))
    assert mistake(f"{dims}layer ({' + '.join(f'd{i}' for i in range(150))})^3").code == "DNN202"


@pytest.mark.parametrize("form", ["({} // 2 + 1)", "2^({})", "({} / 3)", "(1 + {})", "({})", "-(-{})"])
@pytest.mark.parametrize("leaf", ["d", "5"])
def test_deep_sizes_compile_or_are_refused(form: str, leaf: str) -> None:
    size = leaf
    for _ in range(190):
        size = form.format(size)
    for program in (f"dim d\nlayer {size}\nlayer 1", f"param p = {size.replace('d', '4')}\nlayer 1"):
        architecture, found = attempt(program)
        assert (architecture is None) == any(d.severity == "error" for d in found)


def test_a_million_nodes_are_refused() -> None:
    found = Diagnostics()
    tree = parse(SourceFile("t", "layer 5"), found)
    node = tree.statements[0]
    assert isinstance(node, NodeStatement)
    assert build(Tree(tree.source, (node,) * 1_000_000), found) is None
    assert [d.code for d in found.found] == ["DNN208"]


def test_ten_thousand_layers_are_quick() -> None:
    found = Diagnostics()
    build(parse(SourceFile("t", "layer 5 relu"), found), found)  # the prelude is read once
    tree = parse(SourceFile("t", "layer 5 relu\n" * 10_000), found)
    start = time.perf_counter()
    architecture = build(tree, found)
    elapsed = time.perf_counter() - start
    assert architecture is not None
    assert len(architecture.nodes) == 10_001
    assert elapsed < 2.5  # about 0.4 s on an idle machine


def test_a_thousand_open_concats_stay_small() -> None:
    lines = "".join(f"input as x{i}\n" for i in range(300)) + "concat from x0, x1\n"
    lines += "".join(f"concat from _, x{i}\n" for i in range(2, 300))
    architecture = built(lines)
    assert len(architecture.symbols) == 300


def test_a_chain_of_params_may_be_long() -> None:
    lines = "param p0 = 1\n" + "".join(f"param p{i} = p{i - 1} + 1\n" for i in range(1, 3000))
    assert built(lines + "layer p2999").nodes["layer[1]"].units == 3000


# ---------------------------------------------------------------- beside syntax errors


def test_beside_a_syntax_error_only_certain_mistakes_are_reported() -> None:
    found = mistakes("layer 5 relu as h\nlayer (3 as g\nadd from g, h\nadd from h, q\nlayr 3\nlayer 2.5\n")
    codes = [d.code for d in found]
    assert codes.count("DNN107") == 1  # q, but not g, which may stand in the lost line
    assert {"DNN110", "DNN201"} <= set(codes)
    assert "DNN203" not in codes
