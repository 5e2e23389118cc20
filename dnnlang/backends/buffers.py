"""Memory that begins where a line of the cache begins."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

ALIGNMENT: Final = 64
"""Bytes: a line of the cache, and the widest vector."""


def padded(size: int) -> int:
    """`size` bytes, rounded up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def buffer_bytes(size: int) -> int:
    """What an aligned buffer of `size` bytes takes."""
    return size + ALIGNMENT if size else 0


def aligned_buffer(size: int) -> npt.NDArray[np.uint8]:
    """`size` bytes that begin at a multiple of the alignment."""
    buffer = np.empty(buffer_bytes(size), dtype=np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT if size else 0
    return buffer[start : start + size]
