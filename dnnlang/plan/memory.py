"""How many bytes a plan needs, as formulas in m and whatever other sizes are open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from dnnlang.plan.ir import IN_SLOTS, Plan, Purpose
from dnnlang.plan.liveness import last_uses
from dnnlang.primitives.values import Value
from dnnlang.sizes import M, Maximum, Size, maximum, substitute, total

Bytes = Size | Maximum
ITEM_BYTES = 4
"""Of float32, the dtype that plans are printed for."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes, slots counted without padding.

    Parameters, statistics, gradients and the optimizer's state are persistent. `cache` is what the forward part
    leaves for the backward part, `workspace` the rest of the slots; X, Y and J belong to the caller. `peak` is the
    sum of all, `lower_bound` the largest sum of live slots for this order of instructions, plus what is persistent.
    """

    parameters: Size
    gradients: Size
    state: Size
    cache: Size
    workspace: Size
    peak: Bytes
    lower_bound: Bytes
    statistics: Size = 0

    def at(self, m: int) -> Memory:
        """For m samples: numbers, unless other sizes are open."""
        values: dict[str, Size] = {"m": m}
        exact = ("parameters", "gradients", "state", "cache", "workspace", "statistics")
        made = {name: substitute(getattr(self, name), values) for name in exact}
        return replace(self, **made, peak=_at(self.peak, values), lower_bound=_at(self.lower_bound, values))


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


def slot_bytes(plan: Plan, item_bytes: int = ITEM_BYTES) -> Size:
    """Bytes of all slots together."""
    per_sample = total(s.rows for s in plan.slots if s.per_sample)
    return item_bytes * (per_sample * M + total(s.rows for s in plan.slots if not s.per_sample))


def cached_values(plan: Plan) -> list[Value]:
    """What the forward part writes to slots and the backward part reads; at -O0, as in the lesson, every Z and A."""
    written = [i.output for i in plan.forward if i.output.role in IN_SLOTS]
    if plan.purpose is Purpose.INFERENCE:
        return []
    if plan.level == 0:
        return written
    read = {v for i in plan.backward for v in i.inputs}
    return [v for v in written if v in read]


def lower_bound(plan: Plan, item_bytes: int = ITEM_BYTES) -> Bytes:
    """The largest sum of values alive at the same time; one that takes the place of another counts once."""
    last = last_uses(plan)
    alive: dict[bool, Size] = {True: 0, False: 0}  # rows, of per-sample values and of others
    seen: dict[tuple[Size, Size], None] = {}
    for at, instruction in enumerate(plan.instructions):
        output = instruction.output
        dying = [v for v in dict.fromkeys(instruction.inputs) if last.get(v) == at]
        if output.role in IN_SLOTS:
            over = _replaced(plan, output, dying)
            if over is None:
                alive[output.shape[1] != 1] = alive[output.shape[1] != 1] + output.shape[0]
                seen[alive[True], alive[False]] = None
            else:
                dying.remove(over)
            if last[output] == at:
                dying.append(output)
        for value in dying:
            alive[value.shape[1] != 1] = alive[value.shape[1] != 1] - value.shape[0]
    if not seen:
        return 0
    if all(isinstance(rows, int) and once == 0 for rows, once in seen):
        return item_bytes * max(rows for rows, _ in seen if isinstance(rows, int)) * M
    return maximum(*(item_bytes * (rows * M + once) for rows, once in seen))


def _replaced(plan: Plan, output: Value, dying: list[Value]) -> Value | None:
    """The dying input whose slot the output takes."""
    place = plan.places.get(output)
    return next((v for v in dying if plan.places.get(v) == place and v.shape == output.shape), None)


def _parts(values: Iterable[Value]) -> tuple[list[Size], list[Size]]:
    per_sample: list[Size] = []
    once: list[Size] = []
    for value in values:
        if value.shape[1] == M:
            per_sample.append(value.shape[0])
        else:
            once.append(value.shape[0] * value.shape[1])
    return per_sample, once


def _at(size: Bytes, values: dict[str, Size]) -> Bytes:
    return size.substitute(values) if isinstance(size, Maximum) else substitute(size, values)
