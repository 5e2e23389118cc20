"""Examples with an idea of their own: gradients are right, and each learns what its comment says that it is for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.cli import main
from dnnlang.network import Network
from dnnlang.program import Program
from dnnlang.training.gradcheck import gradcheck
from tests.examples.data import EXAMPLES, digits, iris, pairs


def program(name: str, optimize: int = 2) -> Program:
    return dnnlang.compile_file(EXAMPLES / f"{name}.dnn", optimize=optimize)


def formulas(of: Program) -> list[str]:
    return [line for step in of.backward for line in step.formula.split("; ")]


def trained(name: str, X: object, Y: object) -> Network:
    """The example after its own training settings; the loss must have gone down by half at least."""
    network = program(name).load()
    history = network.fit(X, Y)  # type: ignore[arg-type]
    assert history[-1].loss < history[0].loss / 2
    return network


@pytest.mark.parametrize("optimize", [0, 2])
@pytest.mark.parametrize("name", ["autoencoder", "quantile", "tower", "twins", "two_tasks"])
def test_gradients_agree_with_differences(name: str, optimize: int) -> None:
    comparisons = gradcheck(program(name, optimize))
    assert [c.name for c in comparisons if not c.passed] == []
    assert {c.name for c in comparisons} == {f"d{key}" for key in program(name).parameters}


# ---------------------------------------------------------------- autoencoder


def test_the_autoencoder_keeps_more_in_ten_numbers_than_any_linear_map_could() -> None:
    X = digits()[0] / 16
    again = trained("autoencoder", X, X).forward(X)["again"]
    centred = X - X.mean(axis=1, keepdims=True)
    lost = np.linalg.svd(centred, compute_uv=False)[10:]  # principal components: the best linear code
    assert np.mean((again - X) ** 2) < np.sum(lost**2) / X.size


def test_both_uses_of_a_tied_matrix_count() -> None:
    plan = formulas(program("autoencoder"))
    assert "dW[1] = 1/m A[3] dZ[4]ᵀ" in plan
    assert "dW[1] += 1/m dZ[1] Xᵀ" in plan


# ---------------------------------------------------------------- tower


def test_the_tower_grows_with_its_param() -> None:
    for depth in (1, 4):
        tall = dnnlang.compile_file(EXAMPLES / "tower.dnn", params={"depth": depth})
        assert f"W[{2 * depth + 2}]" in tall.parameters
        assert f"W[{2 * depth + 3}]" not in tall.parameters


# ---------------------------------------------------------------- twins


def test_the_twins_tell_pairs_of_unseen_digits_apart() -> None:
    pictures, digit = digits()
    seen = np.arange(len(digit)) % 4 != 0
    network = trained("twins", *pairs(4000, pictures[:, seen], digit[seen], seed=0))
    X, Y = pairs(1000, pictures[:, ~seen], digit[~seen], seed=1)
    right = (network.forward(X) > 0.5) == Y
    assert right.mean() > 0.88


def test_the_twins_do_not_care_which_picture_is_which() -> None:
    network = program("twins").load(dtype="float64")
    X, _ = pairs(20, *digits(), seed=2)
    swapped = {"left": X["right"], "right": X["left"]}
    np.testing.assert_allclose(network.forward(X), network.forward(swapped), rtol=1e-12)


# ---------------------------------------------------------------- two tasks


def test_both_tasks_are_learnt(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    targets = ["--target", "species=species", "--target", "width=petal_width"]
    files = ["-o", str(tmp_path / "model.safetensors"), "--history", str(history)]
    arguments = [str(EXAMPLES / "two_tasks.dnn"), str(EXAMPLES / "data" / "iris.csv")]
    assert main(["train", *arguments, *targets, *files]) == 0
    lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"] / 2
    assert lines[-1]["validation_metric"] >= 0.9

    network = dnnlang.load(tmp_path / "model.safetensors")
    width = network.forward(iris()[:3])["width"]
    assert np.sqrt(np.mean((width - iris()[3:]) ** 2)) < 0.25  # cm; the widths themselves deviate by 0.76


def test_the_weight_of_a_loss_stands_in_its_gradient() -> None:
    X, Y = iris()[:3], {"Y[species]": np.zeros(150, np.int64), "Y[width]": iris()[3:]}
    text = (EXAMPLES / "two_tasks.dnn").read_text(encoding="utf-8")
    J, halved = (
        dnnlang.compile(text.replace("weight=0.5", f"weight={weight}")).load(dtype="float64").gradients(X, Y)
        for weight in (1, 0.5)
    )
    np.testing.assert_allclose(halved["dW[3]"], J["dW[3]"] / 2, rtol=1e-12)
    np.testing.assert_allclose(halved["dW[2]"], J["dW[2]"], rtol=1e-12)


# ---------------------------------------------------------------- an activation, a loss and an optimizer of one's own


def test_nine_of_ten_lie_below_the_answer() -> None:
    X, Y = iris()[:3], iris()[3:]
    network = trained("quantile", X, Y)
    assert 0.85 <= np.mean(network.forward(X) >= Y) <= 0.95


def test_the_optimizer_takes_steps_of_one_length() -> None:
    network = program("quantile").load(dtype="float64")
    before = {name: array.copy() for name, array in network.parameters.items()}
    network.step(iris()[:3], iris()[3:], learning_rate=0.25)
    for name, array in network.parameters.items():
        np.testing.assert_allclose(np.abs(array - before[name]), 0.25, rtol=1e-12)
    assert set(network.state) == {f"v/{name}" for name in network.parameters}
