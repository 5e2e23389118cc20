"""Recomputation in any graph, by a heuristic: the instructions are gone through in order with so much room for what is
alive, and where it does not suffice, what is best forgotten goes, to be computed again when it is read.

That is the value with the least work for a byte and for each instruction until it is read next; the work is that of
all that is gone and stands below it. "Dynamic tensor rematerialization" (Kirisame, Lyubomirsky, Haan, Brennan, He,
Roesch, Chen and Tatlock, 2020) does so while a network runs, with the time since the last use: it knows no next one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from dnnlang.plan.alias import write_in_place
from dnnlang.plan.budget.stages import most_alive, value_bytes
from dnnlang.plan.budget.steps import Rewriting, needed_for, reduced, sizes_of, slotted, total_work, work
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.primitives.values import Value

TRIED: Final = 16
"""How many amounts of room are tried: what is alive is counted before it is known what is written in place."""
MOST_INSTRUCTIONS: Final = 600
"""In longer plans no such search is made."""
MOST_AGAIN: Final = 2
"""How many times the length of the plan a backward part may have."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A plan, the most bytes alive in it, and all its work."""

    plan: Plan
    bytes: int
    work: int


def candidates(plan: Plan) -> list[Candidate]:
    """Plans with less and less room; none where the plan is too long."""
    if len(plan.instructions) > MOST_INSTRUCTIONS:
        return []
    most = most_alive(write_in_place(plan), plan)
    least = max(sum(value_bytes(v, plan) for v in slotted({*i.inputs, *i.outputs})) for i in plan.instructions)
    found = []
    for n in range(TRIED + 1):
        made = _Run(plan, most - (most - min(least, most)) * n // TRIED).plan()
        if made is None:
            break
        found.append(Candidate(made, most_alive(write_in_place(made), plan), total_work(made)))
    return found


class _Run:
    """One way through the instructions of a plan."""

    def __init__(self, plan: Plan, room: int) -> None:
        self._plan = plan
        self._room = room
        self._at = 0
        self._backward: list[Instruction] = []
        self._behind = Rewriting(plan.forward)
        self._there: dict[Value, None] = {}  # all that is alive
        self._alive = 0
        self._bytes: dict[Value, int] = {}
        order = plan.instructions
        self._uses: dict[Value, list[int]] = {}  # positions of readers, the last first
        for at in range(len(order) - 1, -1, -1):
            for value in dict.fromkeys(slotted(order[at].inputs)):
                self._uses.setdefault(value, []).append(at)
        for value in plan.outputs.values():
            self._uses.setdefault(value, []).append(len(plan.forward) - 1)
            self._uses[value].sort(reverse=True)
        self._writer = {v: i for i in plan.forward for v in slotted(i.outputs)}
        sizes = sizes_of(plan)
        self._work = {i: work(i, sizes) for i in plan.forward}
        lasting = {v for i in plan.updates for v in i.inputs}
        forward_reads = {v for i in plan.forward for v in i.inputs}
        self._may_go = {
            v for v, i in self._writer.items() if v not in lasting and not forward_reads.isdisjoint(i.outputs)
        }

    def plan(self) -> Plan | None:
        """The plan; None where so much is computed again and again that it is not worth going on."""
        for at, instruction in enumerate(self._plan.instructions):
            self._at = at
            if self._at >= len(self._plan.forward):
                self._compute_again([v for v in instruction.inputs if self._is_gone(v)], instruction.inputs)
                if self._at < len(self._plan.forward) + len(self._plan.backward):
                    self._backward.append(self._behind.write(instruction))
            self._make_room(instruction.outputs, {*instruction.inputs, *instruction.outputs})
            self._drop(v for v in (*instruction.inputs, *instruction.outputs) if not self._next_uses(v, self._at + 1))
            if len(self._backward) > MOST_AGAIN * len(self._plan.instructions):
                return None
        read = {v for i in (*self._plan.forward, *self._backward, *self._plan.updates) for v in i.inputs}
        read.update(self._plan.outputs.values())
        forward = tuple(
            reduced(i, [v for v in i.outputs if v in read or v.role not in IN_SLOTS]) for i in self._plan.forward
        )
        return replace(self._plan, forward=forward, backward=tuple(self._backward))

    def _is_gone(self, value: Value) -> bool:
        return value in self._may_go and value not in self._there

    def _compute_again(self, values: Collection[Value], readers: Iterable[Value]) -> None:
        if not values:
            return
        there = {v for v in self._writer if not self._is_gone(v)}
        steps = needed_for(values, self._plan.forward, there)
        # What a later step reads must not go meanwhile.
        needed = {*readers, *(v for step in steps for v in step.inputs)}
        for step in steps:
            self._backward.append(self._behind.write(step))
            self._make_room(step.outputs, needed | set(step.outputs))
        own = {v for step in steps for v in step.outputs} - set(values)
        self._drop(v for v in own if not self._next_uses(v, self._at))

    def _make_room(self, arriving: Iterable[Value], pinned: Collection[Value]) -> None:
        for value in slotted(arriving):
            if value not in self._there:
                self._there[value] = None
                self._alive += self._size(value)
        while self._alive > self._room:
            going = self._next_to_go(pinned)
            if going is None:
                return
            self._drop([going])

    def _drop(self, values: Iterable[Value]) -> None:
        for value in values:
            if value in self._there:
                del self._there[value]
                self._alive -= self._size(value)

    def _next_to_go(self, pinned: Collection[Value]) -> Value | None:
        choices = [v for v in self._there if v in self._may_go and v not in pinned and self._can_go(v)]
        return min(choices, key=self._score, default=None)

    def _can_go(self, value: Value) -> bool:
        """Not before the forward part has read it."""
        uses = self._next_uses(value, self._at + 1)
        return bool(uses) and uses[-1] >= len(self._plan.forward)

    def _score(self, value: Value) -> float:
        distance = self._next_uses(value, self._at + 1)[-1] - self._at
        return self._work_again(value) / (max(1, self._size(value)) * distance)

    def _work_again(self, value: Value) -> int:
        seen = {self._writer[value]}
        pending = [self._writer[value]]
        while pending:
            below = (self._writer[v] for v in pending.pop().inputs if v in self._writer and self._is_gone(v))
            new = [i for i in below if i not in seen]
            seen.update(new)
            pending.extend(new)
        return sum(self._work[i] for i in seen)

    def _next_uses(self, value: Value, at: int) -> list[int]:
        """The positions of those that read it from `at` on, the last first."""
        uses = self._uses.get(value, [])
        while uses and uses[-1] < at:
            uses.pop()
        return uses

    def _size(self, value: Value) -> int:
        if value not in self._bytes:
            self._bytes[value] = value_bytes(value, self._plan)
        return self._bytes[value]
