"""When values in slots live: from the instruction that writes them to the last one that reads them.

A buffer is a chain of values each of which takes the place of the one before. It lives as long as they do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from dnnlang.plan.ir import IN_SLOTS, Plan
from dnnlang.plan.room import Room, room
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

    @property
    def room(self) -> Room:
        return self.rows, self.per_sample


def last_uses(plan: Plan) -> dict[Value, int]:
    """For each value in a slot the position of its last reader; of its writer if nobody reads it.

    The network's outputs live to the end of the forward part, where the caller takes them.
    """
    last: dict[Value, int] = {}
    for at, instruction in enumerate(plan.instructions):
        for value in instruction.inputs + instruction.outputs:
            if value.role in IN_SLOTS:
                last[value] = at
    end = len(plan.forward) - 1
    for value in plan.outputs.values():
        if value in last:
            last[value] = max(last[value], end)
    return last


def buffers(plan: Plan, last: Mapping[Value, int] | None = None) -> list[Buffer]:
    """The buffers of a plan, in the order in which they are first written. `last` are its last uses, if known."""
    last = last_uses(plan) if last is None else last
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
    begun = {chain[0]: chain for chain in chains.values()}
    return [Buffer(tuple(begun[v]), *room(v), at, last[begun[v][-1]] + 1) for v, at in written.items()]


def alive(found: Sequence[Buffer], numbers: Mapping[Room, int], count: int) -> list[int]:
    """How many numbers are alive at each of `count` instructions, and behind them, if rooms hold so many each."""
    changes = [0] * (count + 1)
    for b in found:
        size = numbers[b.room]
        changes[b.lower] += size
        changes[b.upper] -= size
    return list(accumulate(changes))
