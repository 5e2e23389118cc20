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
from dataclasses import dataclass, field, replace
from typing import Final

from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.plan.merge import one_step
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.penalty import Decay
from dnnlang.primitives.product import Product
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value

MOST: Final = 8
"""Instructions that a chain of maps may merge: longer ones are not read any more."""


def merge_steps(plan: Plan) -> Plan:
    """Merges instructions into steps, in the forward part and in the backward part."""
    forward, backward = _Part(plan, plan.forward), _Part(plan, plan.backward)
    updates, gradients = plan.updates, plan.gradients
    if plan.purpose is Purpose.STEP and not plan.options.keep_gradients:
        updates, gradients = _merge_updates(plan, backward)
    asked = {*plan.outputs.values(), *gradients.values()}
    if plan.loss is not None:
        asked.add(plan.loss)
    mine = {group: group.reads() for group in (*forward.groups, *backward.groups)}
    read = Counter(v for values in mine.values() for v in values)
    read.update(v for i in updates for v in i.inputs)
    return replace(
        plan,
        forward=tuple(group.step(mine[group], read, asked) for group in forward.groups),
        backward=tuple(group.step(mine[group], read, asked) for group in backward.in_order()),
        updates=updates,
        gradients=gradients,
    )


@dataclass(slots=True, eq=False)
class _Group:
    """Instructions that become one step: the `at`-th of the groups, or right `behind` a later one."""

    at: int
    instructions: list[Instruction]
    behind: int = -1
    lasting: set[Value] = field(default_factory=set)  # what lies in an array, although nobody else reads it

    def add(self, instruction: Instruction) -> None:
        """Behind the last of what it reads here."""
        read = set(instruction.inputs)
        there = [at for at, i in enumerate(self.instructions) if not read.isdisjoint(i.outputs)]
        self.instructions.insert(there[-1] + 1 if there else len(self.instructions), instruction)

    def reads(self) -> set[Value]:
        """What it reads, whoever wrote it."""
        return {v for i in self.instructions for v in i.inputs}

    def step(self, mine: set[Value], read: Counter[Value], asked: set[Value]) -> Instruction:
        """One instruction. Inner are the values that no other group reads, and nobody asked for; it reads `mine`."""
        if len(self.instructions) == 1:
            return self.instructions[0]
        written = [v for i in self.instructions for v in i.outputs]
        inner = {v for v in written if self._is_inner(v, read[v] - (v in mine), asked)}
        return one_step(self.instructions, inner)

    def _is_inner(self, value: Value, readers: int, asked: set[Value]) -> bool:
        if value.role in (Role.PARAMETER, Role.STATE) or value in asked or value in self.lasting:
            return False
        return readers == 0


class _Part:
    """The forward or the backward part, grouped. An instruction joins a group only where all that it reads is there."""

    def __init__(self, plan: Plan, instructions: Sequence[Instruction]) -> None:
        self.groups: list[_Group] = []
        self.writer: dict[Value, _Group] = {}
        self.readers = Counter(v for i in plan.instructions for v in set(i.inputs))
        self._asked = {*plan.outputs.values(), *plan.gradients.values()}
        self._of_delta: dict[Value, _Group] = {}  # the gradients of parameters that read it
        self._maker: dict[Value, Instruction] = {}
        self._masks: dict[Value, Instruction] = {}  # drawn where they are used, because only one step uses them
        here = {v for i in instructions for v in i.inputs}
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
        for mask in [v for v in instruction.inputs if v in self._masks]:
            group.add(self._masks.pop(mask))
            self.writer[mask] = group
        group.add(instruction)
        for value in instruction.outputs:
            self.writer[value] = group
            self._maker[value] = instruction
        if isinstance(primitive, Product | MeanOverSamples) and instruction.output.role is Role.GRADIENT:
            for value in instruction.inputs:
                self._of_delta.setdefault(value, group)

    def _with_maker(self, instruction: Instruction) -> _Group | None:
        """The group that makes what a map reads, if nobody else reads that; or Z = W A + b just before A = g(Z)."""
        group = self._latest(instruction)
        if group is None or len(group.instructions) >= MOST:
            return None
        for value in instruction.inputs:
            maker = self._maker.get(value)
            if maker is None or self.writer[value] is not group or value.shape != instruction.output.shape:
                continue
            if not isinstance(maker.primitive, Product | Map):
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
        return group if any(isinstance(maker.primitive, Product | Map) for maker in made) else None

    def _with_gradients(self, instruction: Instruction) -> _Group | None:
        """What l2 adds to dW joins dW, db joins dW."""
        if isinstance(instruction.primitive, Decay):
            so_far = instruction.inputs[-1]
            group = self.writer.get(so_far)
            return group if self.readers[so_far] == 1 else None
        if not isinstance(instruction.primitive, Product | MeanOverSamples):
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
        earlier = group.reads() & backward.writer.keys()
        if any(v.name == gradient.name and backward.writer[v] is not group for v in earlier):
            group.lasting.add(gradient)  # earlier contributions lie in its array
        else:
            del gradients[parameter.name]
    return tuple(rest), gradients


class _Joining:
    """Which updates can run right behind their gradients, or where the last reader of the old parameter is done."""

    def __init__(self, backward: _Part) -> None:
        self._backward = backward
        self._reading: dict[Value, list[_Group]] = {}  # parameters and gradients, by who reads them
        for group in backward.groups:
            for value in group.reads():
                if value.role in (Role.PARAMETER, Role.GRADIENT):
                    self._reading.setdefault(value, []).append(group)

    def group(self, update: Instruction) -> _Group | None:
        parameter, gradient = update.inputs[:2]
        group = self._backward.writer.get(gradient)
        if group is None or self._backward.readers[gradient] > 1:
            return None
        others = [g for g in self._reading.get(parameter, ()) if g is not group]
        if any(i.output.role is Role.GRADIENT for g in others for i in g.instructions):
            return None  # it may move itself
        behind = max((g.at for g in others), default=-1)
        written = [v for i in group.instructions for v in i.outputs]
        if any(g is not group and g.at <= behind for v in written for g in self._reading.get(v, ())):
            return None
        group.behind = max(group.behind, behind)
        return group
