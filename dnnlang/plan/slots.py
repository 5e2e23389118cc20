"""Slots: which values share room. In place first, then the smallest free slot that is large enough."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import replace
from heapq import heappop, heappush

from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan, Slot
from dnnlang.plan.liveness import last_uses
from dnnlang.primitives.values import Value
from dnnlang.sizes import Size, at_least


def own_slots(plan: Plan) -> Plan:
    """A slot for every value, as on paper."""
    values = [i.output for i in plan.instructions if i.output.role in IN_SLOTS]
    slots = tuple(Slot(n, v.shape[0], v.shape[1] != 1) for n, v in enumerate(values, 1))
    return replace(plan, slots=slots, places={v: n for n, v in enumerate(values, 1)})


def shared_slots(plan: Plan) -> Plan:
    """Overwrites what nobody reads any more."""
    last = last_uses(plan)
    pool = _Pool()
    places: dict[Value, int] = {}
    for at, instruction in enumerate(plan.instructions):
        output = instruction.output
        over = _overwritten(instruction, last, at)
        if over is not None:
            places[output] = places[over]
        elif output.role in IN_SLOTS:
            places[output] = pool.take(output.shape[0], per_sample=output.shape[1] != 1)
        for value in dict.fromkeys((*instruction.inputs, output)):
            if last.get(value) == at and value is not over:
                pool.give_back(places[value])
    slots = tuple(Slot(n, rows, per_sample) for n, (rows, per_sample) in enumerate(pool.slots, 1))
    return replace(plan, slots=slots, places=places)


def _overwritten(instruction: Instruction, last: dict[Value, int], at: int) -> Value | None:
    """The input whose place the output takes: the first that dies here, has its shape and may be overwritten."""
    output = instruction.output
    if output.role not in IN_SLOTS:
        return None
    free = instruction.primitive.overwritable(len(instruction.inputs))
    for position in free:
        value = instruction.inputs[position]
        # It may also be an operand that is read all along: the accumulator of a residual branch can be dZ itself.
        read_too = any(v is value and p not in free for p, v in enumerate(instruction.inputs))
        if last.get(value) == at and value.shape == output.shape and not read_too:
            return value
    return None


class _Pool:
    """Slots made so far, and which of them are free. Those of constant sizes are kept in order of size."""

    def __init__(self) -> None:
        self.slots: list[tuple[Size, bool]] = []
        self._rows: dict[bool, list[int]] = {False: [], True: []}  # of free slots, each number of rows once, in order
        self._constant: dict[tuple[bool, int], list[int]] = {}  # heaps of free slots by their number of rows
        self._symbolic: dict[bool, list[int]] = {False: [], True: []}

    def take(self, rows: Size, *, per_sample: bool) -> int:
        """A free slot of at least `rows` rows: the smallest, else the largest enlarged, else a new one."""
        if not isinstance(rows, int):
            return self._take_symbolic(rows, per_sample)
        there = self._rows[per_sample]
        if not there:
            return self._new(rows, per_sample)
        at = min(bisect_left(there, rows), len(there) - 1)
        free = self._constant[per_sample, there[at]]
        number = heappop(free)
        if there[at] < rows:
            self.slots[number - 1] = (rows, per_sample)
        if not free:
            del there[at]
        return number

    def give_back(self, number: int) -> None:
        rows, per_sample = self.slots[number - 1]
        if isinstance(rows, int):
            free = self._constant.setdefault((per_sample, rows), [])
            if not free:
                insort(self._rows[per_sample], rows)
            heappush(free, number)
        else:
            self._symbolic[per_sample].append(number)

    def _take_symbolic(self, rows: Size, per_sample: bool) -> int:
        free = self._symbolic[per_sample]
        equal = next((n for n in free if self.slots[n - 1][0] == rows), None)
        found = equal if equal is not None else next((n for n in free if at_least(self.slots[n - 1][0], rows)), None)
        if found is not None:
            free.remove(found)
            return found
        smaller = next((n for n in free if at_least(rows, self.slots[n - 1][0])), None)
        if smaller is None:
            return self._new(rows, per_sample)
        free.remove(smaller)
        self.slots[smaller - 1] = (rows, per_sample)
        return smaller

    def _new(self, rows: Size, per_sample: bool) -> int:
        self.slots.append((rows, per_sample))
        return len(self.slots)
