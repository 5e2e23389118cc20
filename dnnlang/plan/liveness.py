"""When values in slots live: from the instruction that writes them to the last one that reads them.

A buffer is a chain of values each of which takes the place of the one before. It lives as long as they do.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnnlang.plan.ir import IN_SLOTS, Plan
from dnnlang.plan.room import room
from dnnlang.primitives.values import Value
from dnnlang.sizes import Size


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """`values` in the order in which they are written; alive in [lower, upper), positions of instructions."""

    values: tuple[Value, ...]
    rows: Size
    per_sample: bool
    lower: int
    upper: int


def last_uses(plan: Plan) -> dict[Value, int]:
    """For each value in a slot the position of its last reader; of its writer if nobody reads it.

    The network's outputs live to the end of the forward part, where the caller takes them.
    """
    last: dict[Value, int] = {}
    for at, instruction in enumerate(plan.instructions):
        for value in instruction.inputs:
            if value.role in IN_SLOTS:
                last[value] = at
        for value in instruction.outputs:
            if value.role in IN_SLOTS:
                last[value] = at
    end = len(plan.forward) - 1
    for value in plan.outputs.values():
        if value in last:
            last[value] = max(last[value], end)
    return last


def buffers(plan: Plan) -> list[Buffer]:
    """The buffers of a plan, in the order in which they are first written."""
    last = last_uses(plan)
    aliases = plan.aliases
    chains: dict[Value, list[Value]] = {}  # by the value at the end
    written: dict[Value, int] = {}  # by the value at the beginning
    for at, instruction in enumerate(plan.instructions):
        for value in instruction.outputs:
            if value.role not in IN_SLOTS:
                continue
            over = aliases.get(value)
            chain = chains.pop(over) if over is not None else []
            if not chain:
                written[value] = at
            chain.append(value)
            chains[value] = chain
    made = [Buffer(tuple(chain), *room(chain[0]), written[chain[0]], last[chain[-1]] + 1) for chain in chains.values()]
    order = {value: at for at, value in enumerate(written)}
    made.sort(key=lambda b: order[b.values[0]])
    return made
