"""How good a prediction is: accuracy where there are classes, RMSE and R² where there are numbers.

Which one it is follows from the targets themselves and from what the loss states about them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dnnlang.training.table import Array


class Metric(Protocol):
    """Collects over batches; the first of `names` is the one to show while training."""

    names: tuple[str, ...]

    def fresh(self) -> Metric:
        """The same metric with nothing collected."""

    def add(self, A: Array, Y: Array) -> None:
        """Predictions A (k, m), and targets Y (k, m) or (m,)."""

    def values(self) -> dict[str, float]:
        """What came out, by name."""


@dataclass(slots=True)
class ClassAccuracy:
    """The share of samples whose largest output is that of their class."""

    names: tuple[str, ...] = ("accuracy",)
    right: int = 0
    seen: int = 0

    def fresh(self) -> ClassAccuracy:
        return ClassAccuracy(self.names)

    def add(self, A: Array, Y: Array) -> None:
        self.right += int((A.argmax(axis=0) == class_indices(Y)).sum())
        self.seen += A.shape[1]

    def values(self) -> dict[str, float]:
        return {"accuracy": self.right / self.seen if self.seen else math.nan}


@dataclass(slots=True)
class TwoValueAccuracy:
    """The share of entries whose output is nearer to their own of the two target values, `low` and `high`."""

    low: float
    high: float
    names: tuple[str, ...] = ("accuracy",)
    right: int = 0
    seen: int = 0

    def fresh(self) -> TwoValueAccuracy:
        return TwoValueAccuracy(self.low, self.high, self.names)

    def add(self, A: Array, Y: Array) -> None:
        middle = (self.low + self.high) / 2
        self.right += int((np.greater(A, middle) == np.greater(Y.reshape(A.shape), middle)).sum())
        self.seen += A.size

    def values(self) -> dict[str, float]:
        return {"accuracy": self.right / self.seen if self.seen else math.nan}


@dataclass(slots=True)
class Deviation:
    """RMSE over all entries, and R² = 1 - Σ(a - y)² / Σ(y - mean)², the mean taken for each unit."""

    names: tuple[str, ...] = ("rmse", "r2")
    squares: float = 0.0
    entries: int = 0
    columns: int = 0
    mean: Any = 0.0
    spread: Any = 0.0

    def fresh(self) -> Deviation:
        return Deviation(self.names)

    def add(self, A: Array, Y: Array) -> None:
        y = Y.reshape(A.shape).astype(np.float64)
        error = A - y
        self.squares += float((error * error).sum())
        self.entries += y.size
        self._spread(y)

    def values(self) -> dict[str, float]:
        if not self.entries:
            return {"rmse": math.nan, "r2": math.nan}
        spread = float(np.sum(self.spread))
        return {
            "rmse": math.sqrt(self.squares / self.entries),
            "r2": 1.0 - self.squares / spread if spread > 0 else math.nan,
        }

    def _spread(self, y: NDArray[np.float64]) -> None:
        """Mean and Σ(y - mean)² of what was seen and `y` together (Chan, Golub and LeVeque 1979)."""
        count = y.shape[1]
        mean = y.mean(axis=1)
        gap = mean - self.mean
        total = self.columns + count
        self.spread = (
            self.spread + ((y - mean[:, np.newaxis]) ** 2).sum(axis=1) + gap * gap * (self.columns * count / total)
        )
        self.mean = self.mean + gap * (count / total)
        self.columns = total


def metric_for(Y: Array, units: int, *, distribution: bool) -> Metric:
    """The metric for targets Y, (k, m) or class indices (m,), of an output of `units` units.

    `distribution`: the loss states what targets sum to.
    """
    if units > 1 and (Y.ndim == 1 or distribution or _one_hot(Y)):
        return ClassAccuracy()
    values = two_values(Y)
    return Deviation() if values is None else TwoValueAccuracy(*values)


def class_indices(Y: Array) -> NDArray[np.int64]:
    """(m,) from class indices (m,) or from a column of shares for each sample (k, m)."""
    if Y.ndim == 1:
        return np.asarray(Y, np.int64)
    return np.asarray(Y.argmax(axis=0), np.int64)


def strata(Y: Array, units: int, *, distribution: bool) -> NDArray[np.int64] | None:
    """The class of each sample for a stratified split, (m,); None where targets are no classes."""
    if units > 1 and (Y.ndim == 1 or distribution or _one_hot(Y)):
        return class_indices(Y)
    values = two_values(Y)
    if values is None or units > 1:
        return None
    return np.asarray(Y.reshape(-1) == values[1], np.int64)


def two_values(Y: Array) -> tuple[float, float] | None:
    """The only two values that occur in Y, lower first, or None."""
    low, high = float(Y.min()), float(Y.max())
    return (low, high) if low < high and bool(np.isin(Y, (low, high)).all()) else None


def _one_hot(Y: Array) -> bool:
    return Y.ndim == 2 and Y.shape[0] > 1 and bool(((Y == 0) | (Y == 1)).all() and (Y.sum(axis=0) == 1).all())
