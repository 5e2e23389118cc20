"""Packing: nothing overlaps, nothing ends below the bound, the exact search agrees with trying everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan.ir import Purpose
from dnnlang.plan.memory import slots_ratio
from dnnlang.plan.packing import Block, pack
from dnnlang.plan.packing.exact import Finder, sections
from dnnlang.plan.packing.greedy import first_fit, orders
from dnnlang.plan.packing.problem import bound, height, independent, neighbours, overlaps
from dnnlang.plan.packing.sweep import SWEEPS
from dnnlang.plan.passes import make_plan
from tests.programs import ProgramSpec, programs

MUCH = 10**9


@st.composite
def blocks(draw: st.DrawFn, *, most: int = 40, moments: int = 20, largest: int = 30) -> list[Block]:
    found = []
    for _ in range(draw(st.integers(1, most))):
        lower = draw(st.integers(0, moments - 1))
        found.append(Block(lower, draw(st.integers(lower + 1, moments)), draw(st.integers(1, largest))))
    return found


def beside(given: Sequence[Block]) -> list[list[int]]:
    found = neighbours(given, MUCH)
    assert found is not None
    return found


@given(blocks())
def test_whatever_packs_packs_without_overlaps(given: list[Block]) -> None:
    least = bound(given)
    made = pack(given)
    assert made.bound == least
    assert made.height == height(given, made.offsets) >= least
    assert not overlaps(given, made.offsets)
    for sweep in SWEEPS:
        assert not overlaps(given, sweep(given))
    for order in orders(given):
        assert sorted(order) == list(range(len(given)))
        assert not overlaps(given, first_fit(given, beside(given), order))


@given(blocks())
def test_sections_begin_where_the_blocks_in_use_are_as_many_as_can_be(given: list[Block]) -> None:
    """Each of the largest sets of blocks that share a moment is in use in one section."""

    def together(at: int) -> frozenset[int]:
        return frozenset(n for n, b in enumerate(given) if b.lower <= at < b.upper)

    sets = {together(at) for at in range(20)}
    largest = {one for one in sets if not any(one < other for other in sets)}
    begins = sections(given)
    found = [{together(at) for at in range(*ends)} & largest for ends in pairwise([*begins, 20])]
    assert all(len(one) == 1 for one in found)
    assert set[frozenset[int]]().union(*found) == largest


@given(blocks())
def test_the_bound_is_the_largest_sum_at_a_moment(given: list[Block]) -> None:
    assert bound(given) == max(sum(b.size for b in given if b.lower <= at < b.upper) for at in range(20))


@given(blocks())
def test_neighbours_are_those_that_share_a_moment(given: list[Block]) -> None:
    for number, found in enumerate(beside(given)):
        b = given[number]
        others = {n for n, o in enumerate(given) if n != number and o.lower < b.upper and b.lower < o.upper}
        assert sorted(found) == sorted(others)


@given(blocks())
def test_groups_share_no_moment(given: list[Block]) -> None:
    groups = independent(given)
    assert sorted(n for group in groups for n in group) == list(range(len(given)))
    alive = [{t for n in group for t in range(given[n].lower, given[n].upper)} for group in groups]
    assert sum(map(len, alive)) == len(set().union(*alive))


def least_height(given: Sequence[Block]) -> int:
    """By trying every order: some order of first fit makes the best packing there is."""
    near = beside(given)
    return min(height(given, first_fit(given, near, order)) for order in permutations(range(len(given))))


@given(blocks(most=6, moments=6, largest=6))
def test_the_exact_search_agrees_with_trying_every_order(given: list[Block]) -> None:
    least = least_height(given)
    finder = Finder(given)
    offsets = finder.find(least, MUCH)
    assert offsets is not None
    assert height(given, offsets) <= least
    assert not overlaps(given, offsets)
    assert finder.find(least - 1, MUCH) is None
    assert finder.impossible == least - 1


def test_a_bound_that_cannot_be_reached_is_known_to_be_so() -> None:
    """Two long blocks must lie 1 apart for a short one at one time, and not at another: no packing is 4 high."""
    given = [Block(0, 4, 1), Block(2, 6, 1), Block(0, 2, 2), Block(0, 1, 1), Block(4, 6, 2), Block(5, 6, 1)]
    given += [Block(2, 3, 2), Block(3, 4, 1), Block(3, 4, 1)]
    least = least_height(given[:7])
    assert pack(given[:7]).height == least


def test_a_chain_that_greedy_packing_misses_is_packed() -> None:
    """The lesson's network at -O1: A[1] … A[4], then dA[3], dA[2], dA[1]."""
    sizes = (20, 7, 5, 1)
    given = [Block(0, 20, 20), Block(2, 14, 7), Block(4, 10, 5), Block(6, 9, 1)]
    given += [Block(8, 13, 5), Block(12, 17, 7), Block(16, 20, 20)]
    assert sum(sizes) < 47
    assert pack(given).height == bound(given) == 47


def test_the_effort_is_counted_and_not_timed() -> None:
    given = [Block(n % 7, n % 7 + 3 + n % 5, 1 + n * n % 13) for n in range(60)]
    assert pack(given) == pack(given)


def test_a_target_above_the_bound_is_enough() -> None:
    given = [Block(0, 2, 3), Block(1, 3, 4)]
    assert pack(given, target=100).height <= 100
    assert pack(given, target=1).height == 7


def test_nothing_takes_no_room() -> None:
    assert pack([]).height == 0


@pytest.mark.parametrize("level", [1, 2])
@given(spec=programs(max_nodes=25, most_units=20))
def test_random_programs_reach_the_lower_bound(level: int, spec: ProgramSpec) -> None:
    plan = make_plan(dnnlang.compile(spec.text).architecture, Purpose.GRADIENTS, level=level, training=True)
    assert slots_ratio(plan) == 1
