"""How far two tensors are apart, as this project defines it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def relative_error(a: NDArray[Any], b: NDArray[Any]) -> float:
    """‖a - b‖₂ / (‖a‖₂ + ‖b‖₂), 0 where both are 0; infinite where NaN and infinities stand in different places."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    finite = np.isfinite(a)
    if a.shape != b.shape or (finite != np.isfinite(b)).any():
        return float("inf")
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    scale = np.linalg.norm(a[finite]) + np.linalg.norm(b[finite])
    return float(np.linalg.norm(a[finite] - b[finite]) / scale) if scale else 0.0
