"""What the backward computation reads: A rather than Z wherever the derivative can be written in A."""

from __future__ import annotations

from dataclasses import replace

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.map import Map, slope
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr


def read_outputs(plan: Plan) -> Plan:
    """Rewrites dZ = dA ∘ g'(Z) in A = g(Z). Then nobody reads Z, and A, which dW reads anyway, can overwrite it."""
    output_of: dict[tuple[Value, Expr], Value] = {}
    for i in plan.forward:
        if isinstance(i.primitive, Map) and i.primitive.activation is not None:
            output_of[i.inputs[0], i.primitive.activation.value] = i.output
    backward = tuple(_rewritten(i, output_of) for i in plan.backward)
    return replace(plan, backward=backward)


def _rewritten(instruction: Instruction, output_of: dict[tuple[Value, Expr], Value]) -> Instruction:
    primitive = instruction.primitive
    if not isinstance(primitive, Map) or primitive.slope_of is None or "z" not in primitive.names:
        return instruction
    operands = dict(zip(primitive.names, instruction.inputs, strict=True))
    new = slope(primitive.slope_of, from_output=True)
    operands["a"] = output_of[operands["z"], primitive.slope_of.value]
    if primitive.accumulate:
        new = new.accumulating()
    return replace(instruction, primitive=new, inputs=tuple(operands[n] for n in new.names))
