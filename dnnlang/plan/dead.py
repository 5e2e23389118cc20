"""Dead code: instructions whose results nobody reads and nobody asked for."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dnnlang.plan.ir import Instruction, Plan, parts
from dnnlang.plan.merge import one_step
from dnnlang.primitives.values import Role, Value

LASTING: Final = frozenset((Role.PARAMETER, Role.STATE, Role.STATISTIC))
"""What an update changes is there after the run, whoever reads it."""


def drop_dead_code(plan: Plan) -> Plan:
    """Keeps what the outputs, J, the gradients and the updates stand on; of merged steps too."""
    alive: set[Value] = set(plan.outputs.values()) | set(plan.gradients.values())
    if plan.loss is not None:
        alive.add(plan.loss)
    for instruction in plan.updates:
        alive.update(instruction.inputs)
    backward = _alive(plan.backward, alive)
    forward = _alive(plan.forward, alive)
    kept = (*forward, *backward)
    if len(kept) == len(plan.forward) + len(plan.backward) and all(map(operator.is_, kept, plan.instructions)):
        return plan
    return replace(plan, forward=forward, backward=backward)


def _alive(instructions: Iterable[Instruction], alive: set[Value]) -> tuple[Instruction, ...]:
    """Those that write something alive, found from the last to the first; what they read becomes alive too."""
    kept: list[Instruction] = []
    for instruction in reversed(tuple(instructions)):
        alive.update(v for v in instruction.outputs if v.role in LASTING)
        if alive.isdisjoint(instruction.outputs):
            continue
        needed = instruction if alive.issuperset(instruction.outputs) else _needed(instruction, alive)
        alive.update(needed.inputs)
        kept.append(needed)
    kept.reverse()
    return tuple(kept)


def _needed(instruction: Instruction, alive: set[Value]) -> Instruction:
    """What a merged step still does where somebody reads only some of its outputs."""
    wanted = set(alive)
    members: list[Instruction] = []
    for member in reversed(parts(instruction)):
        if not wanted.isdisjoint(member.outputs):
            wanted.update(member.inputs)
            members.append(member)
    members.reverse()
    return one_step(members, {v for i in members for v in i.outputs} - alive)
