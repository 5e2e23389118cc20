"""`block`: a new kind of node, with parameters, defaults and several inputs; and how mistakes around it are told."""

from __future__ import annotations

import time

import pytest

from tests.graph.programs import attempt, built, mistake, mistakes, sizes

RESIDUAL = """\
param width = 64 in {32, 64, 128}
param depth = 3 in 1 .. 5

block residual(k; rate=0.1) from x {   # a block is a new kind
    layer k relu
    dropout rate
    layer k
    add from x, _
}

input 20
layer width relu
repeat depth { residual width rate=0.2 } as trunk
layer 1 sigmoid
"""


def activations(program: str) -> list[str]:
    nodes = built(program).nodes.values()
    return [node.detail.activation.label for node in nodes if hasattr(node.detail, "activation")]


def test_the_program_of_the_language_page() -> None:
    architecture = built(RESIDUAL)
    assert len(architecture.nodes) == 1 + 1 + 3 * 4 + 1
    assert architecture.nodes["add[2]"].inputs == ("add[1]", "layer[5]")
    assert architecture.nodes["trunk"].inputs == ("add[2]", "layer[7]")
    assert architecture.nodes["layer[8]"].inputs == ("trunk",)
    assert str(architecture.nodes["dropout[3]"].detail.rate) == "1/5"
    assert len(built(RESIDUAL, params={"depth": 5, "width": 32}).parameters) == 2 * (1 + 2 * 5 + 1)


def test_operands_and_options_are_handed_over() -> None:
    program = "block b(k, j; r=0.5) {\n layer k * j\n dropout r\n}\nb 2 3\nb 4 5 r=0.25\nlayer 1"
    nodes = built(program).nodes
    assert (nodes["layer[1]"].units, nodes["layer[2]"].units) == (6, 20)
    assert (float(nodes["dropout[1]"].detail.rate), float(nodes["dropout[2]"].detail.rate)) == (0.5, 0.25)


def test_activations_are_handed_over_with_their_options() -> None:
    program = "block b(k, g; h=tanh) {\n layer k g\n apply h\n}\n"
    assert activations(program + "b 3 relu") == ["relu", "tanh"]
    assert activations(program + "b 3 leaky_relu(slope=0.2) h=sigmoid") == ["leaky_relu(slope=0.2)", "sigmoid"]
    assert activations(program + "b 3 exp") == ["exp", "tanh"]


def test_options_of_activations_can_be_parameters() -> None:
    assert activations("block b(s) { layer 3 leaky_relu(s) }\nb 0.2\nb 0.3") == ["leaky_relu(0.2)", "leaky_relu(0.3)"]


def test_what_is_handed_over_can_be_handed_on() -> None:
    program = "block in1(k, g) { layer k g }\nblock out1(j, f) { in1 2 * j f }\nout1 4 relu\nlayer 1"
    assert sizes(built(program))["layer[1]"] == "8"
    assert activations(program) == ["relu", "linear"]


def test_a_default_can_use_what_stands_before_it() -> None:
    program = "param w = 5\nblock b(k; j=2 * k, l=j + w) { layer l }\n"
    assert sizes(built(program + "b 3"))["layer[1]"] == "11"
    assert sizes(built(program + "b 3 j=1"))["layer[1]"] == "6"


def test_sizes_that_are_not_known_yet_are_handed_over() -> None:
    architecture = built("dim d\nblock b(k) from x {\n layer 2 * k\n layer k\n add from x, _\n}\ninput as x\nb d + 1")
    assert sizes(architecture) == {"x": "d + 1", "layer[1]": "2*d + 2", "layer[2]": "d + 1", "add[1]": "d + 1"}


def test_a_quotient_is_a_rate_or_a_size() -> None:
    assert sizes(built("block b(k) { layer k }\nb 10 / 2"))["layer[1]"] == "5"
    assert float(built("block b(r) { dropout r }\nlayer 3\nb 1 / 4").nodes["dropout[1]"].detail.rate) == 0.25
    assert mistake("block b(k) { layer k }\nb 5 / 2").message == "a size is a whole number, not 2.5"


