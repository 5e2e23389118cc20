"""Where threads have to wait for each other: before a step that touches what another thread may still be at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from dnnlang.backends.native.steps import Call, Part, Place, Work

REACH: Final = 8
"""Stages that a call may move back, so that the time to find them is linear."""


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes from `start` to `end`. `by_column`: rows of samples, of which each thread touches its own."""

    start: int
    end: int
    by_column: bool


@dataclass(slots=True)
class Stage:
    """Calls between two meetings. Those on columns are done column by column, the others whenever a thread is free."""

    columns: list[Call] = field(default_factory=list)
    rows: list[Call] = field(default_factory=list)

    def add(self, call: Call) -> None:
        (self.columns if call.part is Part.COLUMNS else self.rows).append(call)


class _Conflict(IntEnum):
    NONE = 0
    ORDER = 1
    MEETING = 2


@dataclass(frozen=True, slots=True)
class _Touch:
    region: Region
    writes: bool
    part: Part


def stages(
    calls: Sequence[Call], region: Callable[[Place], Region], row_bytes: int, brought: Sequence[Place] = ()
) -> list[Stage]:
    """The calls in stages: all threads meet between two of them. `brought` is written before, column by column.

    Two steps conflict where one writes what the other touches, unless both go by columns on rows of one raster, of
    `row_bytes`: then each thread meets only what it has done itself, and they only have to stay in order. Each call
    goes to the first stage, of the last REACH, that is behind all it conflicts with.
    """
    found = [Stage()]
    touched = [[_Touch(region(p), True, Part.COLUMNS) for p in brought]]
    for call in calls:
        touches = [_Touch(region(p), False, call.part) for p in call.reads if not _own(p)]
        touches += [_Touch(region(p), True, call.part) for p in call.writes if not _own(p)]
        at = _earliest(touched, touches, row_bytes)
        if at == len(found):
            found.append(Stage())
            touched.append([])
        touched[at] += touches
        found[at].add(call)
    return found


def _earliest(touched: Sequence[Sequence[_Touch]], touches: Sequence[_Touch], row_bytes: int) -> int:
    """The first of the last stages that a call with these touches can be in; a new one, if it must."""
    last = len(touched) - 1
    first = max(0, last - REACH + 1)
    for number in range(last, first - 1, -1):
        worst = max((_conflict(a, b, row_bytes) for a in touched[number] for b in touches), default=_Conflict.NONE)
        if worst is _Conflict.MEETING:
            return number + 1
        if worst is _Conflict.ORDER:
            return number
    return first


def _own(place: Place) -> bool:
    return isinstance(place, Work) and place.for_each_thread


def _conflict(a: _Touch, b: _Touch, row_bytes: int) -> _Conflict:
    """What there must be between two touches."""
    if not (a.writes or b.writes) or a.region.end <= b.region.start or b.region.end <= a.region.start:
        return _Conflict.NONE
    if a.part is not Part.COLUMNS or b.part is not Part.COLUMNS:
        return _Conflict.MEETING
    both = a.region.by_column and b.region.by_column
    one_raster = both and (a.region.start - b.region.start) % row_bytes == 0
    return _Conflict.ORDER if one_raster else _Conflict.MEETING
