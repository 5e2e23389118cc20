"""The gradients that a plan computes against differences of the loss that it computes.

For each entry w of a parameter, (J(w + h) - J(w - h)) / 2h in float64. Samples are drawn anew while a
pre-activation, or what the loss compares, lies within KINK of a place that is not smooth: there the
difference quotient means nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from dnnlang.graph.architecture import LossUse
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map
from dnnlang.scalar.evaluate import evaluate
from dnnlang.training.columns import target_uses
from dnnlang.training.kinks import near_kinks
from dnnlang.training.order import CHECK, bits, shuffled
from dnnlang.training.state import Data
from dnnlang.training.table import Array
from dnnlang.training.trace import Traced, trace

if TYPE_CHECKING:
    from dnnlang.network import Network
    from dnnlang.program import Program

Bools = NDArray[np.bool_]

SAMPLES: Final = 5
STEP: Final = 2e-6
KINK: Final = 1e-4
TRIES: Final = 50
ENTRIES: Final = 200
"""More entries than these are sampled: a wrong formula is wrong nearly everywhere."""
TOLERANCE: Final = 1e-6
ROUNDING: Final = 1e-9
"""A difference quotient of a J of 1 is no more exact than this; smaller gradients cannot be compared."""
OPEN: Final = 4
"""What a size that nothing fixes becomes."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One gradient. `error` is ‖a - b‖ / (‖a‖ + ‖b‖) over the `entries` compared of the `count` that there are."""

    name: str
    shape: tuple[int, int]
    entries: int
    count: int
    error: float
    rounding: bool
    """Both are so small that only rounding is left of the difference quotient."""

    @property
    def passed(self) -> bool:
        return self.rounding or self.error <= TOLERANCE


def gradcheck(
    program: Program, *, backend: str = "numpy", sizes: Mapping[str, int] | None = None, seed: int = 0
) -> list[Comparison]:
    """Compare every gradient of `program` with central differences, at random parameters and samples."""
    bound = dict.fromkeys(program.architecture.symbols, OPEN) | dict(sizes or {})
    network = program.load(backend=backend, dtype="float64", sizes=bound, seed=seed)
    random = np.random.Generator(bits(seed, CHECK, 0))
    for array in network.parameters.values():  # biases of 0 would put whole layers on a kink
        if array.shape[1] == 1:
            array += random.normal(size=array.shape) * 0.1
    for statistic in network.program.architecture.statistics.values():
        network.statistics[statistic.name] = random.uniform(0.5, 1.5, size=network.statistics[statistic.name].shape)
    X, Y = _samples(network, random)
    gradients = {name: np.array(array) for name, array in network.gradients(X, Y).items()}
    J = network.loss(X, Y, training=True)
    return [
        _compare(network, X, Y, f"d{name}", array, gradients[f"d{name}"], J, seed)
        for name, array in network.parameters.items()
        if f"d{name}" in gradients
    ]


def relative_error(a: Array, b: Array) -> float:
    """‖a - b‖₂ / (‖a‖₂ + ‖b‖₂); 0 where both are 0, infinite where NaN or infinities stand in different places."""
    finite = np.isfinite(a)
    if (finite != np.isfinite(b)).any() or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    scale = float(np.linalg.norm(a[finite]) + np.linalg.norm(b[finite]))
    return float(np.linalg.norm(a[finite] - b[finite])) / scale if scale else 0.0


def _compare(
    network: Network, X: Data, Y: Data, name: str, parameter: Array, gradient: Array, J: float, seed: int
) -> Comparison:
    size = parameter.size
    chosen = shuffled(size, seed, CHECK)[:ENTRIES] if size > ENTRIES else np.arange(size)
    places = zip(*np.unravel_index(chosen, parameter.shape), strict=True)  # a flat view is no view of every layout
    differences = np.array([_difference(network, X, Y, parameter, (int(i), int(j))) for i, j in places])
    analytic = gradient.reshape(-1)[chosen]
    error = relative_error(analytic, differences)
    apart = float(np.linalg.norm(analytic - differences))
    rounding = error > TOLERANCE and apart <= ROUNDING * max(1.0, abs(J)) * np.sqrt(len(chosen))
    rows, columns = parameter.shape
    return Comparison(name, (rows, columns), len(chosen), size, error, bool(rounding))


def _difference(network: Network, X: Data, Y: Data, parameter: Array, at: tuple[int, int]) -> float:
    before = parameter[at]
    h = STEP * max(1.0, abs(float(before)))
    parameter[at] = before + h
    above, high = network.loss(X, Y, training=True), parameter[at]
    parameter[at] = before - h
    below, low = network.loss(X, Y, training=True), parameter[at]
    parameter[at] = before
    return (above - below) / float(high - low)


# ---------------------------------------------------------------- samples


def _samples(network: Network, random: np.random.Generator) -> tuple[Data, Data]:
    """X and Y of which no sample lies near a kink, or where forward is not defined, as far as TRIES draws find such.

    Inputs are normal, and all positive once one was drawn where forward is not defined (a logarithm).
    """
    architecture = network.program.architecture
    X = {name: _inputs(network, name, random, positive=False) for name in architecture.inputs}
    uses = target_uses(architecture)
    Y = {target: _targets(network, use, random) for target, use in uses.items()}
    positive = False
    for _ in range(TRIES):
        steps = trace(network, _single(X), _single(Y))
        undefined = _undefined(steps)
        redraw = undefined | _near_kinks(steps)
        if not redraw.any():
            break
        positive |= bool(undefined.any())
        for name, array in X.items():
            array[:, redraw] = _inputs(network, name, random, positive=positive)[:, redraw]
        for target, array in Y.items():
            array[:, redraw] = _targets(network, uses[target], random)[:, redraw]
    return _single(X), _single(Y)


def _near_kinks(steps: list[Traced]) -> Bools:
    near = np.zeros(SAMPLES, bool)
    for step in steps:
        primitive = step.instruction.primitive
        if isinstance(primitive, Map | Loss):
            pairs = zip(primitive.names, step.inputs, strict=False)
            operands = {name: array for name, array in pairs if array is not None}
            if operands:
                near |= near_kinks(primitive.expr, operands, KINK)
    return near


def _undefined(steps: list[Traced]) -> Bools:
    """The samples of which some value is NaN or infinite."""
    bad = np.zeros(SAMPLES, bool)
    for step in steps:
        if step.output is not None and step.output.shape[1] == SAMPLES:
            bad |= ~np.isfinite(step.output).all(axis=0)
    return bad


def _inputs(network: Network, node: str, random: np.random.Generator, *, positive: bool) -> Array:
    drawn = random.normal(size=(network.units(node), SAMPLES))
    return np.abs(drawn) + 0.05 if positive else drawn


def _targets(network: Network, use: LossUse, random: np.random.Generator) -> Array:
    """Between 0 and 1, which every loss can take, and scaled until what is given of the targets holds."""
    y = random.uniform(0.05, 0.95, size=(network.units(use.node), SAMPLES))
    for j in range(SAMPLES):
        for given, value in use.loss.given:
            y[:, j] *= _scale(given, value, y[:, j])
    return y


def _scale(given: object, value: Fraction, column: Array) -> float:
    """The factor that makes `given` hold where it is proportional to y, as sums and means are."""
    now = evaluate(given, {"y": column.tolist()})  # type: ignore[arg-type]
    number = float(np.mean(now))
    return float(value) / number if number else 1.0


def _single(data: Mapping[str, Array]) -> Data:
    return next(iter(data.values())) if len(data) == 1 else data
