"""Two-way inference: whatever fixes a size fixes it everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.graph.architecture import Architecture
from dnnlang.sizes import evaluate
from tests.graph.programs import built, mistake, mistakes, sizes


def requirements(architecture: Architecture) -> list[str]:
    return [f"{r.left} {r.relation} {r.right}" for r in architecture.requirements]


def test_the_one_liner_has_an_open_input() -> None:
    architecture = built("layer 5 relu; layer 1 sigmoid")
    assert sizes(architecture) == {"X": "n[0]", "layer[1]": "5", "layer[2]": "1"}
    assert architecture.symbols == ("n[0]",)
    assert {k: tuple(map(str, p.shape)) for k, p in architecture.parameters.items()} == {
        "W[1]": ("5", "n[0]"),
        "b[1]": ("5", "1"),
        "W[2]": ("1", "5"),
        "b[2]": ("1", "1"),
    }


def test_several_open_inputs_are_called_by_name() -> None:
    architecture = built("input as left\ninput as right\nconcat from left, right\nlayer 1")
    assert sizes(architecture)["concat[1]"] == "n[left] + n[right]"
    assert architecture.symbols == ("n[left]", "n[right]")


@pytest.mark.parametrize(
    "line",
    [
        "expect W[1] : (5, 3)",
        "expect X : (3, m)",
        "expect dX : (3, m)",
        "expect dW[1] : (5, 3)",
        "expect n[0] == 3",
        "expect parameters == 26",
        "expect 2 * n[0] + 1 == n[1] + 2",
    ],
)
def test_expect_fixes_the_input(line: str) -> None:
    architecture = built(f"layer 5 relu; layer 1 sigmoid\n{line}")
    assert architecture.nodes["X"].units == 3
    assert architecture.symbols == ()
    assert architecture.solved == {"n[0]": 3}


@pytest.mark.parametrize(
    ("tail", "size"),
    [("add from x, h", "8"), ("multiply from h, x", "8"), ("concat from h, x", "n[0]"), ("layer 7 from x", "n[0]")],
)
def test_later_nodes_fix_the_input(tail: str, size: str) -> None:
    assert sizes(built(f"input as x\nlayer 8 as h\n{tail}"))["x"] == size


def test_share_and_tie_fix_the_input() -> None:
    tied = built("input\nlayer 16 relu as code\nlayer 784 sigmoid tie=transpose(code)\nloss mse")
    assert tied.nodes["X"].units == 784
    shared = built("input as x\ninput 30 as y\nlayer 8 from x as a\nlayer 8 from y share=a\nconcat from a, _")
    assert shared.nodes["x"].units == 30


def test_an_inferred_symbol_goes_before_a_dim() -> None:
    architecture = built("dim d\ninput as x\nlayer d\nadd from x, _")
    assert architecture.symbols == ("d",)
    assert str(architecture.nodes["x"].units) == "d"


def test_an_equation_waits_until_it_can_be_solved() -> None:
    # 2*d = 3*k + 1 has no symbol whose coefficient divides the rest, until d is known
    architecture = built("dim d\ndim k\ninput 2*d as x\nlayer 3*k+1\nadd from x, _\nlayer 1\nexpect d == 5")
    assert architecture.solved == {"d": 5, "k": 3}
    assert architecture.nodes["add[1]"].units == 10


def test_what_cannot_be_solved_is_required() -> None:
    architecture = built("dim d\ndim k\ninput 2*d as x\nlayer 3*k+1\nadd from x, _")
    assert requirements(architecture) == ["2*d == 3*k + 1"]
    assert architecture.symbols == ("d", "k")


@pytest.mark.parametrize(
    ("size", "required"),
    [
        ("d - 5", ["d >= 6"]),
        ("d // 2", ["d // 2 >= 1"]),
        ("d / 2", ["d == 2*(d // 2)"]),
        ("d * d", []),
        ("d^2 + 2^d", []),
        ("2*d - 1", []),
    ],
)
def test_sizes_that_may_fail_are_required(size: str, required: list[str]) -> None:
    assert requirements(built(f"dim d\nlayer {size}")) == required


def test_opaque_equations_are_checked_when_they_become_numbers() -> None:
    program = "dim d\nlayer 2^d as h\nlayer d^2\nexpect n[h] == 8\n"
    assert requirements(built(program)) == ["2^d == 8"]
    assert built(program + "expect d == 3").nodes["h"].units == 8
    assert mistake(program + "expect d == 4").code == "DNN206"


@pytest.mark.parametrize(
    "program",
    [
        "dim d\ninput 2*d as x\nlayer 7\nadd from x, _",  # 2*d is even
        "dim d\ninput d as x\nlayer d+1\nadd from x, _",
        "dim d\ninput 5 as x\nlayer d*d+5\nadd from x, _",  # at least 6
        "dim d\ninput as x\nconcat from x, x as c\nlayer 9 from c as h\nadd from c, h",
    ],
)
def test_impossible_equations_are_errors(program: str) -> None:
    assert mistake(program).code == "DNN203"


def test_a_size_below_one_is_an_error_wherever_it_comes_from() -> None:
    assert mistake("dim d\ninput d-5 as x\nlayer 3", sizes={"d": 4}).code == "DNN201"
    assert mistake("input as x\nlayer 20 as h\nconcat from x, h as c\nexpect c : (15, m)").code == "DNN205"
    assert mistake("dim d\nlayer d/2\nexpect d == 5").code == "DNN201"


def test_sizes_given_from_outside_come_first() -> None:
    architecture = built("layer 5 relu; layer 1 sigmoid", sizes={"n[0]": 3})
    assert architecture.nodes["X"].units == 3
    assert built("dim d\nlayer d", sizes={"d": 7}).nodes["layer[1]"].units == 7
    both = built("input as a\ninput as b\nconcat from a, b", sizes={"n[a]": 2, "n[b]": 3})
    assert both.nodes["concat[1]"].units == 5


def test_a_contradiction_blames_both_ends() -> None:
    found = mistake("""\
