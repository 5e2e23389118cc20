"""Steps that work column by column, or add columns up, taken for one piece of the columns after the other.

What lies between the members of a merged step, and masks written out in numbers, then take room for a piece only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from dnnlang.backends.numpy.context import Context
from dnnlang.backends.numpy.expressions import compile_expression, value_shape
from dnnlang.backends.numpy.frame import Frame, FrameBuilder, Step
from dnnlang.backends.numpy.masks import bit_rows
from dnnlang.backends.numpy.tiles import Array, Shape, Tiles, column_pieces
from dnnlang.plan.ir import Instruction, parts
from dnnlang.primitives import Map, Mask, Primitive, Product
from dnnlang.scalar.expression import Expr, variables
from dnnlang.sizes import M

FEWEST_COLUMNS: Final = 512
"""Of a piece: a product of matrices with fewer is slow."""


def in_pieces(i: Instruction, c: Context, compile: Callable[[Instruction, Context], list[Step]]) -> Step | None:
    """`compile(i, c)` for a piece of the columns after the other; None where that saves nothing, or cannot be."""
    if any(v.packed for v in i.outputs) or not all(_is_columnwise(member) for member in parts(i)):
        return None
    rows = max(c.shape(v)[0] for v in (*i.inputs, *i.inner, *i.outputs) if v.shape[1] == M)
    pieces = list(column_pieces((rows, c.m), FEWEST_COLUMNS))
    if len(pieces) == 1:
        return None
    values = list(dict.fromkeys((*i.inputs, *i.outputs)))
    cut = [v for v in values if v.shape[1] == M]
    whole = [v for v in values if v.shape[1] != M]
    masks = [v for v in cut if v.packed]
    places = {v: n for n, v in enumerate((*cut, *whole))}
    scales = {v: len(values) + n for n, v in enumerate(masks)}

    contexts: list[Context] = []

    def compiled(frame: FrameBuilder, shape: Shape) -> list[Step]:
        inner = replace(c, frame=frame, m=shape[1], placed=places.__getitem__, inner={}, scales=dict(scales))
        contexts.append(inner)
        return compile(i, inner)

    def begin(left: int) -> None:
        for inner in contexts:
            inner.step, inner.left = c.step, left

    tiles = Tiles(pieces, len(cut), len(whole) + len(masks), c.frame, compiled)
    needed = tiles.workspace_bytes // c.frame.dtype.itemsize
    if needed == 0:
        return None
    room = c.frame.take((1, needed))
    c.frame.give_back(room)
    cut_numbers = [(c.number(v), c.shape(v) if v.packed else None) for v in cut]
    whole_numbers = [*(c.number(v) for v in whole), *(c.scales[v] for v in masks)]
    return lambda f: tiles.run(
        [*(_columns(f, *n) for n in cut_numbers), *(f[n] for n in whole_numbers)], f[room], begin
    )


def sum_in_pieces(
    expr: Expr, operands: Mapping[str, int], columns: Shape, once: frozenset[str], out: int, frame: FrameBuilder
) -> list[Step] | None:
    """Steps that write the sum of all columns of `expr` to `out`, which is one column; None where one piece is all."""
    pieces = list(column_pieces(columns, FEWEST_COLUMNS))
    if len(pieces) == 1 or value_shape(expr, columns, once)[1] == 1:
        return None
    names = [name for name in operands if name in variables(expr)]

    def compiled(inner: FrameBuilder, shape: Shape) -> list[Step]:
        made = value_shape(expr, shape, once)
        x, added = inner.take(made), inner.take((made[0], 1))
        steps = compile_expression(expr, {name: n for n, name in enumerate(names)}, x, shape, inner, once)
        inner.give_back(x)
        inner.give_back(added)

        def add(f: Frame) -> None:
            np.add.reduce(f[x], axis=1, keepdims=True, out=f[added])
            np.add(f[len(names)], f[added], f[len(names)])

        return [*steps, add]

    tiles = Tiles(pieces, len(names), 1, frame, compiled)
    room = frame.take((1, tiles.workspace_bytes // frame.dtype.itemsize))
    frame.give_back(room)
    numbers = [*(operands[name] for name in names), out]
    return [lambda f: f[out].fill(0), lambda f: tiles.run([f[n] for n in numbers], f[room])]


def _columns(f: Frame, number: int, packed: Shape | None) -> Array:
    """The array, in a form that can be cut between columns."""
    return f[number] if packed is None else bit_rows(f[number], packed)


def _is_columnwise(i: Instruction) -> bool:
    """Does each column of the output depend on the same column of the operands only?"""
    return _by_columns(i.primitive) and i.output.shape[1] == M


def _by_columns(primitive: Primitive) -> bool:
    if isinstance(primitive, Product):
        return not (primitive.transpose_right or primitive.mean)
    return isinstance(primitive, Map | Mask)
