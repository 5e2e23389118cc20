"""What the NumPy backend computes for the emitted test: on made-up samples, outputs, and a few steps of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dnnlang.emit.c.interface import Interface
from dnnlang.emit.c.text import Array
from dnnlang.network import Network

NUMBERS: Final = 4096
"""About so many inputs the test has; more samples are not worth the file's size."""
STEPS: Final = 3
ENTRIES: Final = 64
"""Of each tensor that are compared after training, spread over it."""
TRIES: Final = 8
AGREEMENT: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Expected:
    """`inputs` and `targets` by name, (units, m); `outputs` of them before any step, and `after` all of them.

    `losses` has J of each step; `tensors` has places in a tensor, as (row, column), with the numbers there.
    """

    samples: int
    inputs: Mapping[str, Array]
    targets: Mapping[str, Array]
    outputs: Mapping[str, Array]
    losses: tuple[float, ...]
    tensors: Mapping[str, tuple[tuple[int, int, float], ...]]
    after: Mapping[str, Array]

    def numbers(self) -> Array:
        """All results in a row."""
        parts: list[Any] = [a.ravel() for a in (*self.outputs.values(), *self.after.values())]
        parts += [np.array([x for _, _, x in entries]) for entries in self.tensors.values()]
        return np.concatenate([*parts, np.array(self.losses)]).astype(np.float64)


def expected(offered: Interface) -> Expected:
    """Results for samples on which rounding matters little: float32 and float64 agree.

    Near a kink, or where Adam divides a gradient by its own size, the last bit decides over the first; such samples
    say nothing about the code. Of several tries the best is taken.
    """
    best: tuple[float, Expected] | None = None
    for seed in range(TRIES):
        found = _computed(offered, seed, offered.network.dtype)
        other = "float64" if offered.network.dtype == "float32" else "float32"
        a, b = found.numbers(), _computed(offered, seed, other).numbers()
        with np.errstate(invalid="ignore"):
            apart = float(np.max(np.abs(a - b) / np.maximum(1, np.abs(b))))
        if best is None or apart < best[0] or np.isnan(best[0]):
            best = apart, found
        if apart <= AGREEMENT:
            break
    assert best is not None
    return best[1]


def _computed(offered: Interface, seed: int, dtype: str) -> Expected:
    network = _copy(offered.network, dtype)
    random = np.random.default_rng(seed)
    samples = max(1, min(offered.samples, NUMBERS // sum(a.units for a in offered.inputs)))
    if offered.training:
        samples = max(samples, min(2, offered.samples))
    inputs = {a.name: _inputs(network, a.name, random.normal(size=(a.units, samples))) for a in offered.inputs}
    targets = {a.name: _targets(network, a.name, a.units, samples, random) for a in offered.targets}
    outputs = _forward(network, inputs)
    losses, tensors, after = [], {}, {}
    if offered.training:
        losses = [network.step(inputs, targets) for _ in range(STEPS)]
        held = {**network.tensors, **network.state}
        tensors = {name: _entries(held[name]) for name in offered.tensors}
        after = _forward(network, inputs)
    return Expected(samples, inputs, targets, outputs, tuple(losses), tensors, after)


def _forward(network: Network, inputs: Mapping[str, Array]) -> dict[str, Array]:
    found = network.forward(inputs)
    return dict(found) if isinstance(found, dict) else {network.program.architecture.outputs[0]: found}


def _copy(network: Network, dtype: str) -> Network:
    made = network.program.load(backend="numpy", dtype=dtype, seed=network.seed)
    for name, array in network.parameters.items():
        made.parameters[name] = array
    for name, array in network.statistics.items():
        made.statistics[name] = array
    for name, array in network.state.items():
        made.state[name][...] = array
    made.steps, made.learning_rate = network.steps, network.learning_rate
    return made


def _inputs(network: Network, name: str, normal: Array) -> Array:
    """Numbers with few digits; where the network standardizes them, of the size that it knows."""
    for node in network.program.architecture.nodes.values():
        if node.kind.name == "standardize" and node.inputs == (name,):
            mean, deviation = (network.statistics[f"{key}[{node.name}]"] for key in ("mean", "deviation"))
            return np.asarray(mean + deviation * normal, np.float32)
    rounded: Array = np.round(normal, 3).astype(np.float32)
    return rounded


def _targets(network: Network, name: str, units: int, samples: int, random: np.random.Generator) -> Array:
    """Classes where targets are to sum to 1, else zeros and ones."""
    given = any(use.loss.given for use in network.program.architecture.losses if use.target == name)
    if given and units > 1:
        return np.eye(units, dtype=np.float32)[:, random.integers(units, size=samples)]
    return random.integers(2, size=(units, samples)).astype(np.float32)


def _entries(array: Array) -> tuple[tuple[int, int, float], ...]:
    rows = array.shape[0]
    chosen = np.unique(np.linspace(0, array.size - 1, min(array.size, ENTRIES)).astype(int))
    return tuple((int(n % rows), int(n // rows), float(array[n % rows, n // rows])) for n in chosen.tolist())
