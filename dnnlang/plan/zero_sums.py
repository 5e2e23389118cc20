"""Sums that are always 0: what numbers differ from their own mean by, added up.

They arise where a variance is differentiated by the mean within it: 1/m Σ dvar ∘ (Z - mu) with mu = 1/m Σ Z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.map import ACCUMULATOR, Map, MeanOverSamples
from dnnlang.primitives.values import Value
from dnnlang.scalar.construct import rebuild
from dnnlang.scalar.expression import Expr, constant, topological, variables
from dnnlang.sizes import M

Deviation = Callable[[str | None, str | None], bool]
"""Is the first variable what the second is the mean of?"""


def drop_zero_sums(plan: Plan) -> Plan:
    """Drops contributions to gradients that are such a sum; what was added up so far goes on without them."""
    sweep = _Sweep(plan)
    backward = tuple(i for instruction in plan.backward for i in sweep.of(instruction))
    if not sweep.same and all(a is b for a, b in zip(backward, plan.backward, strict=True)):
        return plan
    gradients = {name: sweep.same.get(v, v) for name, v in plan.gradients.items()}
    return replace(plan, backward=backward, gradients=gradients)


class _Sweep:
    def __init__(self, plan: Plan) -> None:
        self.same: dict[Value, Value] = {}  # a sum, with nothing added to it
        self._over_samples: dict[Value, Value] = {}  # a mean, and what it is the mean of
        self._over_units: dict[Value, Value] = {}
        for instruction in plan.forward:
            primitive = instruction.primitive
            if isinstance(primitive, MeanOverSamples) and primitive.expr.op == "variable":
                self._over_samples[instruction.output] = instruction.inputs[0]
            elif isinstance(primitive, Map) and _is_mean(primitive.expr):
                self._over_units[instruction.output] = instruction.inputs[0]

    def of(self, instruction: Instruction) -> list[Instruction]:
        """What is left of an instruction."""
        if not self.same.keys().isdisjoint(instruction.inputs):
            instruction = replace(instruction, inputs=tuple(self.same.get(v, v) for v in instruction.inputs))
        primitive = instruction.primitive
        if not isinstance(primitive, Map | MeanOverSamples) or not primitive.accumulate:
            return [instruction]
        if isinstance(primitive, Map):
            expr = self._without_zeros(primitive, instruction.inputs)
            if expr is primitive.expr:
                return [instruction]
            if expr.op != "variable" or expr.name != ACCUMULATOR:
                return [_with_expression(instruction, primitive, expr)]
        elif not self._is_zero_mean(primitive, instruction.inputs):
            return [instruction]
        self.same[instruction.output] = instruction.inputs[-1]
        return []

    def _is_zero_mean(self, primitive: MeanOverSamples, inputs: tuple[Value, ...]) -> bool:
        operands = dict(zip(primitive.names, inputs, strict=False))
        own = frozenset(name for name, v in operands.items() if v.shape[1] == M)
        return _is_zero(primitive.expr, _deviation(operands, self._over_samples), lambda e: bool(own & variables(e)))

    def _without_zeros(self, primitive: Map, inputs: tuple[Value, ...]) -> Expr:
        operands = dict(zip(primitive.names, inputs, strict=True))
        if self._over_units.keys().isdisjoint(inputs):
            return primitive.expr
        deviation = _deviation(operands, self._over_units)
        made: dict[Expr, Expr] = {}
        for e in topological(primitive.expr):
            if e.op in ("sum", "mean") and _is_zero(e.args[0], deviation, lambda factor: factor.per_unit):
                made[e] = constant(0)
            elif any(made[a] is not a for a in e.args):
                made[e] = rebuild(e.op, tuple(made[a] for a in e.args))
            else:
                made[e] = e
        return made[primitive.expr]


def _is_mean(expr: Expr) -> bool:
    return expr.op == "mean" and expr.args[0].op == "variable"


def _deviation(operands: Mapping[str, Value], mean_of: Mapping[Value, Value]) -> Deviation:
    def differs(name: str | None, mean: str | None) -> bool:
        if name is None or mean is None:
            return False
        value = operands.get(name)
        return value is not None and mean_of.get(operands[mean]) is value

    return differs


def _is_zero(expr: Expr, deviation: Deviation, varies: Callable[[Expr], bool]) -> bool:
    """Is the sum over something of `expr` 0: is it (x - mean of x) times what does not vary over it?"""
    found = False
    pending = [expr]
    while pending:
        e = pending.pop()
        if e.op in ("multiply", "negate"):
            pending.extend(e.args)
        elif e.op == "divide":
            pending.append(e.args[0])
            if varies(e.args[1]):
                return False
        elif _deviates(e, deviation) and not found:
            found = True
        elif varies(e):
            return False
    return found


def _deviates(e: Expr, deviation: Deviation) -> bool:
    if e.op != "add" or e.args[1].op != "negate":
        return False
    return deviation(e.args[0].name, e.args[1].args[0].name)


def _with_expression(instruction: Instruction, primitive: Map, expr: Expr) -> Instruction:
    used = variables(expr)
    operands = dict(zip(primitive.names, instruction.inputs, strict=True))
    names = tuple(n for n in primitive.names if n in used)
    return replace(
        instruction, primitive=replace(primitive, expr=expr, names=names), inputs=tuple(operands[n] for n in names)
    )