input 20


param width = 64
layer width relu as stem
layer width // 2 as head
add from stem, head
layer 1
""")
    assert found.code == "DNN203"
    assert found.message == "`add` needs inputs of equal size, but these have 64 and 32 units"
    assert [(label.span.text, label.message) for label in found.labels] == [
        ("stem", "64 = width, set on line 4"),
        ("head", "32 = width // 2, from `layer width // 2` on line 6"),
    ]
    assert found.notes == ("n[stem] = 64, n[head] = 32",)
    assert found.help == "put a layer between them: `layer width from head as head2`"


def test_every_step_of_inference_is_told() -> None:
    found = mistake("input as x\nlayer 8 as h\nadd from x, h as s\nlayer 9 as g\nadd from x, g")
    assert [(label.span.line, label.message) for label in found.labels] == [
        (5, "8 = n[0], fixed on line 3"),
        (5, "9, from `layer 9` on line 4"),
        (3, "n[0] = 8, because `add` on line 3 needs inputs of equal size, and n[h] = 8, from `layer 8` on line 2"),
    ]


def test_params_in_formulas_are_told_with_their_values() -> None:
    found = mistake("param w = 6\ninput 3*w as x\nlayer 2*w\nadd from x, _", params={"w": 4})
    assert "w = 4, set by `-D w=4`" in found.notes
    assert found.labels[0].message == "12 = 3*w, from `input 3*w` on line 2"


def test_what_depends_on_a_failed_node_stays_silent() -> None:
    found = mistakes("""\
input 3 as x
layer 4 as h
add from x, h as s      # the mistake
add from s, x
concat from s, h as c
layer 5 from c
add from _, h           # another one: 5 and 4
expect s : (9, m)
expect c : (9, m)
expect parameters == 1
""")
    assert [(d.code, d.span.line) for d in found if d.span is not None] == [("DNN203", 3), ("DNN203", 7)]


@dataclass
class Generated:
    """A program with its input size left open, and the sizes that its nodes have when it is bound."""

    text: str
    input_size: int
    units: dict[str, int]


@st.composite
def programs(draw: st.DrawFn) -> Generated:
    """Random programs of named nodes whose sizes agree."""
    size = draw(st.integers(1, 9))
    units = {"x": size}
    lines = ["input as x"]
    for i in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["layer", "apply", "add", "multiply", "concat", "dropout", "tie"]))
        source = draw(st.sampled_from(sorted(units)))
        same = sorted(n for n in units if units[n] == units[source])
        name = f"h{i}"
        if kind == "layer":
            units[name] = draw(st.integers(1, 9))
            lines.append(f"layer {units[name]} relu from {source} as {name}")
        elif kind in ("add", "multiply"):
            others = draw(st.lists(st.sampled_from(same), min_size=1, max_size=3))
            lines.append(f"{kind} from {', '.join([source, *others])} as {name}")
            units[name] = units[source]
        elif kind == "concat":
            other = draw(st.sampled_from(sorted(units)))
            lines.append(f"concat from {source}, {other} as {name}")
            units[name] = units[source] + units[other]
        elif kind == "tie":
            lines.append(f"layer 4 from {source} as code{i}")
            lines.append(f"layer {units[source]} as {name} tie=transpose(code{i})")
            units[name] = units[source]
        else:
            lines.append(f"{kind} {'tanh' if kind == 'apply' else '0.5'} from {source} as {name}")
            units[name] = units[source]
    return Generated("\n".join(lines), size, units)


@given(programs())
def test_inferred_sizes_are_those_of_the_program(program: Generated) -> None:
    """Left open or given from outside, every node gets the size with which the program was written."""
    architecture = built(program.text)
    at = {"n[0]": program.input_size}
    for name, units in program.units.items():
        assert evaluate(architecture.nodes[name].units, at) == units
    bound = built(program.text, sizes=at)
    assert {name: bound.nodes[name].units for name in program.units} == program.units
    assert bound.symbols == ()
