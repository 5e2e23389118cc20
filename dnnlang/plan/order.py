"""The order of instructions: J as early as it can be had, and whatever frees room before what takes more.

A[L] can then overwrite the Z[L] that J reads, and gradients stand next to what frees their operands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from typing import Final

from dnnlang.plan.alias import write_in_place
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.plan.layout import numbers_in
from dnnlang.plan.liveness import last_uses
from dnnlang.plan.memory import ITEM_BYTES, live_bytes
from dnnlang.plan.room import room
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.values import Value

Key = Callable[[int, int], tuple[int, ...]]
"""What to do first of all that can be done: from how much the live bytes change, and the place in the given order."""

POLICIES: Final[tuple[Key, ...]] = (
    lambda change, at: (0 if change < 0 else 1, at),  # as given, but what frees room as soon as it can
    lambda change, at: (change, at),  # what frees the most, or takes the least
)

MANY: Final = 10_000
"""Instructions; for more of them only the first policy is tried."""


def order_instructions(plan: Plan) -> Plan:
    """The order with the least live bytes at any time of those tried; as given, J early, if none is better."""
    plan = loss_first(plan)
    best, least = plan, _peak(plan)
    sizes = _sizes(plan)
    if least <= _kept(plan, sizes):
        return plan
    for key in POLICIES if len(plan.instructions) <= MANY else POLICIES[:1]:
        made = loss_first(_scheduled(plan, sizes, key))
        peak = _peak(made)
        if peak < least:
            best, least = made, peak
    return best


def loss_first(plan: Plan) -> Plan:
    """Moves each loss to just behind the last of its operands."""
    losses = [i for i in plan.forward if isinstance(i.primitive, Loss)]
    if not losses:
        return plan
    rest = [i for i in plan.forward if not isinstance(i.primitive, Loss)]
    written = {v: at for at, i in enumerate(rest) for v in i.outputs}
    after: dict[int, list[Instruction]] = {}
    earliest = -1
    for loss in losses:  # each adds to the J of the one before, so they stay in order
        earliest = max(earliest, *(_position(v, written) for v in loss.inputs))
        after.setdefault(earliest, []).append(loss)
    forward = list(after.get(-1, ()))
    for at, instruction in enumerate(rest):
        forward.append(instruction)
        forward.extend(after.get(at, ()))
    if all(a is b for a, b in zip(forward, plan.forward, strict=True)):
        return plan
    return replace(plan, forward=tuple(forward))


def _position(value: Value, written: dict[Value, int]) -> int:
    return written.get(value, -1)


# ---------------------------------------------------------------- how good an order is


def _peak(plan: Plan) -> int:
    last = last_uses(plan)
    return live_bytes(write_in_place(plan, last), last)


def _kept(plan: Plan, sizes: Mapping[Value, int]) -> int:
    """The bytes that live when the forward part ends. No order takes less."""
    read = {v for i in plan.backward for v in i.inputs} | set(plan.outputs.values())
    return ITEM_BYTES * sum(sizes[v] for i in plan.forward for v in i.outputs if v in read and v in sizes)


def _sizes(plan: Plan) -> dict[Value, int]:
    """The numbers that each value in a slot holds, at the reference sizes."""
    rooms = {v: room(v) for i in plan.instructions for v in i.outputs if v.role in IN_SLOTS}
    numbers = numbers_in(rooms.values())
    return {value: numbers[taken] for value, taken in rooms.items()}


# ---------------------------------------------------------------- list scheduling


def _scheduled(plan: Plan, sizes: Mapping[Value, int], key: Key) -> Plan:
    """Instruction by instruction the one that comes first by `key`, of all whose operands are there."""
    unread: dict[Value, set[int]] = defaultdict(set)  # the instructions that are still to read it, by their ids
    for instruction in plan.instructions:
        for value in instruction.inputs:
            if value in sizes:
                unread[value].add(id(instruction))
    for value in plan.outputs.values():
        if value in sizes:
            unread[value].add(id(plan))  # the caller reads it, when the forward part is over
    forward = _Schedule(plan.forward, sizes, unread, key).run()
    for value in plan.outputs.values():
        unread[value].discard(id(plan))
    backward = _Schedule(plan.backward, sizes, unread, key).run()
    return replace(plan, forward=forward, backward=backward)


class _Schedule:
    """One part of a plan on its way to another order."""

    def __init__(
        self, instructions: Sequence[Instruction], sizes: Mapping[Value, int], unread: dict[Value, set[int]], key: Key
    ) -> None:
        self.instructions = instructions
        self.sizes = sizes
        self.unread = unread
        self.key = key
        self.place = {id(i): at for at, i in enumerate(instructions)}
        self.waits, self.enables = _dependencies(instructions)
        self.heap: list[tuple[tuple[int, ...], int]] = []
        self.current: dict[int, tuple[int, ...]] = {}  # the keys of those that are ready

    def run(self) -> tuple[Instruction, ...]:
        for at, missing in enumerate(self.waits):
            if not missing:
                self._push(at)
        done: list[Instruction] = []
        while self.heap:
            key, at = heappop(self.heap)
            if self.current.get(at) != key:
                continue  # pushed again since, with another key
            del self.current[at]
            done.append(self.instructions[at])
            self._finish(at)
        return tuple(done)

    def _push(self, at: int) -> None:
        key = self.key(self._change(self.instructions[at]), at)
        self.current[at] = key
        heappush(self.heap, (key, at))

    def _change(self, instruction: Instruction) -> int:
        """By how much the live bytes change from before it to after it."""
        change = 0
        for value in instruction.outputs:
            if self.unread.get(value):
                change += self.sizes.get(value, 0)
        for value in set(instruction.inputs):
            readers = self.unread.get(value)
            if readers is not None and len(readers) == 1:
                change -= self.sizes[value]
        return change

    def _finish(self, at: int) -> None:
        instruction = self.instructions[at]
        for value in set(instruction.inputs):
            readers = self.unread.get(value)
            if readers is None:
                continue
            readers.discard(id(instruction))
            if len(readers) == 1:  # whoever is left frees it
                last = self.place.get(next(iter(readers)))
                if last in self.current:
                    self._push(last)
        for other in self.enables[at]:
            self.waits[other] -= 1
            if not self.waits[other]:
                self._push(other)


def _dependencies(instructions: Iterable[Instruction]) -> tuple[list[int], list[list[int]]]:
    """For each instruction how many others it waits for, and which wait for it.

    It waits for its operands; and if it changes something persistent, for all that read it as it was.
    """
    waits: list[int] = []
    enables: list[list[int]] = []
    writer: dict[Value, int] = {}
    users: dict[str, set[int]] = defaultdict(set)  # of each persistent array as it is now
    for at, instruction in enumerate(instructions):
        before = {writer[v] for v in instruction.inputs if v in writer}
        for value in instruction.outputs:
            writer[value] = at
            if value.role not in IN_SLOTS:
                before |= users.pop(value.name, set())
        for value in (*instruction.inputs, *instruction.outputs):
            if value.role not in IN_SLOTS:
                users[value.name].add(at)
        before.discard(at)
        waits.append(len(before))
        enables.append([])
        for other in before:
            enables[other].append(at)
    return waits, enables
