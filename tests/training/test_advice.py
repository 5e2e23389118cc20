"""Warnings that need the data: the batch, and how large the inputs are."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang import DnnWarning
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


SLOW = "train { batch 64; epochs 1; learning_rate 1e-9 }"


def test_fit_warns_at_the_line_that_calls_it() -> None:
    network = dnnlang.compile(f"layer 5 relu\nlayer 1\n{SLOW}", sizes={"n[0]": 1}).load()
    with pytest.warns(DnnWarning) as caught:
        network.fit(AREAS, AREAS)
    assert [w.message.diagnostic.code for w in caught if isinstance(w.message, DnnWarning)] == ["DNN340", "DNN341"]
    assert {w.filename for w in caught} == {__file__}
    lines = str(caught[0].message).splitlines()
    assert lines[0].startswith("program:3:9: warning[DNN340]: `batch` is 64")
    assert lines[1].startswith("    help: write `batch all`")
    assert "feature 0 goes from" in str(caught[1].message)


def test_the_samples_held_out_do_not_count() -> None:
    text = "layer 5 relu\nlayer 1\ntrain { batch 40; epochs 1; validation 0.25 }"
    network = dnnlang.compile(text, sizes={"n[0]": 2}).load()
    with pytest.warns(DnnWarning, match="only 30 samples"):
        network.fit(SMALL, SMALL[:1])


def test_warnings_are_silenced_in_the_program_or_in_python() -> None:
    text = f"layer 5 relu  # dnnc: allow DNN341\nlayer 1\n{SLOW}"
    dnnlang.compile(f"{text}  # dnnc: allow DNN340", sizes={"n[0]": 1}).load().fit(AREAS, AREAS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DnnWarning)
        dnnlang.compile(text, sizes={"n[0]": 1}).load().fit(AREAS, AREAS)


def test_a_warning_made_an_error_stops_before_the_first_update() -> None:
    network = dnnlang.compile(f"layer 5 relu\nlayer 1\n{SLOW}", sizes={"n[0]": 1}).load()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DnnWarning)
        with pytest.raises(DnnWarning, match="DNN340"):
            network.fit(AREAS, AREAS)
    assert network.steps == 0


def test_estimators_warn_too() -> None:
    sklearn = pytest.importorskip("dnnlang.sklearn")
    with pytest.warns(DnnWarning) as caught:
        sklearn.DNNRegressor(f"layer 5 relu\nlayer 1\n{SLOW}").fit(AREAS.T, AREAS[0])
    assert {w.filename for w in caught} == {__file__}
