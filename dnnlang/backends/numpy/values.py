"""Expressions evaluated outside plans: initial parameters, and equations that targets must obey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends.buffers import aligned_buffer
from dnnlang.backends.numpy.expressions import compile_expression
from dnnlang.backends.numpy.frame import FrameBuilder
from dnnlang.backends.philox import normal, uniform
from dnnlang.graph.architecture import Parameter, Statistic
from dnnlang.scalar.expression import DRAWS, Expr, apply, topological, variable

Array = npt.NDArray[Any]


class Evaluator:
    """`expr`, compiled for operands `names` and `shape` (units, columns); computes in float64.

    Calling it gives a fresh array of `shape` if `expr` is one number a unit, else (1, columns).
    """

    def __init__(self, expr: Expr, names: Sequence[str], shape: tuple[int, int]) -> None:
        self._shape = shape if expr.per_unit else (1, shape[1])
        self._frame = FrameBuilder(np.float64)
        self._numbers = {name: self._frame.add(None) for name in names}
        self._out = self._frame.add(None)
        self._steps = compile_expression(expr, self._numbers, self._out, shape, self._frame)

    def __call__(self, operands: Mapping[str, Array | float]) -> Array:
        out = np.empty(self._shape)
        arrays = self._frame.arrays
        self._frame.place_workspace(aligned_buffer(self._frame.workspace_bytes()))
        arrays[self._out] = out
        for name, number in self._numbers.items():
            arrays[number] = np.asarray(operands[name], np.float64)
        with np.errstate(all="ignore"):
            for step in self._steps:
                step(arrays)
        for number in (self._out, *self._numbers.values()):
            arrays[number] = None  # it may be kept for long, and with it nothing else
        self._frame.displace_workspace()
        return out


def value_of(expr: Expr, operands: Mapping[str, Array | float], shape: tuple[int, int]) -> Array:
    """The value of `expr`, once."""
    return Evaluator(expr, tuple(operands), shape)(operands)


def initial(parameter: Parameter, number: int, seed: int, dtype: npt.DTypeLike) -> Array:
    """The initial entries of a parameter, its `number` in the program telling its random stream apart."""
    shape = _constant(parameter.shape)
    if parameter.init is None:
        return np.zeros(shape, dtype)
    fan_in, fan_out = _constant(parameter.fan)
    operands: dict[str, Array | float] = {"fan_in": float(fan_in), "fan_out": float(fan_out)}
    replaced: dict[Expr, Expr] = {}
    for e in topological(parameter.init.value):
        if e.op in DRAWS:
            draw = len(operands) - 2
            source = normal if e.op == "draw_normal" else uniform
            operands[f"draw {draw}"] = source(shape, seed=seed, parameter=number, draw=draw)
            replaced[e] = variable(f"draw {draw}")
        elif any(replaced[a] is not a for a in e.args):
            replaced[e] = apply(e.op, *(replaced[a] for a in e.args))
        else:
            replaced[e] = e
    drawn = value_of(replaced[parameter.init.value], operands, shape)
    return np.broadcast_to(drawn, shape).astype(dtype)


def unmeasured(statistic: Statistic, dtype: npt.DTypeLike) -> Array:
    """What a statistic holds before anything was measured: NaN where nothing can be computed without it."""
    value = np.nan if statistic.initial is None else float(statistic.initial)
    return np.full(_constant(statistic.shape), value, dtype)


def _constant(shape: tuple[Any, Any]) -> tuple[int, int]:
    rows, columns = shape
    assert isinstance(rows, int)
    assert isinstance(columns, int)
    return rows, columns
