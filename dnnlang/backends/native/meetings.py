"""Where threads have to wait for each other: before a step that touches what another thread may still be at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dnnlang.backends.native.steps import Call, Part, Place, Work


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes from `start` to `end`. `by_column`: rows of samples, of which each thread touches its own."""

    start: int
    end: int
    by_column: bool


@dataclass(frozen=True, slots=True)
class _Touch:
    region: Region
    writes: bool
    part: Part


def with_meetings(
    calls: Sequence[Call], region: Callable[[Place], Region], row_bytes: int
) -> Iterator[tuple[Call, bool]]:
    """Each call, and whether all threads meet before it.

    Two steps conflict where one writes what the other touches, unless both go by columns on rows of one raster, of
    `row_bytes`: then each thread meets only what it has done itself.
    """
    since: list[_Touch] = []
    for call in calls:
        touches = [_Touch(region(p), False, call.part) for p in call.reads if not _own(p)]
        touches += [_Touch(region(p), True, call.part) for p in call.writes if not _own(p)]
        meets = any(_conflict(a, b, row_bytes) for a in since for b in touches)
        if meets:
            since.clear()
        since += touches
        yield call, meets


def _own(place: Place) -> bool:
    return isinstance(place, Work) and place.for_each_thread


def _conflict(a: _Touch, b: _Touch, row_bytes: int) -> bool:
    if not (a.writes or b.writes) or a.region.end <= b.region.start or b.region.end <= a.region.start:
        return False
    if a.part is not Part.COLUMNS or b.part is not Part.COLUMNS:
        return True
    both = a.region.by_column and b.region.by_column
    return not both or (a.region.start - b.region.start) % row_bytes != 0
