"""Where a training run stands: all that is needed to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from dnnlang.training.table import Array

Data = Array | Mapping[str, Array]
"""Samples in columns: one array, or one for each input or target by its name."""

COLUMNS: Final = ("epoch", "step", "loss", "metric", "validation_loss", "validation_metric", "learning_rate")
"""What a model file keeps of a record. Times are left out: the same training gives the same file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One epoch. `loss` is the mean of J over the epoch's samples, as each update saw it.

    `epoch` counts from 1, `step` is the number of updates so far. `metric` is None where it was not
    measured, the validation values are None without validation.
    """

    epoch: int
    step: int
    loss: float
    metric: float | None
    validation_loss: float | None
    validation_metric: float | None
    learning_rate: float
    samples_per_second: float | None


@dataclass(slots=True)
class TrainingState:
    """Progress of one run. `epoch` epochs and `batch` batches of the next one are done, `step` updates in all.

    `columns` samples of the epoch under way gave losses that sum to `loss_sum`; `measured` is the update after
    which the training metric was last measured. `best` are the parameters
    of the lowest validation loss, kept while `patience` is on; `last` the final ones, when the network has
    been given the best. `finished` is why the run ended: "epochs", "iterations", "patience".
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    columns: int = 0
    measured: int = 0
    best_epoch: int = 0
    best_loss: float | None = None
    best: dict[str, Array] | None = None
    last: dict[str, Array] | None = None
    finished: str | None = None
    digest: str = ""
    metric: str = ""
    history: list[Record] = field(default_factory=list)

    def numbers(self) -> dict[str, Any]:
        """The part that is not arrays, as JSON."""
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "columns": self.columns,
            "measured": self.measured,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "finished": self.finished,
            "digest": self.digest,
            "metric": self.metric,
        }

    def history_array(self) -> Array:
        """(epochs, len(COLUMNS)), NaN where there is nothing."""
        rows = [[_or_nan(getattr(record, name)) for name in COLUMNS] for record in self.history]
        return np.array(rows, np.float64).reshape(len(rows), len(COLUMNS))

    @staticmethod
    def from_parts(numbers: Mapping[str, Any], history: Array) -> TrainingState:
        """The inverse of `numbers` and `history_array`. Raises KeyError, TypeError or ValueError."""
        best_loss = numbers["best_loss"]
        finished = numbers["finished"]
        state = TrainingState(
            epoch=_count(numbers["epoch"]),
            batch=_count(numbers["batch"]),
            step=_count(numbers["step"]),
            loss_sum=float(numbers["loss_sum"]),
            columns=_count(numbers["columns"]),
            measured=_count(numbers["measured"]),
            best_epoch=_count(numbers["best_epoch"]),
            best_loss=None if best_loss is None else float(best_loss),
            finished=None if finished is None else str(finished),
            digest=str(numbers["digest"]),
            metric=str(numbers["metric"]),
        )
        if history.ndim != 2 or history.shape[1] != len(COLUMNS):
            raise ValueError("the history has another form")
        for epoch, step, loss, *optional, rate in history.tolist():
            metric, validation_loss, validation_metric = (None if v != v else v for v in optional)
            record = Record(int(epoch), int(step), loss, metric, validation_loss, validation_metric, rate, None)
            state.history.append(record)
        return state


def digest(X: Data, Y: Data) -> str:
    """A fingerprint of the training data: resuming with other data is not the same run."""
    made = hashlib.blake2b(digest_size=16)
    for part in (X, Y):
        for name, array in sorted(parts(part).items()):
            made.update(f"{name}:{array.shape}:{array.dtype.str};".encode())
            made.update(np.ascontiguousarray(array).data)
    return made.hexdigest()


def parts(data: Data) -> Mapping[str, Array]:
    """The arrays by name; a single one is called ``."""
    return data if isinstance(data, Mapping) else {"": data}


def samples(data: Data) -> int:
    """The number of columns."""
    return int(next(iter(parts(data).values())).shape[-1])


def take(data: Data, indices: Array) -> Data:
    """Some of the columns."""
    if isinstance(data, Mapping):
        return {name: np.take(array, indices, axis=-1) for name, array in data.items()}
    return np.take(data, indices, axis=-1)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("a count was expected")
    return value
