"""A chain of stages, and the schedules that run it forwards and backwards while some of it is computed again.

The model is that of Beaumont, Eyraud-Dubois, Herrmann, Joly and Shilova, "Optimal checkpointing for heterogeneous
chains" (2019), with the room that each operation takes given for the operation as a whole. A schedule is persistent:
what it keeps, it keeps until the backward part has read it. Nothing here knows what a plan is.

Such a schedule splits. To bring the stages first … last backwards, either SAVE the first, bring the others backwards,
then the first; or run forward to some stage `at` and keep the first input and that of `at` only, bring at … last
backwards, then first … at - 1 anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Protocol

from dnnlang.errors import InternalError

FIRST, AGAIN = 0, 1
"""The two runs of a stage's forward part that may differ: the first one, and every later one."""


class Kind(StrEnum):
    """What can be done with a stage. All but BACKWARD read its input."""

    PASS = "pass"  # writes the output; the input goes
    KEEP = "keep"  # writes the output; the input stays
    SAVE = "save"  # writes the output, and what the backward part reads
    INNER = "inner"  # writes what the backward part reads, and no output
    BACKWARD = "backward"  # from the gradient of the output to that of the input; what it reads goes


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on stage number `stage`, from 0."""

    kind: Kind
    stage: int


@dataclass(frozen=True, slots=True)
class Run:
    """The forward part of a stage: for each operation the most bytes alive in it, its input and what it leaves with it.

    Gradients that are alive meanwhile are not counted.
    """

    passing: int
    keeping: int
    saving: int
    inner: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a chain.

    Bytes: of `input`; of `saved`, what SAVE and INNER leave for the backward part, the input among it if that reads
    it; of `gradient`, what arrives from the stage above; of `backward`, the most that is alive in the backward part,
    with all of these. `runs` are the first forward run and every later one.

    Work of every run but the first: `work` of PASS and KEEP, `saving_work` of SAVE, `inner_work` of INNER.
    """

    input: int
    saved: int
    gradient: int
    backward: int
    runs: tuple[Run, Run]
    work: int
    saving_work: int
    inner_work: int


Chain = Sequence[Stage]


class Solved(Protocol):
    """What an optimal schedule costs."""

    def work(self, first: int, last: int, room: int) -> int | None:
        """The least work on top to bring the stages first … last backwards in `room`, the input of `first` and the
        gradient that arrives at `last` with it; None if no schedule fits."""


@dataclass(frozen=True, slots=True)
class Part:
    """The stages first … last of a chain, and what the ways to bring them backwards need.

    Either SAVE (INNER in a single stage), `least` bytes being the most in the operations on the first stage itself,
    with `save_work`; or run forward up to the stage `at`, which takes `gradient` + `rooms[at - first - 1]` bytes and
    `works[at - first - 1]`. Rooms are in ascending order; both lists go on behind `last`.
    """

    least: int
    save_work: int
    gradient: int
    rooms: Sequence[int]
    works: Sequence[int]

    def splits(self, room: int, most: int) -> int:
        """How many splits, of at most so many, can be reached in `room` bytes."""
        return bisect_right(self.rooms, room - self.gradient, 0, most)


class Parts:
    """The parts of a chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._rooms = [[_rooms(chain, first, which) for first in range(len(chain))] for which in (FIRST, AGAIN)]
        self._works = [list(accumulate(stage.work for stage in chain[first:])) for first in range(len(chain))]
        self._nothing = [0] * len(chain)

    def part(self, first: int, last: int) -> Part:
        """The part from `first` to `last`. The first run of a stage is no work on top, and there are only first runs
        wherever the last stage of all is yet to come."""
        again = last < len(self._chain) - 1
        which = AGAIN if again else FIRST
        stage, gradient = self._chain[first], self._chain[last].gradient
        run = stage.runs[which]
        saving, save_work = (run.inner, stage.inner_work) if first == last else (run.saving, stage.saving_work)
        return Part(
            max(gradient + saving, stage.backward),
            save_work if again else 0,
            gradient,
            self._rooms[which][first],
            self._works[first] if again else self._nothing,
        )


def _rooms(chain: Chain, first: int, which: int) -> list[int]:
    """The most bytes, gradients aside, when only the input of `first` is kept on the way to each stage behind it."""
    kept = chain[first].input
    passing = (kept + stage.runs[which].passing for stage in chain[first + 1 :])
    return list(accumulate(passing, max, initial=chain[first].runs[which].keeping))


def operations(chain: Chain, solved: Solved, room: int) -> Iterator[Operation]:
    """The operations of a cheapest schedule in `room` bytes; SAVE where computing again costs as much.

    Raises InternalError if there is none.
    """
    parts = Parts(chain)
    pending: list[tuple[int, int, int] | Operation] = [(0, len(chain) - 1, room)]
    while pending:
        next_one = pending.pop()
        if isinstance(next_one, Operation):
            yield next_one
            continue
        first, last, there = next_one
        at = _split(chain, parts.part(first, last), solved, first, last, there)
        if at is None:
            yield Operation(Kind.INNER if first == last else Kind.SAVE, first)
            pending.append(Operation(Kind.BACKWARD, first))
            if first < last:
                pending.append((first + 1, last, there - chain[first].saved))
            continue
        yield Operation(Kind.KEEP, first)
        yield from (Operation(Kind.PASS, stage) for stage in range(first + 1, at))
        pending.append((first, at - 1, there))
        pending.append((at, last, there - chain[first].input))


def _split(chain: Chain, of: Part, solved: Solved, first: int, last: int, there: int) -> int | None:
    """Where the cheapest schedule splits; None where it begins with SAVE or INNER."""
    found: list[tuple[int, int | None]] = []
    if of.least <= there:
        above = 0 if first == last else solved.work(first + 1, last, there - chain[first].saved)
        if above is not None:
            found.append((of.save_work + above, None))
    for split in range(of.splits(there, last - first)):
        at = first + 1 + split
        above = solved.work(at, last, there - chain[first].input)
        below = solved.work(first, at - 1, there)
        if above is not None and below is not None:
            found.append((of.works[split] + above + below, at))
    if not found:
        raise InternalError(f"no schedule for the stages {first} … {last} in {there} bytes")
    return min(found, key=lambda entry: entry[0])[1]


def least_room(chain: Chain) -> int:
    """The least bytes of any persistent schedule, exactly."""
    n = len(chain)
    parts = Parts(chain)
    needs = [[0] * n for _ in range(n)]
    for last in range(n):
        for first in range(last, -1, -1):
            of = parts.part(first, last)
            stage, needs_below = chain[first], needs[first]
            best = of.least if first == last else max(of.least, stage.saved + needs[first + 1][last])
            for split in range(of.splits(best, last - first)):
                above = stage.input + needs[first + 1 + split][last]
                if above < best:
                    best = min(best, max(of.gradient + of.rooms[split], above, needs_below[first + split]))
            needs_below[last] = best
    return needs[0][n - 1]
