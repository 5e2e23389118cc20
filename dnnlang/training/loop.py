"""Training: epochs of mini-batches, until the settings, patience or somebody says stop.

Every choice is a function of the seed and of counters (epoch, batch), never of a generator that moves on,
so a run can stop after any batch and go on from its TrainingState as if nothing had happened.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dnnlang.backends.runner import Arrays
from dnnlang.errors import DataError
from dnnlang.training import data_rules as rules
from dnnlang.training.advice import warn
from dnnlang.training.evaluation import Measure, measure, measure_of
from dnnlang.training.numeric import Snapshot, went_wrong
from dnnlang.training.order import SHUFFLE, Indices, shuffled
from dnnlang.training.schedules import learning_rate
from dnnlang.training.split import split
from dnnlang.training.state import Data, Record, TrainingState, digest, parts, samples, take

if TYPE_CHECKING:
    from dnnlang.network import Network

METRIC_STEPS = 10
"""Without validation the metric is measured on training data, and at most once in so many updates."""
METRIC_SAMPLES = 2048
"""… and on at most so many samples while training goes on."""
SNAPSHOT_STEPS = 64
"""How far a run is replayed at most, to find out what went wrong."""
CALL_SECONDS = 0.1
"""How long one call into native code takes: between two of them a run can be watched and stopped."""


class Observer:
    """Somebody who is told how training goes. Every method may be left out; `run.stop()` ends it in good order."""

    def begin(self, run: Run) -> None:
        """Data are split, nothing is trained yet."""

    def step(self, run: Run) -> None:
        """An update was done; of native code several, of those that take a moment."""

    def epoch(self, run: Run, record: Record) -> None:
        """An epoch ended."""

    def end(self, run: Run) -> None:
        """Training is over: `run.state.finished` says why, None if it was stopped."""


class Run:
    """One training run of a network on X and Y, (·, m) each. Raises DataError where they do not fit."""

    def __init__(
        self,
        network: Network,
        X: Data,
        Y: Data,
        *,
        observers: Sequence[Observer] = (),
        state: TrainingState | None = None,
        measure: Measure | None = None,
    ) -> None:
        self.network = network
        self.settings = network.program.architecture.settings
        self.observers = tuple(observers)
        count = _same_samples(X, Y)
        self.measure = measure_of(network, Y) if measure is None else measure
        fraction, seed = self.settings.validation, network.seed
        kept, held = split(count, fraction, seed, self.measure.strata(Y) if fraction else None)
        self.X, self.Y = (take(X, kept), take(Y, kept)) if len(held) else (X, Y)
        self.held: tuple[Data, Data] | None = (take(X, held), take(Y, held)) if len(held) else None
        self.count = len(kept)
        self.batch = self.count if self.settings.batch is None else min(self.settings.batch, self.count)
        self.steps_per_epoch = -(-self.count // self.batch)
        self.epochs, self.steps = self._length()
        self.state = TrainingState(digest=digest(X, Y)) if state is None else state
        self.state.metric = self.measure.shown or ""
        self.last_loss = math.nan
        self.samples_per_second: float | None = None
        self.choice: str | None = None  # the backend and why, where the network chooses it
        self._stopped = False
        self._since = (time.perf_counter(), self.state.columns)
        self._snapshot: Snapshot | None = None
        self._read: tuple[Arrays, Arrays] | None = None
        self._pace: float | None = None  # seconds an update

    def stop(self) -> None:
        """End after the update under way; the state can be resumed."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        return self._stopped

    def go(self) -> list[Record]:
        """Train to the end, or until somebody says stop. Raises NumericError where J is not finite."""
        if not self.network.fitted:
            self.network.standardize(self.X)
        self.choice = self.network.prefer_fastest(self.batch, self.steps)
        for observer in self.observers:
            observer.begin(self)
        self._reopen()
        while self.state.finished is None and not self._stopped:
            self._epoch()
        if self.state.finished is not None:
            self._keep_best()
        for observer in self.observers:
            observer.end(self)
        return self.state.history

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, from 0."""
        return learning_rate(self.settings.schedule, float(self.settings.learning_rate), epoch, self.epochs)

    # ------------------------------------------------------------ one epoch

    def _epoch(self) -> None:
        state = self.state
        rate = self.rate(state.epoch)
        order = self._order(state.epoch)
        self._since = (time.perf_counter(), state.columns)
        while state.batch < self.steps_per_epoch and state.step < self.steps:
            if self._stopped:
                return
            self._steps(order, rate)
            for observer in self.observers:
                observer.step(self)
        self._end_epoch(rate)

    def _steps(self, order: Indices | None, rate: float) -> None:
        """One update; of native code as many as it does in CALL_SECONDS."""
        state = self.state
        if self._snapshot is None or state.step - self._snapshot.step >= SNAPSHOT_STEPS:
            self._snapshot = Snapshot.of(self.network, state.epoch, state.batch, state.step)
        columns = self._columns(order, self._times())
        since = time.perf_counter()
        losses = self.network.updates(*self._data(), columns, rate)
        self._pace = (time.perf_counter() - since) / len(losses)
        for J in losses.tolist():
            if not math.isfinite(J):
                self._explain(J)
            count = self.count if columns is None else columns.shape[1]
            state.batch += 1
            state.step += 1
            state.columns += count
            state.loss_sum += J * count
            self.last_loss = J
        self._measure_speed()

    def _times(self) -> int:
        """How many updates the next call does: on batches of one size, within the epoch, the run and a snapshot."""
        state, snapshot = self.state, self._snapshot
        if self.network.backend == "numpy" or self._pace is None or snapshot is None:
            return 1
        until = min(self.count // self.batch - state.batch, self.steps - state.step)
        until = min(until, SNAPSHOT_STEPS - (state.step - snapshot.step))
        return max(1, min(until, int(CALL_SECONDS / max(self._pace, 1e-9))))

    def _data(self) -> tuple[Arrays, Arrays]:
        """X and Y as the backend takes them, read once."""
        if self._read is None:
            self._read = self.network.read(self.X, self.Y, by_samples=self.batch < self.count)
        return self._read

    def _end_epoch(self, rate: float) -> None:
        state = self.state
        loss = state.loss_sum / state.columns
        self._measure_speed()
        state.epoch += 1
        state.batch, state.columns, state.loss_sum = 0, 0, 0.0
        over = state.step >= self.steps
        metric = validation_loss = validation_metric = None
        if self.held is None:
            metric = self._training_metric(over)
        else:
            validation_loss, values = measure(self.network, *self.held, self.measure)
            validation_metric = values.get(self.measure.shown or "")
            self._watch(validation_loss)
        record = Record(
            state.epoch, state.step, loss, metric, validation_loss, validation_metric, rate, self.samples_per_second
        )
        state.history.append(record)
        if over:
            state.finished = "iterations" if self.settings.iterations is not None else "epochs"
        elif self._patience_is_over():
            state.finished = "patience"
        for observer in self.observers:
            observer.epoch(self, record)

    def _training_metric(self, over: bool) -> float | None:
        if self.measure.shown is None or not (over or self.state.step - self.state.measured >= METRIC_STEPS):
            return None
        self.state.measured = self.state.step
        some = _evenly(self.count, METRIC_SAMPLES)
        X, Y = (self.X, self.Y) if some is None else (take(self.X, some), take(self.Y, some))
        return measure(self.network, X, Y, self.measure, loss=False)[1].get(self.measure.shown)

    # ------------------------------------------------------------ patience

    def _watch(self, loss: float) -> None:
        """Remember the parameters of the lowest validation loss."""
        state = self.state
        if not math.isfinite(loss):
            held = self.X if self.held is None else self.held[0]
            raise went_wrong(self.network, state.step, loss, held, what="validation loss")
        if self.settings.patience is None or (state.best_loss is not None and loss >= state.best_loss):
            return
        state.best_loss = loss
        state.best_epoch = state.epoch
        state.best = {name: array.copy() for name, array in self.network.tensors.items()}

    def _patience_is_over(self) -> bool:
        patience = self.settings.patience
        return patience is not None and self.held is not None and self.state.epoch - self.state.best_epoch >= patience

    def _keep_best(self) -> None:
        state = self.state
        if state.best is None or state.last is not None:
            return
        state.last = {name: array.copy() for name, array in self.network.tensors.items()}
        for name, array in self.network.tensors.items():
            array[...] = state.best[name]

    def _reopen(self) -> None:
        """Go on with a finished run whose settings now ask for more, from its last parameters."""
        state = self.state
        if state.step >= self.steps and not state.columns:  # the settings now ask for less than was done
            state.finished = state.finished or "epochs"
        if state.finished is None or state.step >= self.steps or self._patience_is_over():
            return
        state.finished = None
        if state.last is not None:
            for name, array in self.network.tensors.items():
                array[...] = state.last[name]
            state.last = None

    # ------------------------------------------------------------ which samples

    def _order(self, epoch: int) -> Indices | None:
        """The epoch's order; None where every batch is all the data, whose order does not matter."""
        return None if self.batch == self.count else shuffled(self.count, self.network.seed, SHUFFLE, epoch)

    def _columns(self, order: Indices | None, times: int) -> Indices | None:
        """The samples of the next `times` batches, a row for each; None for all of them."""
        if order is None:
            return None
        start = self.state.batch * self.batch
        chosen = order[start : start + times * self.batch]
        return chosen.reshape(times, -1)

    def _batch(self, epoch: int, at: int) -> tuple[Data, Data]:
        """Batch `at` of an epoch."""
        order = self._order(epoch)
        if order is None:
            return self.X, self.Y
        indices = order[at * self.batch : (at + 1) * self.batch]
        return take(self.X, indices), take(self.Y, indices)

    def _length(self) -> tuple[int, int]:
        """Epochs and updates of the whole run."""
        if self.settings.iterations is not None:
            return -(-self.settings.iterations // self.steps_per_epoch), self.settings.iterations
        epochs = self.settings.epochs or 0
        return epochs, epochs * self.steps_per_epoch

    def _measure_speed(self) -> None:
        start, columns = self._since
        elapsed = time.perf_counter() - start
        if elapsed > 0:
            self.samples_per_second = (self.state.columns - columns) / elapsed

    def _explain(self, J: float) -> None:
        """Replay up to the bad update, so that the network stands just before it, and say what is wrong there."""
        state, snapshot = self.state, self._snapshot
        if snapshot is None:  # there always is one before the first update
            return
        snapshot.restore(self.network)
        epoch, at = snapshot.epoch, snapshot.batch
        for _ in range(state.step - snapshot.step):
            self.network.step(*self._batch(epoch, at), learning_rate=self.rate(epoch))
            at += 1
            if at == self.steps_per_epoch:
                epoch, at = epoch + 1, 0
        raise went_wrong(self.network, state.step + 1, J, self._batch(state.epoch, state.batch)[0])


def fit(
    network: Network,
    X: Data,
    Y: Data,
    *,
    observers: Sequence[Observer] = (),
    state: TrainingState | None = None,
) -> list[Record]:
    """Train `network` by its program's settings on X (n[0], m) and Y; one Record an epoch.

    Warns (DnnWarning) of a batch that is larger than the data, and of inputs that are not scaled. Raises DataError
    where the data do not fit, NumericError where the loss is NaN or infinite.
    """
    return fit_run(Run(network, X, Y, observers=observers, state=state))


def fit_run(run: Run) -> list[Record]:
    """Train to the end, after the warnings that the data ask for."""
    warn(run.network, run.X, samples(run.held[0]) if run.held is not None else 0)
    return run.go()


def _evenly(count: int, limit: int) -> Indices | None:
    """At most `limit` of `count` samples, evenly spaced; None for all."""
    return None if count <= limit else np.linspace(0, count - 1, limit).astype(np.int64)


def _same_samples(X: Data, Y: Data) -> int:
    """How many samples there are; every array must have as many."""
    count = samples(X)
    for what, data in (("X", X), ("Y", Y)):
        for name, array in parts(data).items():
            if array.shape[-1] != count:
                raise DataError(
                    rules.ARRAYS.at(
                        None,
                        f"X has {count} samples (columns), but {f'{what}[{name}]' if name else what} has "
                        f"{array.shape[-1]}",
                        help="samples are columns; were rows meant? Then give `X.T`",
                    )
                )
    if count == 0:
        raise DataError(rules.EMPTY.at(None, "X has no samples (columns)"))
    return count
