"""An exact search for a packing of a given height: branch and bound over canonical packings.

Blocks are placed from the bottom up, in the order of their offsets, each resting on what is below it: every packing
can be pushed down to one of this form. So a block once placed has nothing left to come below it, and what is placed
is a skyline. After MiniMalloc (Moffitt, ASPLOS 2023) and TelaMalloc (Maas et al., ASPLOS 2023).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from operator import add, le
from random import Random
from typing import Final

from dnnlang.plan.packing.problem import Block, loads

MOST_BLOCKS: Final = 300
"""The search descends a level for each block that it places."""
NODES: Final = (2, 3, 2, 5)
NOISE: Final = (3, 10, 20, 60)
"""The limits of one attempt, a block, and by how many places a block may stand elsewhere in its order; in turns."""


OVERHEAD: Final = 40
"""What a node costs besides the blocks that it looks at, in blocks."""


class _Exhausted(Exception):
    """The node limit is reached."""


class Finder:
    """Searches packings of the same blocks. What a search was too short for, the next one begins in another way.

    `impossible` is the largest height for which it is known that there is no packing; `spent` the blocks that the
    last search looked at.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.impossible = -1
        self.spent = 0
        self._search = _Search(blocks)
        self._ranks = _ranks(blocks)
        self._random = Random(0)  # the same numbers in every run
        self._attempts: dict[int, int] = {}  # by height

    def find(self, height: int, effort: int) -> list[int] | None:
        """Offsets of a packing that is at most `height` high; None if there is none, or the effort is used up.

        Which block comes first is a heuristic, and a wrong choice early on costs dearly; so the search starts anew
        again and again, each time with another order and a limit.
        """
        self.spent = 0
        while self.spent < effort and height > self.impossible:
            search = self._search
            attempt = self._attempts.get(height, 0)
            search.begin(height, self._rank(attempt), self._nodes(attempt), effort - self.spent)
            self._attempts[height] = attempt + 1
            try:
                if search.run():
                    return search.offsets[:]
                self.impossible = height
            except _Exhausted:
                pass
            finally:
                self.spent += search.visits
        return None

    def _rank(self, attempt: int) -> list[float]:
        rank = self._ranks[attempt % len(self._ranks)]
        turn = attempt // len(self._ranks)
        noise = NOISE[turn % len(NOISE)] if turn else 0
        return [place + self._random.random() * noise for place in rank]

    def _nodes(self, attempt: int) -> int:
        turn = attempt // len(self._ranks)
        return NODES[turn % len(NODES)] * len(self._ranks[0]) * (1 + turn // 100)


def _ranks(blocks: Sequence[Block]) -> list[list[float]]:
    """Orders of preference, as the place of each block: by load, area and length."""
    most = loads(blocks)
    length = [b.upper - b.lower for b in blocks]
    area = [long * b.size for long, b in zip(length, blocks, strict=True)]
    keys = (
        lambda n: (-most[n], -area[n], -length[n]),
        lambda n: (-most[n], -length[n], -area[n]),
        lambda n: (-length[n], -area[n], -most[n]),
    )
    found = []
    for key in keys:
        rank = [0.0] * len(blocks)
        for place, number in enumerate(sorted(range(len(blocks)), key=key)):
            rank[number] = place
        found.append(rank)
    return found


def sections(blocks: Sequence[Block]) -> list[int]:
    """Where each section begins: the first moment at which a block begins behind one at which a block ended."""
    moments = sorted({(b.lower, True) for b in blocks} | {(b.upper, False) for b in blocks})
    ended = [True, *(not begins for _, begins in moments)]
    return [moment for (moment, begins), after_end in zip(moments, ended, strict=False) if begins and after_end]


class _Search:
    """Time is cut into sections: a new one begins where a block does, and one has ended since the last began.

    All blocks of a section share the moment before the first of them ends, so nothing else needs to be looked at.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        begins = sections(blocks)
        self.first = [bisect_right(begins, b.lower) - 1 for b in blocks]
        self.end = [bisect_left(begins, b.upper) for b in blocks]
        self.size = [b.size for b in blocks]
        self.sections = len(begins)
        self.beside = [
            [n for n in range(len(blocks)) if self.first[n] < end and first < self.end[n] and n != number]
            for number, (first, end) in enumerate(zip(self.first, self.end, strict=True))
        ]
        self.offsets = [0] * len(blocks)

    def begin(self, height: int, rank: Sequence[float], nodes: int, effort: int) -> None:
        """Sets what is asked for, and the limits."""
        self.height = height
        self.rank = rank
        self.nodes = nodes
        self.effort = effort
        self.visits = 0

    def run(self) -> bool:
        """Is there such a packing? Then `offsets` has it. Raises _Exhausted."""
        numbers = sorted(range(len(self.size)), key=lambda n: self.first[n])
        missing = [0] * self.sections
        for number in numbers:
            for s in range(self.first[number], self.end[number]):
                missing[s] += self.size[number]
        if max(missing, default=0) > self.height:
            return False
        return self._place(numbers, [0] * len(numbers), missing, 0)

    def _place(self, left: list[int], rests: list[int], missing: list[int], floor: int) -> bool:
        """Places the blocks `left`, which are sorted by when they begin, none lower than `floor`.

        `rests` says for each block how high what is below it reaches; `missing` for each section the sum of the sizes
        that are still to come.
        """
        if not left:
            return True
        self.nodes -= 1
        self.visits += OVERHEAD + len(left)
        if self.nodes < 0 or self.visits > self.effort:
            raise _Exhausted
        ends = list(accumulate(map(self.end.__getitem__, left), max))
        if floor + max(missing[self.first[left[0]] : ends[-1]]) > self.height:
            return False
        if any(map(le, ends, map(self.first.__getitem__, left[1:]))):  # one begins where all before it have ended
            parts = sorted(self._parts(left), key=len)
            return all(self._place(part, rests, missing, floor) for part in parts)
        size = self.size
        # Whoever rests so low that it would fit below all that is still to come was to be placed before.
        ceiling = min([rests[n] + size[n] for n in left])
        if ceiling <= floor or not self._fits(left, rests, missing, floor):
            return False
        chosen = [n for n in left if floor <= rests[n] < ceiling]
        rank = self.rank
        chosen.sort(key=lambda n: (rests[n], rank[n]))
        tried: set[tuple[int, int, int]] = set()
        for number in chosen:
            first, end = self.first[number], self.end[number]
            alike = (first, end, size[number])
            if alike not in tried and self._try(number, left, rests, missing):
                return True
            tried.add(alike)
        return False

    def _try(self, number: int, left: list[int], rests: list[int], missing: list[int]) -> bool:
        """Places one block where it rests, and then all others."""
        begins, ends, size = self.first, self.end, self.size[number]
        first, end, at = begins[number], ends[number], rests[number]
        top = at + size
        still = missing[:]
        still[first:end] = [m - size for m in missing[first:end]]
        if top + max(still[first:end]) > self.height:
            return False
        raised = rests[:]
        for other in self.beside[number]:
            if raised[other] < top:
                raised[other] = top
        self.offsets[number] = at
        return self._place([n for n in left if n != number], raised, still, at)

    def _parts(self, left: list[int]) -> list[list[int]]:
        """The blocks in groups that share no moment."""
        parts = []
        begin, end = 0, self.end[left[0]]
        for place, number in enumerate(left):
            if self.first[number] >= end:
                parts.append(left[begin:place])
                begin = place
            end = max(end, self.end[number])
        return [*parts, left[begin:]]

    def _fits(self, left: list[int], rests: list[int], missing: list[int], floor: int) -> bool:
        """Is there room in every section of theirs, if its blocks lay as low as the lowest of them can?"""
        begins, ends = self.first, self.end
        lowest = [0] * self.sections
        for number in sorted(left, key=rests.__getitem__, reverse=True):  # the lowest one last, over the others
            first, end, at = begins[number], ends[number], rests[number]
            lowest[first:end] = [at if at > floor else floor] * (end - first)
        begin, end = begins[left[0]], max([ends[n] for n in left])
        most: int = max(map(add, lowest[begin:end], missing[begin:end]))
        return most <= self.height
