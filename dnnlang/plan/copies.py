"""Copies propagated: a linear layer's A is its Z, a gradient that `add` passes on is the one that arrived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.primitives.map import Map
from dnnlang.primitives.values import Value


def propagate_copies(plan: Plan) -> Plan:
    """Drops the maps that copy; their readers read the source.

    A source that only the copy reads takes on the copy's name: A[2] = W[2] A[1] + b[2], and dZ[2] where
    dA[2] arrived, are what the lesson would write for a linear layer.
    """
    copies = [i for i in plan.instructions if _copies(i)]
    if not copies:
        return plan
    renamed = _names(copies, plan)
    forward = tuple(_rewritten(plan.forward, renamed))
    backward = tuple(_rewritten(plan.backward, renamed))
    updates = tuple(_rewritten(plan.updates, renamed))
    outputs = {name: renamed.get(v, v) for name, v in plan.outputs.items()}
    return replace(plan, forward=forward, backward=backward, updates=updates, outputs=outputs)


def _copies(instruction: Instruction) -> bool:
    """Not where one column becomes a column for each sample."""
    primitive = instruction.primitive
    if not isinstance(primitive, Map) or not primitive.is_copy:
        return False
    return instruction.inputs[0].shape == instruction.output.shape


def _names(copies: list[Instruction], plan: Plan) -> dict[Value, Value]:
    """What each value of a chain of copies is now: its first source, under the name that this source takes on."""
    readers = Counter(v for i in plan.instructions for v in i.inputs)
    readers.update(plan.outputs.values())
    first: dict[Value, Value] = {}
    name: dict[Value, Value] = {}
    for copy in copies:
        source, target = copy.inputs[0], copy.output
        origin = first.get(source, source)
        first[target] = origin
        if name.get(origin, origin) is source and readers[source] == 1 and source.role in IN_SLOTS:
            name[origin] = target
    now = {value: name.get(origin, origin) for value, origin in first.items()}
    return now | name


def _rewritten(instructions: Iterable[Instruction], renamed: dict[Value, Value]) -> Iterable[Instruction]:
    for instruction in instructions:
        if _copies(instruction):
            continue
        touched = not renamed.keys().isdisjoint(instruction.inputs) or instruction.output in renamed
        if not touched:
            yield instruction
            continue
        inputs = tuple(renamed.get(v, v) for v in instruction.inputs)
        outputs = tuple(renamed.get(v, v) for v in instruction.outputs)
        yield replace(instruction, inputs=inputs, outputs=outputs)
