"""Where the values lie that live within one merged step: in the array of what takes their place, if they can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnnlang.backends.numpy.context import Context
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.values import Value


def homes(i: Instruction, members: Sequence[Instruction], last: Mapping[Value, int], c: Context) -> dict[Value, Value]:
    """For each inner value the one in whose array it lies: that which takes its place at the end, or itself."""
    home: dict[Value, Value] = {}
    inner = frozenset(i.inner)
    for at in range(len(members) - 1, -1, -1):
        member = members[at]
        for value in member.outputs:
            if value in inner:
                home.setdefault(value, value)
        over = _replaced(member, i, inner, last, at, c)
        if over is not None:
            home[over] = home.get(member.output, member.output)
    return home


def _replaced(
    member: Instruction, i: Instruction, inner: frozenset[Value], last: Mapping[Value, int], at: int, c: Context
) -> Value | None:
    """The inner value that a member reads last, and may overwrite by its output, which nothing else lies in."""
    output = member.output
    if output not in inner and any(c.same_place(v, output) for v in i.inputs):
        return None
    for position in member.primitive.overwritable(len(member.inputs)):
        value = member.inputs[position]
        alike = value.shape == output.shape and not value.packed
        if value in inner and last[value] == at and alike and member.inputs.count(value) == 1:
            return value
    return None
