"""Warnings that need the data: the batch, and how large the inputs are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.cli import main
from dnnlang.training.advice import advice

AREAS = np.random.default_rng(0).uniform(100, 2_000, (1, 40))
SMALL = np.random.default_rng(1).normal(size=(2, 40))


def codes(text: str, X: np.ndarray, held: int = 0) -> list[str]:
    network = dnnlang.compile(text, sizes={"n[0]": X.shape[0]} if "input" not in text else {}).load()
    return [d.code for d in advice(network, X, held)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", []),  # the default of 32 is nobody's mistake
        ("train { batch 40 }", []),
        ("train { batch 41 }", ["DNN340"]),
        ("train { batch all }", []),
        ("train { batch 41 }  # dnnc: allow DNN340", []),
    ],
)
def test_a_batch_larger_than_the_data(settings: str, expected: list[str]) -> None:
    assert codes(f"layer 5 relu\nlayer 1 sigmoid\n{settings}", SMALL) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer 5 relu\nlayer 1 sigmoid", ["DNN341"]),
        ("input 3 as x\nlayer 5 relu\nlayer 1 sigmoid", ["DNN341"]),
        ("dropout 0.1\nlayer 5 relu\nlayer 1 sigmoid", ["DNN341"]),
        ("standardize\nlayer 5 relu\nlayer 1 sigmoid", []),
        ("batchnorm\nlayer 5 relu\nlayer 1 sigmoid", []),
        ("input 3 as x\nstandardize\nlayer 3 relu\nadd from x, _\nlayer 1", ["DNN341"]),  # x goes round it
        ("layer 5 relu  # dnnc: allow DNN341\nlayer 1 sigmoid", []),
    ],
)
def test_inputs_that_are_not_scaled(text: str, expected: list[str]) -> None:
    assert codes(text, np.concatenate([SMALL, AREAS])) == expected


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("homes.dnn").write_text("layer 5 relu\nlayer 1\ntrain { batch 64; epochs 1 }\n")
    rows = "".join(f"{area:.0f},{3 + i % 2},{i % 2}\n" for i, area in enumerate(AREAS[0]))
    Path("homes.csv").write_text(f"area,rooms,sold\n{rows}")


@pytest.mark.usefixtures("files")
def test_the_command_names_the_column(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "homes.dnn", "homes.csv", "--target", "sold"]) == 0
    said = capsys.readouterr().err
    assert "warning[DNN340]: `batch` is 64, but there are only 40 samples to train on" in said
    assert "warning[DNN341]: the inputs are not scaled: the column `area` goes from " in said


@pytest.mark.usefixtures("files")
def test_denied_nothing_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "homes.dnn", "homes.csv", "--target", "sold", "--deny", "DNN341"]) == 1
    said = capsys.readouterr().err
    assert "error[DNN341]" in said
    assert "DNN340" not in said
    assert not Path("homes.safetensors").exists()
