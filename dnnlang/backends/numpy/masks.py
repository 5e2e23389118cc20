"""Masks of dropout: drawn a piece at a time, stored as numbers or as one bit an entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.philox import mask_words

Array = npt.NDArray[Any]
Bits = npt.NDArray[np.uint8]
Piece = tuple[slice, slice]

PIECE: Final = 1 << 16
"""Entries that are drawn or unpacked at once, so that what NumPy needs besides the arena stays small."""
BYTE: Final = 8


def draw(
    out: Array, shape: tuple[int, int], dropped: int, *, packed: bool, seed: int, step: int, node: int, left: int = 0
) -> None:
    """A mask of `shape`: each entry is 0 where its 32 random bits are below `dropped`, else 1.

    Packed, it takes the first bytes of `out`, the bits of eight units in one; else `out` has its shape. Its first
    column is number `left` of the batch.
    """
    bits = bit_rows(out, shape) if packed else out
    for rows, columns in _pieces(shape):
        kept = (
            mask_words(
                rows.stop - rows.start,
                columns.stop - columns.start,
                seed=seed,
                step=step,
                node=node,
                first=(rows.start, left + columns.start),
            )
            >= dropped
        )
        if packed:
            bits[rows.start // BYTE : -(-rows.stop // BYTE), columns] = np.packbits(kept, axis=0)
        else:
            bits[rows, columns] = kept


def unpack(packed: Array, out: Array, scale: Array) -> None:
    """The packed mask times `scale`, in an array of its shape. `packed` may be columns of its bit rows."""
    rows, columns = out.shape
    bits = packed if packed.dtype == np.uint8 else bit_rows(packed, (rows, columns))
    for units, samples in _pieces((rows, columns)):
        piece = bits[units.start // BYTE : -(-units.stop // BYTE), samples]
        entries = np.unpackbits(piece, axis=0, count=units.stop - units.start)
        np.multiply(entries, scale, out[units, samples])


def bit_rows(packed: Array, shape: tuple[int, int]) -> Bits:
    """The bytes that the bits of a mask of `shape` lie in: (⌈units / 8⌉, samples)."""
    rows, columns = -(-shape[0] // BYTE), shape[1]
    found: Bits = packed.reshape(-1).view(np.uint8)[: rows * columns].reshape(rows, columns)
    return found


def _pieces(shape: tuple[int, int]) -> Iterator[Piece]:
    """Parts of at most PIECE entries that begin at a whole byte."""
    wide = min(shape[1], PIECE // BYTE)
    high = max(1, PIECE // (wide * BYTE)) * BYTE
    for row in range(0, shape[0], high):
        for column in range(0, shape[1], wide):
            yield slice(row, min(row + high, shape[0])), slice(column, min(column + wide, shape[1]))
