"""The formulas of an instruction, as the lesson would write them; of a merged step those of its members.

What lies within a step and is used once stands where it is used: A[1] = relu(W[1] X + b[1]).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dnnlang.plan.ir import Instruction, parts
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import SPELLINGS, Map, MeanOverSamples
from dnnlang.primitives.penalty import Decay
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.product import Product
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr, apply, topological, variable
from dnnlang.scalar.text import text
from dnnlang.sizes import Size

LONGEST: Final = 60
"""Characters of a formula that may stand within another."""


@dataclass(frozen=True, slots=True)
class Formula:
    """One line: what `value` is, computed by `part`. An optimizer's own quantities have no value."""

    text: str
    value: Value | None
    part: Instruction


def formulas(instruction: Instruction) -> Iterator[Formula]:
    """All that an instruction computes, a line each, but for what stands within the next."""
    if not instruction.inner:
        for part in parts(instruction):
            yield from _lines(part, {})
        return
    members = parts(instruction)
    used = _uses(members)
    within: dict[Value, Expr] = {}
    for part in members:
        expr = _expression(part, within)
        output = part.outputs[0]
        once = output in instruction.inner and used.get(output) == 1
        if once and expr is not None and len(_written(expr, part)) <= LONGEST:
            within[output] = expr
            continue
        yield from _lines(part, within)


def _lines(part: Instruction, within: Mapping[Value, Expr]) -> Iterator[Formula]:
    primitive, names = part.primitive, [v.name for v in part.inputs]
    if isinstance(primitive, Update):
        gradient = within.get(part.inputs[1])
        if gradient is not None:
            names[1] = f"({_written(gradient, part)})"
        changed = dict(zip(primitive.changed(names[0]), part.outputs, strict=True))
        for statement in primitive.statements(names):
            yield Formula(statement, changed.get(statement.partition(" = ")[0]), part)
        return
    if isinstance(primitive, Clip):
        yield Formula(f"dW, db = {primitive.formula(names)}", part.output, part)
        return
    expr = None if within.keys().isdisjoint(part.inputs) else _expression(part, within)
    right = primitive.formula(names, str(_units(part))) if expr is None else _written(expr, part)
    yield Formula(_equation(part.output.name, right), part.output, part)


def _equation(name: str, right: str) -> str:
    for sign in "+-":  # an accumulation onto what the name stood for before
        if right.startswith(f"{name} {sign} "):
            return f"{name} {sign}= {_bare(right.removeprefix(f'{name} {sign} '))}"
    return f"{name} = {right}"


def _bare(written: str) -> str:
    """Without the parentheses around all of it."""
    if not written.startswith("("):
        return written
    depth = 0
    for at, character in enumerate(written):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return written[1:-1] if at == len(written) - 1 else written
    return written


def _units(part: Instruction) -> Size:
    """The number of units of the columns that an expression works on; its operands may be one number a column."""
    every = isinstance(part.primitive, Loss | Map | MeanOverSamples)
    values = (*part.inputs, part.output) if every else (part.output,)
    return next((v.shape[0] for v in values if v.shape[0] != 1), 1)


# ---------------------------------------------------------------- one formula within another


def _uses(members: Sequence[Instruction]) -> dict[Value, int]:
    """How often each value would be written out; where it cannot stand within another formula, more than once."""
    used: dict[Value, int] = {}
    for part in members:
        times = _occurrences(part.primitive, len(part.inputs))
        for value, count in zip(part.inputs, times, strict=True):
            used[value] = used.get(value, 0) + count
    return used


def _occurrences(primitive: Primitive, count: int) -> list[int]:
    if _is_called(primitive):
        return [1]
    if isinstance(primitive, Map):
        found = _paths(primitive.expr)
        return [found.get(name, 1) for name in primitive.names]
    if isinstance(primitive, Update):
        by_name = [_paths(e) for _, e in primitive.optimizer.statements]
        return [sum(paths.get(name, 0) for paths in by_name) for name in ("w", "g", *primitive.optimizer.state)]
    last = isinstance(primitive, Product | Decay) and primitive.accumulate
    return [1 if last and at == count - 1 else 2 for at in range(count)]


def _is_called(primitive: Primitive) -> bool:
    """Is it printed as relu(…)?"""
    return isinstance(primitive, Map) and primitive.activation is not None and not primitive.is_copy


@lru_cache(maxsize=1024)
def _paths(expr: Expr) -> dict[str, int]:
    """How often each variable stands in an expression written out."""
    times = {expr: 1}
    for e in reversed(topological(expr)):
        for a in e.args:
            times[a] = times.get(a, 0) + times[e]
    found: dict[str, int] = {}
    for e, count in times.items():
        if e.name is not None:
            found[e.name] = found.get(e.name, 0) + count
    return found


def _expression(part: Instruction, within: Mapping[Value, Expr]) -> Expr | None:
    """The right side as an expression whose variables are called what is to be printed; None if it is none."""
    primitive = part.primitive
    operands = [within.get(v) for v in part.inputs]
    if _is_called(primitive):
        operand = operands[0]
        return variable(primitive.formula([part.inputs[0].name if operand is None else _written(operand, part)]))
    if isinstance(primitive, Map):
        return _put(primitive, part.inputs, operands)
    if isinstance(primitive, MeanOverSamples) and not primitive.accumulate:
        return variable(primitive.formula([v.name for v in part.inputs], str(_units(part))))
    if not isinstance(primitive, Product | Decay):
        return None
    plain = primitive.formula([v.name for v in part.inputs])
    if isinstance(primitive, Product) and primitive.bias:
        product, _, bias = plain.rpartition(" + ")
        return apply("add", variable(product), variable(bias))
    if not primitive.accumulate:
        return variable(plain)
    so_far = variable(part.inputs[-1].name) if operands[-1] is None else operands[-1]
    return apply("add", so_far, variable(plain.removeprefix(f"{part.inputs[-1].name} + ")))


def _put(primitive: Map, inputs: Sequence[Value], operands: Sequence[Expr | None]) -> Expr:
    by_name = dict(zip(primitive.names, zip(inputs, operands, strict=True), strict=True))
    made: dict[Expr, Expr] = {}
    for e in topological(primitive.expr):
        if e.op == "variable" and e.name is not None:
            value, operand = by_name[e.name]
            made[e] = variable(value.name, e.per_unit) if operand is None else operand
        else:
            made[e] = apply(e.op, *(made[a] for a in e.args)) if e.args else e
    return made[primitive.expr]


def _written(expr: Expr, part: Instruction) -> str:
    return text(expr, {"units": str(_units(part))}, spellings=SPELLINGS)
