"""What must hold of each instruction by itself: its operands, shapes and roles. Part of the verifier.

Stated anew from what the primitives mean; nothing of theirs is called, only the fields of their records are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from dnnlang.plan.ir import Instruction
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.fused import Fused
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.penalty import Decay, Penalty
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.product import Product
from dnnlang.primitives.running import Running
from dnnlang.primitives.stack import Slice, Stack
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.expression import DRAWS, Expr, topological, variables
from dnnlang.sizes import M, Size, at_least


class Step(Protocol):
    """What a rule is about: an instruction, or a member of one."""

    @property
    def primitive(self) -> Primitive: ...
    @property
    def inputs(self) -> tuple[Value, ...]: ...
    @property
    def outputs(self) -> tuple[Value, ...]: ...


class Part(NamedTuple):
    """A member of a merged instruction, on its own."""

    primitive: Primitive
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]


def fits(rows: Size, room: Size) -> bool:
    """Is there room for so many rows, whatever the open sizes are?"""
    if isinstance(rows, int) and isinstance(room, int):
        return rows <= room
    return at_least(room, rows)


def _product(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Product)
    if len(i.inputs) != 2 + p.bias + p.accumulate:
        yield f"a product with {len(i.inputs)} operands"
        return
    left, right, out = i.inputs[0].shape, i.inputs[1].shape, i.outputs[0].shape
    rows, inner = (left[1], left[0]) if p.transpose_left else left
    middle, columns = (right[1], right[0]) if p.transpose_right else right
    if inner != middle:
        yield f"{i.inputs[0].name} and {i.inputs[1].name} cannot be multiplied: {inner} against {middle}"
    if out[0] != rows or out[1] != columns:
        yield f"the product is ({rows}, {columns}), not {out}"
    if p.bias and i.inputs[2].shape != (rows, 1):
        yield f"the bias {i.inputs[2].name} is {i.inputs[2].shape}"
    if p.mean != (inner == M):
        yield "the mean over samples is taken of a sum over something else, or left out"
    for value in i.inputs[2 + p.bias :]:
        if value.shape != out:
            yield f"{value.name} is {value.shape}, the product {out}"


def _same_shapes(i: Step) -> Iterator[str]:
    out = i.outputs[0].shape
    for value in i.inputs:
        if value.shape != out:
            yield f"{value.name} is {value.shape}, the result {out}"


def _map(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Map)
    if len(p.names) != len(i.inputs) or not i.inputs:
        yield f"an expression of {len(p.names)} variables has {len(i.inputs)} operands"
        return
    rows, columns = i.outputs[0].shape
    if not p.per_unit and (p.expr.per_unit or rows != 1):
        yield f"one number a column was expected, not {i.outputs[0].shape}"
    yield from _operands(p, i, rows if p.per_unit else None, columns)


def _mean(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, MeanOverSamples)
    if len(i.inputs) != len(p.names) + p.accumulate:
        yield f"a mean of {len(p.names)} variables has {len(i.inputs)} operands"
        return
    rows, columns = i.outputs[0].shape
    if columns != 1 or all(v.shape[1] != M for v in i.inputs):
        yield f"a mean over the samples gives {i.outputs[0].shape}"
    yield from _operands(p, i, rows, M)
    if p.accumulate and i.inputs[-1].shape != i.outputs[0].shape:
        yield f"it is added to {i.inputs[-1].shape}"


def _operands(p: Map | MeanOverSamples, i: Step, rows: Size | None, columns: Size) -> Iterator[str]:
    """Each is (rows, columns), or one number a column, or one column for all samples. Rows None: any, if all agree."""
    shared = _shared_by_units(p.expr)
    for name, value in zip(p.names, i.inputs, strict=False):
        k, m = value.shape
        if name in shared:
            fits = k == 1
        else:
            rows = k if rows is None else rows
            fits = k == rows
        if not fits or m not in (1, columns):
            yield f"{value.name} is {value.shape}, in columns of {rows} units and for {columns} samples"


@lru_cache(maxsize=1024)
def _shared_by_units(expr: Expr) -> frozenset[str | None]:
    """The variables that are one number for the whole column."""
    return frozenset(e.name for e in topological(expr) if e.op == "variable" and not e.per_unit)


def _running(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Running)
    if len(i.inputs) != 2 or i.inputs[0].role is not Role.STATISTIC:
        yield "a running average reads a statistic and what it follows"
    elif i.outputs[0].name != i.inputs[0].name:
        yield f"{i.inputs[0].name} becomes {i.outputs[0].name}"
    if not 0 <= p.momentum < 1:
        yield f"a momentum of {p.momentum}"
    yield from _same_shapes(i)


def _loss(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Loss)
    if len(i.inputs) != len(p.names) + p.accumulate:
        yield f"a loss of {len(p.names)} variables has {len(i.inputs)} operands"
        return
    if p.expr.per_unit:
        yield "the loss of a sample is not one number"
    shapes = {v.shape for v in i.inputs[: len(p.names)]}
    if len(shapes) > 1:
        yield "output and target have different shapes"
    if i.outputs[0].shape != (1, 1) or (p.accumulate and i.inputs[-1].role is not Role.LOSS):
        yield "J is not a number"


def _penalty(i: Step) -> Iterator[str]:
    if len(i.inputs) != 2 or i.inputs[0].role is not Role.PARAMETER or i.inputs[1].role is not Role.LOSS:
        yield "a penalty reads a parameter and J"
    if i.outputs[0].role is not Role.LOSS:
        yield "a penalty adds to J"


def _decay(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Decay)
    if len(i.inputs) != 1 + p.accumulate or i.inputs[0].role is not Role.PARAMETER:
        yield "a decay reads a parameter"
    yield from _same_shapes(i)


def _stack(i: Step) -> Iterator[str]:
    rows: Size = 0
    for value in i.inputs:
        rows = rows + value.shape[0]
        if value.shape[1] != i.outputs[0].shape[1]:
            yield f"{value.name} has {value.shape[1]} columns, the stack {i.outputs[0].shape[1]}"
    if rows != i.outputs[0].shape[0]:
        yield f"the parts have {rows} rows together, the stack {i.outputs[0].shape[0]}"


def _slice(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Slice)
    if len(i.inputs) != 1 + p.accumulate:
        yield f"a slice with {len(i.inputs)} operands"
        return
    rows, columns = i.inputs[0].shape
    if i.outputs[0].shape != (p.rows, columns):
        yield f"{p.rows} rows of {i.inputs[0].shape} are not {i.outputs[0].shape}"
    if not fits(p.start + p.rows, rows) or not fits(0, p.start):
        yield f"rows {p.start} to {p.start + p.rows} of {rows}"
    if p.accumulate and i.inputs[1].shape != i.outputs[0].shape:
        yield f"it is added to {i.inputs[1].shape}"


def _mask(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Mask)
    if i.inputs or i.outputs[0].shape != p.like or i.outputs[0].role is not Role.MASK:
        yield "not the mask of what it is for"
    if not 0 <= p.rate < 1:
        yield f"a rate of {p.rate}"


def _zeros(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Zeros)
    if i.inputs or i.outputs[0].shape != p.like:
        yield f"zeros of {p.like}, not {i.outputs[0].shape}"


def _clip(i: Step) -> Iterator[str]:
    if len(i.inputs) != len(i.outputs):
        yield f"{len(i.inputs)} gradients go in, {len(i.outputs)} come out"
    for before, after in zip(i.inputs, i.outputs, strict=False):
        if before.role is not Role.GRADIENT or before.name != after.name:
            yield f"{before.name} becomes {after.name}"


def _update(i: Step) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Update)
    if len(i.inputs) != 2 + len(p.optimizer.state) or len(i.outputs) != 1 + len(p.optimizer.state):
        yield "the operands are not the parameter, its gradient and the optimizer's state"
        return
    parameter, gradient, *state = i.inputs
    if parameter.role is not Role.PARAMETER or gradient.name != f"d{parameter.name}":
        yield f"{parameter.name} is updated with {gradient.name}"
    for before, after in zip((parameter, *state), i.outputs, strict=True):
        if before.name != after.name:
            yield f"{before.name} becomes {after.name}"
    for name, value in zip(p.optimizer.state, state, strict=True):
        if value.name != f"{name}/{parameter.name}":
            yield f"{value.name} is not the {name} of {parameter.name}"
    yield from _same_shapes(i)


def record_faults(primitive: Primitive) -> Iterator[str]:
    """What is wrong with a primitive whatever it is used for: a variable that is no operand, a random expression."""
    if isinstance(primitive, Fused):
        yield from _fused_faults(primitive)
        return
    if not isinstance(primitive, Map | MeanOverSamples | Loss):
        return
    missing = variables(primitive.expr) - set(primitive.names)
    if missing:
        yield f"nobody says what {', '.join(sorted(missing))} is"
    if primitive.expr.op in DRAWS:
        yield "an expression outside an initializer draws random numbers"


def _fused_faults(p: Fused) -> Iterator[str]:
    """The members write each place once, before it is read, and leave none out."""
    done, read = set(range(p.inputs)), set[int]()
    for member in p.members:
        if isinstance(member.primitive, Fused) or type(member.primitive) not in RULES:
            yield "a member is of an unknown kind"
            return
        if not done.issuperset(member.inputs):
            yield "a member reads what is computed later"
        if not done.isdisjoint(member.outputs) or len(set(member.outputs)) != len(member.outputs):
            yield "two members compute the same"
        done.update(member.outputs)
        read.update(member.inputs)
        yield from record_faults(member.primitive)
    if done != set(range(len(done))) or not 0 <= p.inner < len(done) - p.inputs or len(p.members) < 2:
        yield "the places of the operands have gaps"
    if not read.issuperset(range(p.inputs + p.inner)):
        yield "an operand is not used"


def members(i: Instruction) -> Sequence[Step]:
    """The instructions that a merged one, whose record has no faults, stands for."""
    p = i.primitive
    if not isinstance(p, Fused):
        return [i]
    value_at = (*i.inputs, *i.inner, *i.outputs).__getitem__
    return [Part(m.primitive, tuple(map(value_at, m.inputs)), tuple(map(value_at, m.outputs))) for m in p.members]


def _fused(i: Step) -> Iterator[str]:
    """Each member keeps its own rule."""
    p = i.primitive
    assert isinstance(i, Instruction)
    assert isinstance(p, Fused)
    there = (*i.inputs, *i.inner, *i.outputs)
    written = sum(len(member.outputs) for member in p.members)
    if (p.inputs, p.inner, p.inputs + written) != (len(i.inputs), len(i.inner), len(there)):
        yield "the operands are not those of the merged steps"
        return
    if len(set(there)) != len(there):
        yield "a value stands in two places"
    for part in members(i):
        yield from RULES[type(part.primitive)](part)


RULES: Final[dict[type, Callable[[Step], Iterator[str]]]] = {
    Product: _product,
    Map: _map,
    MeanOverSamples: _mean,
    Loss: _loss,
    Penalty: _penalty,
    Decay: _decay,
    Stack: _stack,
    Slice: _slice,
    Mask: _mask,
    Zeros: _zeros,
    Running: _running,
    Clip: _clip,
    Update: _update,
    Fused: _fused,
}
"""What is wrong with an instruction, by its primitive."""
