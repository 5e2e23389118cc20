"""The arrays that a compiled plan works on: one numbered frame of them, some known only when it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends.buffers import padded

Array = npt.NDArray[Any]
Frame = list[Any]
Step = Callable[[Frame], object]
"""One piece of work: reads arrays of the frame by number, writes one."""


class FrameBuilder:
    """Hands out numbers for arrays; temporaries of different instructions share the workspace.

    Temporaries are asked for by shape. Number i of any shape lies in the i-th part of the workspace, which is as
    large as the largest temporary i. Constants are shared with the frame `constants_of`, if there is one.
    """

    def __init__(self, dtype: npt.DTypeLike, *, constants_of: FrameBuilder | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self._constants_of = constants_of
        self.arrays: Frame = []
        self._constants: dict[float, int] = {}
        self._temporaries: dict[tuple[int, tuple[int, int]], int] = {}
        self._part_of: dict[int, int] = {}
        self._parts: list[int] = []  # elements of each part of the workspace
        self._taken: list[int] = []  # free parts are those not in here

    def add(self, array: object) -> int:
        """The number of an array; None for one that comes later."""
        self.arrays.append(array)
        return len(self.arrays) - 1

    def constant(self, value: float) -> int:
        """A number, rounded once to the dtype."""
        key = value if value != 0 else 0.0
        if key not in self._constants:
            other = self._constants_of
            self._constants[key] = self.add(
                self.rounded(value) if other is None else other.arrays[other.constant(value)]
            )
        return self._constants[key]

    @property
    def constant_count(self) -> int:
        """How many numbers of its own it holds."""
        return len(self._constants) if self._constants_of is None else 0

    def rounded(self, value: float) -> Array:
        """A number of the dtype; beyond its range an infinity."""
        with np.errstate(all="ignore"):
            return np.asarray(value, self.dtype)

    def take(self, shape: tuple[int, int]) -> int:
        """A temporary that nobody else uses until it is given back."""
        part = next(i for i in range(len(self._taken) + 1) if i not in self._taken)
        self._taken.append(part)
        if part == len(self._parts):
            self._parts.append(0)
        self._parts[part] = max(self._parts[part], shape[0] * shape[1])
        key = (part, shape)
        if key not in self._temporaries:
            self._temporaries[key] = self.add(None)
            self._part_of[self._temporaries[key]] = part
        return self._temporaries[key]

    def give_back(self, number: int) -> None:
        self._taken.remove(self._part_of[number])

    def workspace_bytes(self) -> int:
        return sum(padded(n * self.dtype.itemsize) for n in self._parts)

    def place_workspace(self, buffer: npt.NDArray[np.uint8]) -> None:
        """Lays the temporaries out in `buffer`, which has `workspace_bytes()` bytes."""
        starts = []
        start = 0
        for elements in self._parts:
            starts.append(start)
            start += padded(elements * self.dtype.itemsize)
        for (part, shape), number in self._temporaries.items():
            self.arrays[number] = view(buffer, starts[part], shape, self.dtype)

    def displace_workspace(self) -> None:
        """Lets go of the buffer."""
        for number in self._temporaries.values():
            self.arrays[number] = None


def view(buffer: npt.NDArray[np.uint8], start: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> Array:
    """An array of `shape` over the bytes of `buffer` from `start` on."""
    size = shape[0] * shape[1] * dtype.itemsize
    return buffer[start : start + size].view(dtype).reshape(shape)
