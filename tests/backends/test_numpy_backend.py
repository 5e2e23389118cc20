"""The numpy backend on whole programs: extreme values, warnings, memory, in-place slots, several batch sizes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dnnlang
from tests.measures import relative_error

OWN = """
define activation squash(z) = 1 / (exp(-z) + 1)
define loss surprise(a, y) = -(y * log(a) + (1 - y) * log(1 - a))
define activation share(z) = exp(z) / sum(exp(z))
define loss surprises(a, y) = -sum(y * log(a)) given sum(y) = 1
"""
PAIRS = [
    ("sigmoid", "binary_cross_entropy", 1),
    ("squash", "surprise", 1),
    ("softmax", "cross_entropy", 3),
    ("share", "surprises", 3),
    ("softplus", "mse", 2),
]


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(("activation", "loss", "units"), PAIRS)
def test_extreme_pre_activations_stay_finite(activation: str, loss: str, units: int, level: int) -> None:
    text = f"{OWN}input {units}\nlayer {units} {activation}\nloss {loss}"
    network = dnnlang.compile(text, optimize=level).load(dtype="float32")
    network.parameters["W[1]"] = np.eye(units)
    X = np.array([[1e4, -1e4, 0.0, 1e4], [-1e4, 1e4, 0.0, 1e4], [0.0, 5.0, 0.0, 1e4]])[:units]
    Y = np.eye(units)[:, [0, 0, 0, 0]] if units > 1 else np.array([[0.0, 0.0, 1.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(network.loss(X, Y))
        assert all(np.isfinite(g).all() for g in network.gradients(X, Y).values())
        network.step(X, Y)
    assert all(np.isfinite(p).all() for p in network.parameters.values())


def test_a_user_s_own_cross_entropy_is_the_same_plan() -> None:
    mine = dnnlang.compile(OWN + "input 2\nlayer 1 squash\nloss surprise")
    theirs = dnnlang.compile("input 2\nlayer 1 sigmoid\nloss binary_cross_entropy")
    assert [s.formula for s in mine.backward] == [s.formula for s in theirs.backward]
    assert mine.backward[0].formula == "dZ[1] = A[1] - Y"


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("m", [1, 7, 64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_is_what_is_allocated(level: int, m: int, dtype: str) -> None:
    program = dnnlang.compile("input 5\nlayer 8 relu\nlayer 6 tanh\nlayer 3 softmax", optimize=level)
    network = program.load(dtype=dtype)
    network.step(np.zeros((5, m)), np.zeros(m, int))
    arrays = [*network.parameters.values(), *network.state.values(), *network._gradients.values()]
    said = network.memory(m)
    arena = network._runner.arena_bytes
    assert said.parameters + said.gradients + said.state == sum(a.nbytes for a in arrays)
    assert arena < said.cache + said.workspace < arena + 512  # for its alignment, and numbers such as 1/m
    assert said.peak == said.persistent + said.cache + said.workspace


def test_one_arena_serves_all_plans_and_batch_sizes() -> None:
    network = dnnlang.compile("input 2\nlayer 4 relu\nlayer 1 sigmoid").load(dtype="float64")
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 50)), rng.integers(0, 2, (1, 50))
    alone = {m: network.gradients(X[:, :m], Y[:, :m]) for m in (50, 3, 20)}
    for m in (20, 3, 50, 3):
        network.forward(X)
        network.loss(X[:, :7], Y[:, :7])
        again = network.gradients(X[:, :m], Y[:, :m])
        assert all(np.array_equal(again[name], alone[m][name]) for name in again)


def test_many_batch_sizes_do_not_pile_up() -> None:
    network = dnnlang.compile("input 2\nlayer 1 sigmoid").load()
    for m in range(1, 40):
        network.forward(np.ones((2, m)))
    assert len(network._runner._made) <= 8


def test_inputs_are_never_written_to() -> None:
    network = dnnlang.compile("input 3 as x\napply relu\nadd from x, _\nlayer 3 sigmoid").load(dtype="float64")
    X = np.random.default_rng(0).normal(size=(3, 4))
    Y = (X > 0).astype(float)
    before = X.copy(), Y.copy()
    X.setflags(write=False)
    Y.setflags(write=False)
    network.step(X, Y)
    network.gradients(X, Y)
    assert np.array_equal(X, before[0])
    assert np.array_equal(Y, before[1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_memory_order_of_x_gives_the_same(order: str) -> None:
    network = dnnlang.compile("input 3\nlayer 4 tanh\nlayer 1 sigmoid").load(dtype="float64")
    X = np.asarray(np.random.default_rng(0).normal(size=(3, 8)), order=order)
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    assert relative_error(network.forward(X), network.forward(strided)) < 1e-15


def test_outputs_are_fresh_arrays() -> None:
    network = dnnlang.compile("input 2\nlayer 2").load()
    first = network.forward(np.ones((2, 3)))
    kept = first.copy()
    network.forward(np.zeros((2, 3)) - 5)
    assert np.array_equal(first, kept)


def test_an_activation_that_is_one_number_a_column_is_broadcast() -> None:
    network = dnnlang.compile("define activation top(z) = max(z)\ninput 3\nlayer 3 top").load(dtype="float64")
    network.parameters["W[1]"] = np.eye(3)
    A = network.forward(np.array([[1.0, 5.0], [2.0, 4.0], [0.0, 3.0]]))
    assert A.tolist() == [[2, 5]] * 3


def test_dropout_draws_in_training_only_and_anew_each_step() -> None:
    network = dnnlang.compile("input 20\nlayer 400 as h\ndropout 0.25\nlayer 1 from _").load(dtype="float64")
    X = np.ones((20, 50))
    traced = {name: array for name, array, _ in network.trace(X, training=True)}
    mask = traced["mask[dropout[1]]"]
    assert set(np.unique(mask)) == {0.0, 1 / 0.75}
    assert abs((mask == 0).mean() - 0.25) < 0.02
    assert "mask[dropout[1]]" not in {name for name, _, _ in network.trace(X)}
    assert np.array_equal(network.forward(X), network.forward(X))
    first = network.forward(X, training=True)
    assert np.array_equal(first, network.forward(X, training=True))  # the same step, the same masks
    network.steps += 1
    assert not np.array_equal(first, network.forward(X, training=True))


def test_a_sample_s_mask_does_not_depend_on_its_batch() -> None:
    network = dnnlang.compile("input 4\nlayer 40 tanh\ndropout 0.5\nlayer 2").load(dtype="float64")
    X = np.random.default_rng(0).normal(size=(4, 32))
    whole = network.forward(X, training=True)
    assert relative_error(network.forward(X[:, :5], training=True), whole[:, :5]) < 1e-14


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize(
    "formula", ["max(z)", "mean(z)", "sum(z) * z", "z - mean(z)", "exp(max(z))", "z / (1 + sum(z^2))"]
)
def test_gradients_of_activations_over_whole_columns(formula: str, level: int) -> None:
    text = f"define activation g(z) = {formula}\ninput 3\nlayer 3 g\nlayer 1"
    network = dnnlang.compile(text, optimize=level).load(dtype="float64")
    X, Y = np.random.default_rng(0).normal(size=(3, 4)), np.ones((1, 4))
    W = network.parameters["W[1]"]
    slopes = np.empty_like(W)
    for index in np.ndindex(W.shape):
        kept = W[index]
        W[index] = kept + 1e-5
        above = network.loss(X, Y)
        W[index] = kept - 1e-5
        slopes[index] = (above - network.loss(X, Y)) / 2e-5
        W[index] = kept
    assert relative_error(network.gradients(X, Y)["dW[1]"], slopes) < 1e-7
