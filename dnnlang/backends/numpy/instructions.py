"""One function a primitive: from an instruction to the steps that NumPy takes for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.context import Context, Shape
from dnnlang.backends.numpy.expressions import compile_expression, number, value_shape
from dnnlang.backends.numpy.frame import Frame, FrameBuilder, Step
from dnnlang.backends.numpy.homes import homes
from dnnlang.backends.numpy.masks import draw, unpack
from dnnlang.backends.numpy.pieces import in_pieces, sum_in_pieces
from dnnlang.plan.ir import Instruction, parts
from dnnlang.primitives import (
    Clip,
    Decay,
    Fused,
    Loss,
    Map,
    Mask,
    MeanOverSamples,
    Penalty,
    Primitive,
    Product,
    Running,
    Slice,
    Stack,
    Update,
    Zeros,
)
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr
from dnnlang.scalar.split import without_scalars
from dnnlang.sizes import M

Array = npt.NDArray[Any]
P = TypeVar("P", bound=Primitive)


def _product(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Product)
    numbers = [c.number(v) for v in i.inputs]
    out, shape = c.number(i.output), c.shape(i.output)
    result = c.frame.take(shape) if p.accumulate and c.same_place(i.inputs[-1], i.output) else out
    steps = [_matmul(numbers[0], numbers[1], result, p)]
    if p.bias:
        steps.append(_call(np.add, result, numbers[2], result))
    if p.mean:
        steps.append(_call(np.multiply, result, c.frame.constant(1 / c.m), result))
    if p.accumulate:
        steps.append(_call(np.add, numbers[-1], result, out))
    if result != out:
        c.frame.give_back(result)
    return steps


def _matmul(left: int, right: int, out: int, p: Product) -> Step:
    if p.transpose_left:
        return lambda f: np.matmul(f[left].T, f[right], f[out])
    if p.transpose_right:
        return lambda f: np.matmul(f[left], f[right].T, f[out])
    return lambda f: np.matmul(f[left], f[right], f[out])


def _map(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Map)
    operands = {name: c.number(v) for name, v in zip(p.names, i.inputs, strict=True)}
    return _filled(p.expr, operands, c.number(i.output), c.shape(i.output), c, _rows(i, c), _once(p.names, i.inputs))


def _filled(
    expr: Expr,
    operands: Mapping[str, int],
    out: int,
    shape: Shape,
    c: Context,
    units: int | None = None,
    once: frozenset[str] = frozenset(),
) -> list[Step]:
    """`out` of `shape` filled with `expr`; what units or samples share is repeated for each of them.

    `units` are those of the operands, where they are not the rows of `shape`; `once` the operands of one column.
    """
    columns = (shape[0] if units is None else units, shape[1])
    made = value_shape(expr, columns, once)
    if made == shape:
        return compile_expression(expr, operands, out, columns, c.frame, once)
    part = c.frame.take(made)
    steps = compile_expression(expr, operands, part, columns, c.frame, once)
    c.frame.give_back(part)
    return [*steps, lambda f: np.copyto(f[out], f[part])]


def _once(names: Sequence[str], inputs: Sequence[Value]) -> frozenset[str]:
    """The operands that are one column for all samples."""
    return frozenset(name for name, v in zip(names, inputs, strict=False) if v.shape[1] != M)


def _rows(i: Instruction, c: Context) -> int:
    """The number of units of the columns that an expression works on; some operands may be one number a column."""
    return max(c.shape(v)[0] for v in (*i.inputs, i.output))


def _mean_over_samples(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, MeanOverSamples)
    out, columns, once = c.number(i.output), (_rows(i, c), c.m), _once(p.names, i.inputs)
    operands = {name: c.number(v) for name, v in zip(p.names, i.inputs, strict=False)}
    made = value_shape(p.expr, columns, once)
    added = c.frame.take((made[0], 1))
    steps = sum_in_pieces(p.expr, operands, columns, once, added, c.frame) if p.expr.op != "variable" else None
    if steps is None:
        steps = _summed(p.expr, operands, columns, once, added, c.frame)
    c.frame.give_back(added)
    steps.append(_call(np.multiply, added, c.frame.constant(1 / c.m), added))
    if p.accumulate:
        return [*steps, _call(np.add, c.number(i.inputs[-1]), added, out)]
    return [*steps, lambda f: np.copyto(f[out], f[added])]


def _summed(
    expr: Expr, operands: Mapping[str, int], columns: Shape, once: frozenset[str], out: int, frame: FrameBuilder
) -> list[Step]:
    """`out`, one column, is the sum of all columns of `expr`."""
    if expr.op == "variable" and expr.name is not None:
        x, steps = operands[expr.name], []
    else:
        x = frame.take(value_shape(expr, columns, once))
        steps = compile_expression(expr, operands, x, columns, frame, once)
        frame.give_back(x)
    return [*steps, lambda f: np.add.reduce(f[x], axis=1, keepdims=True, out=f[out])]


def _running(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Running)
    running, new = (c.number(v) for v in i.inputs)
    if p.unbiased and c.m == 1:
        return []
    momentum = number(p.momentum)
    weight = (1 - momentum) * (c.m / (c.m - 1) if p.unbiased else 1)

    def step(f: Frame) -> None:
        f[running] *= momentum
        f[running] += weight * f[new]

    return [step]


def _loss(i: Instruction, c: Context) -> list[Step]:
    """J is added up in float64, whatever the dtype."""
    p = _of(i, Loss)
    operands = {name: c.number(v) for name, v in zip(p.names, i.inputs, strict=False)}
    column = c.frame.take((1, c.m))
    steps = compile_expression(p.expr, operands, column, c.shape(i.inputs[0]), c.frame)
    c.frame.give_back(column)
    factor = number(p.weight) / c.m

    def step(f: Frame) -> None:
        c.J += factor * float(np.add.reduce(f[column], axis=None, dtype=np.float64))

    return [*steps, step]


def _penalty(i: Instruction, c: Context) -> list[Step]:
    W, factor = c.number(i.inputs[0]), number(_of(i, Penalty).rate) / (2 * c.m)

    def step(f: Frame) -> None:
        flat = f[W].reshape(-1)
        c.J += factor * float(np.dot(flat, flat))

    return [step]


def _decay(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Decay)
    W, out = c.number(i.inputs[0]), c.number(i.output)
    factor = c.frame.constant(number(p.rate) / c.m)
    if not p.accumulate:
        return [_call(np.multiply, W, factor, out)]
    t = c.frame.take(c.shape(i.output))
    c.frame.give_back(t)
    return [_call(np.multiply, W, factor, t), _call(np.add, c.number(i.inputs[1]), t, out)]


def _stack(i: Instruction, c: Context) -> list[Step]:
    out = c.number(i.output)
    steps = []
    start = 0
    for value in i.inputs:
        end = start + c.shape(value)[0]
        steps.append(_copy_rows(c.number(value), out, start, end))
        start = end
    return steps


def _copy_rows(x: int, out: int, start: int, end: int) -> Step:
    def step(f: Frame) -> None:
        f[out][start:end] = f[x]

    return step


def _slice(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Slice)
    x, out = c.number(i.inputs[0]), c.number(i.output)
    start = c.size(p.start)
    end = start + c.size(p.rows)
    if p.accumulate:
        so_far = c.number(i.inputs[1])
        return [lambda f: np.add(f[so_far], f[x][start:end], f[out])]
    return [lambda f: np.copyto(f[out], f[x][start:end])]


def _mask(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Mask)
    out, shape, packed = c.number(i.output), c.shape(i.output), i.output.packed
    dropped = math.floor(p.rate * 2**32)
    scale = c.frame.constant(number(1 / (1 - p.rate)))
    c.scales[i.output] = scale

    def step(f: Frame) -> None:
        draw(f[out], shape, dropped, packed=packed, seed=c.seed, step=c.step, node=p.node, left=c.left)

    return [step] if packed else [step, _call(np.multiply, out, scale, out)]


def _unpacked(i: Instruction, c: Context) -> list[Step]:
    """The steps for a plain instruction; what it reads as single bits is numbers in a temporary meanwhile."""
    compiler = COMPILERS[type(i.primitive)]
    packed = [v for v in dict.fromkeys(i.inputs) if v.packed]
    if not packed:
        return compiler(i, c)
    bits = {v: c.number(v) for v in packed}
    outside = {v: c.inner.get(v) for v in packed}
    steps: list[Step] = []
    for value in packed:
        c.inner[value] = c.frame.take(c.shape(value))
        steps.append(_call(unpack, bits[value], c.inner[value], c.scales[value]))
    steps.extend(compiler(i, c))
    for value, number_before in outside.items():
        c.frame.give_back(c.inner.pop(value))
        if number_before is not None:
            c.inner[value] = number_before
    return steps


def _zeros(i: Instruction, c: Context) -> list[Step]:
    out = c.number(i.output)
    return [lambda f: f[out].fill(0)]


def _clip(i: Instruction, c: Context) -> list[Step]:
    limit = number(_of(i, Clip).limit)
    numbers = [c.number(v) for v in i.outputs]

    def step(f: Frame) -> None:
        squares = [float(np.dot(f[n].reshape(-1), f[n].reshape(-1))) for n in numbers]
        norm = math.sqrt(math.fsum(squares)) if all(map(math.isfinite, squares)) else math.inf
        if norm > limit:
            for n in numbers:
                np.multiply(f[n], limit / norm, f[n])

    return [step]


def _update(i: Instruction, c: Context) -> list[Step]:
    """The statements in order. `w` and the state are changed in place; other names are temporaries."""
    optimizer = _of(i, Update).optimizer
    shape = c.shape(i.output)
    arrays = {name: c.number(v) for name, v in zip(("w", "g", *optimizer.state), i.inputs, strict=True)}
    lasting = {"w", *optimizer.state}
    temporaries: list[int] = []
    steps: list[Step] = []
    for name, expr in optimizer.statements:
        entrywise, scalars = without_scalars(expr)
        operands = {**arrays, **{alias: _place_of(scalar, c) for alias, scalar in scalars.items()}}
        if name not in lasting and arrays.get(name) not in temporaries:
            target = c.frame.take(shape)
            temporaries.append(target)
        else:
            target = arrays[name]
        steps.extend(compile_expression(entrywise, operands, target, shape, c.frame))
        arrays[name] = target
    for t in temporaries:
        c.frame.give_back(t)
    return steps


def _place_of(scalar: Expr, c: Context) -> int:
    """Where in the frame a number is that is made once a step."""
    if scalar not in c.scalars:
        c.scalars[scalar] = c.frame.add(None)
    return c.scalars[scalar]


def compiled(i: Instruction, c: Context) -> list[tuple[Instruction, list[Step]]]:
    """The steps for an instruction; for a merged one those of each member, where they have to be told apart."""
    step = None if c.apart else in_pieces(i, c, _together)
    if step is not None:
        return [(i, [step])]
    return _members(i, c) if isinstance(i.primitive, Fused) else [(i, _unpacked(i, c))]


def _together(i: Instruction, c: Context) -> list[Step]:
    return _merged(i, c) if isinstance(i.primitive, Fused) else _unpacked(i, c)


def _merged(i: Instruction, c: Context) -> list[Step]:
    return [step for _, steps in _members(i, c) for step in steps]


def _members(i: Instruction, c: Context) -> list[tuple[Instruction, list[Step]]]:
    """The members one after the other; what lies between them in the array that it ends in, or in a temporary."""
    members = parts(i)
    last = {v: at for at, member in enumerate(members) for v in member.inputs}
    home = homes(i, members, last, c)
    made = []
    for at, member in enumerate(members):
        for value in member.outputs:
            if value in home and value not in c.inner:
                c.inner[value] = _room(home[value], i, c)
        made.append((member, _unpacked(member, c)))
        for value in dict.fromkeys(member.inputs):
            if last[value] == at and home.get(value) is value:
                c.frame.give_back(c.inner[value])
    return made


def _room(home: Value, i: Instruction, c: Context) -> int:
    """The array of an inner value's home: an output's, or a temporary."""
    if home in i.outputs:
        return c.number(home)
    if home not in c.inner:
        c.inner[home] = c.frame.take(c.stored(home))
    return c.inner[home]


def _call(function: Callable[[Any, Any, Any], object], first: int, second: int, third: int) -> Step:
    return lambda f: function(f[first], f[second], f[third])


def _of(instruction: Instruction, kind: type[P]) -> P:
    assert isinstance(instruction.primitive, kind)
    return instruction.primitive


COMPILERS: Final[dict[type, Callable[[Instruction, Context], list[Step]]]] = {
    Product: _product,
    Map: _map,
    MeanOverSamples: _mean_over_samples,
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
    Fused: _merged,
}
