"""The `standardize` nodes of a network, fitted to the training data before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from dnnlang.backends.choice import reference
from dnnlang.diagnostics.diagnostic import rule
from dnnlang.errors import NumericError
from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.standardize import StandardizeDetail
from dnnlang.plan.ir import Purpose
from dnnlang.plan.passes import make_plan
from dnnlang.training.state import samples
from dnnlang.training.table import Array, Numbers

if TYPE_CHECKING:
    from dnnlang.network import Network

CHUNK: Final = 1024
"""Samples looked at together: memory stays that of a batch, however many there are."""

NOT_FINITE = rule(
    "DNN852",
    "standardize-not-finite",
    "What a `standardize` is to be fitted to is NaN or infinite for some of the training data.",
    why="One NaN makes the mean NaN, and with it everything behind the node. It comes from what stands before it, such "
    "as the logarithm of a number below 0.",
    wrong="define activation logarithm(z) = log(z)\ninput 3\napply logarithm   # and a column with a 0 in it\n"
    "standardize\nlayer 1 sigmoid",
    right="define activation logarithm(z) = log(z + 1)\ninput 3\napply logarithm\nstandardize\nlayer 1 sigmoid",
    program=False,
)


def fit_statistics(network: Network, X: Mapping[str, Array]) -> None:
    """Measure the mean and deviation of every `standardize` node on X, all training samples by input.

    In the order of the program, because one may stand behind another. Raises NumericError where values are not finite.
    """
    for node in network.program.architecture.nodes.values():
        if isinstance(node.detail, StandardizeDetail):
            moments = _moments(_values(network, node.inputs[0], X), node)
            network.statistics[node.detail.mean] = moments.mean
            network.statistics[node.detail.deviation] = moments.deviation(float(np.finfo(network.dtype).eps))


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of `count` samples: mean, sum of the squared deviations from it, largest size of a value; (k, 1) each."""

    count: int
    mean: Numbers
    squares: Numbers
    largest: Numbers

    def deviation(self, precision: float) -> Numbers:
        """sqrt(1/m Σ (x - mean)²); 1 for a unit that is the same in all samples, as far as its numbers can tell."""
        deviation = np.sqrt(self.squares / self.count)
        return np.where(deviation <= precision * self.largest, 1.0, deviation)

    def with_(self, other: _Moments) -> _Moments:
        """Of both together (Chan, Golub and LeVeque 1979): nothing cancels."""
        count = self.count + other.count
        apart = other.mean - self.mean
        return _Moments(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * other.count / count),
            np.maximum(self.largest, other.largest),
        )


def _moments(chunks: Iterator[Array], node: Node) -> _Moments:
    whole: _Moments | None = None
    for chunk in chunks:
        if not np.isfinite(chunk).all():
            raise _not_finite(chunk, node)
        part = _of(chunk.astype(np.float64))
        whole = part if whole is None else whole.with_(part)
    assert whole is not None  # data without samples were refused
    return whole


def _of(x: Numbers) -> _Moments:
    """In two passes, from the first sample: the mean of equal numbers is exactly that number."""
    mean = x[:, :1] + (x - x[:, :1]).mean(axis=1, keepdims=True)
    return _Moments(
        x.shape[1], mean, ((x - mean) ** 2).sum(axis=1, keepdims=True), np.abs(x).max(axis=1, keepdims=True)
    )


def _values(network: Network, node: str, X: Mapping[str, Array]) -> Iterator[Array]:
    """The values of a node that nothing trained stands above, (k, ·) in chunks, computed by the reference backend."""
    architecture = replace(network.program.architecture, outputs=(node,), losses=())
    plan = make_plan(architecture, Purpose.INFERENCE, level=2, training=False)
    backend = reference(np.dtype(network.dtype), network.seed)
    for start in range(0, samples(X), CHUNK):
        part = {name: array[:, start : start + CHUNK] for name, array in X.items()}
        executable = backend.executable(plan, samples(part), network.tensors)
        executable.place(np.empty(executable.arena_bytes(), np.uint8))
        yield executable.forward(part, step=1)[node]


def _not_finite(chunk: Array, node: Node) -> NumericError:
    bad: NDArray[np.intp] = np.argwhere(~np.isfinite(chunk))
    unit, what = int(bad[0, 0]) + 1, "NaN" if np.isnan(chunk).any() else "infinite"
    message = f"this `standardize` cannot be fitted: unit {unit} of {node.inputs[0]} is {what} for some training data"
    return NumericError(
        NOT_FINITE.at(node.span, message, help="look at what stands before it: a logarithm of 0, a division by 0")
    )
