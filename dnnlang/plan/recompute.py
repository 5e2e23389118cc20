"""Forward values that are written a second time in the backward part, so that they need not be kept until then."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from dnnlang.errors import InternalError
from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.values import Role, Value

RECOMPUTED = frozenset((Role.ACTIVATION, Role.MASK))
"""What the forward part writes, and the backward part may write again."""


def recompute(plan: Plan, values: Collection[Value]) -> Plan:
    """The plan in which `values`, of the forward part, do not outlive it.

    Each that is read later is computed again as late as that allows: just before the first instruction that reads it,
    from operands that are kept or among `values` themselves. Its later readers read the new value, which has the same
    name and the next version.
    """
    if not values:
        return plan
    writing = _Writing(plan, frozenset(values))
    backward = tuple(writing.of(plan.backward))
    before, updates = writing.apart(plan.updates)
    return replace(plan, backward=(*backward, *before), updates=updates)


def again(instruction: Instruction, operands: Iterable[Value], version: int) -> Instruction:
    """The forward `instruction` once more, on `operands` that have the names and shapes of its own."""
    outputs = tuple(replace(v, version=version) for v in instruction.outputs)
    return replace(instruction, inputs=tuple(operands), outputs=outputs)


def recomputes(instruction: Instruction) -> bool:
    """Is an instruction of the backward part one of the forward part once more?"""
    return not RECOMPUTED.isdisjoint(v.role for v in instruction.outputs)


class _Writing:
    def __init__(self, plan: Plan, values: frozenset[Value]) -> None:
        self._values = values
        self._writers = {v: (at, i) for at, i in enumerate(plan.forward) for v in i.outputs if v in values}
        if len(self._writers) != len(values):
            raise InternalError("a value to recompute is none that the forward part writes")
        self._versions = {v.name: v.version for v in values}
        for instruction in plan.backward:
            for v in instruction.outputs:
                if v.role in RECOMPUTED and v.name in self._versions:
                    self._versions[v.name] = max(self._versions[v.name], v.version)
        self._new: dict[Value, Value] = {}

    def of(self, instructions: Iterable[Instruction]) -> Iterable[Instruction]:
        """The instructions, with what they read before each."""
        for instruction in instructions:
            yield from self._before(instruction)
            yield self._rewired(instruction)

    def apart(self, instructions: Iterable[Instruction]) -> tuple[list[Instruction], tuple[Instruction, ...]]:
        """What the instructions read, and the instructions."""
        before: list[Instruction] = []
        rewired: list[Instruction] = []
        for instruction in instructions:
            before.extend(self._before(instruction))
            rewired.append(self._rewired(instruction))
        return before, tuple(rewired)

    def _before(self, instruction: Instruction) -> Iterable[Instruction]:
        """What must be written again before `instruction`, in the order of the forward part."""
        found: dict[Value, tuple[int, Instruction]] = {}
        pending = [v for v in instruction.inputs if v in self._values]
        while pending:
            value = pending.pop()
            if value not in self._new and value not in found:
                found[value] = self._writers[value]
                pending.extend(v for v in found[value][1].inputs if v in self._values)
        for value, (_, writer) in sorted(found.items(), key=lambda item: item[1][0]):
            if value in self._new:
                continue  # another output of an instruction that is here already
            version = 1 + max(self._versions.get(v.name, v.version) for v in writer.outputs)
            made = again(writer, self._rewired(writer).inputs, version)
            self._new.update(zip(writer.outputs, made.outputs, strict=True))
            yield made

    def _rewired(self, instruction: Instruction) -> Instruction:
        if self._values.isdisjoint(instruction.inputs):
            return instruction
        return replace(instruction, inputs=tuple(self._new.get(v, v) for v in instruction.inputs))
