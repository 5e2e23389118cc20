"""What people see while a network trains: a live bar on a terminal, one plain line an epoch elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

from dnnlang.cli.show import is_terminal
from dnnlang.cli.text import number
from dnnlang.training.loop import Observer
from dnnlang.training.state import Record

if TYPE_CHECKING:
    from dnnlang.training.loop import Run

REFRESH: Final = 0.1
"""Seconds between two updates of the bar: reading faster than that is not possible, drawing costs time."""


def progress() -> Bar | Lines:
    """The one that suits stderr."""
    return Bar() if is_terminal(sys.stderr) else Lines()


class Lines(Observer):
    """One line an epoch, no control characters."""

    def __init__(self) -> None:
        self._nobody_reads = False

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def epoch(self, run: Run, record: Record) -> None:
        parts = [f"epoch {record.epoch:,}/{run.epochs:,}", f"step {record.step:,}", f"loss {number(record.loss)}"]
        name = run.state.metric
        if record.metric is not None:
            parts.append(f"{name} {number(record.metric)}")
        if record.validation_loss is not None:
            parts.append(f"validation loss {number(record.validation_loss)}")
        if record.validation_metric is not None:
            parts.append(f"validation {name} {number(record.validation_metric)}")
        parts.append(f"learning rate {record.learning_rate:.4g}")
        if record.samples_per_second is not None:
            parts.append(f"{record.samples_per_second:,.0f} samples/s")
        self._print("  ".join(parts))

    def _print(self, line: str) -> None:
        """A reader that went away (`2>&1 | head`) is no reason to end the training."""
        if self._nobody_reads:
            return
        try:
            print(line, file=sys.stderr, flush=True)
        except BrokenPipeError:
            self._nobody_reads = True


class Bar(Observer):
    """A bar over all updates with loss, metric, samples/s and time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(file=sys.stderr),
            expand=True,
        )
        self._task: Any = None
        self._shown = 0.0
        self._metric = ""

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, run: Run) -> None:
        self._task = self._bar.add_task(self._title(run), total=run.steps, completed=run.state.step, numbers="")

    def step(self, run: Run) -> None:
        now = time.perf_counter()
        if now - self._shown >= REFRESH:
            self._shown = now
            self._draw(run)

    def epoch(self, run: Run, record: Record) -> None:
        value = record.metric if record.validation_metric is None else record.validation_metric
        if value is not None:
            held = "" if record.validation_metric is None else "validation "
            self._metric = f"{held}{run.state.metric} {number(value)}"

    def end(self, run: Run) -> None:
        self._draw(run)

    def _draw(self, run: Run) -> None:
        parts = [f"loss {number(run.last_loss)}"]
        if self._metric:
            parts.append(self._metric)
        if run.samples_per_second is not None:
            parts.append(f"{run.samples_per_second:,.0f} samples/s")
        self._bar.update(self._task, completed=run.state.step, description=self._title(run), numbers="  ".join(parts))

    def _title(self, run: Run) -> str:
        return f"epoch {min(run.state.epoch + 1, run.epochs):,}/{run.epochs:,}"
