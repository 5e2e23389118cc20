"""Loss and metrics of a network on data that it is not trained on at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from dnnlang.graph.architecture import LossUse
from dnnlang.training.columns import target_uses
from dnnlang.training.layout import Layout
from dnnlang.training.metrics import ClassAccuracy, Deviation, Metric, TwoValueAccuracy, metric_for, strata
from dnnlang.training.state import Data, parts, samples
from dnnlang.training.table import Array

if TYPE_CHECKING:
    from dnnlang.network import Network

CHUNK: Final = 1024
"""Samples evaluated at a time: memory stays that of a batch, however many there are."""


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured: a metric for each target whose node comes out of the network, and the losses."""

    metrics: Mapping[str, Metric]
    uses: Mapping[str, LossUse]
    units: Mapping[str, int]

    @property
    def shown(self) -> str | None:
        """The one to show while training."""
        for target, metric in self.metrics.items():
            return _label(metric.names[0], target, len(self.metrics))
        return None

    def strata(self, Y: Data) -> NDArray[np.int64] | None:
        """The classes to hold out in proportion: those of the first target."""
        for target, use in self.uses.items():
            return strata(of_target(Y, target, use), self.units[target], distribution=bool(use.loss.given))
        return None


def measure_of(network: Network, Y: Data, layout: Layout | None = None) -> Measure:
    """What to measure, from the losses and the targets; `layout` knows more of a table's targets."""
    architecture = network.program.architecture
    uses = target_uses(architecture)
    metrics: dict[str, Metric] = {}
    units = {}
    for target, use in uses.items():
        y = of_target(Y, target, use)
        units[target] = network.units(use.node)
        if use.node in architecture.outputs:
            metrics[target] = _metric(y, units[target], use, layout)
    return Measure(metrics, uses, units)


def measure(network: Network, X: Data, Y: Data, what: Measure, *, loss: bool = True) -> tuple[float, dict[str, float]]:
    """J (penalty left out; NaN with loss=False) and the metrics on X (n[0], m) and Y, evaluated in chunks."""
    count = samples(X)
    metrics = {target: metric.fresh() for target, metric in what.metrics.items()}
    total = 0.0
    for start in range(0, count, CHUNK):
        x, y = _chunk(X, start), _chunk(Y, start)
        if loss:
            total += network.loss(x, y, penalty=False) * samples(x)
        if metrics:
            A = network.forward(x)
            for target, metric in metrics.items():
                node = what.uses[target].node
                metric.add(A[node] if isinstance(A, Mapping) else A, of_target(y, target, what.uses[target]))
    values = {
        _label(name, target, len(metrics)): value
        for target, metric in metrics.items()
        for name, value in metric.values().items()
    }
    return (total / count if loss else float("nan")), values


def outputs(network: Network, X: Data) -> dict[str, Array]:
    """A by output node, (units, m), computed in chunks."""
    names = network.program.architecture.outputs
    pieces: dict[str, list[Array]] = {name: [] for name in names}
    for start in range(0, samples(X), CHUNK):
        A = network.forward(_chunk(X, start))
        for name in names:
            pieces[name].append(np.array(A[name] if isinstance(A, Mapping) else A))
    return {name: np.concatenate(piece, axis=1) for name, piece in pieces.items()}


def of_target(Y: Data, target: str, use: LossUse) -> Array:
    """The array of one target: Y itself, or that of its name or its node."""
    if not isinstance(Y, Mapping):
        return Y
    return Y[target] if target in Y else Y[use.node]


def _metric(y: Array, units: int, use: LossUse, layout: Layout | None) -> Metric:
    entry = None if layout is None else layout.targets.get(use.target)
    if entry is not None and entry.classes is not None and entry.units > 1:
        return ClassAccuracy()
    if entry is not None and entry.values is not None and np.isin(y, entry.values).all():
        return TwoValueAccuracy(*entry.values)
    if entry is not None and entry.values is None and entry.classes is None and not use.loss.given and units == 1:
        return Deviation()
    return metric_for(y, units, distribution=bool(use.loss.given))


def _label(name: str, target: str, count: int) -> str:
    return name if count == 1 else f"{name} of {target}"


def _chunk(data: Data, start: int) -> Data:
    if samples(data) <= CHUNK:
        return data
    if isinstance(data, Mapping):
        return {name: array[..., start : start + CHUNK] for name, array in parts(data).items()}
    return data[..., start : start + CHUNK]
