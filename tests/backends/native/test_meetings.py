"""Where threads meet: between calls that touch the same memory, unless each thread meets only what it did itself."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from dnnlang.backends.native.meetings import REACH, Region, Stage, stages
from dnnlang.backends.native.steps import Call, Part, Place, Work

ROW = 64
"""Bytes of a row of samples."""


def place(number: int) -> Work:
    return Work(f"place {number}", 1)


def call(number: int, part: Part, reads: Sequence[int] = (), writes: Sequence[int] = ()) -> Call:
    return Call(number, (), tuple(map(place, reads)), tuple(map(place, writes)), part, work=0)


def region(p: Place) -> Region:
    """Place n is a row of samples that begins at byte 32 n: neighbours overlap, and every second is of one raster."""
    assert isinstance(p, Work)
    start = 32 * int(p.key.split()[1])
    return Region(start, start + ROW, by_column=True)


def found(calls: Sequence[Call], brought: Sequence[Place] = ()) -> list[list[int]]:
    return [sorted(c.function for c in (*s.columns, *s.rows)) for s in stages(calls, region, ROW, brought)]


calls_of_any_kind = st.lists(
    st.builds(
        lambda part, reads, writes: (part, reads, writes),
        st.sampled_from(Part),
        st.lists(st.integers(0, 5), max_size=2),
        st.lists(st.integers(0, 5), min_size=1, max_size=2),
    ),
    max_size=12,
).map(lambda drawn: [call(n, *each) for n, each in enumerate(drawn)])


@given(calls_of_any_kind)
def test_calls_that_conflict_are_kept_apart(calls: list[Call]) -> None:
    made = stages(calls, region, ROW)
    number = {c.function: n for n, s in enumerate(made) for c in (*s.columns, *s.rows)}
    assert sorted(number) == list(range(len(calls)))
    for a, b in combinations(calls, 2):
        if not touching(a, b):
            continue
        if a.part is b.part is Part.COLUMNS and of_one_raster(a, b):
            assert number[a.function] <= number[b.function]
        else:
            assert number[a.function] < number[b.function]
    for s in made:  # in a stage, each thread goes through its columns in order
        assert in_order(s)


def touching(a: Call, b: Call) -> bool:
    return bool(conflicts(a, b))


def of_one_raster(a: Call, b: Call) -> bool:
    return all((region(p).start - region(q).start) % ROW == 0 for p, q in conflicts(a, b))


def conflicts(a: Call, b: Call) -> list[tuple[Place, Place]]:
    """What one of them writes and the other one touches, where these overlap."""
    pairs = [(p, q) for p in a.writes for q in (*b.reads, *b.writes)] + [(p, q) for p in a.reads for q in b.writes]
    return [(p, q) for p, q in pairs if abs(region(p).start - region(q).start) < ROW]


def in_order(s: Stage) -> bool:
    return all([c.function for c in each] == sorted(c.function for c in each) for each in (s.columns, s.rows))


def test_a_call_goes_to_the_first_stage_that_it_can_be_in() -> None:
    """The third needs nothing of the second."""
    calls = [
        call(0, Part.COLUMNS, writes=[0]),
        call(1, Part.ROWS, reads=[0], writes=[10]),
        call(2, Part.COLUMNS, reads=[0], writes=[20]),
        call(3, Part.ROWS, reads=[20], writes=[30]),
    ]
    assert found(calls) == [[0, 2], [1, 3]]


def test_batches_are_there_before_rows_are_read() -> None:
    assert found([call(0, Part.COLUMNS, [0], [10])], [place(0)]) == [[0]]
    assert found([call(0, Part.ROWS, [0], [10])], [place(0)]) == [[], [0]]


def test_calls_move_back_by_few_stages() -> None:
    """Else the time to find them would not be linear."""
    chain = [call(n, Part.ROWS, [2 * n], [2 * n + 2]) for n in range(20)]
    made = found([*chain, call(20, Part.ROWS, [100], [102])])
    assert [len(s) for s in made] == [1] * (20 - REACH) + [2] + [1] * (REACH - 1)
