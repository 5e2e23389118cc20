"""The data of examples/data as arrays, and pairs of digits drawn from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

EXAMPLES = Path(__file__).parents[2] / "examples"


@cache
def digits() -> tuple[Array, Array]:
    """Pictures (64, 1797), pixels from 0 to 16, and which digit each one is (1797,)."""
    table = np.loadtxt(EXAMPLES / "data" / "digits.csv", delimiter=",", skiprows=1)
    return table[:, :64].T.copy(), table[:, 64].astype(np.int64)


@cache
def iris() -> Array:
    """The four measurements, (4, 150)."""
    return np.loadtxt(EXAMPLES / "data" / "iris.csv", delimiter=",", skiprows=1, usecols=range(4)).T.copy()


def pairs(count: int, pictures: Array, digit: Array, seed: int) -> tuple[dict[str, Array], Array]:
    """Pairs of pictures, of which about half show the same digit; 1 for these, (1, count)."""
    random = np.random.default_rng(seed)
    alike = random.random(count) < 0.5
    left = random.integers(len(digit), size=count)
    right = np.empty_like(left)
    for value in range(10):
        own, others = np.flatnonzero(digit == value), np.flatnonzero(digit != value)
        of_value = digit[left] == value
        drawn = np.where(alike[of_value], random.choice(own, of_value.sum()), random.choice(others, of_value.sum()))
        right[of_value] = drawn
    return {"left": pictures[:, left], "right": pictures[:, right]}, alike[np.newaxis].astype(np.float64)
