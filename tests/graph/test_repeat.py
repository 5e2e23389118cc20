"""`repeat`: copies, counters, local names, what goes in and comes out, and how mistakes in a body are told."""

from __future__ import annotations

import time

import pytest

from tests.graph.programs import attempt, built, mistake, mistakes, sizes


def names(program: str) -> list[str]:
    return list(built(program).nodes)


def test_a_body_stands_in_the_network_as_often_as_asked() -> None:
    architecture = built("input 3\nrepeat 3 { layer 5 relu }\nlayer 1 sigmoid")
    assert sizes(architecture) == {"X": "3", "layer[1]": "5", "layer[2]": "5", "layer[3]": "5", "layer[4]": "1"}
    assert [n.inputs for n in architecture.nodes.values()] == [
        (),
        ("X",),
        ("layer[1]",),
        ("layer[2]",),
        ("layer[3]",),
    ]
    assert architecture.parameters["W[2]"].shape == (5, 5)


def test_the_count_is_any_number_known_at_compile_time() -> None:
    program = "param depth = 2\nrepeat 2 * depth - 1 { layer 5 }\nlayer 1"
    assert len(built(program).nodes) == 1 + 3 + 1
    assert len(built(program, params={"depth": 4}).nodes) == 1 + 7 + 1


def test_a_counter_counts_as_it_goes() -> None:
    program = "param width = 64\nparam depth = 3\nrepeat i in 1 .. depth { layer width // 2^i relu }\nlayer 1"
    assert list(sizes(built(program)).values()) == ["n[0]", "32", "16", "8", "1"]
    assert list(sizes(built("repeat i in 0 .. 2 { layer 7 - i }")).values()) == ["n[0]", "7", "6", "5"]
    assert list(sizes(built("repeat i in 2 { layer 7 - i }")).values()) == ["n[0]", "6", "5"]


def test_a_repeat_without_copies_is_not_there() -> None:
    without = built("input 3\nlayer 5 as h\nrepeat 0 { layer 7 } as same\nadd from h, same\nlayer 1")
    assert without.nodes["add[1]"].inputs == ("h", "h")
    assert len(built("layer 5\nrepeat i in 1 .. 0 { layer 7 }\nlayer 1").nodes) == 3


@pytest.mark.parametrize("program", ["repeat 0 { layer 5 }", "block b(n) { repeat n { layer 5 } }\ninput 3\nb 0"])
def test_nothing_but_bodies_without_copies_is_an_empty_program(program: str) -> None:
    assert mistake(program).code == "DNN123"


def test_bodies_nest() -> None:
    program = "repeat i in 1 .. 2 { layer 10 * i; repeat j in 1 .. i { layer 10 * i + j } }"
    assert list(sizes(built(program)).values()) == ["n[0]", "10", "11", "20", "21", "22"]


def test_names_are_local_to_each_copy() -> None:
    architecture = built("repeat 2 {\n  layer 5 as h\n  layer 5\n  add from h, _\n}\nlayer 1")
    adds = [node for node in architecture.nodes.values() if node.kind.name == "add"]
    assert [node.inputs for node in adds] == [("layer[1]", "layer[2]"), ("layer[3]", "layer[4]")]
    assert architecture.aliases == {}


def test_a_name_of_a_body_is_not_seen_outside() -> None:
    found = mistake("repeat 2 { layer 5 as h }\nadd from h, _")
    assert (found.code, found.span and found.span.text) == ("DNN107", "h")


def test_a_body_sees_the_nodes_around_it() -> None:
    architecture = built("layer 5 as stem\nrepeat 2 {\n  layer 5\n  add from stem, _\n}\nlayer 1")
    assert [architecture.nodes[f"add[{i}]"].inputs for i in (1, 2)] == [("stem", "layer[2]"), ("stem", "layer[3]")]
    nested = built("repeat 2 {\n  layer 4 as h\n  repeat 2 {\n    layer 4\n    add from h, _\n  }\n}")
    assert [nested.nodes[f"add[{i}]"].inputs[0] for i in range(1, 5)] == ["layer[1]"] * 2 + ["layer[4]"] * 2


