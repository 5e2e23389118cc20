"""The learning rate of an epoch: one formula a schedule, of the epoch e, counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Schedule

Options = Mapping[str, float]


def _constant(e: int, epochs: int, options: Options) -> float:
    return 1.0


def _step(e: int, epochs: int, options: Options) -> float:
    return options["factor"] ** math.floor(e / options["every"])


def _exponential(e: int, epochs: int, options: Options) -> float:
    return options["base"] ** e


def _inverse(e: int, epochs: int, options: Options) -> float:
    return 1.0 / (1.0 + options["decay"] * e)


def _cosine(e: int, epochs: int, options: Options) -> float:
    """Up in equal steps during the warmup (never 0, which would waste the first epoch), then down a half
    cosine that reaches 0 as the last epoch ends (Loshchilov and Hutter 2016, without restarts)."""
    warmup = options["warmup"]
    if e < warmup:
        return (e + 1) / (warmup + 1)
    return 0.5 * (1.0 + math.cos(math.pi * (e - warmup) / max(1.0, epochs - warmup)))


FACTORS: Final[dict[str, Callable[[int, int, Options], float]]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "inverse": _inverse,
    "cosine": _cosine,
}


def learning_rate(schedule: Schedule, base: float, epoch: int, epochs: int) -> float:
    """α of `epoch` (from 0) in a run of `epochs`, for `learning_rate base`."""
    factor = FACTORS.get(schedule.name)
    if factor is None:
        raise InternalError(f"there is no formula for the schedule {schedule.name}")
    return base * factor(epoch, epochs, {name: float(value) for name, value in schedule.options})
