"""Sizes that are equal only by a requirement: the plan takes them as equal, and numbers are checked when they come."""

from __future__ import annotations

import numpy as np
import pytest

import dnnlang

TWO_DIMS = "dim d\ndim k\ninput 2*d as x\nlayer 3*k + 1 from x as y\n"

PROGRAMS = {
    "two dims": (TWO_DIMS + "add from x, y\nlayer 1", {"d": 2, "k": 1}),
    "a quotient": ("input 3\ndim d\nlayer d // 2 relu as h\nlayer 4 as g\nadd from h, g\nlayer 1", {"d": 9}),
    "a multiple": (
        TWO_DIMS + "layer 4*d from x as z\nlayer 6*k + 2 from z as w\nadd from x, y\nadd from z, w\nlayer 1",
        {"d": 2, "k": 1},
    ),
    "a sum": (
        TWO_DIMS + "add from x, y\nlayer k from x as s\nconcat from s, x as one\nconcat from s, y as two\n"
        "add from one, two\nlayer 1",
        {"d": 2, "k": 1},
    ),
}


@pytest.mark.parametrize("optimize", [0, 1, 2])
@pytest.mark.parametrize("name", PROGRAMS)
def test_equal_by_requirement(name, optimize):
    source, sizes = PROGRAMS[name]
    program = dnnlang.compile(source, optimize=optimize)
    assert "backward" in str(program)
    network = program.load(sizes=sizes)
    units = network.parameters["W[1]"].shape[1]
    assert network.forward(np.ones((units, 5), np.float32)).shape == (1, 5)


def test_numbers_that_break_the_requirement_are_refused():
    source, _ = PROGRAMS["two dims"]
    with pytest.raises(dnnlang.DnnError, match="6 and 4 units"):
        dnnlang.compile(source).load(sizes={"d": 3, "k": 1})
