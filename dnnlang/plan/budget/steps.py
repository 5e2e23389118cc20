"""Forward steps run for some of their results only, and what a step costs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan, parts
from dnnlang.plan.recompute import RECOMPUTED, recomputes
from dnnlang.primitives.fused import Member, fused
from dnnlang.primitives.product import Product
from dnnlang.primitives.values import Value
from dnnlang.sizes import Size, evaluate


def slotted(values: Iterable[Value]) -> Iterable[Value]:
    return (v for v in values if v.role in IN_SLOTS)


def sizes_of(plan: Plan) -> dict[str, int]:
    """The sizes that a budget is for. Without one, those of a single sample."""
    return {"m": plan.options.batch or 1}


def work(instruction: Instruction, sizes: Mapping[str, int]) -> int:
    """Multiply-adds of the products in a step; every entry that another primitive writes counts as one."""
    return sum(_work(each, sizes) for each in parts(instruction))


def total_work(plan: Plan) -> int:
    """Of all its instructions, for the sizes that a budget is for."""
    sizes = sizes_of(plan)
    return sum(work(i, sizes) for i in plan.instructions)


def _work(instruction: Instruction, sizes: Mapping[str, int]) -> int:
    entries = sum(_entries(v.shape, sizes) for v in instruction.outputs)
    if not isinstance(instruction.primitive, Product):
        return entries
    left = instruction.inputs[0].shape
    return entries * evaluate(left[0] if instruction.primitive.transpose_left else left[1], sizes)


def _entries(shape: tuple[Size, Size], sizes: Mapping[str, int]) -> int:
    return evaluate(shape[0], sizes) * evaluate(shape[1], sizes)


def writes_again(instruction: Instruction) -> bool:
    """Does a step of the backward part compute something of the forward part again?"""
    return any(v.role in RECOMPUTED for v in (*instruction.outputs, *instruction.inner))


def extra_work(plan: Plan) -> float:
    """The work that is done again, as a share of all other work, for the sizes that a budget is for."""
    sizes = sizes_of(plan)
    again = sum(
        _work(each, sizes)
        for instruction in plan.backward
        if writes_again(instruction)
        for each in parts(instruction)
        if recomputes(each)
    )
    return again / max(1, total_work(plan) - again)


def reduced(instruction: Instruction, wanted: Collection[Value]) -> Instruction:
    """The step for its `wanted` outputs only: what else it writes stays within it, or is not computed at all."""
    outputs = tuple(v for v in instruction.outputs if v in wanted)
    if len(outputs) == len(instruction.outputs):
        return instruction
    kept: list[Instruction] = []
    needed = set(outputs)
    for each in reversed(parts(instruction)):
        if not needed.isdisjoint(each.outputs):
            kept.append(each)
            needed.update(each.inputs)
    kept.reverse()
    if len(kept) == 1:
        return kept[0]
    written = [v for each in kept for v in each.outputs]
    inner = tuple(v for v in written if v not in outputs)
    inputs = tuple(dict.fromkeys(v for each in kept for v in each.inputs if v not in written))
    place = {v: n for n, v in enumerate((*inputs, *inner, *outputs))}
    members = tuple(
        Member(i.primitive, tuple(place[v] for v in i.inputs), tuple(place[v] for v in i.outputs)) for i in kept
    )
    primitive = fused(members, len(inputs), len(inner))
    return replace(instruction, primitive=primitive, inputs=inputs, outputs=outputs, inner=inner)


def needed_for(
    wanted: Iterable[Value], instructions: Sequence[Instruction], there: Collection[Value]
) -> tuple[Instruction, ...]:
    """Those of the `instructions`, reduced, that `wanted` stands on; the values `there` need no computing."""
    pending = {v for v in wanted if v not in there}
    found: list[Instruction] = []
    for instruction in reversed(instructions):
        if pending.isdisjoint(instruction.outputs):
            continue
        step = reduced(instruction, pending)
        pending.update(v for v in slotted(step.inputs) if v not in there)
        found.append(step)
    found.reverse()
    return tuple(found)


class Rewriting:
    """Writes instructions behind a forward part, with new values for what is computed again. Versions count upwards."""

    def __init__(self, forward: Iterable[Instruction]) -> None:
        written = (v for i in forward for v in (*i.inner, *i.outputs) if v.role in RECOMPUTED)
        self._latest = {v.name: v.version for v in written}
        self._now: dict[Value, Value] = {}

    def now(self, value: Value) -> Value:
        """What stands for a value at this moment."""
        return self._now.get(value, value)

    def write(self, instruction: Instruction) -> Instruction:
        """The instruction, reading what is there now; what it writes of the forward part is there from now on."""
        inputs = tuple(map(self.now, instruction.inputs))
        inner = tuple(map(self._next, instruction.inner))
        outputs = tuple(map(self._next, instruction.outputs))
        self._now.update(zip(instruction.outputs, outputs, strict=True))
        if (inputs, inner, outputs) == (instruction.inputs, instruction.inner, instruction.outputs):
            return instruction
        return replace(instruction, inputs=inputs, inner=inner, outputs=outputs)

    def _next(self, value: Value) -> Value:
        if value.role not in RECOMPUTED:
            return value
        version = self._latest.get(value.name, -1) + 1
        self._latest[value.name] = version
        return value if value.version == version else replace(value, version=version)
