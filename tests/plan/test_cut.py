"""The minimum cut against all subsets, on small random graphs; and that it stays fast on large ones."""

from __future__ import annotations

from itertools import combinations

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.plan.cut import SINK, SOURCE, Choice, Item, Network, least_kept


@st.composite
def graphs(draw: st.DrawFn, most: int = 9) -> list[Item]:
    """Items in the order in which they are computed, few sizes, so that there are ties."""
    items: list[Item] = []
    for n in range(draw(st.integers(1, most))):
        cheap = draw(st.sampled_from((True, True, False)))
        operands = tuple(sorted(draw(st.sets(st.integers(0, n - 1), max_size=3)))) if cheap and n else ()
        size, work = draw(st.integers(1, 4)), draw(st.integers(0, 4))
        items.append(Item(size, work, operands if cheap else None, draw(st.booleans())))
    return items


def work_of(items: list[Item], kept: frozenset[int]) -> int | None:
    """What has to be computed again if these are kept; None if something needed cannot be."""
    again: set[int] = set()
    for n in range(len(items) - 1, -1, -1):
        operands = items[n].operands
        if n in kept or not (items[n].needed or n in again):
            continue
        if operands is None:
            return None
        again.add(n)
        again.update(operands)
    return sum(items[n].work for n in again - kept)


def best(items: list[Item]) -> tuple[int, int]:
    """The least size, and the least work for it, over all subsets."""
    found = []
    for count in range(len(items) + 1):
        for kept in combinations(range(len(items)), count):
            work = work_of(items, frozenset(kept))
            if work is not None:
                found.append((sum(items[n].size for n in kept), work))
    return min(found)


def parts(choices: list[Choice]) -> tuple[list[int], list[int]]:
    return [n for c in choices for n in c.kept], [n for c in choices for n in c.again]


@given(items=graphs())
def test_the_cut_is_the_best_of_all_subsets(items: list[Item]) -> None:
    kept, again = parts(least_kept(items))
    work = work_of(items, frozenset(kept))
    assert work == sum(items[n].work for n in again)
    assert (sum(items[n].size for n in kept), work) == best(items)


@given(items=graphs(30))
def test_what_is_needed_is_at_hand(items: list[Item]) -> None:
    kept, again = parts(least_kept(items))
    at_hand = {*kept, *again}
    assert len(at_hand) == len(kept) + len(again)
    assert {n for n, item in enumerate(items) if item.needed} <= at_hand
    for n in again:
        operands = items[n].operands
        assert operands is not None
        assert at_hand.issuperset(operands)


@given(
    edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 9)), max_size=25),
)
def test_the_flow_agrees_with_networkx(edges: list[tuple[int, int, int]]) -> None:
    graph, network = networkx.DiGraph(), Network(8)
    graph.add_nodes_from((SOURCE, SINK))
    for start, end, capacity in edges:
        if start != end and not graph.has_edge(start, end):
            graph.add_edge(start, end, capacity=capacity)
            network.edge(start, end, capacity)
    side = network.sink_side()
    crossing = sum(d["capacity"] for a, b, d in graph.edges(data=True) if a not in side and b in side)
    assert SOURCE not in side
    assert crossing == networkx.minimum_cut_value(graph, SOURCE, SINK)


LAYER = [Item(4, 4, None, False), Item(4, 4, (0,), True)]  # Z, and A = g(Z), which dW reads
SQUARE = [Item(4, 4, None, True), Item(4, 4, (0,), True)]  # dZ reads Z, and dW reads A = Z²


def test_of_two_of_the_same_size_the_one_that_needs_no_work_is_kept() -> None:
    assert parts(least_kept(LAYER)) == ([1], [])


def test_what_stands_on_something_kept_is_computed_again() -> None:
    assert parts(least_kept(SQUARE)) == ([0], [1])


def test_something_small_that_is_not_needed_is_kept_in_the_place_of_several() -> None:
    items = [Item(1, 1, None, False), *(Item(9, 9, (0,), True) for _ in range(3))]
    assert parts(least_kept(items)) == ([0], [1, 2, 3])


@pytest.mark.parametrize("needed", [True, False])
def test_a_long_chain_is_one_piece_or_many(needed: bool) -> None:
    """Recursion would end here, and so would work that grows with the square."""
    length = 20_000
    items = [Item(2, 1, None, False)]
    items += [Item(3, 1, (n,), needed) for n in range(length)]
    items.append(Item(3, 1, (length,), True))
    choices = least_kept(items)
    kept, again = parts(choices)
    assert len(choices) == (length + 1 if needed else 1)
    assert (kept, again) == ([0], list(range(1, length + 2)))
