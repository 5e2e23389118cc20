"""A plan as a chain of stages: cut where one value alone leads from below to above, and measured with its own rules."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from dnnlang.plan.alias import write_in_place
from dnnlang.plan.budget.chain import Run, Stage
from dnnlang.plan.budget.steps import needed_for, reduced, sizes_of, slotted, work
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.plan.liveness import buffers
from dnnlang.plan.packing.problem import Block, bound
from dnnlang.plan.room import room
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import evaluate

MOST_STAGES: Final = 128
"""More are joined, a few to one, so that the search stays short."""


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A stage's part of the plan: what enters it, what it leaves for its backward part, and the steps for each run.

    `first` and `first_output` are for the first run, with what the backward part reads and without. Later runs write
    what is still needed only: the output, what the backward part reads, or both.
    """

    input: Value | None
    output: Value | None
    saved: tuple[Value, ...]
    first: tuple[Instruction, ...]
    first_output: tuple[Instruction, ...]
    output_again: tuple[Instruction, ...]
    inner_again: tuple[Instruction, ...]
    both_again: tuple[Instruction, ...]
    backward: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sections:
    """All of them, and `lasting`: what is kept from the first run on, because the updates read it."""

    sections: tuple[Section, ...]
    lasting: frozenset[Value]


# ---------------------------------------------------------------- cutting


@dataclass(frozen=True, slots=True)
class _Cut:
    """Between two stages: before the forward position `forward`, the backward position `backward`; `value` crosses."""

    forward: int
    backward: int
    value: Value


def cut(plan: Plan, most: int = MOST_STAGES) -> Sections:
    """The stages of a plan, at most so many."""
    lasting = _lasting(plan)
    cuts = _thinned(list(_cuts(plan, lasting)), most - 1)
    forward = [0, *(c.forward for c in cuts), len(plan.forward)]
    backward = [len(plan.backward), *(c.backward for c in cuts), 0]
    values = [None, *(c.value for c in cuts), None]
    sections = []
    for at, (start, end) in enumerate(pairwise(forward)):
        going_back = plan.backward[backward[at + 1] : backward[at]]
        sections.append(_section(plan.forward[start:end], going_back, values[at], values[at + 1], plan, lasting))
    return Sections(tuple(sections), lasting)


def _lasting(plan: Plan) -> frozenset[Value]:
    """Forward values that are kept in any case: what the updates read, and what serves the backward part alone."""
    read = {v for i in plan.updates for v in slotted(i.inputs)}
    needed = {v for i in plan.forward for v in i.inputs} | set(plan.outputs.values())
    for instruction in plan.forward:
        if needed.isdisjoint(instruction.outputs) and not any(v.role is Role.LOSS for v in instruction.outputs):
            read.update(slotted(instruction.outputs))
    written = {v for i in plan.forward for v in i.outputs}
    return frozenset(v for v in read if v in written)


def _cuts(plan: Plan, lasting: frozenset[Value]) -> Iterator[_Cut]:
    """Where stages can end: one value crosses, and the backward part reads what is above before what is below."""
    written = {v: at for at, i in enumerate(plan.forward) for v in slotted(i.outputs) if v not in lasting}
    last = {v: at for at, i in enumerate(plan.forward) for v in i.inputs if v in written}
    last.update((v, len(plan.forward)) for v in plan.outputs.values() if v in written)
    latest_read = [0] * (len(plan.forward) + 1)  # by the position of the writer: one behind its last reader
    reads: dict[Value, tuple[int, int]] = {}
    for at, instruction in enumerate(plan.backward):
        for value in instruction.inputs:
            if value in written:
                reads[value] = (reads.get(value, (at, at))[0], at)
                writer = written[value]
                latest_read[writer] = max(latest_read[writer], at + 1)
    for at in range(len(plan.forward) - 1, -1, -1):
        latest_read[at] = max(latest_read[at], latest_read[at + 1])
    crossing: dict[Value, None] = {}
    ending: dict[int, list[Value]] = {}
    earliest = len(plan.backward)  # the first reader of what is below, but for values that still cross
    previous: _Cut | None = None
    for at, instruction in enumerate(plan.forward):
        for value in ending.pop(at, ()):
            crossing.pop(value, None)
            earliest = min(earliest, reads.get(value, (earliest, 0))[0])
        for value in instruction.outputs:
            if value not in written:
                continue
            if last.get(value, -1) > at:
                crossing[value] = None
                ending.setdefault(last[value], []).append(value)
            else:
                earliest = min(earliest, reads.get(value, (earliest, 0))[0])
        if len(crossing) != 1 or at == len(plan.forward) - 1:
            continue
        (value,) = crossing
        behind = max(latest_read[at + 1], reads.get(value, (0, -1))[1] + 1)
        if earliest < behind:
            continue
        if previous is not None and previous.value is value:
            continue
        if previous is not None and previous.backward != behind:
            yield previous
        # Of two with nothing between them in the backward part the later: its value is what the backward part reads.
        previous = _Cut(at + 1, behind, value)
    if previous is not None:
        yield previous


