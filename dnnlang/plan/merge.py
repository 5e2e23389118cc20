"""Several instructions as one step."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dnnlang.plan.ir import Instruction
from dnnlang.primitives.fused import Fused, Member, fused
from dnnlang.primitives.values import Role, Value

Places = tuple[int, ...]


class Merging:
    """Merges instructions of one plan. Steps that are alike share their record, which is then made once."""

    def __init__(self) -> None:
        self._records: dict[tuple[object, ...], Fused] = {}

    def one_step(self, instructions: Sequence[Instruction], inner: Collection[Value]) -> Instruction:
        """The instructions as one, which stands where the first of them that writes an output stood; J comes last.

        `inner` are the values that nobody reads outside; they never reach a slot.
        """
        if len(instructions) == 1:
            return instructions[0]
        written = [v for i in instructions for v in i.outputs]
        within = [v for v in written if v in inner]
        outputs = [v for v in written if v not in inner]
        outputs.sort(key=_is_loss)
        inputs = dict.fromkeys([v for i in instructions for v in i.inputs])
        for value in written:
            inputs.pop(value, None)
        place_of = {v: n for n, v in enumerate((*inputs, *within, *outputs))}.__getitem__
        members = [(i, tuple(map(place_of, i.inputs)), tuple(map(place_of, i.outputs))) for i in instructions]
        first = next(i for i in instructions if outputs[0] in i.outputs)
        record = self._record(members, len(inputs), len(within))
        return Instruction(record, tuple(inputs), tuple(outputs), first.span, first.within, tuple(within))

    def _record(self, members: Sequence[tuple[Instruction, Places, Places]], inputs: int, inner: int) -> Fused:
        # By the identities of the primitives, which the plan holds, because to compare them takes longer than to merge.
        alike = (inputs, inner, *((id(i.primitive), read, written) for i, read, written in members))
        if alike not in self._records:
            made = tuple(Member(i.primitive, read, written) for i, read, written in members)
            self._records[alike] = fused(made, inputs, inner)
        return self._records[alike]


def _is_loss(value: Value) -> bool:
    return value.role is Role.LOSS


def one_step(instructions: Sequence[Instruction], inner: Collection[Value]) -> Instruction:
    """One step alone, as Merging makes it."""
    return Merging().one_step(instructions, inner)
