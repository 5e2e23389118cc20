"""What must hold where the backward part writes a forward value again. Part of the verifier."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dnnlang.plan.ir import Instruction, Plan, parts
from dnnlang.primitives.values import Role, Value

WRITTEN_AGAIN: Final = frozenset((Role.ACTIVATION, Role.MASK))


def writes_again(instruction: Instruction) -> bool:
    """Does an instruction of the backward part write what is the forward part's to write?"""
    for value in instruction.outputs:
        if value.role in WRITTEN_AGAIN:
            return True
    return any(value.role in WRITTEN_AGAIN for value in instruction.inner)


class Recomputation:
    """Compares instructions of the backward part with those of the forward part that write values of the same names."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._writers: dict[str, Instruction] | None = None  # made when the first value is written again
        self._latest: dict[str, Value] = {}
        self._again: set[Value] = set()

    def faults(self, instruction: Instruction) -> Iterator[str]:
        """What is wrong with those parts of `instruction`, in the backward part, that write a forward value again."""
        for part in parts(instruction):
            if any(v.role in WRITTEN_AGAIN for v in part.outputs):
                yield from self._part(part)

    def _part(self, part: Instruction) -> Iterator[str]:
        output = part.outputs[0]
        writers = self._writers_by_name()
        writer = writers.get(output.name)
        if writer is None:  # only the backward part reads it, and so it is written there to begin with
            writers[output.name] = part
            self._latest[output.name] = output
            self._again.add(output)
            return
        if part.primitive is not writer.primitive and part.primitive != writer.primitive:
            yield f"{output.name} is not computed as in the forward part"
        if len(part.inputs) != len(writer.inputs) or len(part.outputs) != len(writer.outputs):
            yield f"{output.name} has other operands than in the forward part"
            return
        for value, first in zip(part.inputs, writer.inputs, strict=True):
            if value is not first and not (value in self._again and value.name == first.name):
                yield f"{output.name} is computed again from {value.name}, not from {first.name} as it was"
        for value, first in zip(part.outputs, writer.outputs, strict=True):
            yield from self._output(value, first)

    def _output(self, value: Value, first: Value) -> Iterator[str]:
        if (value.name, value.shape, value.role, value.packed) != (first.name, first.shape, first.role, first.packed):
            yield f"{first.name} {first.shape} becomes {value.name} {value.shape}"
        if value.version <= self._latest.get(value.name, first).version:
            yield f"{value.name} is written again and still called version {value.version}"
        self._latest[value.name] = value
        self._again.add(value)

    def _writers_by_name(self) -> dict[str, Instruction]:
        if self._writers is None:
            self._writers = {v.name: part for i in self._plan.forward for part in parts(i) for v in part.outputs}
        return self._writers
