"""Where an expression is not smooth, and how far numbers are from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import Expr, apply, topological, variables
from dnnlang.training.table import Array

SIGN_CHANGES: Final = frozenset(("abs", "sign"))
CROSSINGS: Final = frozenset(("maximum", "minimum", "less", "less_equal", "equal", "not_equal"))
EXTREMA: Final = frozenset(("max", "min", "first_max", "first_min"))


def near_kinks(expr: Expr, operands: Mapping[str, Array], within: float) -> NDArray[np.bool_]:
    """For each sample, whether something in `expr` is closer than `within` to a place where it is not smooth.

    `operands` are (k, m), (k, 1) where the samples share them, (1, m) where the units do. abs(x) has a kink at 0,
    max(a, b) and comparisons where both sides are equal, the largest unit of a column where two are equally large.
    """
    m = max(array.shape[1] for array in operands.values())
    near = np.zeros(m, bool)
    for gap in _gaps(expr):
        near |= _distance(gap, operands, m) < within
    for extremum in _extrema(expr):
        near |= _lead(extremum, operands, m) < within
    return near


def _gaps(expr: Expr) -> Iterator[Expr]:
    """Expressions that are 0 at a kink."""
    for e in topological(expr):
        if e.op in SIGN_CHANGES:
            yield from _not_constant([e.args[0]])
        elif e.op in CROSSINGS:
            yield from _not_constant([apply("add", e.args[0], apply("negate", e.args[1]))])


def _extrema(expr: Expr) -> Iterator[Expr]:
    """What reductions to the largest or smallest unit look at."""
    for e in topological(expr):
        if e.op in EXTREMA:
            yield from _not_constant([e.args[0]])


def _not_constant(found: Iterable[Expr]) -> Iterator[Expr]:
    return (e for e in found if variables(e))


def _values(expr: Expr, operands: Mapping[str, Array], sample: int) -> NDArray[np.float64]:
    units = max(array.shape[0] for array in operands.values())
    columns = {name: _column(array, sample) for name, array in operands.items()}
    value = evaluate(expr, columns, units)
    return np.atleast_1d(np.asarray(value, np.float64))


def _column(array: Array, sample: int) -> float | list[float]:
    """The column of a sample, or the number that stands for all of its units."""
    column: list[float] = array[:, sample if array.shape[1] > 1 else 0].tolist()
    return column if len(column) > 1 else column[0]


def _distance(expr: Expr, operands: Mapping[str, Array], m: int) -> NDArray[np.float64]:
    return np.array([np.abs(_values(expr, operands, j)).min() for j in range(m)])


def _lead(expr: Expr, operands: Mapping[str, Array], m: int) -> NDArray[np.float64]:
    """How far the two largest, and the two smallest, units of each sample are apart."""
    leads = []
    for j in range(m):
        column = np.sort(_values(expr, operands, j))
        leads.append(min(column[-1] - column[-2], column[1] - column[0]) if len(column) > 1 else np.inf)
    return np.array(leads)
