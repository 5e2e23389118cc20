"""Random orders that can be computed anew at any moment: from the seed, the purpose and a counter alone.

The raw stream of Philox is part of NumPy's compatibility promise (its `permutation` is not), so the same
seed gives the same order in every version.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

SHUFFLE: Final = 0x5348
SPLIT: Final = 0x5350
CHECK: Final = 0x434B
"""What the numbers are for, so that no two uses share a stream."""


def bits(seed: int, purpose: int, counter: int) -> np.random.Philox:
    """The stream for one purpose; `counter` (an epoch, a try) picks an independent part of it."""
    mask = (1 << 64) - 1
    key = np.array([seed & mask, purpose], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, 0, counter & mask], np.uint64))


def shuffled(count: int, seed: int, purpose: int, counter: int = 0) -> Indices:
    """0 … count-1 in random order."""
    return np.argsort(bits(seed, purpose, counter).random_raw(count), kind="stable").astype(np.int64, copy=False)
