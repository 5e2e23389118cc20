"""Dead code: instructions whose results nobody reads and nobody asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.values import Value


def drop_dead_code(plan: Plan) -> Plan:
    """Keeps what the outputs, J, the gradients and the updates stand on."""
    alive: set[Value] = set(plan.outputs.values()) | set(plan.gradients.values())
    if plan.loss is not None:
        alive.add(plan.loss)
    for instruction in plan.updates:
        alive.update(instruction.inputs)
    backward = _alive(plan.backward, alive)
    forward = _alive(plan.forward, alive)
    if len(backward) == len(plan.backward) and len(forward) == len(plan.forward):
        return plan
    return replace(plan, forward=forward, backward=backward)


def _alive(instructions: Iterable[Instruction], alive: set[Value]) -> tuple[Instruction, ...]:
    """Those that write something alive, found from the last to the first; what they read becomes alive too."""
    kept: list[Instruction] = []
    for instruction in reversed(tuple(instructions)):
        if alive.isdisjoint(instruction.outputs):
            continue
        alive.update(instruction.inputs)
        kept.append(instruction)
    kept.reverse()
    return tuple(kept)
