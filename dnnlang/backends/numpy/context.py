"""What instructions are compiled in: where arrays lie, and the numbers that change from run to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy.typing as npt

from dnnlang.backends.numpy.frame import FrameBuilder
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.expression import Expr
from dnnlang.sizes import Size
from dnnlang.sizes import evaluate as size_of

Shape = tuple[int, int]

PERSISTENT: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.GRADIENT, Role.STATE))
"""Whose arrays outlive a run."""


class Numbers:
    """The place of each value in the frame: one a persistent array, by its name, one a value otherwise.

    It leads back to nobody, so an executable and its arrays go with the last who uses them, not with the next round of
    the garbage collector.
    """

    def __init__(self, frame: FrameBuilder, persistent: Mapping[str, npt.NDArray[Any]]) -> None:
        self._frame = frame
        self._persistent = persistent
        self._numbers: dict[Value | str, int] = {}

    def of(self, value: Value) -> int:
        """The place of a value, which gets one if it has none yet."""
        key = _key(value)
        if key not in self._numbers:
            self._numbers[key] = self._frame.add(None if key is value else self._persistent[value.name])
        return self._numbers[key]

    def known(self, value: Value) -> int | None:
        """The place of a value, if it has one."""
        return self._numbers.get(_key(value))


@dataclass(slots=True)
class Context:
    """What instructions are compiled in, and the few numbers that change from run to run.

    `placed` gives the place of a value's array in the frame, but for those in `inner`, which live within one merged
    step; `scales` those of what the kept entries of each mask are; `scalars` those of the expressions of `rate` and
    `t` that updates use, computed once a step. `apart`: the members
    of a merged step are to be told apart. `left` is the first column that is worked on, where that is a piece.
    """

    frame: FrameBuilder
    m: int
    seed: int
    placed: Callable[[Value], int]
    places: Mapping[Value, int]
    inner: dict[Value, int] = field(default_factory=dict)
    scales: dict[Value, int] = field(default_factory=dict)
    scalars: dict[Expr, int] = field(default_factory=dict)
    apart: bool = False
    step: int = 0
    left: int = 0
    J: float = 0.0

    def number(self, value: Value) -> int:
        """The place of the value's array in the frame."""
        inner = self.inner.get(value)
        return self.placed(value) if inner is None else inner

    def shape(self, value: Value) -> Shape:
        return self.size(value.shape[0]), self.size(value.shape[1])

    def stored(self, value: Value) -> Shape:
        """The shape of its array, which for a packed mask is smaller."""
        return self.size(value.stored[0]), self.size(value.stored[1])

    def size(self, size: Size) -> int:
        return size if isinstance(size, int) else size_of(size, {"m": self.m})

    def same_place(self, a: Value, b: Value) -> bool:
        """Do the two share their memory? Slots may be shared; persistent arrays are one a name."""
        if a in self.inner or b in self.inner:
            return self.number(a) == self.number(b)
        if a in self.places or b in self.places:
            return self.places.get(a) == self.places.get(b)
        return a.name == b.name


def _key(value: Value) -> Value | str:
    return value.name if value.role in PERSISTENT else value
