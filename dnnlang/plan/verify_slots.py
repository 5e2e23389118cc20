"""The verifier's model of the arena: it lays the slots out by itself, and watches what each write destroys.

It asks nobody when a value dies. Whatever a write overlaps is gone from then on, and a plan that reads it is wrong.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from dnnlang.plan.ir import Slot
from dnnlang.primitives.values import Value
from dnnlang.sizes import M, Size, SizeError, evaluate, symbols

SIZES: Final = ((1, 60), (2, 5040), (64, 64), (1000, 720720))
"""Values of m and of whatever else is open, for which the arena is laid out."""


class Arena:
    """Which values lie unharmed in the arena, for several m at once."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        """Raises ValueError where a slot stands on itself, or on one that does not exist."""
        self._unharmed: set[Value] = set()
        self._models = [_Model(slots, sizes) for sizes in _numbers(slots)]

    def holds(self, value: Value) -> bool:
        return value in self._unharmed

    def write(self, value: Value, slot: int) -> set[Value]:
        """What the value destroys; it takes the whole slot."""
        gone: set[Value] = set()
        for model in self._models:
            gone.update(model.write(value, slot))
        self._unharmed -= gone
        self._unharmed.add(value)
        return gone


def _numbers(slots: Sequence[Slot]) -> list[dict[int, int]]:
    """The sizes of the slots in numbers, by slot, for all of SIZES; once where that cannot make a difference."""
    names = frozenset[str]().union(*(symbols(s.rows) for s in slots))
    chosen = SIZES if names or len({s.per_sample for s in slots}) > 1 else SIZES[2:3]
    found = []
    for m, other in chosen:
        values = {"m": m, **dict.fromkeys(names, other)}
        try:
            found.append({s.number: evaluate(s.rows * M if s.per_sample else s.rows, values) for s in slots})
        except SizeError:  # a quotient that is no whole number: not every value is possible
            continue
    if not found:
        found.append({s.number: _stand_in(s.rows) for s in slots})
    return found


def _stand_in(size: Size) -> int:
    """What stands on what does not depend on sizes, so where none can be computed any will do."""
    return size if isinstance(size, int) else sum(abs(c) * (1 + len(k)) for k, c in size.items())


class _Model:
    """The arena for one m: the regions that hold something, in order, and what each holds."""

    def __init__(self, slots: Sequence[Slot], sizes: dict[int, int]) -> None:
        self.sizes = sizes
        self.begins = _begins({s.number: s.on for s in slots}, sizes)
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.values: list[Value] = []

    def write(self, value: Value, slot: int) -> list[Value]:
        start = self.begins[slot]
        end = start + self.sizes[slot]
        first = bisect_right(self.ends, start)  # regions hold nothing in common, so their ends are in order too
        last = bisect_left(self.starts, end)
        gone = self.values[first:last]
        self.starts[first:last] = (start,)
        self.ends[first:last] = (end,)
        self.values[first:last] = (value,)
        return gone


def _begins(on: dict[int, tuple[int, ...]], sizes: dict[int, int]) -> dict[int, int]:
    begins: dict[int, int] = {}
    entered: set[int] = set()
    for slot in on:
        path = [slot]
        while path:
            top = path[-1]
            missing = [n for n in on[top] if n not in begins]
            if top in begins or not missing:
                path.pop()
                begins.setdefault(top, max((begins[n] + sizes[n] for n in on[top]), default=0))
                continue
            if top in entered or any(n not in on for n in missing):
                raise ValueError(f"slot {top} stands on itself, or on a slot that does not exist")
            entered.add(top)
            path.extend(missing)
    return begins
