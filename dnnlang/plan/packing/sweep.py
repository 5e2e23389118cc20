"""Packing in one sweep over time, in n log n: each block goes into the free gap that it fits best."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence

from dnnlang.plan.packing.problem import Block

ENDLESS = 1 << 62


def best_fit(blocks: Sequence[Block], *, backwards: bool = False) -> list[int]:
    """Lowest in the smallest gap; with `backwards` from the last moment to the first."""
    if backwards:
        blocks = [Block(-b.upper, -b.lower, b.size) for b in blocks]
    offsets = [0] * len(blocks)
    gaps = _Gaps()
    ending = sorted(range(len(blocks)), key=lambda n: blocks[n].upper)
    ended = 0
    for number in sorted(range(len(blocks)), key=lambda n: (blocks[n].lower, -blocks[n].upper, -blocks[n].size)):
        lower, _, size = blocks[number]
        while blocks[ending[ended]].upper <= lower:
            gone = ending[ended]
            gaps.give_back(offsets[gone], offsets[gone] + blocks[gone].size)
            ended += 1
        offsets[number] = gaps.take(size)
    return offsets


class _Gaps:
    """The free regions of an endless arena, by size and by where they begin and end."""

    def __init__(self) -> None:
        self._by_size: list[tuple[int, int]] = [(ENDLESS, 0)]  # (size, start), in order
        self._end_of: dict[int, int] = {0: ENDLESS}
        self._start_of: dict[int, int] = {ENDLESS: 0}

    def take(self, size: int) -> int:
        found, start = self._by_size[bisect_left(self._by_size, (size, -1))]
        end = self._end_of[start]
        self._remove(start, end)
        if start + size < end:
            self._add(start + size, end)
        del found
        return start

    def give_back(self, start: int, end: int) -> None:
        if end in self._end_of:
            above = self._end_of[end]
            self._remove(end, above)
            end = above
        if start in self._start_of:
            below = self._start_of[start]
            self._remove(below, start)
            start = below
        self._add(start, end)

    def _add(self, start: int, end: int) -> None:
        insort(self._by_size, (end - start, start))
        self._end_of[start] = end
        self._start_of[end] = start

    def _remove(self, start: int, end: int) -> None:
        del self._by_size[bisect_left(self._by_size, (end - start, start))]
        del self._end_of[start]
        del self._start_of[end]


SWEEPS: tuple[Callable[[Sequence[Block]], list[int]], ...] = (
    best_fit,
    lambda blocks: best_fit(blocks, backwards=True),
)
