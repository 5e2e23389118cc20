"""Expressions, compiled to steps on the arrays of a frame."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np

from dnnlang.backends.numpy.frame import Frame, FrameBuilder, Step
from dnnlang.backends.numpy.operations import OPERANDS, OPERATIONS, Operation
from dnnlang.backends.numpy.tiles import TILE, Tiles, column_pieces, entry_pieces
from dnnlang.errors import InternalError
from dnnlang.scalar.expression import ELEMENTWISE, REDUCTIONS, Expr, topological, variables

Shape = tuple[int, int]

NUMBERS: Final = frozenset(("constant", "units"))
"""Operands that no variable stands for."""


def compile_expression(
    expr: Expr,
    operands: Mapping[str, int],
    out: int,
    shape: Shape,
    frame: FrameBuilder,
    once: frozenset[str] = frozenset(),
) -> list[Step]:
    """Steps that write `expr` to the array `out`. `operands` are the arrays that variables stand for.

    `shape` is (units, columns); those in `once` are one column that all columns share. The value has the shape that
    `value_shape` tells. Where it needs temporaries, it is computed a piece at a time, and they are as small.
    """
    if shape[0] * shape[1] > TILE:
        tiled = _tiled(expr, operands, out, shape, frame, once)
        if tiled is not None:
            return [tiled]
    return _Compilation(expr, operands, out, shape, units=shape[0], frame=frame, once=once).steps


def _tiled(
    expr: Expr, operands: Mapping[str, int], out: int, shape: Shape, frame: FrameBuilder, once: frozenset[str]
) -> Step | None:
    """The same, a piece at a time; None where no temporaries are needed, or one piece is all."""
    used = [n for n in operands if n in variables(expr)]
    places = {name: number for number, name in enumerate(used, 1)}

    def compiled(inner: FrameBuilder, piece: Shape) -> list[Step]:
        return _Compilation(expr, places, 0, piece, units=shape[0], frame=inner, once=once).steps

    pieces = list(entry_pieces(shape) if _is_entrywise(expr) else column_pieces(shape))
    if len(pieces) == 1:
        return None
    tiles = Tiles(pieces, len(used) + 1, 0, frame, compiled)
    needed = tiles.workspace_bytes // frame.dtype.itemsize
    if needed == 0:
        return None
    room = frame.take((1, needed))
    frame.give_back(room)
    arrays = [out, *(operands[name] for name in used)]
    return lambda f: tiles.run([f[n] for n in arrays], f[room])


@lru_cache(maxsize=1024)
def _is_entrywise(expr: Expr) -> bool:
    return all(e.op in ELEMENTWISE or e.op in OPERANDS for e in topological(expr))


def value_shape(expr: Expr, shape: Shape, once: frozenset[str] = frozenset()) -> Shape:
    """(units, columns): 1 unit where the column shares one number, 1 column where the columns do."""
    shared = bool(once) and expr in _shared_by_columns(expr, once)
    return (shape[0] if expr.per_unit else 1), (1 if shared else shape[1])


class _Compilation:
    """Intermediate results go to temporaries, given back after their last use; the last one goes to `out`."""

    def __init__(
        self,
        expr: Expr,
        operands: Mapping[str, int],
        out: int,
        shape: Shape,
        *,
        units: int,
        frame: FrameBuilder,
        once: frozenset[str],
    ) -> None:
        self._units = units  # of a whole column; a piece may have fewer
        self.steps: list[Step] = []
        self._operands = operands
        self._frame = frame
        self._shape = shape
        self._once = _shared_by_columns(expr, once) if once else frozenset()
        self._arrays: dict[Expr, int] = {}
        self._temporary: set[Expr] = set()
        for e, dying in _order(expr):
            self._node(e, out if e is expr else None)
            for a in dying:
                if a in self._temporary:
                    frame.give_back(self._arrays[a])

    def _node(self, e: Expr, out: int | None) -> None:
        operand = self._operand(e)
        if operand is not None:
            self._arrays[e] = operand
            if out is not None:
                self.steps.append(_copy(operand, out))
            return
        if out is None:
            out = self._frame.take(self._shape_of(e))
            self._temporary.add(e)
        self._arrays[e] = out
        self._compute(e, out)

    def _operand(self, e: Expr) -> int | None:
        if e.op == "constant" and e.value is not None:
            return self._frame.constant(number(e.value))
        if e.op == "units":
            return self._frame.constant(self._units)
        if e.op == "variable" and e.name is not None:
            return self._operands[e.name]
        if e.op in ("draw_normal", "draw_uniform"):
            raise InternalError("random numbers are drawn in initializers only")
        return None

    def _compute(self, e: Expr, out: int) -> None:
        args = [self._arrays[a] for a in e.args]
        if e.op in REDUCTIONS and not e.args[0].per_unit:
            self._reduce_shared(e.op, args[0], out)
            return
        operation = OPERATIONS.get(e.op)
        if operation is None:
            raise InternalError(f"the operation {e.op} is not implemented by the numpy backend")
        columns = 1 if e in self._once else self._shape[1]
        whole = (self._shape[0] if any(a.per_unit for a in e.args) else 1, columns)
        temporaries = [self._frame.take(whole) for _ in range(operation.whole)]
        temporaries += [self._frame.take((1, columns)) for _ in range(operation.column)]
        self.steps.append(_call(operation, out, [*args, *temporaries]))
        for t in temporaries:
            self._frame.give_back(t)

    def _reduce_shared(self, op: str, x: int, out: int) -> None:
        """A reduction over units that all have the same number: n times it, it, or it + log(n)."""
        n = self._units
        if op == "sum":
            self.steps.append(_call(OPERATIONS["multiply"], out, [x, self._frame.constant(n)]))
        elif op == "logsumexp":
            self.steps.append(_call(OPERATIONS["add"], out, [x, self._frame.constant(float(np.log(n)))]))
        else:
            self.steps.append(_copy(x, out))

    def _shape_of(self, e: Expr) -> Shape:
        return (self._shape[0] if e.per_unit else 1), (1 if e in self._once else self._shape[1])


@lru_cache(maxsize=1024)
def _shared_by_columns(expr: Expr, once: frozenset[str]) -> frozenset[Expr]:
    """The parts of an expression that are the same in every column: computed once."""
    found: set[Expr] = set()
    for e in topological(expr):
        if e.name in once or (e.args and found.issuperset(a for a in e.args if a.op not in NUMBERS)):
            found.add(e)
    return frozenset(found)


@lru_cache(maxsize=1024)
def _order(expr: Expr) -> tuple[tuple[Expr, tuple[Expr, ...]], ...]:
    """The nodes, operands first, each with those of its operands that nobody uses after it."""
    order = topological(expr)
    last = {a: e for e in order for a in e.args}
    return tuple((e, tuple(a for a in dict.fromkeys(e.args) if last[a] is e)) for e in order)


@lru_cache(maxsize=1024)
def number(value: Fraction) -> float:
    """The nearest float; beyond the largest, an infinity."""
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _copy(source: int, out: int) -> Step:
    def step(f: Frame) -> None:
        np.copyto(f[out], f[source])

    return step


def _call(operation: Operation, out: int, operands: list[int]) -> Step:
    run = operation.run
    if len(operands) == 1:
        only = operands[0]
        return lambda f: run(f[out], f[only])
    if len(operands) == 2:
        first, second = operands
        return lambda f: run(f[out], f[first], f[second])
    return lambda f: run(f[out], *[f[i] for i in operands])
