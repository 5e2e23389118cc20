"""Which columns go where, and what a target is: decided from the data, the loss and the output's size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.errors import DataError
from dnnlang.sizes import symbol
from dnnlang.training.columns import bind, route
from dnnlang.training.data import open_table
from dnnlang.training.layout import Layout, inputs_of, lay_out, targets_of


def laid_out(folder: Path, program: str, text: str, targets: list[str], inputs: list[str] | None = None):
    """Layout, sizes, X and Y of a CSV text for a program."""
    path = folder / "t.csv"
    path.write_text(text)
    table = open_table(path)
    architecture = dnnlang.compile(program).architecture
    routing = route(table, architecture, targets, inputs or [])
    block = table.read(routing.features, routing.labels)
    layout, sizes = lay_out(table, block, routing, architecture)
    X = inputs_of(layout, routing.features, block.numbers, "float32")
    return layout, sizes, X, targets_of(layout, table, block, "float32")


WORDS = "a,b,kind\n1,2,no\n3,4,yes\n5,6,no\n"
DIGITS = "a,digit\n1,2\n3,0\n5,1\n"


def test_text_becomes_sorted_classes_and_inputs_columns(tmp_path):
    layout, sizes, X, Y = laid_out(tmp_path, "layer 2 softmax", WORDS, ["kind"])
    assert layout.inputs == {"X": ("a", "b")}
    assert layout.targets["Y"].classes == ("no", "yes")
    assert sizes == {"n[0]": 2}
    assert X.tolist() == [[1, 3, 5], [2, 4, 6]]
    assert X.dtype == np.float32
    assert X.flags.c_contiguous
    assert Y.tolist() == [0, 1, 0]


def test_two_text_classes_on_one_unit_are_0_and_1(tmp_path):
    _, _, _, Y = laid_out(tmp_path, "layer 1 sigmoid", WORDS, ["kind"])
    assert Y.tolist() == [[0, 1, 0]]


def test_text_classes_of_a_loss_without_distribution_are_one_hot(tmp_path):
    _, _, _, Y = laid_out(tmp_path, "layer 2\nloss mse", WORDS, ["kind"])
    assert Y.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_integers_are_classes_where_the_loss_asks_for_a_distribution(tmp_path):
    layout, _, _, Y = laid_out(tmp_path, "layer 3 softmax", DIGITS, ["digit"])
    assert layout.targets["Y"].classes == ("0", "1", "2")
    assert Y.tolist() == [2, 0, 1]


def test_the_same_under_other_names(tmp_path):
    program = """
        define activation spread(z) = exp(z) / sum(exp(z))
        define loss surprise(a, y) = -sum(y * log(a))  given sum(y) = 1
        layer 3 spread
        loss surprise"""
    assert laid_out(tmp_path, program, DIGITS, ["digit"])[0].targets["Y"].classes == ("0", "1", "2")


def test_integers_are_numbers_on_one_unit(tmp_path):
    layout, _, _, Y = laid_out(tmp_path, "layer 1 relu", DIGITS, ["digit"])
    assert layout.targets["Y"].classes is None
    assert Y.tolist() == [[2, 0, 1]]


def test_a_class_that_does_not_occur_keeps_its_unit(tmp_path):
    layout, _, _, _ = laid_out(tmp_path, "layer 5 softmax", DIGITS, ["digit"])
    assert layout.targets["Y"].classes == ("0", "1", "2", "3", "4")


def test_classes_fix_an_open_output(tmp_path):
    layout, sizes, _, _ = laid_out(tmp_path, "dim k\nlayer 4 relu\nlayer k softmax", WORDS, ["kind"])
    assert sizes == {"n[0]": 2, "k": 2}
    assert layout.targets["Y"].units == 2


def test_several_target_columns(tmp_path):
    layout, _, X, Y = laid_out(tmp_path, "layer 2", "a,b,c\n1,2,3\n4,5,6\n", ["c,a"])
    assert layout.inputs == {"X": ("b",)}
    assert Y.tolist() == [[3, 6], [1, 4]]
    assert X.tolist() == [[2, 5]]


def test_columns_of_choice_in_the_order_of_choice(tmp_path):
    layout, _, X, _ = laid_out(tmp_path, "layer 1", "a,b,c\n1,2,3\n", ["b"], ["c,a"])
    assert layout.inputs == {"X": ("c", "a")}
    assert X.tolist() == [[3], [1]]


def test_several_inputs(tmp_path):
    program = "input 1 as u\ninput as v\nconcat from u, v\nlayer 1"
    layout, sizes, X, _ = laid_out(tmp_path, program, "a,b,c,y\n1,2,3,4\n", ["y"], ["v=c,a", "u=b"])
    assert layout.inputs == {"v": ("c", "a"), "u": ("b",)}
    assert sizes == {"n[v]": 2}
    assert X["v"].tolist() == [[3], [1]]
    with pytest.raises(DataError, match="DNN612"):
        laid_out(tmp_path, program, "a,b,c,y\n1,2,3,4\n", ["y"])
    with pytest.raises(DataError, match="--input u=a,b"):
        laid_out(tmp_path, program, "a,b,c,y\n1,2,3,4\n", ["y"], ["a,b"])


def test_column_names_with_commas_and_equals_signs(tmp_path):
    layout, _, _, _ = laid_out(tmp_path, "layer 1", '"a,1",b=2,y\n1,2,3\n', ["y"], ['"a,1",b=2'])
    assert layout.inputs == {"X": ("a,1", "b=2")}


def test_matrices_of_an_archive_are_named_as_one(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, X=np.eye(3), Y=np.ones((3, 2)))
    table = open_table(path)
    routing = route(table, dnnlang.compile("layer 2").architecture, ["Y"])
    assert routing.inputs == {"X": ("X[0]", "X[1]", "X[2]")}
    assert routing.targets == {"Y": ("Y[0]", "Y[1]")}


@pytest.mark.parametrize(
    ("program", "text", "code", "words"),
    [
        ("layer 3 softmax", WORDS, "DNN610", "3 units"),
        ("layer 1 sigmoid", "a,kind\n1,x\n2,y\n3,z\n", "DNN610", "layer 3 softmax"),
        ("layer 3\nloss mse", DIGITS.replace("digit", "kind"), "DNN610", "one column of numbers"),
        ("layer 3 softmax", "a,kind\n1,0.5\n", "DNN610", "whole number"),
        ("layer 1", "a,kind\n1,2\n2,3\n4,x\n", "DNN606", "row 3, column `kind` is `x`"),
        ("layer 1", "a,kind\n1,nan\n", "DNN607", "row 1"),
    ],
)
def test_targets_that_do_not_fit(tmp_path, program, text, code, words):
    with pytest.raises(DataError) as caught:
        laid_out(tmp_path, program, text, ["kind"])
    assert caught.value.diagnostics[0].code == code
    assert words in str(caught.value)


def test_layouts_survive_json(tmp_path):
    for program, target in (("layer 2 softmax", "kind"), ("layer 1 sigmoid", "kind"), ("layer 1", "b")):
        text = WORDS if target == "kind" else "a,b\n1,2\n2,3\n"
        layout = laid_out(tmp_path, program, text, [target])[0]
        assert Layout.from_json(layout.to_json()) == layout


def test_bind_solves_for_the_one_open_symbol():
    n, k = symbol("n"), symbol("k")
    assert bind(2 * n + 1, 7, {}) == {"n": 3}
    assert bind(2 * n + 1, 6, {}) is None
    assert bind(n * k, 6, {"k": 2}) == {"n": 3}
    assert bind(n + k, 6, {}) == {}
    assert bind(5, 5, {}) == {}
    assert bind(5, 6, {}) is None
    assert bind(n + 9, 5, {}) is None
