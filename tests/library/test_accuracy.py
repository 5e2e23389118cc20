"""Accuracy of the standard library, as the numpy backend runs it, against references of many digits.

κ = |z f'(z) / f(z)| is how much a relative change of z changes the value; what the last bit of z decides, no formula
can know better. Values stay within 16·max(1, κ) units in the last place; slopes and losses within that, or within
twice PyTorch's own error where that is larger.
"""

from __future__ import annotations

import importlib.util
import json
import math

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

import dnnlang
from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.definitions import Library
from dnnlang.scalar.construct import ONE
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.expression import Expr
from tests.library import peer
from tests.library.precise import precise

ULPS = 16
SWEEP = peer.sweep()
DTYPES = ("float32", "float64")


@pytest.fixture(scope="module")
def reference():
    if importlib.util.find_spec("torch") is not None:
        return peer.compute()
    return json.loads(peer.REFERENCE.read_text(encoding="utf-8"))


def definition(name: str) -> Expr:
    library = Library.standard()
    return library.activation(library.statement("activation", name).name, lambda tree: None, Diagnostics()).value


def ulp(value: mpf, dtype: str) -> mpf:
    """The distance between numbers of the dtype around `value`."""
    number = np.dtype(dtype).type(float(value))
    return mpf(float(np.spacing(np.abs(number)))) if np.isfinite(number) else mpf(float(np.finfo(dtype).max))


def error(got: float, exact: mpf, dtype: str) -> float:
    """How far `got` is from the exact value, in units in the last place; 0 where both round to the same number."""
    with np.errstate(over="ignore"):
        rounded = float(np.dtype(dtype).type(float(exact)))
    if got == rounded or (math.isnan(got) and mpmath.isnan(exact)):
        return 0.0
    if not math.isfinite(got):
        return math.inf
    return float(abs(mpf(got) - exact) / ulp(exact, dtype))


def allowed(z: mpf, value: mpf, slope: mpf) -> float:
    if value == 0 or not mpmath.isfinite(value) or not mpmath.isfinite(slope):
        return ULPS
    return ULPS * max(1.0, float(abs(z * slope / value)))


def run(name: str, dtype: str, optimize: int) -> tuple[list[float], list[float]]:
    """Values and slopes at each point of the sweep, one sample at a time."""
    source = f"define loss inner(a, y) = sum(a * y)\ninput 1\nlayer 1 {name}\nlayer 1 bias=none\nloss inner"
    network = dnnlang.compile(source, optimize=optimize).load(dtype=dtype)
    network.parameters["W[2]"][...] = 1
    one = np.ones((1, 1), dtype)
    values, slopes = [], []
    with np.errstate(all="ignore"):
        for z in SWEEP:
            network.parameters["b[1]"][...] = z
            network.parameters["W[1]"][...] = 0  # Z = b exactly, infinities included
            values.append(float(network.forward(one)[0, 0]))
            slopes.append(float(network.gradients(one, one)["db[1]"][0, 0]))
    return values, slopes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", peer.ELEMENTWISE)
def test_values_and_slopes(name, dtype, reference):
    f = definition(name)
    first = vjp(f, "z", ONE)
    second = vjp(first, "z", ONE)
    values, slopes = run(name, dtype, optimize=0)
    theirs = reference["slopes"][dtype][name]
    failed = []
    for z_written, value, slope, their_slope in zip(SWEEP, values, slopes, theirs, strict=True):
        z = float(np.dtype(dtype).type(z_written))
        if math.isinf(z):
            continue
        with mp.workdps(60):
            exact, exact_slope = precise(f, {"z": z}), precise(first, {"z": z})
            if error(value, exact, dtype) > allowed(z, exact, exact_slope):
                failed.append(f"value at {z:g}: {value!r}, exactly {mpmath.nstr(exact, 20)}")
            limit = max(allowed(z, exact_slope, precise(second, {"z": z})), 2 * error(their_slope, exact_slope, dtype))
            if error(slope, exact_slope, dtype) > limit:
                failed.append(f"slope at {z:g}: {slope!r}, exactly {mpmath.nstr(exact_slope, 20)}")
    assert failed == []


@pytest.mark.parametrize("optimize", [0, 1, 2])
@pytest.mark.parametrize("name", peer.ELEMENTWISE)
def test_nan_in_gives_nan_out(name, optimize):
    network = dnnlang.compile(f"input 1\nlayer 1 {name}\nloss mse", optimize=optimize).load(dtype="float64")
    network.parameters["b[1]"][...] = math.nan
    assert math.isnan(network.forward(np.ones((1, 1)))[0, 0])


LIMITS = {  # name: (limit at -inf, limit at +inf)
    "linear": (-math.inf, math.inf),
    "relu": (0.0, math.inf),
    "leaky_relu": (-math.inf, math.inf),
    "elu": (-1.0, math.inf),
    "celu": (-1.0, math.inf),
    "softplus": (0.0, math.inf),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "exp": (0.0, math.inf),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LIMITS)
def test_infinities(name, dtype):
    values, _ = run(name, dtype, optimize=1)
    assert (values[SWEEP.index(-math.inf)], values[SWEEP.index(math.inf)]) == LIMITS[name]


PAIRS = {  # a network whose Z is (z,) or (z, 0), and the loss of the lesson
    "sigmoid": "define loss inner(a, y) = -(y * log(a) + (1 - y) * log(1 - a))\ninput 1\nlayer 1 sigmoid\nloss inner",
    "softmax": "input 1\nlayer 2 softmax",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("y", peer.LOGIT_TARGETS)
@pytest.mark.parametrize("pair", PAIRS)
def test_losses_from_z(pair, y, dtype, reference):
    network = dnnlang.compile(PAIRS[pair]).load(dtype=dtype)
    network.parameters["W[1]"][...] = 0
    one = np.ones((1, 1), dtype)
    target = np.array([[y]] if pair == "sigmoid" else [[y], [1 - y]], dtype)
    finite = [z for z in SWEEP if abs(z) < 1e30]
    failed = []
    for z_written, their_loss in zip(finite, reference["from_logits"][dtype][f"{pair} {y}"], strict=True):
        z = float(np.dtype(dtype).type(z_written))
        network.parameters["b[1]"][0, 0] = z
        loss = float(network.loss(one, target))
        with mp.workdps(400):
            exact = mpmath.log1p(mpmath.exp(mpf(z))) - mpf(y) * z
            slope = 1 / (1 + mpmath.exp(-mpf(z))) - mpf(y)
            limit = max(allowed(z, exact, slope), 2 * error(their_loss, exact, dtype))
            if error(loss, exact, dtype) > limit:
                failed.append(f"loss at {z:g}: {loss!r}, exactly {mpmath.nstr(exact, 20)}, torch {their_loss!r}")
    assert failed == []
