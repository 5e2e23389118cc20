"""Every definition of the standard library agrees with PyTorch's of the same meaning, in float64."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

import dnnlang
from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.definitions import Library
from tests.library import peer

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def reference():
    if importlib.util.find_spec("torch") is not None:
        return peer.compute()
    return json.loads(peer.REFERENCE.read_text(encoding="utf-8"))


def relative_error(a, b) -> float:
    a, b = np.asarray(a), np.asarray(b)
    both = np.linalg.norm(a) + np.linalg.norm(b)
    return 0.0 if both == 0 else float(np.linalg.norm(a - b) / both)


def network(source: str, **sizes: int) -> dnnlang.Network:
    return dnnlang.compile(source, sizes=sizes).load(dtype="float64")


def test_nothing_is_left_out():
    library = Library.standard()
    assert set(peer.ACTIVATIONS) == set(library.names("activation"))
    assert set(peer.LOSSES) == set(library.names("loss"))
    assert set(peer.OPTIMIZERS) == set(library.names("optimizer"))
    assert {"zeros", "ones", "constant", "normal", "uniform", "he", "xavier", "lecun"} == set(library.names("init"))


@pytest.mark.parametrize("name", peer.ACTIVATIONS)
def test_activation(name, reference):
    # The gradient of Σ w∘A comes out of a second input: J = Σ a · y needs no loss but a product.
    net = network(
        f"define loss inner(a, y) = sum(a * y)\ninput {peer.UNITS}\nlayer {peer.UNITS} {name} bias=none\nloss inner"
    )
    net.parameters["W[1]"][...] = np.eye(peer.UNITS)
    z, w = np.array(peer.z_points()), np.array(peer.y_points()["free"])
    expected = reference["activations"][name]
    assert relative_error(net.forward(z), expected["value"]) <= TOLERANCE
    dz = [net.gradients(z[:, [j]], w[:, [j]])["dW[1]"] @ np.linalg.pinv(z[:, [j]].T) for j in range(peer.SAMPLES)]
    assert relative_error(np.hstack(dz), expected["gradient"]) <= TOLERANCE


@pytest.mark.parametrize("name", peer.LOSSES)
def test_loss(name, reference):
    of, targets = peer.LOSSES[name]
    net = network(f"input {peer.UNITS}\nlayer {peer.UNITS} bias=none\nloss {name}")
    net.parameters["W[1]"][...] = np.eye(peer.UNITS)
    a, y = np.array(peer.outputs(of)), np.array(peer.y_points()[targets])
    expected = reference["losses"][name]
    values = [net.loss(a[:, [j]], y[:, [j]]) for j in range(peer.SAMPLES)]
    assert relative_error(values, expected["value"]) <= TOLERANCE
    da = [net.gradients(a[:, [j]], y[:, [j]])["dW[1]"] @ np.linalg.pinv(a[:, [j]].T) for j in range(peer.SAMPLES)]
    assert relative_error(np.hstack(da), expected["gradient"]) <= TOLERANCE


@pytest.mark.parametrize("name", peer.NORMALIZERS)
def test_normalizer(name, reference):
    """Values and gradients in training; running statistics, unbiased as PyTorch's; values outside training."""
    net = network(f"input {peer.UNITS}\nlayer {peer.UNITS} bias=none\n{name} as n\nloss mse")
    net.parameters["W[1]"] = peer.mixing()
    net.parameters["gamma[n]"], net.parameters["beta[n]"] = np.array([peer.SCALE]).T, np.array([peer.SHIFT]).T
    x, y, expected = np.array(peer.z_points()), np.array(peer.y_points()["free"]), reference["normalizers"][name]
    assert relative_error(net.forward(x, training=True), expected["value"]) <= TOLERANCE
    for batch in map(np.array, peer.batches()):
        gradients = net.gradients(batch, y[:, : batch.shape[1]])
        if batch.shape == x.shape:
            for key in ("dW[1]", "dgamma[n]", "dbeta[n]"):
                assert relative_error(gradients[key], expected[key]) <= TOLERANCE, key
    assert net.statistics.keys() == {key for key in expected if key.startswith("running")}
    for key, array in net.statistics.items():
        assert relative_error(array, expected[key]) <= TOLERANCE, key
    assert relative_error(net.forward(x), expected["outside training"]) <= TOLERANCE


@pytest.mark.parametrize("name", peer.OPTIMIZERS)
def test_optimizer(name, reference):
    net = network(f"input 3\nlayer 2 bias=none\nloss mse\ntrain {{ optimizer {name}; learning_rate {peer.RATE} }}")
    x, y, start = (np.array(v) for v in peer.problem())
    net.parameters["W[1]"][...] = start
    for _ in range(peer.STEPS):
        net.step(x, y)
    assert relative_error(net.parameters["W[1]"], reference["optimizers"][name]) <= TOLERANCE


@pytest.mark.parametrize("name", sorted(peer.OPTIMIZERS))
def test_no_two_optimizers_are_the_same(name, reference):
    others = [v for n, v in reference["optimizers"].items() if n != name]
    assert all(relative_error(reference["optimizers"][name], o) > 1e-4 for o in others)


def test_initializers_have_the_mean_and_deviation_they_promise():
    library = Library.standard()
    promised = {"normal": 0.01, "he": (2 / 400) ** 0.5, "xavier": (2 / 700) ** 0.5, "lecun": (1 / 400) ** 0.5}
    promised |= {"uniform": 0.05 / 3**0.5, "zeros": 0.0, "ones": 0.0, "constant": 0.0}
    assert set(promised) == set(library.names("init"))
    assert Diagnostics().found == []
    for name, deviation in promised.items():
        w = network(f"input 400\nlayer 300 init={name}").parameters["W[1]"]
        mean = {"ones": 1.0, "constant": 0.1}.get(name, 0.0)
        assert abs(w.mean() - mean) <= 4 * max(deviation, 1e-12) / w.size**0.5
        assert w.std() == pytest.approx(deviation, rel=0.02, abs=1e-12)
