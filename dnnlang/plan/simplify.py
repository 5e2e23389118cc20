"""Simplification of the forward part: what is computed twice is computed once, what an expression says twice is said
once. It comes first, so that the backward part is simpler too."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.values import Value
from dnnlang.scalar.canonical import Canon
from dnnlang.scalar.construct import put
from dnnlang.scalar.expression import Expr, topological, variable, variables
from dnnlang.scalar.factors import tidy
from dnnlang.scalar.rewrite import expression


def simplify(plan: Plan) -> Plan:
    """Drops each instruction that does what an earlier one did; its readers read that one's output."""
    done: dict[tuple[Primitive, tuple[Value, ...]], Value] = {}
    same: dict[Value, Value] = {}
    forward: list[Instruction] = []
    for instruction in plan.forward:
        made = _said_once(_renamed(instruction, same))
        key = (made.primitive, made.inputs)
        if key in done:
            same[instruction.output] = done[key]
            continue
        done[key] = made.output
        forward.append(made)
    if all(a is b for a, b in zip(forward, plan.forward, strict=False)) and len(forward) == len(plan.forward):
        return plan
    outputs = {name: same.get(v, v) for name, v in plan.outputs.items()}
    updates = tuple(_renamed(i, same) for i in plan.updates)
    return replace(plan, forward=tuple(forward), updates=updates, outputs=outputs)


def _renamed(instruction: Instruction, same: dict[Value, Value]) -> Instruction:
    if not same:
        return instruction
    if isinstance(instruction.primitive, Loss):
        instruction = replace(instruction, primitive=_loss(instruction.primitive, same))
    if same.keys().isdisjoint(instruction.inputs):
        return instruction
    return replace(instruction, inputs=tuple(same.get(v, v) for v in instruction.inputs))


def _loss(primitive: Loss, same: dict[Value, Value]) -> Loss:
    """Its gradient is known from the start, with the values that it is to be computed from."""
    gradient = primitive.gradient
    operands = tuple((name, same.get(v, v)) for name, v in gradient.operands)
    return replace(primitive, gradient=replace(gradient, of=same.get(gradient.of, gradient.of), operands=operands))


def _said_once(instruction: Instruction) -> Instruction:
    """A map with a variable for each of its operands, however often it reads it: h + h is 2 h."""
    primitive, inputs = instruction.primitive, instruction.inputs
    if not isinstance(primitive, Map) or primitive.activation is not None or len(set(inputs)) == len(inputs):
        return instruction
    made = _with_operands(primitive, tuple(inputs.index(v) for v in inputs))
    if made is None:
        return instruction
    operands = dict(zip(primitive.names, inputs, strict=True))
    return replace(instruction, primitive=made, inputs=tuple(operands[n] for n in made.names))


@lru_cache(maxsize=1024)
def _with_operands(primitive: Map, first: tuple[int, ...]) -> Map | None:
    """The map with its i-th variable called as its first[i]-th; None if nothing is left to depend on."""
    per_unit = {e.name: e.per_unit for e in topological(primitive.expr) if e.op == "variable"}
    called = {name: primitive.names[at] for name, at in zip(primitive.names, first, strict=True)}
    if any(per_unit.get(name) != per_unit.get(new) for name, new in called.items()):
        return None  # a value of one row stands for one number a unit here, for one number a column there
    renamed = put(primitive.expr, {name: variable(new, per_unit[name]) for name, new in called.items()})
    expr = expression(Canon().form(renamed)) if _is_sum_of_products(renamed) else tidy(renamed)
    used = variables(expr)
    if not used or expr.per_unit != primitive.expr.per_unit:
        return None
    return replace(primitive, expr=expr, names=tuple(n for n in primitive.names if n in used))


def _is_sum_of_products(expr: Expr) -> bool:
    return all(e.op in ("add", "multiply", "variable", "constant") for e in topological(expr))