def test_a_block_can_take_several_inputs() -> None:
    program = "block gate(k) from a, b {\n layer k from a as u\n layer k sigmoid from b\n multiply from u, _\n}\n"
    architecture = built(program + "input 3 as p\ninput 4 as q\ngate 32 from q, p as g\nlayer 1 from g")
    assert [architecture.nodes[f"layer[{i}]"].inputs for i in (1, 2)] == [("q",), ("p",)]
    assert architecture.nodes["g"].inputs == ("layer[1]", "layer[2]")


def test_one_input_is_also_the_previous_node() -> None:
    nodes = built("block b(k) from x {\n layer k\n add from x, _\n}\ninput 3 as v\nlayer 5\nb 3 from v\nb 3").nodes
    assert nodes["layer[2]"].inputs == ("v",)
    assert nodes["layer[3]"].inputs == ("add[1]",)
    assert nodes["add[2]"].inputs == ("add[1]", "layer[3]")


def test_a_head_without_from_takes_the_previous_node() -> None:
    assert built("block b(k) { layer k }\nlayer 5\nb 3").nodes["layer[2]"].inputs == ("layer[1]",)


def test_uses_can_be_named_like_nodes() -> None:
    program = "block pair(k) {\n layer k\n layer k + 1\n}\npair 3\npair 4 as p\npair 5\n"
    architecture = built(program + "concat from pair[1], p\nexpect pair[3] : (6, m)\nexpect A[4] : (5, m)")
    assert architecture.nodes["concat[1]"].inputs == ("layer[2]", "p")
    assert architecture.aliases == {"p": "4"}


def test_local_names_do_not_meet() -> None:
    program = (
        "param h = 3\nblock b(k) from x {\n layer k as h\n add from x, h\n}\nlayer 5 as k\nlayer h as x\nb 3 as y\n"
    )
    assert built(program + "b 3 from y").nodes["add[2]"].inputs == ("y", "layer[4]")


def test_a_block_sees_params_dims_and_other_blocks() -> None:
    program = "block outer { inner w }\nlayer 2\nouter\nblock inner(k) { layer k + d }\nparam w = 4\ndim d"
    assert sizes(built(program))["layer[2]"] == "d + 4"


def test_a_block_may_have_the_name_of_a_kind() -> None:
    architecture, found = attempt("block dropout(k) { layer k }\ndropout 5\nlayer 1")
    assert architecture is not None
    assert [n.kind.name for n in architecture.nodes.values()] == ["input", "layer", "layer"]
    assert [(d.code, d.severity) for d in found] == [("DNN301", "warning")]


def test_blocks_use_each_other_to_any_depth() -> None:
    lines = "block b0(k) { layer k }\n" + "".join(f"block b{i}(k) {{ b{i - 1} k }}\n" for i in range(1, 2_000))
    assert built(lines + "b1999 7\nlayer 1").nodes["layer[1]"].units == 7


# ---------------------------------------------------------------- mistakes


