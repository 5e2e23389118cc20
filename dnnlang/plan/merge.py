"""Several instructions as one step."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dnnlang.plan.ir import Instruction
from dnnlang.primitives.fused import Member, fused
from dnnlang.primitives.values import Role, Value


def one_step(instructions: Sequence[Instruction], inner: Collection[Value]) -> Instruction:
    """The instructions as one, which stands where the first of them that writes an output stood; J comes last.

    `inner` are the values that nobody reads outside; they never reach a slot.
    """
    if len(instructions) == 1:
        return instructions[0]
    written = [v for i in instructions for v in i.outputs]
    within = [v for v in written if v in inner]
    outputs = sorted((v for v in written if v not in inner), key=lambda v: v.role is Role.LOSS)
    own = set(written)
    inputs = list(dict.fromkeys(v for i in instructions for v in i.inputs if v not in own))
    place = {v: n for n, v in enumerate((*inputs, *within, *outputs))}
    members = tuple(
        Member(i.primitive, tuple(place[v] for v in i.inputs), tuple(place[v] for v in i.outputs)) for i in instructions
    )
    first = next(i for i in instructions if outputs[0] in i.outputs)
    primitive = fused(members, len(inputs), len(within))
    return Instruction(primitive, tuple(inputs), tuple(outputs), first.span, first.within, tuple(within))
