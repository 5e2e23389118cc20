"""Optimal schedules by dynamic programming over parts of a chain, exact in bytes.

For each part the work of a cheapest schedule is a step function of the room: it is kept as the rooms where it falls.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dnnlang.plan.budget.chain import Chain, Parts

Integers = npt.NDArray[np.int64]
Steps = tuple[Integers, Integers]
"""Rooms in ascending order, and the work from each of them on, descending."""


class Exact:
    """The cheapest schedules for every room up to `most` bytes."""

    def __init__(self, chain: Chain, most: int) -> None:
        self._most = most
        parts = Parts(chain)
        self._steps: dict[tuple[int, int], Steps] = {}
        for last in range(len(chain)):
            for first in range(last, -1, -1):
                self._steps[first, last] = self._made(chain, parts, first, last)

    def work(self, first: int, last: int, room: int) -> int | None:
        rooms, works = self._steps[first, last]
        at = int(np.searchsorted(rooms, room, side="right")) - 1
        return int(works[at]) if at >= 0 else None

    def steps(self) -> list[tuple[int, int]]:
        """For the whole chain: each room at which the work falls, and to what."""
        rooms, works = self._steps[0, max(last for _, last in self._steps)]
        return list(zip(rooms.tolist(), works.tolist(), strict=True))

    def _made(self, chain: Chain, parts: Parts, first: int, last: int) -> Steps:
        of = parts.part(first, last)
        stage = chain[first]
        if first == last:
            return self._envelope([_constant(of.least, of.save_work)])
        found = [self._moved(self._steps[first + 1, last], stage.saved, of.least, of.save_work)]
        for split in range(of.splits(self._most, last - first)):
            room, work = of.gradient + of.rooms[split], of.works[split]
            above = self._moved(self._steps[first + 1 + split, last], stage.input, room, work)
            below = self._steps[first, first + split]
            if len(above[0]) and len(below[0]):
                found.append(_sum(above, below))
        return self._envelope(found)

    def _moved(self, steps: Steps, by: int, least: int, work: int) -> Steps:
        """`by` bytes more room needed, at least `least`, and `work` on top."""
        rooms = np.maximum(steps[0] + by, least)
        return rooms, steps[1] + work

    def _envelope(self, found: list[Steps]) -> Steps:
        """The least work of all, at every room up to the most."""
        rooms = np.concatenate([steps[0] for steps in found])
        works = np.concatenate([steps[1] for steps in found])
        inside = rooms <= self._most
        rooms, works = rooms[inside], works[inside]
        order = np.lexsort((works, rooms))
        rooms, works = rooms[order], np.minimum.accumulate(works[order])
        falls = np.ones(len(works), bool)
        falls[1:] = works[1:] < works[:-1]
        return rooms[falls], works[falls]


def _constant(room: int, work: int) -> Steps:
    return np.array([room], np.int64), np.array([work], np.int64)


def _sum(one: Steps, other: Steps) -> Steps:
    """Both works together, in the same room."""
    rooms = np.concatenate([one[0], other[0]])
    rooms = rooms[rooms >= max(one[0][0], other[0][0])]
    first = np.searchsorted(one[0], rooms, side="right") - 1
    second = np.searchsorted(other[0], rooms, side="right") - 1
    return rooms, one[1][first] + other[1][second]
