"""The best packing that is found: sweeps over time, greedy orders, and then search, until the bound is reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnnlang.plan.packing.exact import MOST_BLOCKS, Finder
from dnnlang.plan.packing.greedy import first_fit, improved, orders
from dnnlang.plan.packing.problem import Block, Packing, bound, height, independent, neighbours
from dnnlang.plan.packing.sweep import SWEEPS

EFFORT: Final = 220_000
"""Blocks that may be looked at. Two millions a second or so."""
FIRST: Final = 200_000
"""Of this, what the first search for the goal gets at least."""
HALVINGS: Final = 5


def pack(blocks: Sequence[Block], *, target: int | None = None, effort: int = EFFORT) -> Packing:
    """Where to put the blocks. Stops as soon as a packing is at most `target` high: by default the lower bound.

    The effort is counted, not timed, so that the same blocks always lie in the same places. Whatever it is, the
    sweeps are made, which take n log n.
    """
    least = bound(blocks)
    goal = least if target is None else max(least, target)
    offsets = [0] * len(blocks)
    groups = independent(blocks)
    for done, group in enumerate(groups):
        search = _Search([blocks[n] for n in group], goal, effort // (len(groups) - done))
        search.run()
        effort -= search.spent
        for number, offset in zip(group, search.best, strict=True):
            offsets[number] = offset
    return Packing(tuple(offsets), height(blocks, offsets), least)


class _Search:
    """The best packing so far of blocks that hang together."""

    def __init__(self, blocks: Sequence[Block], goal: int, effort: int) -> None:
        self.blocks = blocks
        self.goal = goal
        self.effort = effort
        self.spent = 0
        self.best: list[int] = []
        self.reached = 0

    def run(self) -> None:
        """From the cheapest to the most thorough, until the goal is reached or the effort spent."""
        for sweep in SWEEPS:
            if self._offer(sweep(self.blocks)):
                return
        beside = neighbours(self.blocks, self.effort)
        if beside is None:
            return
        cost = len(self.blocks) + sum(map(len, beside)) // 4  # of one greedy packing
        for order in orders(self.blocks):
            if self.spent + cost > self.effort:
                return
            self.spent += cost
            if self._offer(first_fit(self.blocks, beside, order)):
                return
        if len(self.blocks) <= MOST_BLOCKS and self._found():
            return
        rounds = (self.effort - self.spent) // cost
        if rounds > 0:
            self._offer(improved(self.blocks, beside, orders(self.blocks), self.goal, rounds))

    def _offer(self, offsets: list[int]) -> bool:
        """Keeps a packing if it is better; is the goal reached?"""
        found = height(self.blocks, offsets)
        if not self.best or found < self.reached:
            self.best, self.reached = offsets, found
        return self.reached <= self.goal

    def _found(self) -> bool:
        """The exact search: for the goal; then for something in between, as a fallback; then for the goal again."""
        finder = Finder(self.blocks)
        rest = self.effort - self.spent
        done = self._find(finder, self.goal, max(rest // 8, min(rest, FIRST)))
        low = self.goal
        for _ in range(HALVINGS):
            middle = (max(low, finder.impossible) + self.reached) // 2
            if done or middle >= self.reached:
                return done
            before = self.reached
            done = self._find(finder, middle, rest // 20)
            low = low if self.reached < before else middle
        return done or self._find(finder, self.goal, (self.effort - self.spent) * 7 // 8)

    def _find(self, finder: Finder, height: int, effort: int) -> bool:
        found = finder.find(height, effort)
        self.spent += finder.spent
        return found is not None and self._offer(found)
