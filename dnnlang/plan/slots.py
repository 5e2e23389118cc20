"""Slots: where in one arena each buffer lies, laid out so that the arena is as small as can be found."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dnnlang.plan.ir import Plan, Slot
from dnnlang.plan.layout import numbers_in
from dnnlang.plan.liveness import Buffer, buffers
from dnnlang.plan.packing import Block, pack
from dnnlang.sizes import Size, at_least


def own_slots(plan: Plan) -> Plan:
    """A slot for every value, as on paper."""
    own = buffers(replace(plan, aliases={}))
    slots = tuple(Slot(n, b.rows, b.per_sample, (n - 1,) if n > 1 else ()) for n, b in enumerate(own, 1))
    return replace(plan, slots=slots, places={b.values[0]: n for n, b in enumerate(own, 1)})


def assign_slots(plan: Plan) -> Plan:
    """Lays the buffers out for 64 samples; what lies above what at any moment then holds for every m."""
    found = buffers(plan)
    numbers = numbers_in(b.room for b in found)
    sizes = [numbers[b.room] for b in found]
    offsets = pack([Block(b.lower, b.upper, size) for b, size in zip(found, sizes, strict=True)]).offsets
    below = _below(found, sizes, offsets)
    slot_of, shapes = _shared(found, sizes, offsets, below)
    on: dict[int, set[int]] = defaultdict(set)
    for number, others in enumerate(below):
        on[slot_of[number]].update(slot_of[other] for other in others)
    slots = tuple(Slot(n, *shape, tuple(sorted(on[n]))) for n, shape in enumerate(shapes, 1))
    places = {value: slot for b, slot in zip(found, slot_of, strict=True) for value in b.values}
    return replace(plan, slots=slots, places=places)


def _below(found: Sequence[Buffer], sizes: Sequence[int], offsets: Sequence[int]) -> list[set[int]]:
    """For each buffer those right below it at some moment: one that is alive when it arrives, or arrives above which.

    Two buffers that become neighbours because what lay between them is gone need no entry of their own.
    """
    below: list[set[int]] = [set() for _ in found]
    alive: list[tuple[int, int]] = []  # (offset, buffer), in order
    ending = sorted(range(len(found)), key=lambda n: found[n].upper)
    ended = 0
    for number, buffer in enumerate(found):  # in the order in which they are written
        while found[ending[ended]].upper <= buffer.lower:
            gone = ending[ended]
            del alive[bisect_left(alive, (offsets[gone], gone))]
            ended += 1
        at = bisect_left(alive, (offsets[number], number))
        if at > 0:
            below[number].add(alive[at - 1][1])
        if at < len(alive):
            below[alive[at][1]].add(number)
        alive.insert(at, (offsets[number], number))
    return below


def _shared(
    found: Sequence[Buffer], sizes: Sequence[int], offsets: Sequence[int], below: Sequence[Iterable[int]]
) -> tuple[list[int], list[tuple[Size, bool]]]:
    """The slot number of each buffer, and of each slot its rows and whether they are per sample.

    Buffers at the same place share a slot, also one that is larger than they are, if nothing lies close above them.
    """
    ceiling: dict[int, int] = {}
    for number, others in enumerate(below):
        for other in others:
            ceiling[other] = min(ceiling.get(other, offsets[number]), offsets[number])
    at_place: dict[int, list[int]] = defaultdict(list)
    for number in range(len(found)):
        at_place[offsets[number]].append(number)
    leader = list(range(len(found)))  # the buffer that gives the slot its size
    for place, numbers in at_place.items():
        leaders: dict[tuple[Size, bool], int] = {}
        for number in sorted(numbers, key=lambda n: -sizes[n]):
            buffer = found[number]
            room = ceiling.get(number)
            fitting = (
                other
                for (rows, per_sample), other in leaders.items()
                if per_sample is buffer.per_sample
                and (room is None or place + sizes[other] <= room)
                and at_least(rows, buffer.rows)
            )
            leader[number] = next(fitting, number)
            if leader[number] == number:
                leaders[buffer.rows, buffer.per_sample] = number
    numbers_of: dict[int, int] = {}
    for number in leader:
        numbers_of.setdefault(number, len(numbers_of) + 1)
    shapes = [(found[number].rows, found[number].per_sample) for number in numbers_of]
    return [numbers_of[number] for number in leader], shapes
