"""Observers of training: which backend it is, checkpoints, the history."""

from __future__ import annotations

import json
import math
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dnnlang.cli.parser import NO_ACCESS
from dnnlang.errors import ModelFileError, UsageError
from dnnlang.training.atomic import write_text
from dnnlang.training.files import Model, save
from dnnlang.training.loop import Observer
from dnnlang.training.state import Record

if TYPE_CHECKING:
    from dnnlang.training.loop import Run

EVERY: Final = 5.0
"""Seconds between checkpoints …"""
SHARE: Final = 20
"""… but at least this many times what writing one takes, so that large models do not train for the disk."""


class ChosenBackend(Observer):
    """One line that says which backend trains, and why, where there is much to do and nobody asked for one."""

    def begin(self, run: Run) -> None:
        if run.choice is not None:
            with suppress(BrokenPipeError):  # nobody reads
                print(f"backend: {run.choice}", file=sys.stderr, flush=True)


class Checkpoints(Observer):
    """Writes the model every few seconds, between two updates."""

    def __init__(self, model: Model, path: str) -> None:
        self._model = model
        self._path = path
        self._next = time.monotonic() + EVERY

    def begin(self, run: Run) -> None:
        self._model.training = run.state
        self._next = time.monotonic() + EVERY

    def step(self, run: Run) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        try:
            save(self._model, self._path)
        except ModelFileError as error:  # a full disk may have room again before the training ends
            print(f"no checkpoint was written: {error.diagnostics[0].message}", file=sys.stderr)
        taken = time.monotonic() - now
        self._next = now + taken + max(EVERY, SHARE * taken)


class HistoryFile(Observer):
    """One JSON line an epoch. A resumed run goes on after the lines of the epochs that it does not repeat."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def begin(self, run: Run) -> None:
        try:
            write_text(self._path, "".join(self._kept(run.state.epoch)))
        except OSError as error:
            raise self._failure(error) from None

    def epoch(self, run: Run, record: Record) -> None:
        entry = {"metric_name": run.state.metric or None, **asdict(record)}
        line = json.dumps({key: _finite(value) for key, value in entry.items()})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise self._failure(error) from None

    def _kept(self, epoch: int) -> list[str]:
        if epoch == 0 or not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        return [line for line in lines if line.endswith("\n") and _epoch_of(line) <= epoch]

    def _failure(self, error: OSError) -> UsageError:
        return UsageError(NO_ACCESS.at(None, f"cannot write `{self._path}`: {error.strerror or error}"))


def _epoch_of(line: str) -> float:
    """The epoch of a line, infinite where it is none of ours."""
    try:
        return int(json.loads(line)["epoch"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return math.inf


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
