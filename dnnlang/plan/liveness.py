"""When values in slots live: from the instruction that writes them to the last one that reads them."""

from __future__ import annotations

from dnnlang.plan.ir import IN_SLOTS, Plan
from dnnlang.primitives.values import Value


def last_uses(plan: Plan) -> dict[Value, int]:
    """For each value in a slot the position of its last reader; of its writer if nobody reads it.

    The network's outputs live to the end of the forward part, where the caller takes them.
    """
    last: dict[Value, int] = {}
    for at, instruction in enumerate(plan.instructions):
        for value in instruction.inputs:
            if value.role in IN_SLOTS:
                last[value] = at
        if instruction.output.role in IN_SLOTS:
            last[instruction.output] = at
    end = len(plan.forward) - 1
    for value in plan.outputs.values():
        if value in last:
            last[value] = max(last[value], end)
    return last
