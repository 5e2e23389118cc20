"""How many bytes a plan needs, as formulas in m and whatever other sizes are open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dnnlang.plan.ir import IN_SLOTS, Plan, Purpose
from dnnlang.plan.layout import Line, formula, height, largest_lines, numbers_in, slot_sizes, starts
from dnnlang.plan.liveness import Buffer, alive, buffers
from dnnlang.plan.room import room
from dnnlang.primitives.values import Value
from dnnlang.sizes import M, Maximum, Size, maximum, substitute, total

Bytes = Size | Maximum
ITEM_BYTES = 4
"""Of float32, the dtype that plans are printed for."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, slots counted without padding.

    Parameters, statistics, gradients and the optimizer's state are persistent. `cache` is what the forward part
    leaves for the backward part, `workspace` the rest of the arena; X, Y and J belong to the caller. `peak` is the
    sum of all, `lower_bound` the largest sum of live slots for this order of instructions, plus what is persistent.
    `slots` and `least` are the same two without what is persistent.
    """

    parameters: Size
    gradients: Size
    state: Size
    cache: Size
    workspace: Bytes
    peak: Bytes
    lower_bound: Bytes
    statistics: Size = 0

    @property
    def persistent(self) -> Size:
        return self.parameters + self.gradients + self.state + self.statistics

    @property
    def slots(self) -> Bytes:
        """The arena."""
        return self.workspace + self.cache

    @property
    def least(self) -> Bytes:
        """The largest sum of live slots: no arena can be smaller."""
        return self.lower_bound - self.persistent

    def at(self, m: int) -> Memory:
        """For m samples: numbers, unless other sizes are open."""
        values: dict[str, Size] = {"m": m}
        return Memory(
            substitute(self.parameters, values),
            substitute(self.gradients, values),
            substitute(self.state, values),
            substitute(self.cache, values),
            _at(self.workspace, values),
            _at(self.peak, values),
            _at(self.lower_bound, values),
            substitute(self.statistics, values),
        )


def memory(plan: Plan, item_bytes: int = ITEM_BYTES) -> Memory:
    """What `plan` needs with numbers of `item_bytes` bytes each."""
    parameters = item_bytes * elements(plan.parameters.values())
    gradients = item_bytes * elements(plan.gradients.values())
    state = item_bytes * elements(plan.state.values())
    statistics = item_bytes * elements(plan.statistics.values())
    slots = slot_bytes(plan, item_bytes)
    cache = item_bytes * elements(cached_values(plan))
    persistent = parameters + gradients + state + statistics
    least = lower_bound(plan, item_bytes)
    peak, bound = slots + persistent, least + persistent
    return Memory(parameters, gradients, state, cache, slots - cache, peak, bound, statistics)


def elements(values: Iterable[Value]) -> Size:
    """How many numbers the values hold together."""
    per_sample, once = _parts(values)
    return total(per_sample) * M + total(once)


def slot_bytes(plan: Plan, item_bytes: int = ITEM_BYTES) -> Bytes:
    """Bytes of the arena that all slots lie in."""
    return item_bytes * height(plan.slots)


def live_bytes(plan: Plan, last: Mapping[Value, int] | None = None) -> int:
    """The largest sum of live slots in float32, at the reference sizes, with m = 64. `last` are its last uses."""
    found = buffers(plan, last)
    return ITEM_BYTES * max(alive(found, numbers_in(b.room for b in found), len(plan.instructions)))


def slots_ratio(plan: Plan) -> float:
    """The size of the arena, divided by the largest sum of live slots; at the reference sizes, with m = 64."""
    arena = ITEM_BYTES * starts(plan.slots, slot_sizes(plan.slots))[1]
    return arena / live_bytes(plan) if arena else 1.0


def cached_values(plan: Plan) -> list[Value]:
    """What the forward part writes to slots and the backward part reads; at -O0, as in the lesson, every Z and A."""
    written = [v for i in plan.forward for v in i.outputs if v.role in IN_SLOTS]
    if plan.purpose is Purpose.INFERENCE:
        return []
    if plan.level == 0:
        return written
    read = {v for i in plan.backward for v in i.inputs}
    return [v for v in written if v in read]


def lower_bound(plan: Plan, item_bytes: int = ITEM_BYTES) -> Bytes:
    """The largest sum of values alive at the same time; one that takes the place of another counts once."""
    found = buffers(plan)
    if not found:
        return 0
    if all(isinstance(b.rows, int) for b in found):
        return item_bytes * formula(_most_lines(found))
    changes = _changes(found)
    alive: Size = 0
    seen: dict[Size, None] = {}
    for _, begins, rows, per_sample in changes:
        size = rows * M if per_sample else rows
        alive = alive + size if begins else alive - size
        if begins:
            seen[alive] = None
    return maximum(*(item_bytes * size for size in seen))


def _most_lines(found: list[Buffer]) -> list[Line]:
    """As a m + b, with (a, b) for each."""
    a = b = 0
    seen = set()
    for _, begins, rows, per_sample in _changes(found):
        assert isinstance(rows, int)  # for the type checker
        change = rows if begins else -rows
        a, b = (a + change, b) if per_sample else (a, b + change)
        if begins:
            seen.add((a, b))
    return largest_lines(seen)


def _changes(found: list[Buffer]) -> list[tuple[int, bool, Size, bool]]:
    """(when, does it begin, rows, per sample); at the same time those that end come first."""
    changes = [(b.upper, False, b.rows, b.per_sample) for b in found]
    changes += [(b.lower, True, b.rows, b.per_sample) for b in found]
    return sorted(changes, key=lambda change: change[:2])


def _parts(values: Iterable[Value]) -> tuple[list[Size], list[Size]]:
    per_sample: list[Size] = []
    once: list[Size] = []
    for value in values:
        if value.role in IN_SLOTS:
            rows, of_each = room(value)
            (per_sample if of_each else once).append(rows)
        elif value.shape[1] == M:
            per_sample.append(value.shape[0])
        else:
            once.append(value.shape[0] * value.shape[1])
    return per_sample, once


def _at(size: Bytes, values: dict[str, Size]) -> Bytes:
    return size.substitute(values) if isinstance(size, Maximum) else substitute(size, values)