HEAD = "block residual(k; rate=0.1) from x {\n layer k\n dropout rate\n}\ninput 3 as u\n"


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        ("residual", "DNN127", "residual"),
        ("residual 5 6", "DNN127", "6"),
        ("residual 5 0.2 7", "DNN127", "0.2"),
        ("residual 5 rat=0.2", "DNN127", "rat"),
        ("residual k=5", "DNN127", "k"),
        ("residual 5 rate=0.1 rate=0.2", "DNN127", "rate=0.2"),
        ("residual 5 from u, u", "DNN119", "u"),
        ("residual 5 from v", "DNN107", "v"),
        ("residual w", "DNN104", "w"),
        ("residual u", "DNN105", "u"),
        ("residual he", "DNN105", "he"),
        ("residual residual", "DNN105", "residual"),
        ("residual 5 rate=1.5", "DNN106", "rate"),
        ("residual 5 rate=tanh", "DNN105", "rate"),
        ("residual tanh", "DNN105", "k"),
        ("residual tanhh", "DNN104", "tanhh"),
        ("residul 5", "DNN110", "residul"),
        ("residual 5 as u", "DNN101", "u"),
        ("layer residual", "DNN105", "residual"),
        ("layer 5 from residual", "DNN107", "residual"),
        ("dim d\nresidual 5 rate=d", "DNN105", "rate"),
        ("residual 0", "DNN201", "k"),
        ("param residual = 3\nlayer 2", "DNN101", "residual"),
    ],
)
def test_wrong_uses(line: str, code: str, text: str) -> None:
    found = mistake(HEAD + line)
    assert found.code == code
    assert found.span is not None
    assert found.span.text == text
    assert found.help is not None


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [
        ("block b { }\nb", "DNN126", "block b"),
        ("block b(k, k) { layer k }\nb 1 2", "DNN127", "k"),
        ("block b(k; k=2) { layer k }\nb 1", "DNN127", "k"),
        ("block b(k) from k { layer k }\nb 1", "DNN127", "k"),
        ("block b(m) { layer m }\nb 1", "DNN102", "m"),
        ("block b from x, y { layer 3 }\ninput 3 as u\nb from u, u", "DNN109", "layer"),
        (
            "block b from x, y { repeat 0 { layer 3 from x } }\ninput 3 as u\nb from u, u\nlayer 1",
            "DNN126",
            "block b from x, y",
        ),
        ("layer 3 as h\nblock b { add from h, _ }\nb", "DNN107", "h"),
        ("input 3\nblock b { add from X, _ }\nlayer 3\nb", "DNN107", "X"),
        ("layer 3\nblock b { add from layer[1], _ }\nb", "DNN107", "layer[1]"),
        ("layer 3\nblock b { layer 3 share=layer[1] }\nb", "DNN107", "layer[1]"),
        ("block b { layer i }\nrepeat i in 1 .. 2 { b }", "DNN104", "i"),
        ("block b(g) { layer 3 g(0.1) }\nb relu", "DNN106", "g(0.1)"),
        ("block b(g) { apply g }\nlayer 2\nb 5", "DNN105", "g"),
        ("block b { layr 5 }\nlayer 1", "DNN110", "layr"),  # not used, and checked all the same
        ("block b { layer 5 }\nblock b { layer 6 }\nb", "DNN101", "b"),
    ],
)
def test_wrong_blocks(program: str, code: str, text: str) -> None:
    found = mistake(program)
    assert found.code == code
    assert found.span is not None
    assert found.span.text == text
    assert found.help is not None


def test_a_mistake_in_a_body_points_to_the_line_of_use() -> None:
    found = mistake(RESIDUAL.replace("{ residual width rate", "{ residual width + 1 rate"))
    assert found.code == "DNN203"
    assert found.span is not None
    assert found.span.line == 8
    assert [(label.span.line, label.message) for label in found.labels] == [
        (8, "64 = width, set on line 1"),
        (8, "65 = k, handed over as `width + 1` on line 13"),
        (13, "the block `residual` is used here"),
        (13, "in copy 1 of 3"),
    ]
    assert found.notes == ("n[1] = 64, n[3] = 65",)


def test_a_mistake_that_a_line_outside_brings_about_points_to_the_use_too() -> None:
    program = "block same from a, b { add from a, b }\ninput 2 as p\ninput as q\nsame from p, q\nexpect n[q] == 3"
    found = mistake(program)
    assert found.code == "DNN206"
    twice = "dim d\nblock b(k) from a { layer k\nadd from a, _ }\ninput 2 * d as p\nb 7\nexpect d == 3"
    found = mistake(twice)
    assert found.code == "DNN203"
    assert (found.labels[-1].span.line, found.labels[-1].message) == (5, "the block `b` is used here")


def test_formulas_keep_the_users_names_with_values_beside() -> None:
    program = "param width = 64\nblock b(k) from x {\n layer k // 2\n add from x, _\n}\ninput 9\nb 2*width + 1\nlayer 1"
    found = mistake(program, params={"width": 30})
    assert [label.message for label in found.labels[:2]] == [
        "9, from `input 9` on line 6",
        "30 = k // 2, from `layer k // 2` on line 3",
    ]
    assert found.notes == (
        "n[0] = 9, n[1] = 30",
        "k = 61, handed over as `2*width + 1` on line 7",
        "width = 30, set by `-D width=30`",
    )


