"""Work a piece at a time, so that what it needs besides its operands is of a fixed size, whatever m is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.frame import FrameBuilder, Step

Array = npt.NDArray[Any]
Shape = tuple[int, int]
Run = Callable[..., None]
Piece = tuple[slice, slice]
"""Rows and columns."""

TILE: Final = 1 << 14
"""Entries of a piece; with a few temporaries of 8 bytes for each it stays in the cache of a core."""
FEWEST_COLUMNS: Final = 64
"""Of a piece that holds whole columns: fewer would make poor use of every cache line."""


def by_entries(run: Run) -> Run:
    """`run(out, *operands)`, which works entry by entry."""

    @wraps(run)
    def tiled(out: Array, *operands: Array) -> None:
        for piece in entry_pieces(out.shape):
            run(out[piece], *(part(x, piece) for x in operands))

    return tiled


def by_columns(run: Run) -> Run:
    """`run(out, x)`, which works column by column."""

    @wraps(run)
    def tiled(out: Array, x: Array) -> None:
        for piece in column_pieces(x.shape):
            run(part(out, piece), x[piece])

    return tiled


def entry_pieces(shape: tuple[int, ...]) -> Iterator[Piece]:
    """Pieces of any rows and columns."""
    rows, columns = shape
    wide = min(columns, TILE)
    high = TILE // wide
    for top in range(0, rows, high):
        for left in range(0, columns, wide):
            yield slice(top, min(top + high, rows)), slice(left, min(left + wide, columns))


def column_pieces(shape: tuple[int, ...], fewest: int | None = None) -> Iterator[Piece]:
    """Pieces of whole columns, `fewest` of them at least."""
    rows, columns = shape
    wide = max(FEWEST_COLUMNS if fewest is None else fewest, TILE // rows)
    for left in range(0, columns, wide):
        yield slice(0, rows), slice(left, min(left + wide, columns))


def part(x: Array, piece: Piece) -> Array:
    """What of an operand belongs to a piece; a number, row or column that is shared belongs to all."""
    if x.ndim == 0:
        return x
    rows, columns = piece
    return x[rows if x.shape[0] > 1 else slice(None), columns if x.shape[1] > 1 else slice(None)]


class Tiles:
    """Steps compiled for pieces of arrays, to be taken for one piece after the other.

    `compile(frame, shape)` gives the steps for a piece of `shape`, in a frame of their own that begins with `operands`
    arrays, which are cut, and `whole` ones, which are not. Pieces of one shape share them, and all share one temporary
    of the frame around.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        operands: int,
        whole: int,
        frame: FrameBuilder,
        compile: Callable[[FrameBuilder, Shape], list[Step]],
    ) -> None:
        self._pieces = pieces
        self._cut = operands
        self._operands = operands + whole
        self._made: dict[Shape, tuple[FrameBuilder, list[Step]]] = {}
        for piece in pieces:
            shape = _shape(piece)
            if shape not in self._made:
                inner = FrameBuilder(frame.dtype, constants_of=frame)
                for _ in range(self._operands):
                    inner.add(None)
                self._made[shape] = inner, compile(inner, shape)

    @property
    def workspace_bytes(self) -> int:
        return max(frame.workspace_bytes() for frame, _ in self._made.values())

    def run(self, arrays: Sequence[Array], room: Array, begin: Callable[[int], object] | None = None) -> None:
        """Take the steps; `arrays` are the operands, whole. `room` has at least `workspace_bytes`.

        `begin` is called with the first column of each piece, before its steps.
        """
        buffer = room.reshape(-1).view(np.uint8)
        for builder, _ in self._made.values():
            builder.place_workspace(buffer)
        for piece in self._pieces:
            builder, steps = self._made[_shape(piece)]
            frame = builder.arrays
            for number, array in enumerate(arrays):
                frame[number] = part(array, piece) if number < self._cut else array
            if begin is not None:
                begin(piece[1].start)
            for step in steps:
                step(frame)
        for builder, _ in self._made.values():
            builder.arrays[: self._operands] = [None] * self._operands  # nothing is kept alive from here
            builder.displace_workspace()


def _shape(piece: Piece) -> Shape:
    rows, columns = piece
    return rows.stop - rows.start, columns.stop - columns.start
