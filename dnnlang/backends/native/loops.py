"""Loops over vectors of samples that read the same values become one: what they share is loaded and made once.

The loss and the output activation have an exponential in common, for example. A loop that needs what another makes
stays by itself: a processor works on several samples at once while their chains of instructions are short.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from dnnlang.backends.native.operands import Operands, read_once
from dnnlang.backends.native.steps import Place
from dnnlang.plan.ir import Plan
from dnnlang.primitives.values import Value

MOST_LOOPS: Final = 4
MOST_LINES: Final = 200
"""Of all bodies together: compilers need longer for longer loops."""
FAR: Final = 64
"""Slots that are looked at, at most, to find out that one lies above another."""

_OPERAND: Final = re.compile(r"\bo\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Loop:
    """`body` for each vector of samples of a block, the first of them sample j; `before` and `after` all of them.

    `work` is as in `Call`.
    """

    body: tuple[str, ...]
    operands: Operands
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    work: int = 0


class Overlaps:
    """Which places of a plan may have bytes in common although they do not begin at the same one."""

    def __init__(self, plan: Plan) -> None:
        self._places = plan.places
        self._slots = {s.number: s for s in plan.slots}

    def may(self, a: Place, b: Place) -> bool:
        if not (isinstance(a, Value) and isinstance(b, Value)):
            return False  # rooms that the plan does not know of have places of their own
        first, second = self._places.get(a), self._places.get(b)
        if first is None or second is None or first == second:
            return False
        return not (self._above(first, second) or self._above(second, first))

    def _above(self, slot: int, other: int) -> bool:
        """Does it stand on the other one, or on what stands on that?"""
        seen = {slot}
        waiting = [self._slots[slot]]
        while waiting and len(seen) <= FAR:
            for number in waiting.pop().on:
                if number == other:
                    return True
                if number not in seen:
                    seen.add(number)
                    waiting.append(self._slots[number])
        return False


def may_join(loops: Sequence[Loop], loop: Loop, overlaps: Overlaps) -> bool:
    """Can the loop become one with those before it? For each vector of samples it then runs right behind them."""
    if len(loops) >= MOST_LOOPS or sum(len(each.body) for each in (*loops, loop)) > MOST_LINES:
        return False
    if loop.before and any(each.before for each in loops):
        return False
    read = {place for each in loops for place in each.operands.read}
    written = {place for each in loops for place in each.operands.written}
    if read.isdisjoint(loop.operands.read) or not written.isdisjoint(loop.operands.places):
        return False
    return not any(
        overlaps.may(a, b) for a, b in (*product(written, loop.operands.places), *product(read, loop.operands.written))
    )


def joined(loops: Sequence[Loop]) -> tuple[list[str], Operands]:
    """The lines of one loop for all of them, and its operands."""
    operands = Operands()
    bodies, before, after = [], [], []
    for loop in loops:
        names = {n: operands.pointer(place) for n, place in enumerate(loop.operands.places)}
        for place in loop.operands.read:
            operands.read_from(place)
        for place in loop.operands.written:
            operands.write_to(place)
        bodies.append(_renamed(loop.body, names))
        before += _renamed(loop.before, names)
        after += _renamed(loop.after, names)
    inside = bodies[0] if len(bodies) == 1 else [line for body in bodies for line in ("{", *_indented(body), "}")]
    declared, inside = read_once(inside)
    lines = [
        *before,
        *declared,
        "int64_t v0, v1;",
        "share(e->vectors, t, T, &v0, &v1);",
        "for (int64_t j = v0 * LANES; j < v1 * LANES; j += LANES) {",
        *_indented(inside),
        "}",
        *after,
    ]
    return lines, operands


def _renamed(lines: Sequence[str], names: Mapping[int, str]) -> list[str]:
    return [_OPERAND.sub(lambda found: names[int(found[1])], line) for line in lines]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
