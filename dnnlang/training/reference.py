"""The plain meaning of a plan, instruction by instruction in float64: what `dnnc verify --numeric` compares with.

Shares no code with the backends, but for the random bits of masks. Values are arrays of their own, slots do not
matter. Arrays are (…, k, m); leading axes are runs at the same time, with parameters that differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dnnlang.backends.philox import mask_words
from dnnlang.errors import InternalError
from dnnlang.plan.ir import Instruction, parts
from dnnlang.primitives import (
    Clip,
    Decay,
    Loss,
    Map,
    Mask,
    MeanOverSamples,
    Penalty,
    Product,
    Running,
    Slice,
    Stack,
    Update,
    Zeros,
)
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr, topological
from dnnlang.scalar.functions import Optimizer
from dnnlang.sizes import Size, evaluate

Array = NDArray[np.float64]
Values = dict[Value, Array]


@dataclass(slots=True)
class Run:
    """One run of a plan: what sizes are bound to, what all samples and parameters share, and the values so far.

    `dropping` False leaves every mask at 1, as if nothing were dropped.
    """

    sizes: Mapping[str, int]
    rate: float
    step: int = 1
    seed: int = 0
    dropping: bool = True
    values: Values = field(default_factory=dict)

    @property
    def m(self) -> int:
        return self.sizes["m"]

    def size(self, size: Size) -> int:
        return evaluate(size, self.sizes)

    def shape(self, value: Value) -> tuple[int, int]:
        return self.size(value.shape[0]), self.size(value.shape[1])

    def carry_out(self, instructions: Iterable[Instruction]) -> None:
        """Adds what the instructions write to `values`. Numbers may become infinite or NaN."""
        with np.errstate(all="ignore"):
            for instruction in instructions:
                for part in parts(instruction):
                    self._one(part)

    def _one(self, i: Instruction) -> None:
        meaning = _MEANINGS.get(type(i.primitive))
        if meaning is None:
            raise InternalError(f"{i.primitive.operation} has no reference meaning")
        results = meaning(i, [self.values[v] for v in i.inputs], self)
        for value, result in zip(i.outputs, results, strict=True):
            self.values[value] = np.broadcast_to(result, (*result.shape[:-2], *self.shape(value)))


Meaning = Callable[[Instruction, Sequence[Array], Run], Sequence[Array]]


def _product(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Product = _as(i)
    left = x[0].swapaxes(-1, -2) if p.transpose_left else x[0]
    right = x[1].swapaxes(-1, -2) if p.transpose_right else x[1]
    result = left @ right
    if p.bias:
        result = result + x[2]
    if p.mean:
        result = result / run.m
    return [result + x[-1] if p.accumulate else result]


def _map(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Map = _as(i)
    return [value_of(p.expr, dict(zip(p.names, x, strict=True)), _units(i, run))]


def _mean(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: MeanOverSamples = _as(i)
    value = value_of(p.expr, dict(zip(p.names, x, strict=False)), _units(i, run))
    value = np.broadcast_to(value, (*value.shape[:-1], run.m))
    result = value.sum(axis=-1, keepdims=True) / run.m
    return [result + x[-1] if p.accumulate else result]


def _loss(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Loss = _as(i)
    of = i.inputs[: len(p.names)]
    value = value_of(p.expr, dict(zip(p.names, x, strict=False)), max(run.shape(v)[0] for v in of))
    value = np.broadcast_to(value, (*value.shape[:-1], run.m))
    result = float(p.weight) / run.m * value.sum(axis=-1, keepdims=True)
    return [result + x[-1] if p.accumulate else result]


def _penalty(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Penalty = _as(i)
    return [x[1] + float(p.rate) / (2 * run.m) * (x[0] ** 2).sum(axis=(-1, -2), keepdims=True)]


def _decay(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Decay = _as(i)
    result = float(p.rate) / run.m * x[0]
    return [result + x[-1] if p.accumulate else result]


def _stack(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    runs = np.broadcast_shapes(*(a.shape[:-2] for a in x))
    return [np.concatenate([np.broadcast_to(a, (*runs, *a.shape[-2:])) for a in x], axis=-2)]


def _slice(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Slice = _as(i)
    start = run.size(p.start)
    result = x[0][..., start : start + run.size(p.rows), :]
    return [result + x[-1] if p.accumulate else result]


def _mask(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Mask = _as(i)
    rows, columns = run.shape(i.outputs[0])
    if not run.dropping:
        return [np.ones((rows, columns))]
    words = mask_words(rows, columns, seed=run.seed, step=run.step, node=p.node)
    kept = words >= np.uint32(math.floor(p.rate * 2**32))
    return [kept / float(1 - p.rate)]


def _zeros(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    return [np.zeros(run.shape(i.outputs[0]))]


def _running(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Running = _as(i)
    if p.unbiased and run.m == 1:
        return [x[0]]
    momentum = float(p.momentum)
    new = x[1] * (run.m / (run.m - 1)) if p.unbiased else x[1]
    return [momentum * x[0] + (1 - momentum) * new]


def _clip(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Clip = _as(i)
    return clipped(x, float(p.limit))


def _update(i: Instruction, x: Sequence[Array], run: Run) -> Sequence[Array]:
    p: Update = _as(i)
    return updated(p.optimizer, x, run)


def clipped(gradients: Sequence[Array], limit: float) -> list[Array]:
    """All gradients, scaled together to a norm of at most `limit`."""
    norm = np.sqrt(sum((g**2).sum(axis=(-1, -2), keepdims=True) for g in gradients))
    return [np.where(norm > limit, g * (limit / norm), g) for g in gradients]


def updated(optimizer: Optimizer, operands: Sequence[Array], run: Run) -> list[Array]:
    """The parameter and the state after one step; `operands` are the parameter, its gradient, the state."""
    names = dict(zip(("w", "g", *optimizer.state), operands, strict=True))
    names |= {"rate": np.full((1, 1), run.rate), "t": np.full((1, 1), float(run.step))}
    for name, expr in optimizer.statements:
        names[name] = value_of(expr, names, operands[0].shape[-2])
    return [names[name] for name in ("w", *optimizer.state)]


def _units(i: Instruction, run: Run) -> int:
    return max(run.shape(v)[0] for v in (*i.inputs, *i.outputs))


def _as(i: Instruction) -> Any:
    """The primitive, whose type the table has chosen by."""
    return i.primitive


_MEANINGS: Final[Mapping[type, Meaning]] = {
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
}


# ---------------------------------------------------------------- expressions


def value_of(expr: Expr, operands: Mapping[str, Array], units: int) -> Array:
    """The value of an expression; (…, k, m), with 1 for k or m where units or samples share it.

    Where it is not defined it is infinite or NaN, with NumPy's warnings, which `carry_out` turns off.
    """
    values: dict[Expr, Array] = {}
    for e in topological(expr):
        values[e] = _value(e, [values[a] for a in e.args], operands, units)
    return values[expr]


def _value(e: Expr, args: Sequence[Array], operands: Mapping[str, Array], units: int) -> Array:
    if e.op == "constant" and e.value is not None:
        return np.full((1, 1), _number(e.value.numerator, e.value.denominator))
    if e.op == "units":
        return np.full((1, 1), float(units))
    if e.name is not None:
        return operands[e.name]
    if e.op in _OF_COLUMNS:
        x = args[0]
        column = _OF_COLUMNS[e.op](np.broadcast_to(x, (*x.shape[:-2], units, x.shape[-1])))
        return column if e.per_unit else column[..., :1, :]
    result: Array = np.asarray(_OF_ENTRIES[e.op](*args), np.float64)
    return result


def _number(numerator: int, denominator: int) -> float:
    try:
        return numerator / denominator
    except OverflowError:
        return math.copysign(math.inf, numerator)


def _logistic(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _logistic_slope(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    result: Array = e / (1 + e) ** 2
    return result


def _log1pexp(x: Array) -> Array:
    result: Array = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return result


_OF_ENTRIES: Final[Mapping[str, Callable[..., Any]]] = {
    "add": np.add,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "negate": np.negative,
    "exp": np.exp,
    "log": np.log,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "abs": np.abs,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "erfc": np.vectorize(math.erfc, otypes=[np.float64]),
    "sin": np.sin,
    "cos": np.cos,
    "sign": np.sign,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "where": lambda c, a, b: np.where(c != 0, a, b),
    "logistic": _logistic,
    "logistic_slope": _logistic_slope,
    "tanh_slope": lambda x: 4 * _logistic_slope(2 * x),
    "log1pexp": _log1pexp,
    "logistic_loss": lambda x, t: np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x))),
}


def _log_normalized_exp(x: Array) -> Array:
    shifted = x - x.max(axis=-2, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-2, keepdims=True))
    return result


def _logsumexp(x: Array) -> Array:
    top = x.max(axis=-2, keepdims=True)
    result: Array = top + np.log(np.exp(x - top).sum(axis=-2, keepdims=True))
    return result


def _first(positions: Array, count: int) -> Array:
    """1 at the row that `positions` (…, 1, m) names, else 0."""
    result: Array = (np.arange(count)[:, None] == positions).astype(np.float64)
    return result


_OF_COLUMNS: Final[Mapping[str, Callable[[Array], Array]]] = {
    "sum": lambda x: x.sum(axis=-2, keepdims=True),
    "mean": lambda x: x.mean(axis=-2, keepdims=True),
    "max": lambda x: x.max(axis=-2, keepdims=True),
    "min": lambda x: x.min(axis=-2, keepdims=True),
    "logsumexp": _logsumexp,
    "normalized_exp": lambda x: np.exp(_log_normalized_exp(x)),
    "log_normalized_exp": _log_normalized_exp,
    "first_max": lambda x: _first(x.argmax(axis=-2, keepdims=True), x.shape[-2]),
    "first_min": lambda x: _first(x.argmin(axis=-2, keepdims=True), x.shape[-2]),
}
