"""Near-minimax polynomials with rounded coefficients: least squares whose weights follow the error (Lawson, 1961)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mpmath
import numpy as np

Number = Any  # mpmath's mpf
Function = Callable[[Number], Number]

GRID: Final = 12
"""Points a coefficient at which the error is looked at."""

ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients, lowest power first, and the largest weighted error that is left once they are rounded."""

    coefficients: tuple[float, ...]
    error: float


def fit(f: Function, low: Number, high: Number, count: int, weight: Function, bits: int) -> Fit:
    """The polynomial of `count` coefficients of `bits` bits that makes max |weight (f - p)| over [low, high] small.

    Coefficients are rounded one by one from the lowest power on, the others fitted anew after each, so that the
    later ones take up the rounding of the earlier. `f` and `weight` must be smooth on the interval. Wants many
    digits (mpmath.mp.dps), about 6 a coefficient.
    """
    points = _chebyshev(low, high, GRID * count)
    samples = [(x, f(x), abs(weight(x))) for x in points]
    importance = [mpmath.mpf(1)] * len(samples)
    fixed: list[Number] = []
    for k in range(count):
        for _ in range(ROUNDS if k == 0 else 1):
            free = _least_squares(samples, importance, fixed, count)
            errors = [w * abs(y - _value([*fixed, *free], x)) for x, y, w in samples]
            top = max(errors)
            importance = [i * (e / top + mpmath.mpf("1e-3")) for i, e in zip(importance, errors, strict=True)]
        fixed.append(mpmath.mpf(_rounded(free[0], bits)))
    error = max(w * abs(y - _value(fixed, x)) for x, y, w in samples)
    return Fit(tuple(float(c) for c in fixed), float(error))


def _least_squares(
    samples: Sequence[tuple[Number, Number, Number]], importance: Sequence[Number], fixed: Sequence[Number], count: int
) -> list[Number]:
    """The coefficients from power len(fixed) on that make Σ importance (weight error)² least."""
    first, free = len(fixed), count - len(fixed)
    moments = [mpmath.mpf(0)] * (2 * free)
    right = mpmath.matrix(free, 1)
    for (x, y, w), i in zip(samples, importance, strict=True):
        power = i * w * w * x ** (2 * first)
        rest = (y - _value(fixed, x)) / x**first
        for k in range(2 * free):
            moments[k] += power
            if k < free:
                right[k] += power * rest
            power *= x
    matrix = mpmath.matrix(free, free)
    for j in range(free):
        for k in range(free):
            matrix[j, k] = moments[j + k]
    solution = mpmath.lu_solve(matrix, right)
    return [solution[k] for k in range(free)]


def _chebyshev(low: Number, high: Number, count: int) -> list[Number]:
    middle, radius = (mpmath.mpf(low) + high) / 2, (mpmath.mpf(high) - low) / 2
    return [middle + radius * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * count)) for i in reversed(range(count))]


def _rounded(x: Number, bits: int) -> float:
    return float(np.float32(float(x))) if bits == 24 else float(x)


def _value(coefficients: Sequence[Number], x: Number) -> Number:
    return mpmath.polyval(list(reversed(coefficients)), x) if coefficients else mpmath.mpf(0)
