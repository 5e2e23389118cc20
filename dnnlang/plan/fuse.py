"""Fusion: what can be used where it arises is, and its step merged with the one that it comes from.

Three kinds of steps grow here, each instruction joining one that stands before it:

- a product or a map, then maps of what it makes: A = g(W A + b), dZ = Wᵀ dZ ∘ g', chains of maps, the masks in them;
  the loss, where the output that it measures is made;
- the gradients of one layer, which all read its dZ: dW and db, and what l2 adds to dW;
- in a plan for a step, the update of a parameter with the last of its gradient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.plan.merge import Merging
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.penalty import Decay
from dnnlang.primitives.product import Product
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value

MOST: Final = 8
"""Instructions that a chain of maps may merge: longer ones are not read any more."""
MAKERS: Final = (Product, Map)
"""What maps, and the loss, may join."""
SUMS: Final = (Product, MeanOverSamples)
"""Which gradients of parameters join each other: sums over the samples."""


def merge_steps(plan: Plan) -> Plan:
    """Merges instructions into steps, in the forward part and in the backward part."""
    readers = _readers(plan)
    forward, backward = _Part(plan, plan.forward, readers), _Part(plan, plan.backward, readers)
    updates, gradients = plan.updates, plan.gradients
    if plan.purpose is Purpose.STEP and not plan.options.keep_gradients:
        updates, gradients = _merge_updates(plan, backward)
    asked = {*plan.outputs.values(), *gradients.values()}
    if plan.loss is not None:
        asked.add(plan.loss)
    merging = Merging()
    return replace(
        plan,
        forward=tuple(group.step(readers, asked, merging) for group in forward.groups),
        backward=tuple(group.step(readers, asked, merging) for group in backward.in_order()),
        updates=updates,
        gradients=gradients,
    )


def _readers(plan: Plan) -> Counter[Value]:
    """How many instructions read each value."""
    return Counter(chain.from_iterable(set(i.inputs) for i in plan.instructions))


@dataclass(slots=True, eq=False)
class _Group:
    """Instructions that become one step: the `at`-th of the groups, or right `behind` a later one."""

    at: int
    instructions: list[Instruction]
    behind: int = -1

    def add(self, instruction: Instruction) -> None:
        """Behind the last of what it reads here."""
        there = len(self.instructions)
        while there > 0 and not _follows(instruction, self.instructions[there - 1]):
            there -= 1
        self.instructions.insert(there or len(self.instructions), instruction)

    def step(self, readers: Counter[Value], asked: set[Value], merging: Merging) -> Instruction:
        """One instruction. Inner are the values that nobody asked for, and that no instruction elsewhere reads."""
        if len(self.instructions) == 1:
            return self.instructions[0]
        written = [v for i in self.instructions for v in i.outputs]
        free = [v for v in written if v.role is not Role.PARAMETER and v.role is not Role.STATE and v not in asked]
        inner = [v for v in free if self._reading(v) == readers.get(v, 0)]
        return merging.one_step(self.instructions, inner)

    def _reading(self, value: Value) -> int:
        """How many of the instructions read it."""
        return [value in i.inputs for i in self.instructions].count(True)


def _follows(instruction: Instruction, other: Instruction) -> bool:
    """Does an instruction read what the other one writes?"""
    return any(v in instruction.inputs for v in other.outputs)


class _Part:
    """The forward or the backward part, grouped. An instruction joins a group only where all that it reads is there."""

    def __init__(self, plan: Plan, instructions: Sequence[Instruction], readers: Counter[Value]) -> None:
        self.groups: list[_Group] = []
        self.writer: dict[Value, _Group] = {}
        self.readers = readers
        self._asked = {*plan.outputs.values(), *plan.gradients.values()}
        self._of_delta: dict[Value, _Group] = {}  # the gradients of parameters that read it
        self._maker: dict[Value, Instruction] = {}
        self._masks: dict[Value, Instruction] = {}  # drawn where they are used, because only one step uses them
        here = set(chain.from_iterable(i.inputs for i in instructions))
        for instruction in instructions:
            mask = instruction.output
            if mask.role is Role.MASK and self.readers[mask] == 1 and mask in here:
                self._masks[mask] = instruction
            else:
                self._add(instruction)

    def in_order(self) -> list[_Group]:
        return sorted(self.groups, key=lambda g: (max(g.at, g.behind), g.behind > g.at, g.at))

    def _add(self, instruction: Instruction) -> None:
        primitive, group = instruction.primitive, None
        if instruction.output.role is Role.GRADIENT:
            group = self._with_gradients(instruction)
        elif isinstance(primitive, Map):
            group = self._with_maker(instruction)
        elif isinstance(primitive, Loss):
            group = self._with_output(instruction)
        if group is None:
            group = _Group(len(self.groups), [])
            self.groups.append(group)
        if self._masks:
            self._draw(instruction, group)
        group.add(instruction)
        for value in instruction.outputs:
            self.writer[value] = group
            self._maker[value] = instruction
        if isinstance(primitive, SUMS) and instruction.output.role is Role.GRADIENT:
            for value in instruction.inputs:
                self._of_delta.setdefault(value, group)

    def _draw(self, instruction: Instruction, group: _Group) -> None:
        """The masks that only this instruction uses."""
        for mask in [v for v in instruction.inputs if v in self._masks]:
            group.add(self._masks.pop(mask))
            self.writer[mask] = group

    def _with_maker(self, instruction: Instruction) -> _Group | None:
        """The group that makes what a map reads, if nobody else reads that; or Z = W A + b just before A = g(Z)."""
        group = self._latest(instruction)
        if group is None or len(group.instructions) >= MOST:
            return None
        for value in instruction.inputs:
            maker = self._maker.get(value)
            if maker is None or self.writer[value] is not group or value.shape != instruction.output.shape:
                continue
            if not isinstance(maker.primitive, MAKERS):
                continue
            if self.readers[value] == 1 and value not in self._asked:
                return group
            if isinstance(maker.primitive, Product) and _activates(instruction) and group is self.groups[-1]:
                return group
        return None

    def _with_output(self, loss: Instruction) -> _Group | None:
        """The group that makes what the loss measures."""
        group = self._latest(loss)
        if group is None:
            return None
        made = [self._maker[v] for v in loss.inputs if self.writer.get(v) is group]
        return group if any(isinstance(maker.primitive, MAKERS) for maker in made) else None

    def _with_gradients(self, instruction: Instruction) -> _Group | None:
        """What l2 adds to dW joins dW, db joins dW."""
        if isinstance(instruction.primitive, Decay):
            so_far = instruction.inputs[-1]
            group = self.writer.get(so_far)
            return group if self.readers[so_far] == 1 else None
        if not isinstance(instruction.primitive, SUMS):
            return None
        for value in instruction.inputs:
            group = self._of_delta.get(value) if value.role is Role.DELTA else None
            if group is not None and self._is_there(instruction, group):
                return group
        return None

    def _latest(self, instruction: Instruction) -> _Group | None:
        """The last group that an instruction reads from: only there all its operands are."""
        groups = [self.writer[v] for v in instruction.inputs if v in self.writer]
        return max(groups, key=lambda g: g.at) if groups else None

    def _is_there(self, instruction: Instruction, group: _Group) -> bool:
        return all(v not in self.writer or self.writer[v].at <= group.at for v in instruction.inputs)


def _activates(instruction: Instruction) -> bool:
    return isinstance(instruction.primitive, Map) and instruction.primitive.activation is not None


def _merge_updates(plan: Plan, backward: _Part) -> tuple[tuple[Instruction, ...], dict[str, Value]]:
    """Updates join the last of their gradient, if nobody else reads that. The rest of them, and of the gradients."""
    gradients = dict(plan.gradients)
    if any(isinstance(i.primitive, Clip) for i in plan.updates):
        return plan.updates, gradients  # it needs all gradients at once
    joining = _Joining(backward)
    rest = []
    for instruction in plan.updates:
        group = joining.group(instruction) if isinstance(instruction.primitive, Update) else None
        if group is None:
            rest.append(instruction)
            continue
        parameter, gradient = instruction.inputs[:2]
        group.add(instruction)
        if not _grows(gradient, group, backward):
            del gradients[parameter.name]
    return tuple(rest), gradients


def _grows(gradient: Value, group: _Group, backward: _Part) -> bool:
    """Does its array hold contributions to it from before?"""
    for instruction in group.instructions:
        for value in instruction.inputs:
            if value.role is Role.GRADIENT and value.name == gradient.name and backward.writer[value] is not group:
                return True
    return False


class _Joining:
    """Which updates can run right behind their gradients, or where the last reader of the old parameter is done."""

    def __init__(self, backward: _Part) -> None:
        self._backward = backward
        self._reading: dict[Value, list[_Group]] = {}  # parameters and gradients, by who reads them
        for group in backward.groups:
            for value in chain.from_iterable(i.inputs for i in group.instructions):
                if value.role is Role.PARAMETER or value.role is Role.GRADIENT:
                    self._reading.setdefault(value, []).append(group)

    def group(self, update: Instruction) -> _Group | None:
        parameter, gradient = update.inputs[:2]
        group = self._backward.writer.get(gradient)
        if group is None or self._backward.readers[gradient] > 1:
            return None
        behind = -1
        for other in self._reading.get(parameter, ()):
            if other is group:
                continue
            if any(i.output.role is Role.GRADIENT for i in other.instructions):
                return None  # it may move itself
            behind = max(behind, other.at)
        for value in [v for i in group.instructions for v in i.outputs]:
            for other in self._reading.get(value, ()):
                if other is not group and other.at <= behind:
                    return None
        group.behind = max(group.behind, behind)
        return group
