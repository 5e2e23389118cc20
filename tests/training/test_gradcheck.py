"""Gradcheck passes what is right, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import dnnlang
from dnnlang.network import Network
from dnnlang.scalar.construct import maximum, minus
from dnnlang.scalar.expression import apply, constant, variable
from dnnlang.training.gradcheck import TOLERANCE, gradcheck, relative_error
from dnnlang.training.kinks import near_kinks

PROGRAMS = [
    "layer 5 relu; layer 1 sigmoid",
    "layer 5 tanh; layer 3 softmax",
    "layer 5 leaky_relu; dropout 0.3; layer 2\nloss mse\ntrain { l2 0.1 }",
    "input 4 as x\nlayer 4 relu as h\nlayer 4\nadd from h, _\nconcat from x, _\nmultiply from _, _\nlayer 2",
    "define loss gap(a, y) = sum(abs(a - y))\nlayer 3 relu; layer 2\nloss gap",
    "define activation logarithm(z) = log(z + 0.01)\ninput 3\napply logarithm\nlayer 2 relu; layer 1",
]


@pytest.mark.parametrize("text", PROGRAMS)
@pytest.mark.parametrize("optimize", [0, 1, 2])
def test_what_is_right_passes(text, optimize):
    found = gradcheck(dnnlang.compile(text, optimize=optimize))
    assert found
    for each in found:
        assert each.passed, each
        assert each.error < TOLERANCE


@pytest.mark.parametrize("name", ["dW[1]", "db[2]"])
def test_a_wrong_gradient_is_found(monkeypatch, name):
    gradients = Network.gradients

    def wrong(self, X, Y, **options):
        found = gradients(self, X, Y, **options)
        found[name].flat[0] *= 1.001
        return found

    monkeypatch.setattr(Network, "gradients", wrong)
    found = gradcheck(dnnlang.compile(PROGRAMS[0]))
    assert [each.name for each in found if not each.passed] == [name]


def test_large_tensors_are_sampled():
    [weights, biases] = gradcheck(dnnlang.compile("input 300; layer 3"))
    assert (weights.entries, weights.count) == (200, 900)
    assert (biases.entries, biases.count) == (3, 3)


def test_relative_error():
    a = np.array([3.0, 4.0])
    assert relative_error(a, a) == 0
    assert relative_error(np.zeros(2), np.zeros(2)) == 0
    assert relative_error(a, np.zeros(2)) == 1
    assert relative_error(a, a * 1.001) == pytest.approx(0.0005, rel=1e-3)
    assert relative_error(np.array([np.nan, 1]), np.array([np.nan, 1])) == 0
    assert relative_error(np.array([np.nan, 1]), np.array([1, np.nan])) == np.inf


def test_kinks():
    z = {"z": np.array([[0.5, 1e-5, -1.0], [2.0, 3.0, -1.00001]])}
    relu = maximum(variable("z"), constant(0))
    assert near_kinks(relu, z, 1e-4).tolist() == [False, True, False]
    assert near_kinks(minus(variable("z"), constant(1)), z, 1e-4).tolist() == [False, False, False]
    assert near_kinks(apply("max", variable("z")), z, 1e-4).tolist() == [False, False, True]
    assert near_kinks(apply("abs", minus(variable("z"), constant(3))), z, 1e-4).tolist() == [False, True, False]