def test_an_inner_name_hides_an_outer_one() -> None:
    architecture = built("layer 5 as h\nrepeat 1 {\n  layer 5 as h\n  add from h, h\n}\nadd from h, _")
    assert architecture.nodes["add[1]"].inputs == ("layer[2]", "layer[2]")
    assert architecture.nodes["add[2]"].inputs == ("h", "add[1]")


def test_copies_can_share_a_layer() -> None:
    architecture = built("input 5\nlayer 5 relu as first\nrepeat 3 { layer 5 relu share=first }\nlayer 1")
    assert list(architecture.parameters) == ["W[1]", "b[1]", "W[5]", "b[5]"]


def test_as_names_the_last_node() -> None:
    architecture = built("input 3\nrepeat 2 { layer 5 relu } as trunk\nlayer 1 from trunk\nexpect W[trunk] : (5, 5)")
    assert names("repeat 2 { layer 5 } as trunk\nlayer 1 from trunk") == ["X", "layer[1]", "trunk", "layer[3]"]
    assert architecture.aliases == {"trunk": "2"}
    assert architecture.nodes["trunk"].value == "A[2]"


def test_as_in_a_body_is_local_too() -> None:
    architecture = built("repeat 2 {\n  layer 4 as h\n  repeat 2 { layer 4 } as inner\n  add from h, inner\n}")
    assert [architecture.nodes[f"add[{i}]"].inputs for i in (1, 2)] == [
        ("layer[1]", "layer[3]"),
        ("layer[4]", "layer[6]"),
    ]


def test_from_says_what_goes_into_the_first_copy() -> None:
    architecture = built("input 3 as x\nlayer 5 as h\nrepeat 2 from x { layer 4 }")
    assert [architecture.nodes[f"layer[{i}]"].inputs for i in (2, 3)] == [("x",), ("layer[2]",)]


def test_a_repeat_can_be_the_first_statement() -> None:
    assert built("repeat 2 { layer 3 }").nodes["layer[1]"].inputs == ("X",)


def test_sizes_are_inferred_through_copies() -> None:
    architecture = built("input as x\nrepeat 3 {\n  layer 8\n  add from x, _\n}\nlayer 1")
    assert architecture.nodes["x"].units == 8


# ---------------------------------------------------------------- structure


def test_nodes_know_their_copy() -> None:
    architecture = built("repeat 2 {\n  layer 5\n  repeat i in 4 .. 5 { layer i }\n}\nlayer 1")
    copies = [
        [(copy.name, copy.number, copy.span.text) for copy in node.within.outwards()]
        for node in architecture.nodes.values()
        if node.within is not None
    ]
    assert copies[0] == [("repeat", 1, "repeat 2")]
    assert copies[2] == [("repeat", 2, "repeat i in 4 .. 5"), ("repeat", 1, "repeat 2")]
    assert copies[3] == [("repeat", 2, "repeat 2")]
    assert architecture.nodes["layer[7]"].within is None


def test_the_graph_carries_the_structure() -> None:
    graph = built("block pair(k) { layer k; layer k }\nrepeat 2 { pair 5 }\nlayer 1").graph
    assert (graph.nodes["layer[3]"]["block"], graph.nodes["layer[3]"]["copy"]) == ("pair", 2)
    assert graph.nodes["layer[3]"]["within"] == (("repeat", 2), ("pair", 2))
    assert "block" not in graph.nodes["layer[5]"]


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [
        ("repeat -1 { layer 5 }", "DNN128", "-1"),
        ("repeat 5 / 2 { layer 5 }", "DNN128", "5 / 2"),
        ("repeat i in 5 .. 1 { layer 5 }", "DNN128", "1"),
        ("dim d\nrepeat d { layer d }", "DNN105", "d"),
        ("repeat n { layer 5 }", "DNN104", "n"),
        ("layer 5 as h\nrepeat h { layer 5 }", "DNN105", "h"),
        ("repeat 2 { }\nlayer 1", "DNN126", "repeat 2"),
        ("repeat i in 1 .. 2 { repeat i in 1 .. 2 { layer 5 } }", "DNN101", "i"),
        ("repeat m in 1 .. 2 { layer 5 }", "DNN102", "m"),
        ("layer 5 as h\nlayer 5 as g\nrepeat 2 from g, h { layer 5 }", "DNN119", "h"),
        ("repeat 2 {\n  layer 5 as h\n  layer 5 as h\n}", "DNN101", "h"),
        ("repeat 2 {\n  add from h, _\n  layer 5 as h\n}", "DNN108", "h"),
        ("repeat i in 1 .. 2 { layer 5 }\nlayer i", "DNN104", "i"),
        ("layer 5 as t\nrepeat 2 { layer 5 } as t", "DNN101", "t"),
        ("repeat 2 { layer 5\n  layer i }", "DNN104", "i"),
    ],
)
def test_wrong_repeats(program: str, code: str, text: str) -> None:
    found = mistake(program)
    assert found.code == code
    assert found.span is not None
    assert found.span.text == text
    assert found.help is not None