def test_the_help_uses_names_that_can_be_used_there() -> None:
    inside = mistake("param w = 4\nblock b(k) from x {\n layer k\n add from x, _\n}\ninput 3\nlayer w\nb 5")
    assert inside.help is not None
    assert "`w`" in inside.help
    outside = mistake("block b(k) { layer k }\ninput 3\nb 5 as h\nlayer 6\nadd from h, _")
    assert outside.help is not None
    assert "`layer 5`" in outside.help  # k means nothing there


def test_blocks_do_not_recurse() -> None:
    found = mistake("block a { b }\nblock b {\n repeat 2 { c }\n}\nblock c { a }\na\nlayer 1")
    assert found.code == "DNN125"
    assert "a → b → c → a" in found.message
    assert [label.message for label in found.labels] == [
        "`a` uses `b` here",
        "`b` uses `c` here",
        "`c` uses `a` here",
    ]


def test_two_circles_are_two_mistakes() -> None:
    assert [d.code for d in mistakes("block a { a }\nblock b { b }\nlayer 1")] == ["DNN125", "DNN125"]


def test_a_use_that_fails_keeps_what_depends_on_it_silent() -> None:
    assert [d.code for d in mistakes(HEAD + "residual as h\nadd from h, u\nexpect W[5] : (1, 1)")] == ["DNN127"]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    ("leaf", "body", "use"),
    [
        ("b0 { layer 5 }", "b{i} {{ b{j}; b{j} }}", "b60"),
        ("b0(k) { layer k }", "b{i}(k) {{ b{j} 2*k; b{j} 2*k + 1 }}", "b60 1"),
        ("b0(k) { repeat k { layer 5 } }", "b{i}(k) {{ b{j} 2*k; b{j} 2*k + 1 }}", "b60 1"),
        ("b0(k) { repeat k - k + 1 { layer 5 } }", "b{i}(k) {{ b{j} k + 1; b{j} 3*k }}", "b60 1"),
        ("b0(k) { repeat k { layer 5 } }", "b{i}(k) {{ b{j} 2*k }}", "b60 1"),
        ("b0(k; n=k) { repeat n { layer 5 } }", "b{i}(k; n=2*k) {{ b{j} n }}", "b60 1"),
    ],
)
def test_blocks_that_double_are_refused_at_once(leaf: str, body: str, use: str) -> None:
    lines = [f"block {leaf}", *(f"block {body.format(i=i, j=i - 1)}" for i in range(1, 61)), use]
    start = time.perf_counter()
    found = mistake("\n".join(lines))
    assert found.code == "DNN208"
    assert found.span is not None
    assert found.span.text == use
    assert time.perf_counter() - start < 1


def test_sizes_that_double_from_block_to_block_are_refused() -> None:
    lines = ["block b0(k) { layer k }", *(f"block b{i}(k) {{ b{i - 1} k * k }}" for i in range(1, 80)), "b79 2"]
    assert mistake("\n".join(lines)).code == "DNN202"


def test_a_mistake_at_the_bottom_of_many_uses_is_found_at_once() -> None:
    lines = ["block b0 { layer 5 rellu }", *(f"block b{i} {{ b{i - 1}; b{i - 1} }}" for i in range(1, 19)), "b18"]
    start = time.perf_counter()
    assert mistake("\n".join(lines)).code == "DNN401"
    assert time.perf_counter() - start < 1


def test_a_program_just_below_the_limit_is_counted_exactly() -> None:
    lines = [
        "block b0(n) { repeat n { layer 5 } }",
        *(f"block b{i}(n) {{ b{i - 1} n; b{i - 1} n }}" for i in range(1, 4)),
    ]
    assert attempt("\n".join([*lines, "b3 125_000"]))[1][0].code == "DNN208"
    assert len(built("\n".join([*lines, "b3 100"])).nodes) == 801
