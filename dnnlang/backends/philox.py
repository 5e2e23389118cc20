"""Philox4x32-10: random numbers from a key and a counter, so that every backend draws the same ones.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The key is the seed. What
the four words of the counter mean is in `Stream`; no word depends on how many samples a batch has, so an entry's
number does not either.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_KEY_STEPS: Final = (0x9E3779B9, 0xBB67AE85)
_ROUNDS: Final = 10
_LOW: Final = np.uint64(0xFFFFFFFF)
_HALF: Final = np.uint64(32)
_STREAM_BITS: Final = 28


class Stream(IntEnum):
    """What numbers are for; the top bits of the counter's last word, above the number of the node or parameter.

    MASK: counter (unit // 4, column, step, node), a word a unit. INITIAL: counter (entry, entry >> 32, draw,
    parameter), entries counted row by row, the draws of an initializer's expression from 0.
    """

    MASK = 0
    INITIAL = 1


def philox4x32(counter: tuple[npt.ArrayLike, ...], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """Ten rounds over arrays of counters (four words each, broadcast together): four words of 32 random bits."""
    words = np.broadcast_arrays(*(np.asarray(c, dtype=np.uint64) for c in counter))
    c0, c1, c2, c3 = words
    k0, k1 = key
    for _ in range(_ROUNDS):
        product0 = c0 * _MULTIPLIERS[0]
        product1 = c2 * _MULTIPLIERS[1]
        c0 = (product1 >> _HALF) ^ c1 ^ np.uint64(k0)
        c2 = (product0 >> _HALF) ^ c3 ^ np.uint64(k1)
        c1 = product1 & _LOW
        c3 = product0 & _LOW
        k0 = (k0 + _KEY_STEPS[0]) & 0xFFFFFFFF
        k1 = (k1 + _KEY_STEPS[1]) & 0xFFFFFFFF
    return c0.astype(np.uint32), c1.astype(np.uint32), c2.astype(np.uint32), c3.astype(np.uint32)


def key_of(seed: int) -> tuple[int, int]:
    """The key of a seed: its low and its next 32 bits; a negative seed counts as its two's complement."""
    return seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF


def mask_words(rows: int, columns: int, *, seed: int, step: int, node: int, first: tuple[int, int] = (0, 0)) -> Words:
    """32 random bits for each unit of each column: (rows, columns), from unit and column `first` on.

    The first unit is a multiple of 4.
    """
    blocks = (rows + 3) // 4
    block = np.arange(first[0] // 4, first[0] // 4 + blocks, dtype=np.uint64)[:, None]
    column = np.arange(first[1], first[1] + columns, dtype=np.uint64)[None, :]
    words = philox4x32((block, column, step & 0xFFFFFFFF, _last_word(Stream.MASK, node)), key_of(seed))
    return np.stack(words, axis=1).reshape(4 * blocks, columns)[:rows]


def uniform(shape: tuple[int, int], *, seed: int, parameter: int, draw: int) -> npt.NDArray[np.float64]:
    """Numbers in (0, 1), one for each entry of a parameter."""
    first, _ = _entry_words(shape, seed=seed, parameter=parameter, draw=draw)
    return _open_unit(first)


def normal(shape: tuple[int, int], *, seed: int, parameter: int, draw: int) -> npt.NDArray[np.float64]:
    """Standard normal numbers, one for each entry of a parameter, by Box and Muller's transformation."""
    first, second = _entry_words(shape, seed=seed, parameter=parameter, draw=draw)
    radius = np.sqrt(-2.0 * np.log(_open_unit(first)))
    return radius * np.cos(2.0 * np.pi * _open_unit(second))


def _entry_words(shape: tuple[int, int], *, seed: int, parameter: int, draw: int) -> tuple[Words, Words]:
    entry = np.arange(shape[0] * shape[1], dtype=np.uint64).reshape(shape)
    counter = (entry & _LOW, entry >> _HALF, draw, _last_word(Stream.INITIAL, parameter))
    first, second, _, _ = philox4x32(counter, key_of(seed))
    return first, second


def _open_unit(words: Words) -> npt.NDArray[np.float64]:
    """Neither 0 nor 1: the middles of 2^32 equal parts."""
    return (words.astype(np.float64) + 0.5) * 2.0**-32


def _last_word(stream: Stream, number: int) -> int:
    return (stream << _STREAM_BITS) | number
