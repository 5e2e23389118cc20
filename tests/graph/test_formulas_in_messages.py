"""Sizes in messages: formulas in the user's names, with what -D gave beside them, wherever they were fixed."""

from __future__ import annotations

import pytest

from tests.graph.programs import built, mistake, sizes

WIDE = "param width = 64\nparam depth = 2\nparam k = 3\n"


@pytest.mark.parametrize(
    ("program", "label", "notes"),
    [
        ("input 2*width as x\nlayer 7\nadd from x, _", "8 = 2*width, from `input 2*width` on line 4", ["width"]),
        (
            "input 9\nlayer width//2\nexpect n[1] == 9",
            "n[1] = 2 = width//2, from `layer width//2` on line 5",
            ["width"],
        ),
        (
            "input 9\nlayer depth*k + 1 as h\nexpect W[h] : (8, 9)",
            "n[h] = 7 = depth*k + 1, from `layer depth*k + 1` on line 5",
            ["depth", "k"],
        ),
        (
            "input 9\nlayer 2*width as h\nlayer 9 tie=transpose(h)\nlayer 3 share=h",
            "n[h] = 8 = 2*width, from `layer 2*width` on line 5",
            ["width"],
        ),
        ("input 9\nlayer 9\nexpect parameters == 2*width", "this is 8", ["width"]),
        ("input 9\nlayer 9\nexpect A[1] : (2*width, m)", "expected 8, found 9", ["width"]),
        (  # found backwards, from a line further down
            "input as x\nlayer 2*width as h\nadd from x, h\nexpect X : (7, m)",
            "expected 7, found 8",
            ["width"],
        ),
        (
            "block b(j) from x {\nlayer j\nadd from x, _\n}\ninput 9\nb 2*width",
            "8 = j, handed over as `2*width` on line 9",
            ["width"],
        ),
    ],
)
def test_params_keep_their_names(program: str, label: str, notes: list[str]) -> None:
    found = mistake(WIDE + program, params={"width": 4})
    assert label in [each.message for each in found.labels]
    for name in notes:
        value = {
            "width": "width = 4, set by `-D width=4`",
            "depth": "depth = 2, set on line 2",
            "k": "k = 3, set on line 3",
        }
        assert value[name] in found.notes


@pytest.mark.parametrize(
    ("program", "label"),
    [
        ("dim d\ninput 3\nlayer 2*d\nexpect W[1] : (7, 3)", "n[1] = 10 = 2*d, from `layer 2*d` on line 3"),
        ("dim d\ninput 3 as x\nlayer 2*d\nadd from x, _", "10 = 2*d, from `layer 2*d` on line 3"),
        ("dim d\ninput 3\nlayer 2*d as h\nexpect n[h] == 7", "n[h] = 10 = 2*d, from `layer 2*d` on line 3"),
    ],
)
def test_dims_keep_their_names(program: str, label: str) -> None:
    found = mistake(program, sizes={"d": 5})
    assert label in [each.message for each in found.labels]
    assert "d = 5, because `-D d=5` says so" in found.notes


@pytest.mark.parametrize(
    "line",
    ["add from x, trunk", "expect n[0] == 8", "expect W[1] : (5, 8)", "layer 8 from first tie=transpose(first)"],
)
def test_sizes_flow_into_and_out_of_bodies(line: str) -> None:
    program = f"input as x\nlayer 5 as first\nblock b(k) {{ layer k }}\nrepeat 2 {{ b 8 }} as trunk\n{line}"
    found = sizes(built(program))
    assert (found["x"], found["trunk"]) == ("8", "8")


def test_a_block_infers_what_goes_into_it() -> None:
    program = (
        "block same(k) from a, b {\n layer k from a\n add from _, b\n}\ninput as p\ninput as q\nsame 7 from p, q\n"
    )
    assert sizes(built(program + "layer 3 from p as s\nlayer 3 from q share=s")) == {
        "p": "7",
        "q": "7",
        "layer[1]": "7",
        "add[1]": "7",
        "s": "3",
        "layer[3]": "3",
    }
