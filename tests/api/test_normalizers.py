"""batchnorm, layernorm and standardize through the Python API: modes, statistics, accuracy, misuse."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import dnnlang
from dnnlang.errors import DnnError, UsageError
from tests.measures import relative_error

BATCHNORM = "input 3\nbatchnorm as bn\nlayer 1"


def network(text: str, dtype: str = "float64", optimize: int = 2) -> dnnlang.Network:
    return dnnlang.compile(text, optimize=optimize).load(dtype=dtype)


def samples(units: int = 3, m: int = 7, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(units, m)) * 3 + 5


def test_batchnorm_by_hand() -> None:
    net = network("input 2\nbatchnorm as bn epsilon=1\noutput bn\nloss mse")
    net.parameters["gamma[bn]"], net.parameters["beta[bn]"] = [[2], [1]], [[10], [0]]
    X = np.array([[1.0, 3.0], [5.0, 5.0]])  # mu 2 and 5, var 1 and 0
    expected = [[10 - 2 / 2**0.5, 10 + 2 / 2**0.5], [0, 0]]
    assert net.forward(X, training=True) == pytest.approx(np.array(expected))
    net.gradients(X, X)
    assert net.statistics["running_mean[bn]"] == pytest.approx(np.array([[0.2], [0.5]]))
    assert net.statistics["running_variance[bn]"] == pytest.approx(np.array([[0.9 + 0.1 * 2], [0.9]]))


def test_layernorm_by_hand() -> None:
    net = network("input 2\nlayernorm as ln epsilon=3\noutput ln\nloss mse")
    net.parameters["gamma[ln]"], net.parameters["beta[ln]"] = [[2], [1]], [[10], [0]]
    X = np.array([[1.0, 6.0], [3.0, 6.0]])  # mu 2 and 6, var 1 and 0
    for training in (False, True):
        assert net.forward(X, training=training) == pytest.approx(np.array([[9, 10], [0.5, 0]]))


def test_only_gradients_and_steps_in_training_change_running_statistics() -> None:
    net, X, Y = network(BATCHNORM), samples(), np.ones((1, 7))

    def statistics() -> list[list[float]]:
        return [array.ravel().tolist() for array in net.statistics.values()]

    before = statistics()
    net.forward(X)
    net.forward(X, training=True)
    net.loss(X, Y, training=True)
    list(net.trace(X, training=True))
    net.gradients(X, Y, training=False)
    net.step(X, Y, training=False)
    assert statistics() == before
    net.gradients(X, Y)
    after = statistics()
    assert after != before
    net.step(X, Y)
    assert statistics() != after


def test_outside_training_a_sample_does_not_depend_on_those_beside_it() -> None:
    net, X = network(BATCHNORM), samples()
    net.step(X, np.ones((1, 7)))
    together = net.forward(X)
    alone = np.hstack([net.forward(X[:, [j]]) for j in range(7)])
    assert relative_error(together, alone) < 1e-15
    in_training = net.forward(X, training=True)
    assert relative_error(in_training, together) > 0.01


def test_running_statistics_come_to_those_of_the_data() -> None:
    net, X = network("input 3\nbatchnorm as bn momentum=0.5\nlayer 1"), samples(m=500)
    for start in range(0, 500, 10):
        net.gradients(X[:, start : start + 10], np.ones((1, 10)))
    for _ in range(60):
        net.gradients(X, np.ones((1, 500)))
    assert relative_error(net.statistics["running_mean[bn]"], X.mean(1, keepdims=True)) < 1e-12
    assert relative_error(net.statistics["running_variance[bn]"], X.var(1, ddof=1, keepdims=True)) < 1e-12


def test_a_batch_of_one_sample_has_no_variance() -> None:
    net, X = network(BATCHNORM), samples(m=1)
    net.parameters["beta[bn]"] = [[1], [2], [3]]
    gradients = net.gradients(X, np.ones((1, 1)))
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert net.statistics["running_variance[bn]"].tolist() == [[1], [1], [1]]
    assert net.statistics["running_mean[bn]"] == pytest.approx(0.1 * X)
    assert net.forward(X, training=True) == pytest.approx(net.parameters["W[1]"] @ [[1], [2], [3]])


@pytest.mark.parametrize("kind", ["batchnorm", "layernorm"])
@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4])
def test_no_digits_cancel_in_the_variance(kind: str, offset: float) -> None:
    """The mean of squares less the square of the mean would leave none of var in float32 at 1e4."""
    rng = np.random.default_rng(1)
    X = np.round(rng.normal(size=(64, 64)) * 64) / 64  # exact in float32 beside the offset
    net = network(f"input 64\n{kind} as n\noutput n\nloss mse", "float32")
    axis = 1 if kind == "batchnorm" else 0
    expected = (X - X.mean(axis, keepdims=True)) / np.sqrt(X.var(axis, keepdims=True) + 1e-5)
    assert relative_error(net.forward(X + offset, training=True), expected) < 1e-6 + 1e-7 * offset


@pytest.mark.parametrize("kind", ["batchnorm", "layernorm"])
def test_numbers_that_are_all_the_same_become_beta(kind: str) -> None:
    net = network(f"input 4\n{kind} as n\noutput n\nloss mse", "float32")
    net.parameters["beta[n]"] = [[0.5]] * 4
    X = np.full((4, 6), 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert net.forward(X, training=True) == pytest.approx(np.full((4, 6), 0.5), abs=1e-4)
        assert all(np.isfinite(g).all() for g in net.gradients(X, X).values())


@pytest.mark.parametrize("level", [0, 1, 2])
def test_memory_counts_statistics(level: int) -> None:
    net = network("input 5\nstandardize\nlayer 8\nbatchnorm\nlayer 1", "float32", level)
    X = samples(5, 16)
    net.standardize(X)
    net.step(X, np.ones((1, 16)))
    said = net.memory(16)
    assert said.statistics == 4 * (2 * 5 + 2 * 8)
    arrays = [*net.tensors.values(), *net.state.values(), *net._gradients.values()]
    assert said.persistent == sum(a.nbytes for a in arrays)
    assert "in parameters, statistics and gradients" in str(net.program)


def test_statistics_are_no_parameters() -> None:
    program = dnnlang.compile("input 5\nstandardize as x\nlayer 8\nbatchnorm as bn\nlayer 1\nexpect parameters == 73")
    assert program.parameters.keys() == {"W[1]", "b[1]", "gamma[bn]", "beta[bn]", "W[2]", "b[2]"}
    assert program.statistics == {
        "mean[x]": (5, 1),
        "deviation[x]": (5, 1),
        "running_mean[bn]": (8, 1),
        "running_variance[bn]": (8, 1),
    }
    shown = {s["name"]: s["initial"] for s in json.loads(program.to_json())["statistics"]}
    assert shown == {"mean[x]": None, "deviation[x]": None, "running_mean[bn]": "0", "running_variance[bn]": "1"}


def test_a_network_that_has_not_seen_the_data_says_so() -> None:
    net, X = network("input 3\nstandardize as x\nlayer 1"), samples()
    for call in (
        lambda: net.forward(X),
        lambda: net.loss(X, X[:1]),
        lambda: net.gradients(X, X[:1]),
        lambda: net.step(X, X[:1]),
    ):
        with pytest.raises(UsageError, match="has not seen the training data") as caught:
            call()
        (diagnostic,) = caught.value.diagnostics
        assert "network.standardize(X)" in (diagnostic.help or "")
        assert diagnostic.span is not None
        assert diagnostic.span.line == 2
    assert not net.fitted
    net.standardize(X)
    assert net.fitted
    net.step(X, X[:1])


def test_statistics_can_be_written() -> None:
    net = network("input 3\nstandardize as x\nlayer 1")
    net.parameters["W[1]"] = [[1, 1, 1]]
    net.statistics["mean[x]"] = [[1], [2], [3]]
    net.statistics["deviation[x]"] = [[1], [2], [4]]
    assert net.forward(np.array([[2.0], [4.0], [7.0]])) == pytest.approx(3)
    with pytest.raises(DnnError, match="no statistic running_mean"):
        net.statistics["running_mean[x]"] = [[1]]


@pytest.mark.parametrize("level", [0, 1, 2])
def test_normalizers_of_several_outputs_and_inputs(level: int) -> None:
    """A normalizer may be an output itself, be read twice, and stand behind another one."""
    text = (
        "input 2 as u; input 3 as v\nbatchnorm from u as a\nlayernorm from v as b\nconcat from a, b, a as c\n"
        "layernorm from c as d\noutput a, d\nloss mse from a; loss mse from d weight=0.5"
    )
    net = network(text, optimize=level)
    X = {"u": samples(2), "v": samples(3, seed=1)}
    Y = {"a": samples(2, seed=2), "d": samples(7, seed=3)}
    gradients = net.gradients(X, Y)
    for name, array in net.parameters.items():
        slopes = np.empty_like(array)
        for index in np.ndindex(array.shape):
            kept, h = array[index], 1e-5
            array[index] = kept + h
            above = net.loss(X, Y, training=True)
            array[index] = kept - h
            slopes[index] = (above - net.loss(X, Y, training=True)) / (2 * h)
            array[index] = kept
        assert relative_error(gradients[f"d{name}"], slopes) < 1e-6, name
