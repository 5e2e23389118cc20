"""Which outputs take the place of an input that nobody reads any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.plan.liveness import last_uses
from dnnlang.primitives.fused import Fused
from dnnlang.primitives.values import Value


def write_in_place(plan: Plan, last: Mapping[Value, int] | None = None) -> Plan:
    """Overwrites what nobody reads any more, where the instruction allows it. `last` are the last uses, if known."""
    last = last_uses(plan) if last is None else last
    aliases: dict[Value, Value] = {}
    for at, instruction in enumerate(plan.instructions):
        taken: set[Value] = set()
        for number, output in enumerate(instruction.outputs):
            over = _overwritten(instruction, number, last, at, taken) if output.role in IN_SLOTS else None
            if over is not None:
                aliases[output] = over
                taken.add(over)
    return replace(plan, aliases=aliases)


def _overwritten(
    instruction: Instruction, number: int, last: Mapping[Value, int], at: int, taken: set[Value]
) -> Value | None:
    """The input whose place an output takes: the first that dies here, has its shape and may be overwritten."""
    output = instruction.outputs[number]
    free = _overwritable(instruction, number)
    for position in free:
        value = instruction.inputs[position]
        alike = value.shape == output.shape and value.packed == output.packed
        if last.get(value) != at or value in taken or not alike:
            continue
        # It may also be an operand that is read all along: the accumulator of a residual branch can be dZ itself.
        if not any(v is value and p not in free for p, v in enumerate(instruction.inputs)):
            return value
    return None


def _overwritable(instruction: Instruction, number: int) -> Sequence[int]:
    """The inputs that output `number` may overwrite, where they are as large."""
    primitive = instruction.primitive
    if isinstance(primitive, Fused):
        return primitive.overwrites[number]
    return primitive.overwritable(len(instruction.inputs)) if number == 0 else ()
