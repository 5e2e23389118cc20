"""The order of instructions: J as early as it can be had, so that A[L] can overwrite the Z[L] that J reads."""

from __future__ import annotations

from dataclasses import replace

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.values import Value


def loss_first(plan: Plan) -> Plan:
    """Moves each loss to just behind the last of its operands."""
    losses = [i for i in plan.forward if isinstance(i.primitive, Loss)]
    if not losses:
        return plan
    rest = [i for i in plan.forward if not isinstance(i.primitive, Loss)]
    written = {v: at for at, i in enumerate(rest) for v in i.outputs}
    after: dict[int, list[Instruction]] = {}
    earliest = -1
    for loss in losses:  # each adds to the J of the one before, so they stay in order
        earliest = max(earliest, *(_position(v, written) for v in loss.inputs))
        after.setdefault(earliest, []).append(loss)
    forward = list(after.get(-1, ()))
    for at, instruction in enumerate(rest):
        forward.append(instruction)
        forward.extend(after.get(at, ()))
    if all(a is b for a, b in zip(forward, plan.forward, strict=True)):
        return plan
    return replace(plan, forward=tuple(forward))


def _position(value: Value, written: dict[Value, int]) -> int:
    return written.get(value, -1)
