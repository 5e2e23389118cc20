"""`standardize` is fitted to the training data, once, and goes with the model; so do running statistics."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import dnnlang
from dnnlang.cli import main
from dnnlang.errors import NumericError
from dnnlang.training import standardizing
from dnnlang.training.loop import Run
from tests.measures import relative_error


def network(text: str, dtype: str = "float64") -> dnnlang.Network:
    return dnnlang.compile(text).load(dtype=dtype)


def data(units: int = 3, m: int = 50, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(units, m)) * [[1], [100], [0.01]][:units] + 7


def test_mean_and_deviation_are_those_of_the_data() -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1"), data()
    net.standardize(X)
    assert relative_error(net.statistics["mean[x]"], X.mean(1, keepdims=True)) < 1e-14
    assert relative_error(net.statistics["deviation[x]"], X.std(1, keepdims=True)) < 1e-14


def test_only_what_is_trained_on_is_measured() -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1\ntrain { validation 0.4; epochs 1 }"), data()
    X[:, ::3] += 1000
    seen = Run(net, X, X[:1]).X
    net.fit(X, X[:1])
    assert seen.shape == (3, 30)
    assert relative_error(net.statistics["mean[x]"], seen.mean(1, keepdims=True)) < 1e-14
    assert relative_error(net.statistics["mean[x]"], X.mean(1, keepdims=True)) > 1e-3


def test_it_is_fitted_once() -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1\ntrain { epochs 1 }"), data()
    net.fit(X, X[:1])
    before = net.statistics["mean[x]"].copy()
    net.fit(X + 1, X[:1])
    assert (net.statistics["mean[x]"] == before).all()


def test_what_stands_before_it_counts() -> None:
    """Behind an activation, a `concat`, another one; dropout does nothing while it is fitted."""
    text = (
        "input 3 as u; input 2 as v\napply exp from v\nconcat from u, _\ndropout 0.5\nstandardize as x\napply tanh\n"
        "standardize as y\nlayer 1"
    )
    net, X = network(text), {"u": data(), "v": data(2, seed=1) / 100}
    net.standardize(X)
    first = np.vstack([X["u"], np.exp(X["v"])])
    assert relative_error(net.statistics["mean[x]"], first.mean(1, keepdims=True)) < 1e-14
    second = np.tanh((first - first.mean(1, keepdims=True)) / first.std(1, keepdims=True))
    assert relative_error(net.statistics["mean[y]"], second.mean(1, keepdims=True)) < 1e-11
    assert relative_error(net.statistics["deviation[y]"], second.std(1, keepdims=True)) < 1e-13


def test_frozen_layers_may_stand_before_it() -> None:
    net, X = network("input 3\nlayer 4 tanh trainable=no\nstandardize as x\nlayer 1"), data()
    net.standardize(X)
    A = np.tanh(net.parameters["W[1]"] @ X)
    assert relative_error(net.statistics["mean[x]"], A.mean(1, keepdims=True)) < 1e-13


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.0, 0.1, -3e7, 1e30])
def test_a_unit_that_never_changes_becomes_0(dtype: str, value: float) -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1", dtype), data()
    X[1] = value
    net.standardize(X)
    assert net.statistics["deviation[x]"][1] == 1
    for name, array, _ in net.trace(X):
        if name == "x":
            assert (array[1] == 0).all()
            assert array[0].std() == pytest.approx(1, rel=1e-5)


def test_noise_of_the_last_digit_is_no_deviation() -> None:
    """0.1 + 0.2 and 0.3 differ by one rounding; dividing by that would make numbers of size 1 of it."""
    net, X = network("input 3\nstandardize as x\nlayer 1"), data()
    X[1] = np.where(np.arange(50) % 2, 0.3, 0.1 + 0.2)
    net.standardize(X)
    assert net.statistics["deviation[x]"][1] == 1


def test_large_numbers_with_small_differences_keep_their_digits() -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1"), data()
    X[1] = 1e9 + np.arange(50)
    net.standardize(X)
    assert net.statistics["deviation[x]"][1] == pytest.approx(np.arange(50).std(), rel=1e-12)


def test_data_are_looked_at_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    X = data(m=50)
    whole, parts = (network("input 3\nstandardize as x\nlayer 1") for _ in range(2))
    whole.standardize(X)
    monkeypatch.setattr(standardizing, "CHUNK", 7)
    parts.standardize(X)
    for name, array in whole.statistics.items():
        assert relative_error(parts.statistics[name], array) < 1e-14


def test_what_is_not_finite_is_named() -> None:
    text = "define activation logarithm(z) = log(z)\ninput 3\napply logarithm\nstandardize\nlayer 1"
    net, X = network(text), np.abs(data()) + 1
    X[1, 4] = 0
    with pytest.raises(NumericError, match=r"unit 2 of apply\[1\] is infinite") as caught:
        net.fit(X, X[:1])
    assert caught.value.diagnostics[0].span.line == 4


def test_statistics_are_saved_and_loaded(tmp_path: Path) -> None:
    text = "input 3\nstandardize as x\nlayer 4\nbatchnorm as bn\nlayer 1\ntrain { epochs 3; batch 8 }"
    net, X = network(text, "float32"), data()
    net.fit(X, X[:1])
    net.save(tmp_path / "m.safetensors")
    stored = load_file(tmp_path / "m.safetensors")
    assert {"mean[x]", "deviation[x]", "running_mean[bn]", "running_variance[bn]", "gamma[bn]"} <= stored.keys()
    again = dnnlang.load(tmp_path / "m.safetensors", backend="numpy")
    assert again.fitted
    assert (again.forward(X) == net.forward(X)).all()
    assert [again.step(X, X[:1]) for _ in range(3)] == [net.step(X, X[:1]) for _ in range(3)]
    for name, array in net.tensors.items():
        assert (again.tensors[name] == array).all(), name


def test_a_network_saved_before_it_was_fitted(tmp_path: Path) -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1"), data()
    net.save(tmp_path / "m.safetensors")
    again = dnnlang.load(tmp_path / "m.safetensors", backend="numpy")
    assert not again.fitted
    again.standardize(X)
    net.standardize(X)
    assert (again.forward(X) == net.forward(X)).all()


def test_patience_brings_back_statistics_with_the_parameters() -> None:
    text = "input 3\nlayer 8 tanh\nbatchnorm as bn\nlayer 1\ntrain { epochs 40; batch 5; validation 0.3; patience 3 "
    net, X = network(text + "; learning_rate 0.3 }"), data()
    Y = np.random.default_rng(3).normal(size=(1, 50))
    run = Run(net, X, Y)
    run.go()
    assert run.state.finished == "patience"
    assert run.state.best_epoch < run.state.epoch
    best = run.state.best
    assert best is not None
    assert best.keys() == net.tensors.keys()
    assert (net.statistics["running_mean[bn]"] == best["running_mean[bn]"]).all()
    assert net.loss(*run.held, penalty=False) == pytest.approx(run.state.best_loss)


@pytest.mark.filterwarnings("ignore::dnnlang.DnnWarning")
def test_replaying_brings_back_statistics() -> None:
    """The first value that went wrong is found by going through the last steps again."""
    text = "input 3\nlayer 4 exp\nbatchnorm as bn\nlayer 1\ntrain { epochs 50; learning_rate 1e3; optimizer sgd }"
    net, X = network(text, "float32"), data()
    with pytest.raises(NumericError):
        net.fit(X, X[:1])
    assert all(np.isfinite(array).all() for array in net.tensors.values())


def test_raw_data_from_the_table_to_the_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns of any size go in; the model standardizes by itself, when training and ever after."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    size, share = rng.uniform(1e6, 9e6, 120), rng.uniform(0.001, 0.002, 120)
    kind = ["left" if a > b else "right" for a, b in zip(size / 8e6, (share - 0.001) / 0.001, strict=True)]
    rows = [[f"{a:.1f}", "5", f"{b:.7f}", k] for a, b, k in zip(size, share, kind, strict=True)]
    for name, part in (("train.csv", rows[:100]), ("unseen.csv", rows[100:])):
        text = io.StringIO()
        csv.writer(text).writerows([["size", "constant", "share", "kind"], *part])
        Path(name).write_text(text.getvalue())
    Path("m.dnn").write_text(
        "input 3\nstandardize\nlayer 8\nbatchnorm\napply tanh\nlayer 2 softmax\n"
        "train { epochs 60; batch 10; learning_rate 0.01; validation 0.1 }"
    )
    assert main(["train", "m.dnn", "train.csv", "--target", "kind"]) == 0
    assert main(["evaluate", "m.safetensors", "unseen.csv"]) == 0
    capsys.readouterr()
    assert main(["predict", "m.safetensors", "unseen.csv", "-o", "out.csv"]) == 0
    predicted = [row["kind"] for row in csv.DictReader(io.StringIO(Path("out.csv").read_text()))]
    assert sum(a == b for a, b in zip(predicted, kind[100:], strict=True)) >= 18
    stored = load_file("m.safetensors")
    assert stored["deviation[standardize[1]]"][1] == 1
    assert stored["mean[standardize[1]]"][0] == pytest.approx(5e6, rel=0.2)
    assert main(["compile", "m.safetensors"]) == 0
    assert "(X - mean[standardize[1]]) / deviation[standardize[1]]" in capsys.readouterr().out
