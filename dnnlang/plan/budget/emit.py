"""A plan that follows a schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dnnlang.plan.budget.chain import Kind, Operation
from dnnlang.plan.budget.stages import Sections
from dnnlang.plan.budget.steps import Rewriting
from dnnlang.plan.ir import Instruction, Plan


def emit(plan: Plan, sections: Sections, schedule: Iterable[Operation]) -> Plan:
    """What runs before the first backward operation is the forward part, all else the backward part."""
    behind = Rewriting(plan.forward)
    forward: list[Instruction] = []
    backward: list[Instruction] = []
    fresh = 0  # stages that have run
    for kind, number in ((operation.kind, operation.stage) for operation in schedule):
        section = sections.sections[number]
        if kind is Kind.BACKWARD:
            backward.extend(map(behind.write, section.backward))
        elif number == fresh:
            fresh += 1
            forward.extend(section.first_output if kind in (Kind.PASS, Kind.KEEP) else section.first)
        else:
            steps = {Kind.SAVE: section.both_again, Kind.INNER: section.inner_again}.get(kind, section.output_again)
            backward.extend(map(behind.write, steps))
    return replace(plan, forward=tuple(forward), backward=tuple(backward))
