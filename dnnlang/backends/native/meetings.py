"""Where threads have to wait for each other: before a step that touches what another thread may still be at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dnnlang.backends.native.steps import Call, Part, Place, Work


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
    `row_bytes`: then each thread meets only what it has done itself.
    """
    since = [_Touch(region(p), True, Part.COLUMNS) for p in brought]
    found = [Stage()]
    for call in calls:
        touches = [_Touch(region(p), False, call.part) for p in call.reads if not _own(p)]
        touches += [_Touch(region(p), True, call.part) for p in call.writes if not _own(p)]
        if any(_conflict(a, b, row_bytes) for a in since for b in touches):
            since.clear()
            found.append(Stage())
        since += touches
        found[-1].add(call)
    return found


def _own(place: Place) -> bool:
    return isinstance(place, Work) and place.for_each_thread


def _conflict(a: _Touch, b: _Touch, row_bytes: int) -> bool:
    if not (a.writes or b.writes) or a.region.end <= b.region.start or b.region.end <= a.region.start:
        return False
    if a.part is not Part.COLUMNS or b.part is not Part.COLUMNS:
        return True
    both = a.region.by_column and b.region.by_column
    return not both or (a.region.start - b.region.start) % row_bytes != 0
