"""Random programs: every level computes what the lesson's formulas say, and gradients are derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from tests.measures import relative_error
from tests.naive import Naive
from tests.programs import ProgramSpec, programs

M = 5


def random_data(spec: ProgramSpec, seed: int) -> tuple[dict, dict]:
    rng = np.random.default_rng(seed)
    X = {name: rng.normal(size=(units, M)) for name, units in spec.inputs.items()}
    Y = {}
    for loss, node, _ in spec.losses:
        units = spec.units(node)
        if loss == "cross_entropy":
            Y[node] = np.eye(units)[:, rng.integers(0, units, M)]
        elif loss == "binary_cross_entropy":
            Y[node] = rng.integers(0, 2, (units, M)).astype(float)
        else:
            Y[node] = rng.normal(size=(units, M))
    return X, Y


def copies(arrays: dict) -> dict:
    return {name: array.copy() for name, array in arrays.items()}


def loaded(spec: ProgramSpec, level: int, seed: int, *, keep_gradients: bool = False) -> dnnlang.Network:
    """With random biases too, so that nothing is 0 by chance; small weights, so that nothing saturates."""
    program = dnnlang.compile(spec.text, optimize=level, keep_gradients=keep_gradients)
    network = program.load(dtype="float64", seed=seed)
    rng = np.random.default_rng(seed)
    for array in network.parameters.values():
        array[...] = rng.normal(size=array.shape) * 0.5
    for name, array in network.statistics.items():
        array[...] = rng.normal(size=array.shape) if "mean" in name else rng.uniform(0.5, 2, size=array.shape)
    return network


@pytest.mark.parametrize("level", [0, 1, 2])
@given(spec=programs(), seed=st.integers(0, 2**20))
def test_loss_and_gradients_are_those_of_the_lesson(level: int, spec: ProgramSpec, seed: int) -> None:
    network = loaded(spec, level, seed)
    X, Y = random_data(spec, seed)
    for training in (False, True):
        naive = Naive(spec, network.parameters, network.statistics, seed=seed, training=training)
        expected = naive.gradients(X, Y)
        J = naive.loss(X, Y)
        assert network.loss(X, Y, training=training) == pytest.approx(J, rel=1e-12, abs=1e-12)
        statistics = naive.followed() if training else copies(network.statistics)
        got = network.gradients(X, Y, training=training)
        for name, array in network.statistics.items():
            assert relative_error(array, statistics[name]) < 1e-12, name
        assert got.keys() == expected.keys()
        rounding = 1e-15 * max([1, *(np.linalg.norm(gradient) for gradient in expected.values())])
        for name, gradient in expected.items():
            if np.linalg.norm(got[name] - gradient) > 10 * rounding:  # b before batchnorm: sums that should be 0
                assert relative_error(got[name], gradient) < 1e-12, name
        out = network.forward(X, training=training)
        assert relative_error(out, naive.forward(X)) < 1e-12


@given(spec=programs(kinks=False), seed=st.integers(0, 2**20))
def test_gradients_are_the_slopes_of_the_loss(spec: ProgramSpec, seed: int) -> None:
    network = loaded(spec, 2, seed)
    X, Y = random_data(spec, seed)
    gradients = network.gradients(X, Y)
    for name, array in network.parameters.items():
        if f"d{name}" not in gradients:  # of a layer that is not trained
            continue
        slopes = np.empty_like(array)
        for index in np.ndindex(array.shape):
            kept, h = array[index], 1e-5
            array[index] = kept + h
            above = network.loss(X, Y, training=True)
            array[index] = kept - h
            slopes[index] = (above - network.loss(X, Y, training=True)) / (2 * h)
            array[index] = kept
        difference = np.linalg.norm(slopes - gradients[f"d{name}"])
        assert difference < 1e-6 * (np.linalg.norm(slopes) + np.linalg.norm(gradients[f"d{name}"])) + 1e-8, name


@given(spec=programs(), seed=st.integers(0, 2**20))
def test_inferred_shapes_are_the_executed_ones(spec: ProgramSpec, seed: int) -> None:
    network = loaded(spec, 1, seed)
    X, _ = random_data(spec, seed)
    stated = {s.output: s.shape for s in network.program.forward if s.role in ("activation", "mask")}
    for name, array, span in network.trace(X, training=True):
        rows, columns = stated.get(name, (array.shape[0], "m"))
        assert (rows, M if str(columns) == "m" else columns) == array.shape
        assert span is not None
    for name, shape in {**network.program.parameters, **network.program.statistics}.items():
        assert network.tensors[name].shape == shape


@given(spec=programs(), seed=st.integers(0, 2**20))
def test_steps_agree_at_every_level(spec: ProgramSpec, seed: int) -> None:
    X, Y = random_data(spec, seed)
    networks = [loaded(spec, level, seed) for level in (0, 1, 2)]
    for _ in range(3):
        losses = [network.step(X, Y) for network in networks]
        assert losses == pytest.approx([losses[0]] * 3, rel=1e-10)
    for name, array in networks[0].tensors.items():
        for network in networks[1:]:
            assert relative_error(network.tensors[name], array) < 1e-8, name


@pytest.mark.parametrize("keep_gradients", [False, True])
@pytest.mark.parametrize("level", [0, 1, 2])
@given(spec=programs(), seed=st.integers(0, 2**20))
def test_steps_are_those_of_the_lesson(level: int, keep_gradients: bool, spec: ProgramSpec, seed: int) -> None:
    """Every optimizer, l2, clipping, shared and tied weights; W is updated where its gradient arises, or later."""
    X, Y = random_data(spec, seed)
    network = loaded(spec, level, seed, keep_gradients=keep_gradients)
    state: dict = {}
    for step in (1, 2):
        naive = Naive(spec, copies(network.parameters), copies(network.statistics), seed=seed, step=step)
        expected = naive.stepped(X, Y, state, 0.05)
        network.step(X, Y)
        for name, array in expected.items():
            assert relative_error(network.parameters[name], array) < 1e-10, name


@pytest.mark.parametrize("purpose", ["inference", "gradients", "step"])
@given(spec=programs())
def test_listings_can_be_read_back(purpose: str, spec: ProgramSpec) -> None:
    for level in (0, 1, 2):
        listing = dnnlang.compile(spec.text, optimize=level).listing(purpose)
        assert dnnlang.read_plan(str(listing)) == listing