@pytest.mark.parametrize(
    "line", ["param k = 3", "dim k", "expect n[1] == 3", "loss mse", "train { batch 3 }", "input 3"]
)
def test_what_concerns_the_whole_program_stands_outside(line: str) -> None:
    assert [d.code for d in mistakes(f"repeat 2 {{\n{line}\nlayer 5\n}}")] == ["DNN014"]


def test_a_mistake_in_a_body_is_told_once_and_points_to_the_use() -> None:
    found = mistake("repeat 3 {\n  layer 5 rellu\n}\nlayer 1")
    assert (found.code, found.span and found.span.line) == ("DNN401", 2)
    assert [(label.span.text, label.message) for label in found.labels] == [("repeat 3", "in copy 1 of 3")]


def test_a_mistake_in_one_copy_says_in_which() -> None:
    found = mistake("param width = 64\nrepeat i in 1 .. 9 { layer width // 2^i relu }\nlayer 1", params={"width": 16})
    assert found.message == "a size is at least 1, not 0"
    assert [label.message for label in found.labels] == ["in the copy with i = 5"]
    assert found.notes == ("width = 16, set by `-D width=16`", "i = 5, the counter on line 2")


def test_what_depends_on_a_body_with_a_mistake_stays_silent() -> None:
    program = "layer 5 as h\nrepeat 3 { layer 0 } as t\nadd from h, t\nexpect n[t] == 3\nexpect W[4] : (1, 1)"
    assert [d.code for d in mistakes(program)] == ["DNN201"]


def test_independent_mistakes_in_a_body_are_all_told() -> None:
    found = mistakes("repeat 30 {\n  layer 0\n  layer 5 rellu\n}\nlayer 5 reluu")
    assert [d.code for d in found] == ["DNN201", "DNN401", "DNN401"]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize(
    "program",
    [
        "repeat 1_000_000 { layer 5 }",
        "repeat 1_000 { repeat 1_000 { layer 5 } }",
        "repeat 10^18 { repeat 0 { layer 5 } }\nlayer 1",
        "repeat i in 1 .. 10^9 { repeat i - i + 1 { layer 5 } }",
        "repeat i in 1 .. 2_000 { repeat i { layer 5 } }",
        "repeat 2 {" * 20 + "layer 5" + "}" * 20,
        "repeat 999_999 { layer 5 }\nlayer 1",
    ],
)
def test_too_many_copies_are_refused_before_they_are_made(program: str) -> None:
    start = time.perf_counter()
    found = mistake(program)
    assert found.code == "DNN208"
    assert time.perf_counter() - start < 1
    assert "1,000,000" in found.message


def test_a_mistake_in_a_large_repeat_is_found_at_once() -> None:
    start = time.perf_counter()
    assert mistake("repeat 900_000 { layer 5 rellu }").code == "DNN401"
    assert time.perf_counter() - start < 1


def test_bodies_nest_as_deep_as_the_parser_reads() -> None:
    assert len(built("repeat 1 {" * 50 + "layer 5" + "}" * 50).nodes) == 2


def test_many_copies_are_quick() -> None:
    attempt("layer 5 relu")  # the prelude is read once
    start = time.perf_counter()
    architecture, _ = attempt("repeat 10_000 {\n  layer 5 relu as h\n}\nlayer 1")
    assert architecture is not None
    assert len(architecture.nodes) == 10_002
    assert time.perf_counter() - start < 2.5  # about 0.4 s on an idle machine
