"""One function a primitive: from an instruction to the steps that NumPy takes for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.expressions import compile_expression, number, value_shape
from dnnlang.backends.numpy.frame import Frame, FrameBuilder, Step
from dnnlang.backends.philox import mask_words
from dnnlang.plan.ir import Instruction
from dnnlang.primitives import (
    Clip,
    Decay,
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
from dnnlang.scalar.expression import Expr, apply, topological, variable
from dnnlang.sizes import M, Size
from dnnlang.sizes import evaluate as size_of

Array = npt.NDArray[Any]
Shape = tuple[int, int]
P = TypeVar("P", bound=Primitive)


@dataclass(slots=True)
class Context:
    """What instructions are compiled in, and the few numbers that change from run to run.

    `number` gives the place of a value's array in the frame; `scalars` the places of the expressions of `rate`
    and `t` that updates use, computed once a step; `split` the statements of updates without these.
    """

    frame: FrameBuilder
    m: int
    seed: int
    number: Callable[[Value], int]
    places: Mapping[Value, int]
    scalars: dict[Expr, int] = field(default_factory=dict)
    split: dict[Expr, tuple[Expr, dict[str, int]]] = field(default_factory=dict)
    step: int = 0
    J: float = 0.0

    def shape(self, value: Value) -> Shape:
        return self.size(value.shape[0]), self.size(value.shape[1])

    def size(self, size: Size) -> int:
        return size if isinstance(size, int) else size_of(size, {"m": self.m})

    def same_place(self, a: Value, b: Value) -> bool:
        """Do the two share their memory? Slots may be shared; persistent arrays are one a name."""
        if a in self.places or b in self.places:
            return self.places.get(a) == self.places.get(b)
        return a.name == b.name


def _product(i: Instruction, c: Context) -> list[Step]:
    p = _of(i, Product)
    numbers = [c.number(v) for v in i.inputs]
    out, shape = c.number(i.output), c.shape(i.output)
    kept = i.inputs[2 + p.bias :]
    result = c.frame.take(shape) if any(c.same_place(v, i.output) for v in kept) else out
    steps = [_matmul(numbers[0], numbers[1], result, p)]
    if p.bias:
        steps.append(_call(np.add, result, numbers[2], result))
    if p.mean:
        steps.append(_call(np.multiply, result, c.frame.constant(1 / c.m), result))
    if p.accumulate:
        steps.append(_call(np.add, numbers[-1], result, out if p.epilogue is None else result))
    if p.epilogue is not None:
        end = len(numbers) - p.accumulate
        operands = dict(zip(p.epilogue.names, [result, *numbers[2 + p.bias : end]], strict=True))
        steps.extend(_filled(p.epilogue.expr, operands, out, shape, c))
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
    steps: list[Step] = []
    if p.expr.op == "variable":
        x = operands[p.names[0]]
    else:
        x = c.frame.take(made)
        steps = compile_expression(p.expr, operands, x, columns, c.frame, once)
    added = c.frame.take((made[0], 1))
    scale = c.frame.constant(1 / c.m)

    def step(f: Frame) -> None:
        np.add.reduce(f[x], axis=1, keepdims=True, out=f[added])
        np.multiply(f[added], f[scale], f[added])

    c.frame.give_back(added)
    if p.expr.op != "variable":
        c.frame.give_back(x)
    if p.accumulate:
        return [*steps, step, _call(np.add, c.number(i.inputs[-1]), added, out)]
    return [*steps, step, lambda f: np.copyto(f[out], f[added])]


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
    out, (rows, columns) = c.number(i.output), c.shape(i.output)
    dropped = np.uint32(math.floor(p.rate * 2**32))
    kept = c.frame.constant(number(1 / (1 - p.rate)))

    def step(f: Frame) -> None:
        words = mask_words(rows, columns, seed=c.seed, step=c.step, node=p.node)
        np.multiply(words >= dropped, f[kept], f[out])

    return [step]


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
        if expr not in c.split:  # all parameters have the same statements
            c.split[expr] = _without_scalars(expr, c)
        entrywise, scalars = c.split[expr]
        operands = {**arrays, **scalars}
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


def _without_scalars(expr: Expr, c: Context) -> tuple[Expr, dict[str, int]]:
    """`expr` with its largest parts in `rate` and `t` alone as variables, and the places of these in the frame."""
    entrywise: dict[Expr, Expr] = {}
    places: dict[str, int] = {}
    for e in topological(expr):
        if not e.per_unit:
            entrywise[e] = e
            continue
        args = [_as_scalar(a, places, c) if not a.per_unit and a.op != "constant" else entrywise[a] for a in e.args]
        entrywise[e] = apply(e.op, *args) if args else e
    if not expr.per_unit and expr.op != "constant":
        return _as_scalar(expr, places, c), places
    return entrywise[expr], places


def _as_scalar(e: Expr, places: dict[str, int], c: Context) -> Expr:
    if e not in c.scalars:
        c.scalars[e] = c.frame.add(None)
    name = f"scalar {c.scalars[e]}"
    places[name] = c.scalars[e]
    return variable(name, per_unit=False)


def _call(ufunc: np.ufunc, first: int, second: int, out: int) -> Step:
    return lambda f: ufunc(f[first], f[second], f[out])


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
}
