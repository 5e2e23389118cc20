"""The verifier's model of the arena: it stacks the slots by itself, and watches what each write destroys.

It asks nobody when a value dies. Whatever a write may overlap is gone from then on, and a plan that reads it is wrong.

Two slots are apart for every m, and whatever a backend pads slots to, only where one stands on the other, be it by way
of others. Numbers would not do: slots of 3 m and m end where one of 4 m does, until each is padded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dnnlang.plan.ir import Slot
from dnnlang.primitives.values import Value

FEW: Final = 4
"""Slots below one, up to which a tuple of them is looked through."""


class Arena:
    """Which values lie unharmed in the arena. Each of them is in a slot that stands on those of all below it."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        """Raises ValueError where a slot stands on itself, or on one that does not exist."""
        on = {s.number: s.on for s in slots}
        self._level = _levels(on)
        # A slot may stand on thousands, but nearly all stand on one or two, and to look through these takes no set.
        self._on: dict[int, Collection[int]] = {
            number: others if len(others) <= FEW else frozenset(others) for number, others in on.items()
        }
        self._reached: dict[tuple[int, int], bool] = {}  # what was found out: (upper, lower)
        self._unharmed: set[Value] = set()
        self._sorted: list[int] = []  # of what lies there, upwards
        self._there: list[tuple[int, Value]] = []  # slot and value, in the same order

    def holds(self, value: Value) -> bool:
        return value in self._unharmed

    def write(self, value: Value, slot: int) -> set[Value]:
        """What the value destroys, or may for some m; it takes the whole slot."""
        level = self._level[slot]
        first = last = bisect_left(self._sorted, level)
        # What stands on the nearest neighbour that stays stands on all below that one too, so nobody else is asked.
        while first > 0 and not self._stands(slot, self._there[first - 1][0]):
            first -= 1
        while last < len(self._there) and not self._stands(self._there[last][0], slot):
            last += 1
        gone = {v for _, v in self._there[first:last]}
        self._sorted[first:last] = (level,)
        self._there[first:last] = ((slot, value),)
        self._unharmed -= gone
        self._unharmed.add(value)
        return gone

    def _stands(self, upper: int, lower: int) -> bool:
        """Does slot `upper` stand on `lower`, be it by way of others?"""
        if lower in self._on[upper]:
            return True
        if (upper, lower) not in self._reached:
            self._reached[upper, lower] = self._reaches(upper, lower)
        return self._reached[upper, lower]

    def _reaches(self, upper: int, lower: int) -> bool:
        lowest, level = self._level[lower], self._level
        seen, path = {upper}, [upper]
        while path:
            below = self._on[path.pop()]
            if lower in below:
                return True
            further = [n for n in below if level[n] > lowest and n not in seen]
            seen.update(further)
            path.extend(further)
        return False


def _levels(on: Mapping[int, tuple[int, ...]]) -> dict[int, int]:
    """How many slots stand on each other below each one, at most."""
    levels: dict[int, int] = {}
    entered: set[int] = set()
    for slot in on:
        path = [slot]
        while path:
            top = path[-1]
            missing = [n for n in on[top] if n not in levels]
            if top in levels or not missing:
                path.pop()
                levels.setdefault(top, max((levels[n] + 1 for n in on[top]), default=0))
                continue
            if top in entered or any(n not in on for n in missing):
                raise ValueError(f"slot {top} stands on itself, or on a slot that does not exist")
            entered.add(top)
            path.extend(missing)
    return levels
