"""A plan without the recomputation that it has already, so that a schedule decides about all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dnnlang.plan.budget.steps import reduced, slotted
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.plan.recompute import RECOMPUTED
from dnnlang.primitives.values import Value


def kept_again(plan: Plan, *, all_of_it: bool) -> Plan:
    """The plan that keeps what the backward part computes again, where the forward part writes it to a slot.

    The pass `keep` computes cheap values again from others far below, which ties the backward part of a layer to
    layers that a schedule would rather have forgotten. Unless `all_of_it` is undone, what is computed of one value
    alone, that is kept, stays.
    """
    written = {v.name: v for i in plan.forward for v in slotted(i.outputs)}
    first: dict[Value, Value] = {}
    backward: list[Instruction] = []
    for instruction in plan.backward:
        if _writes_only(instruction, written) and (all_of_it or not _is_near(instruction, first)):
            first.update((v, written[v.name]) for v in instruction.outputs)
        elif first.keys().isdisjoint(instruction.inputs):
            backward.append(instruction)
        else:
            backward.append(replace(instruction, inputs=tuple(first.get(v, v) for v in instruction.inputs)))
    if not first:
        return plan
    read = {v for i in (*plan.forward, *backward, *plan.updates) for v in i.inputs} | set(plan.outputs.values())
    forward = tuple(reduced(i, [v for v in i.outputs if v in read or v.role not in IN_SLOTS]) for i in plan.forward)
    return replace(plan, forward=tuple(i for i in forward if i.outputs), backward=tuple(backward))


def _writes_only(instruction: Instruction, written: Mapping[str, Value]) -> bool:
    """Does it write nothing but what the forward part writes to slots?"""
    return all(v.role in RECOMPUTED and v.name in written for v in instruction.outputs)


def _is_near(instruction: Instruction, first: Mapping[Value, Value]) -> bool:
    """Does it read one value a sample alone, that is kept?"""
    read = [v for v in slotted(instruction.inputs) if v.shape[1] != 1]
    return len(read) <= 1 and first.keys().isdisjoint(read) and all(v.version == 0 for v in read)