def _thinned(cuts: Sequence[_Cut], most: int) -> list[_Cut]:
    """At most so many, spread evenly."""
    if len(cuts) <= most:
        return list(cuts)
    return [cuts[(n + 1) * len(cuts) // (most + 1)] for n in range(most)]


def _section(
    instructions: tuple[Instruction, ...],
    backward: tuple[Instruction, ...],
    enters: Value | None,
    leaves: Value | None,
    plan: Plan,
    lasting: frozenset[Value],
) -> Section:
    forward_reads = {v for i in instructions for v in i.inputs} | {leaves, *plan.outputs.values()}
    read = {v for i in backward for v in slotted(i.inputs)}
    inner = [v for i in instructions for v in slotted(i.outputs) if v in read and v not in lasting]
    for_output = [v for i in instructions for v in i.outputs if v in forward_reads or v not in inner]
    there = lasting | ({enters} if enters is not None else set())
    out = [leaves] if leaves is not None else []
    return Section(
        enters,
        leaves,
        (*inner, *(v for v in (enters,) if v in read and v is not None)),
        instructions,
        tuple(reduced(i, for_output) for i in instructions),
        needed_for(out, instructions, there),
        needed_for(inner, instructions, there),
        needed_for([*out, *inner], instructions, there),
        backward,
    )


# ---------------------------------------------------------------- measuring


class Measure:
    """The stages of a plan in numbers, for the sizes that the budget is for."""

    def __init__(self, plan: Plan, sections: Sections) -> None:
        self._plan = plan
        self._sizes = sizes_of(plan)
        self._lasting = sections.lasting
        self._all = self.bytes(sections.lasting)
        self._sections = sections.sections

    def chain(self) -> list[Stage]:
        crossing = self._gradients()
        before = 0  # bytes of what lasts, from the stages below
        found = []
        for at, section in enumerate(self._sections):
            found.append(self._stage(section, crossing[at + 1], crossing[at], before))
            before += self.bytes(v for i in section.first for v in i.outputs if v in self._lasting)
        return found

    def bytes(self, values: Iterable[Value]) -> int:
        return sum(value_bytes(v, self._plan) for v in values)

    def _stage(self, s: Section, arriving: list[Value], leaving: list[Value], before: int) -> Stage:
        enters = [s.input] if s.input is not None else []
        leaves = [s.output] if s.output is not None else []
        outputs = [v for v in self._plan.outputs.values() if v.role in IN_SLOTS] if not leaves else []
        first = Run(
            self._most(s.first_output, enters, leaves) + before,
            self._most(s.first_output, enters, [*enters, *leaves]) + before,
            self._most(s.first, enters, [*s.saved, *leaves]) + before,
            self._most(s.first, enters, [*s.saved, *outputs]) + before,
        )
        again = Run(
            self._most(s.output_again, enters, leaves) + self._all,
            self._most(s.output_again, enters, [*enters, *leaves]) + self._all,
            self._most(s.both_again, enters, [*s.saved, *leaves]) + self._all,
            self._most(s.inner_again, enters, s.saved) + self._all,
        )
        return Stage(
            self.bytes(enters),
            self.bytes(s.saved),
            self.bytes(arriving),
            self._most(s.backward, [*s.saved, *arriving], leaving) + self._all,
            (first, again),
            self._work(s.output_again),
            self._work(s.both_again),
            self._work(s.inner_again),
        )

    def _work(self, instructions: Iterable[Instruction]) -> int:
        return sum(work(i, self._sizes) for i in instructions)

    def _most(self, instructions: Sequence[Instruction], there: Iterable[Value], stays: Iterable[Value]) -> int:
        """The largest sum of bytes alive while the instructions run, without what lasts from before."""
        read = {v for i in instructions for v in i.inputs if v in self._lasting}
        written = [v for i in instructions for v in i.outputs if v in self._lasting]
        arriving = Instruction(Zeros((1, 1)), (), tuple(dict.fromkeys((*there, *read))), None)
        leaving = Instruction(Zeros((1, 1)), tuple(dict.fromkeys((*stays, *read, *written))), (), None)
        part = replace(self._plan, forward=(arriving, *instructions, leaving), backward=(), updates=(), outputs={})
        alive = most_alive(write_in_place(part), self._plan)
        return alive - self.bytes(v for v in read if v not in written)

    def _gradients(self) -> list[list[Value]]:
        """For each cut, the lowest end and the highest with them, what of the backward part crosses it."""
        ends = [0]
        for section in reversed(self._sections):
            ends.append(ends[-1] + len(section.backward))
        ends.reverse()  # ends[n] is where the backward part of section n ends
        instructions = [i for section in reversed(self._sections) for i in section.backward]
        written = {v: at for at, i in enumerate(instructions) for v in slotted(i.outputs)}
        last = {v: at for at, i in enumerate(instructions) for v in i.inputs if v in written}
        last.update((v, len(instructions)) for i in self._plan.updates for v in i.inputs if v in written)
        found: list[list[Value]] = [[] for _ in ends]
        cut_of = _cuts_between(ends)
        for value, at in written.items():
            for number in cut_of(at, last.get(value, at)):
                found[number].append(value)
        return found


def _cuts_between(ends: Sequence[int]) -> Callable[[int, int], Iterator[int]]:
    """The numbers of the cuts behind a writer and not behind a last reader; cut n lies before ends[n], descending."""
    ascending = ends[::-1]

    def between(written: int, read: int) -> Iterator[int]:
        low, high = bisect_right(ascending, written), bisect_right(ascending, read)
        return (len(ends) - 1 - n for n in range(low, high))

    return between


def value_bytes(value: Value, plan: Plan) -> int:
    """In a slot, for the sizes that the budget is for."""
    rows, per_sample = room(value)
    count = evaluate(rows, sizes_of(plan))
    return count * plan.options.item_bytes * (sizes_of(plan)["m"] if per_sample else 1)


def most_alive(plan: Plan, asked: Plan) -> int:
    """The largest sum of live slots of a plan whose aliases are known, in bytes, for the sizes that `asked` is for."""
    return bound([Block(b.lower, b.upper, value_bytes(b.values[0], asked)) for b in buffers(plan)])
