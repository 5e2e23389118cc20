"""When the loss is NaN or infinite: which value went wrong first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnnlang.diagnostics.diagnostic import rule
from dnnlang.errors import NumericError
from dnnlang.source import Span
from dnnlang.training.state import Data, parts
from dnnlang.training.table import Array

if TYPE_CHECKING:
    from dnnlang.network import Network

NOT_FINITE = rule(
    "DNN850",
    "loss-not-finite",
    "The loss became NaN or infinite.",
    why="Steps that are too long throw the parameters far away; the next Z overflow, and from then on everything is "
    "NaN. Training stops before the parameters are spoilt, and says which value was the first to go wrong.",
    wrong="train { learning_rate 100 }",
    right="train { learning_rate 0.01; clip_norm 1 }",
    program=False,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A network's parameters, statistics and optimizer state at one moment of a run, to replay from."""

    epoch: int
    batch: int
    step: int
    steps: int
    tensors: Mapping[str, Array]
    state: Mapping[str, Array]

    @staticmethod
    def of(network: Network, epoch: int, batch: int, step: int) -> Snapshot:
        return Snapshot(epoch, batch, step, network.steps, _copies(network.tensors), _copies(network.state))

    def restore(self, network: Network) -> None:
        network.steps = self.steps
        tensors = network.tensors
        for name, array in self.tensors.items():
            tensors[name][...] = array
        for name, array in self.state.items():
            network.state[name][...] = array


def went_wrong(network: Network, step: int, J: float, X: Data, *, what: str = "loss") -> NumericError:
    """The error for a J that is not finite, `network` standing just before update `step` on X."""
    culprit, span = _first(network, X)
    found = "NaN" if math.isnan(J) else "infinite"
    message = f"the {what} is {found} at step {step:,}"
    if culprit is not None:
        message += f"; the first value that went wrong is {culprit}"
    else:
        message += f", although every A[l] is finite: it overflows in the {what} itself"
        use = network.program.architecture.losses[0]
        span = use.span if use.span is not None else network.program.architecture.nodes[use.node].span
    settings = network.program.architecture.settings
    rate = float(settings.learning_rate)
    advice = [f"lower `learning_rate` (it is {rate:g})"]
    if settings.clip_norm is None:
        advice.append("set `clip_norm 1`")
    advice.append("scale the inputs to about -1 … 1")
    if step == 1:  # nothing was trained yet, so nothing in training is to blame
        advice = ["scale the inputs to about -1 … 1", "choose an activation that grows less"]
    return NumericError(NOT_FINITE.at(span, message, help=", or ".join(advice)))


def _first(network: Network, X: Data) -> tuple[str | None, Span | None]:
    """What is not finite, in the order in which it is computed, and the statement that it comes from."""
    for name, array in network.parameters.items():
        if not np.isfinite(array).all():
            parameter = network.program.architecture.parameters.get(name)
            return f"{name}, {_kind(array)} after the update before", None if parameter is None else parameter.span
    for name, array in parts(X).items():
        if not np.isfinite(array).all():
            return f"the input {name or 'X'}, {_kind(array)}", None
    for name, array, span in network.trace(X, training=True):
        if not np.isfinite(array).all():
            return f"{name}, {_kind(array)}", span
    return None, None


def _kind(array: Array) -> str:
    bad = array[~np.isfinite(array)]
    return "NaN" if np.isnan(bad).any() else "infinite"


def _copies(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays.items()}
