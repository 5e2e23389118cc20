"""Whether a derivative stated by hand is the derivative: compared at points all over the line."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

from dnnlang.scalar.construct import ONE
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import Expr

POINTS: Final = tuple(s * x for x in (0.37, 1.0, 2.13, 0.05, 4.7, 9.9, 0.0, 30.0) for s in (1.0, -1.0))
"""Where to compare; simple numbers first, so that a counterexample is easy to check on paper."""

TOLERANCE: Final = 1e-6
"""Relative; far above rounding in float64, far below any slip in a formula."""


@lru_cache(maxsize=256)  # a net has many layers, and they share their activation
def difference(value: Expr, stated: Expr) -> tuple[float, float, float] | None:
    """A z at which `stated` (in `z` and the output `a`) is not the slope of `value`: z, stated, derived.

    None where they agree at every point at which both are finite. Of an activation that works on the
    whole column, the column has one unit.
    """
    derived = vjp(value, "z", ONE)
    for z in POINTS:
        a = evaluate(value, {"z": [z]})
        claimed = _first(evaluate(stated, {"z": [z], "a": a}, 1))
        slope = _first(evaluate(derived, {"z": [z]}, 1))
        if not (math.isfinite(claimed) and math.isfinite(slope)):
            continue
        if abs(claimed - slope) > TOLERANCE * (1 + abs(claimed) + abs(slope)):
            return z, claimed, slope
    return None


def _first(column: float | list[float]) -> float:
    return column[0] if isinstance(column, list) else column
