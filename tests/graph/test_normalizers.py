"""batchnorm, layernorm and standardize: sizes, parameters, statistics, keys, and where `standardize` may stand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dnnlang.graph.kinds.batchnorm import BatchnormDetail
from dnnlang.graph.kinds.normalized import NormalizedDetail
from tests.graph.programs import attempt, built, mistake, mistakes, sizes


def test_they_have_the_size_of_their_input() -> None:
    program = "input\nstandardize\nlayer 5\nbatchnorm as b\nlayernorm\nlayer 1"
    assert sizes(built(program)) == {
        "X": "n[0]",
        "standardize[1]": "n[0]",
        "layer[1]": "5",
        "b": "5",
        "layernorm[1]": "5",
        "layer[2]": "1",
    }


def test_sizes_flow_backwards_through_them() -> None:
    program = "input 3 as x\ninput as y\nstandardize from y\nlayernorm\nbatchnorm\nadd from x, _\nlayer 1"
    assert sizes(built(program))["y"] == "3"


def test_scale_starts_as_1_and_shift_as_0_and_neither_is_penalized() -> None:
    parameters = built("input 3\nbatchnorm as b\nlayernorm\nlayer 1 bias=none\ntrain { l2 1 }").parameters
    assert list(parameters) == ["gamma[b]", "beta[b]", "gamma[layernorm[1]]", "beta[layernorm[1]]", "W[1]"]
    assert [p.shape for p in parameters.values()] == [(3, 1)] * 4 + [(1, 3)]
    assert [p.init.label if p.init is not None else "zeros" for p in parameters.values()][:2] == ["ones", "zeros"]
    assert [p.penalized for p in parameters.values()] == [False] * 4 + [True]
    assert all(p.trainable for p in parameters.values())


def test_statistics() -> None:
    statistics = built("input 3\nstandardize as x\nbatchnorm as b\nlayernorm\nlayer 1").statistics
    assert {s.name: (s.shape, s.initial) for s in statistics.values()} == {
        "mean[x]": ((3, 1), None),
        "deviation[x]": ((3, 1), None),
        "running_mean[b]": ((3, 1), 0),
        "running_variance[b]": ((3, 1), 1),
    }


def test_keys() -> None:
    nodes = built("param e = 1e-3\ninput 3\nbatchnorm momentum=0 epsilon=2*e\nbatchnorm\nlayernorm epsilon=1").nodes
    details = [node.detail for node in nodes.values() if isinstance(node.detail, NormalizedDetail)]
    assert [d.epsilon for d in details] == [Fraction(2, 1000), Fraction(1, 100_000), 1]
    assert [d.momentum for d in details if isinstance(d, BatchnormDetail)] == [0, Fraction(9, 10)]


@pytest.mark.parametrize(
    ("statement", "code", "message"),
    [
        ("batchnorm epsilon=0", "DNN106", "`epsilon` is above 0, not 0"),
        ("layernorm epsilon=-1", "DNN106", "`epsilon` is above 0, not -1"),
        ("batchnorm momentum=1", "DNN106", "`momentum` is at least 0 and below 1, not 1"),
        ("layernorm momentum=0.5", "DNN118", "`layernorm` has no key `momentum`"),
        ("standardize epsilon=1", "DNN118", "`standardize` has no key `epsilon`"),
        ("batchnorm 5", "DNN111", "`batchnorm` takes no operands: it has the size of what goes in"),
    ],
)
def test_wrong_keys_and_operands(statement: str, code: str, message: str) -> None:
    found = mistake(f"input 3\n{statement}\nlayer 1")
    assert (found.code, found.message) == (code, message)


@pytest.mark.parametrize(
    ("name", "kind"), [("normalize", "standardize"), ("BatchNorm1d", "batchnorm"), ("layer_norm", "layernorm")]
)
def test_other_names(name: str, kind: str) -> None:
    found = mistake(f"input 3\n{name}\nlayer 1")
    assert found.code == "DNN110"
    assert f"`{kind}`" in (found.help or "")


# ---------------------------------------------------------------- where standardize may stand


@pytest.mark.parametrize(
    "above",
    [
        "",
        "apply relu",
        "dropout 0.5",
        "standardize",
        "layer 4 trainable=no",
        "layer 4 as a trainable=no\nlayer 4 from X share=a",
        "multiply from X, X\nconcat from X, _",
    ],
)
def test_nothing_trained_above(above: str) -> None:
    built(f"input 3\n{above}\nstandardize\nlayer 1")


@pytest.mark.parametrize(
    ("above", "trained", "line"),
    [
        ("layer 4", "layer[1]", 2),
        ("layer 4\napply relu\ndropout 0.1", "layer[1]", 2),
        ("batchnorm as b", "b", 2),
        ("layernorm", "layernorm[1]", 2),
        ("layer 3 as h\nadd from X, h", "h", 2),
        ("layer 4 as a trainable=no\nlayer 3 tie=transpose(a)", "layer[2]", 3),
        ("layer 3 as a\nlayer 3 from X share=a", "layer[2]", 3),
    ],
)
def test_something_trained_above(above: str, trained: str, line: int) -> None:
    found = mistake(f"input 3\n{above}\nstandardize\nlayer 1")
    assert found.code == "DNN133"
    assert found.message == f"`standardize` stands behind `{trained}`, which training changes"
    assert [label.span.line for label in found.labels] == [line]


def test_each_is_reported() -> None:
    found = mistakes("input 3\nlayer 4\napply relu as a\nstandardize\nlayer 5\nstandardize from a\nlayer 1")
    assert [(d.code, d.span.line) for d in found if d.span is not None] == [("DNN133", 4), ("DNN133", 6)]


def test_a_trained_node_beside_it_does_not_matter() -> None:
    built("input 3 as x\nlayer 4 as h\nstandardize from x\nconcat from h, _\nlayer 1")


def test_many_paths_are_walked_once() -> None:
    """Sixty doublings have 2^60 paths."""
    doubled = "\n".join(["multiply from _, _"] * 60 + ["standardize"] * 30)
    architecture, _ = attempt(f"input 3\n{doubled}\nlayer 1")
    assert architecture is not None


# ---------------------------------------------------------------- expect


def test_expect_names_their_tensors() -> None:
    built(
        "input 3\nstandardize as x\nlayer 4\nbatchnorm as b\nlayernorm\nlayer 1\n"
        "expect gamma[b] : (4, 1)\nexpect dbeta[layernorm[1]] : (n[1], 1)\nexpect mu[b] : (4, 1)\n"
        "expect var[layernorm[1]] : (1, m)\nexpect running_mean[b] : (4, 1)\nexpect deviation[x] : (3, 1)\n"
        "expect b : (4, m)\nexpect db[1] : (4, 1)"
    )


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("expect gamma[b] : (5, 1)", "DNN205", "gamma[b] has shape (4, 1), not (5, 1)"),
        ("expect gamma[h] : (4, 1)", "DNN120", "there is no gamma[h]"),
        ("expect gamma[1] : (4, 1)", "DNN120", "there is no gamma[1]"),
        ("expect mean[b] : (4, 1)", "DNN120", "there is no mean[b]"),
        ("expect drunning_mean[b] : (4, 1)", "DNN120", "there is no tensor `drunning_mean`"),
        ("expect gama[b] : (4, 1)", "DNN120", "there is no tensor `gama`"),
    ],
)
def test_false_expectations(line: str, code: str, message: str) -> None:
    found = mistake(f"input 3\nlayer 4 as h\nbatchnorm as b\nlayer 1\n{line}")
    assert (found.code, found.message) == (code, message)
