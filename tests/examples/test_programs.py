"""The examples: all compile without a word, and those that one command trains learn what their comments promise."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

import dnnlang
from dnnlang.cli import main
from tests.examples.data import EXAMPLES

PROGRAMS = sorted(EXAMPLES.glob("*.dnn"))

# name: layer sizes from n[0] on, inputs that stay open as their name
SIZES: dict[str, list[int | str]] = {
    "breast_cancer": [30, 32, 16, 1],
    "cats": [12288, 20, 7, 5, 1],
    "digits": [64, 128, 64, 10],
    "iris": [4, 10, 3],
    "lesson": [2, 3, 5, 4, 2, 1],
    "minimal": ["n[0]", 5, 1],
    "quantile": [3, 16, 1],
    "residual": [64, 64, 64, 64, 10],
    "tower": [64, *[64] * 7, 10],
}

# name: the parameters of programs that are no chain of layers with a W and b each
PARAMETERS = {
    "autoencoder": "W[1] (64, 64), b[1] (64, 1), W[2] (10, 64), b[2] (10, 1), b[3] (64, 1), b[4] (64, 1)",
    "twins": "W[1] (32, 64), b[1] (32, 1), W[2] (16, 32), b[2] (16, 1), W[5] (1, 16), b[5] (1, 1)",
    "two_tasks": "W[1] (16, 3), b[1] (16, 1), W[2] (3, 16), b[2] (3, 1), W[3] (1, 16), b[3] (1, 1)",
}

# name: data, target column, accuracy on the fifth held out, its rows
LEARNS = {
    "breast_cancer": ("breast_cancer.csv", "diagnosis", 0.90, 114),
    "digits": ("digits.csv", "digit", 0.96, 359),
    "iris": ("iris.csv", "species", 0.93, 30),
    "residual": ("digits.csv", "digit", 0.96, 359),
    "tower": ("digits.csv", "digit", 0.95, 359),
}


def test_every_example_is_tested() -> None:
    assert [path.stem for path in PROGRAMS] == sorted({*SIZES, *PARAMETERS})


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_compiles_without_warnings_to_the_sizes_it_shows(path: Path) -> None:
    program = dnnlang.compile_file(str(path))
    assert program.warnings == ()
    written = ", ".join(f"{name} ({shape[0]}, {shape[1]})" for name, shape in program.parameters.items())
    assert written == PARAMETERS.get(path.stem, chain(SIZES.get(path.stem, [])))


def chain(sizes: list[int | str]) -> str:
    """The parameters of layers one after the other."""
    pairs = enumerate(pairwise(sizes), 1)
    return ", ".join(f"W[{l}] ({after}, {before}), b[{l}] ({after}, 1)" for l, (before, after) in pairs)  # noqa: E741


@pytest.mark.parametrize("name", LEARNS)
def test_learns(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, target, least, rows = LEARNS[name]
    history = tmp_path / "history.jsonl"
    arguments = ["--target", target, "-o", str(tmp_path / "model.safetensors"), "--history", str(history)]
    assert main(["train", str(EXAMPLES / f"{name}.dnn"), str(EXAMPLES / "data" / data), *arguments]) == 0
    last = json.loads(history.read_text(encoding="utf-8").splitlines()[-1])
    assert last["metric_name"] == "accuracy"
    assert last["validation_metric"] >= least
    assert f"({rows} rows)" in "".join(capsys.readouterr())


def test_the_exported_data_are_whole() -> None:
    shapes = {"breast_cancer.csv": (569, 31), "digits.csv": (1797, 65), "iris.csv": (150, 5)}
    for name, (rows, columns) in shapes.items():
        lines = (EXAMPLES / "data" / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) == rows + 1
        assert {line.count(",") for line in lines} == {columns - 1}
