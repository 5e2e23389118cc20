"""What to keep of values that may also be computed again: a minimum cut.

A value is at hand later if it was kept, or if it can be computed from others that are at hand. Kept are the values
with the least cost that put all that is needed at hand; exactly, because this is a minimum cut: between what cannot be
computed again and what is needed, every path goes through something kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

Piece = list[int]
"""Items that are decided together, by their places."""

MOST_FOR_TIES: Final = 200
"""Items of a piece in which ties are decided by work; in a larger one the flow would take too many rounds for it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value. `size` is what keeping it costs, positive; `work` what computing it again costs.

    `operands` are the places of the items that it is computed from, all of them earlier; what is at hand anyway is not
    among them. None if it must not be computed again.
    """

    size: int
    work: int
    operands: tuple[int, ...] | None
    needed: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The places of the items to keep, and of those to compute again, in order; they are disjoint."""

    kept: tuple[int, ...]
    again: tuple[int, ...]


def least_kept(items: Sequence[Item]) -> list[Choice]:
    """For each independent piece of the graph what to keep: the least size, and of equal ones the least work.

    What is needed is at hand in any case, so only items that are not needed tie others together. Pieces of the same
    structure are solved once. Of choices equal in both, that with fewest values at hand is taken; so are ties in
    pieces of more than MOST_FOR_TIES items.
    """
    solved: dict[tuple[object, ...], tuple[tuple[int, ...], tuple[int, ...]]] = {}
    choices = []
    for piece in _pieces(items):
        place = {item: at for at, item in enumerate(piece)}
        graph = tuple((items[n].size, items[n].work, items[n].needed, _tying(items, n, place)) for n in piece)
        if graph not in solved:
            solved[graph] = _solved(graph)
        kept, again = solved[graph]
        choices.append(Choice(tuple(piece[at] for at in kept), tuple(piece[at] for at in again)))
    return choices


# ---------------------------------------------------------------- pieces


def _tying(items: Sequence[Item], n: int, place: dict[int, int]) -> tuple[int, ...] | None:
    """The operands of an item that need not be at hand, by their places in its piece."""
    operands = items[n].operands
    return None if operands is None else tuple(place[u] for u in operands if not items[u].needed)


def _pieces(items: Sequence[Item]) -> list[Piece]:
    """Items that hang together through items that are not needed; only those on which something needed stands."""
    useful = [item.needed for item in items]
    group = list(range(len(items)))
    for n in range(len(items) - 1, -1, -1):
        if useful[n]:
            for u in items[n].operands or ():
                useful[u] = True
                if not items[u].needed:
                    _join(group, n, u)
    pieces: dict[int, Piece] = {}
    for n in range(len(items)):
        if useful[n]:
            pieces.setdefault(_root(group, n), []).append(n)
    return list(pieces.values())


def _join(group: list[int], a: int, b: int) -> None:
    a, b = _root(group, a), _root(group, b)
    group[max(a, b)] = min(a, b)


def _root(group: list[int], n: int) -> int:
    while group[n] != n:
        group[n] = group[group[n]]
        n = group[n]
    return n


# ---------------------------------------------------------------- one piece

_Graph = tuple[tuple[int, int, bool, tuple[int, ...] | None], ...]
"""Size, work, whether it is needed, and the operands that need not be at hand, of each item."""


def _solved(graph: _Graph) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The places to keep and those to compute again.

    In the network an item has a node that says whether it is at hand (the sink stands for it where it is needed), and
    one that says whether it is computed again; a node says yes if it is on the sink's side. An edge costs its capacity
    where its start says no and its end says yes. Sizes count so much more than work that work only decides ties.
    """
    if len(graph) > MOST_FOR_TIES:
        graph = tuple((size, 0, needed, operands) for size, _, needed, operands in graph)
    weight = 1 + sum(work for _, work, _, _ in graph)
    endless = weight * (1 + sum(size for size, _, _, _ in graph))
    numbers = count(2)
    at_hand = [SINK if needed else next(numbers) for _, _, needed, _ in graph]
    again = [None if operands is None else next(numbers) for _, _, _, operands in graph]
    network = Network(next(numbers))
    for (size, work, _, operands), hand, computed in zip(graph, at_hand, again, strict=True):
        if operands is None or computed is None:
            network.edge(SOURCE, hand, size * weight)
            continue
        network.edge(SOURCE, computed, work)
        network.edge(computed, hand, size * weight)
        for u in operands:
            network.edge(at_hand[u], computed, endless)
    yes = network.sink_side()
    places = range(len(graph))
    computed_again = [again[n] in yes for n in places]
    return (
        tuple(n for n in places if at_hand[n] in yes and not computed_again[n]),
        tuple(n for n in places if at_hand[n] in yes and computed_again[n]),
    )


# ---------------------------------------------------------------- maximum flow

SOURCE: Final = 0
SINK: Final = 1


class Network:
    """A flow network with nodes 0 (the source), 1 (the sink) and up. Dinic 1970: blocking flows on shortest paths."""

    def __init__(self, nodes: int) -> None:
        self._edges: list[list[int]] = [[] for _ in range(nodes)]  # of each node, by number; e ^ 1 is the reverse of e
        self._ends: list[int] = []
        self._left: list[int] = []  # the capacity that is left

    def edge(self, start: int, end: int, capacity: int) -> None:
        for a, b, left in ((start, end, capacity), (end, start, 0)):
            self._edges[a].append(len(self._ends))
            self._ends.append(b)
            self._left.append(left)

    def sink_side(self) -> set[int]:
        """The smallest set of nodes with the sink that a minimum cut separates from the source."""
        while (level := self._levels())[SINK] is not None:
            self._block(level)
        side = {SINK}
        pending = [SINK]
        while pending:
            for e in self._edges[pending.pop()]:
                start = self._ends[e]
                if self._left[e ^ 1] and start not in side:
                    side.add(start)
                    pending.append(start)
        return side

    def _levels(self) -> list[int | None]:
        """How far each node is from the source; None if nothing more flows there."""
        level: list[int | None] = [None] * len(self._edges)
        level[SOURCE] = 0
        reached = [SOURCE]
        for distance in count(1):
            if not reached or level[SINK] is not None:
                break
            before, reached = reached, []
            for node in before:
                for e in self._edges[node]:
                    if self._left[e] and level[self._ends[e]] is None:
                        level[self._ends[e]] = distance
                        reached.append(self._ends[e])
        return level

    def _block(self, level: Sequence[int | None]) -> None:
        """Sends flow along shortest paths until there is none."""
        arc = [0] * len(self._edges)  # the edge of each node that is tried next
        path: list[int] = []
        node = SOURCE
        while True:
            if node == SINK:
                node = self._send(path)
                continue
            edges = self._edges[node]
            while arc[node] < len(edges) and not self._leads_on(edges[arc[node]], level, level[node]):
                arc[node] += 1
            if arc[node] < len(edges):
                path.append(edges[arc[node]])
                node = self._ends[path[-1]]
            elif path:
                node = self._ends[path.pop() ^ 1]
                arc[node] += 1
            else:
                return

    def _leads_on(self, e: int, level: Sequence[int | None], here: int | None) -> bool:
        return self._left[e] > 0 and here is not None and level[self._ends[e]] == here + 1

    def _send(self, path: list[int]) -> int:
        """As much as goes along the path, which then ends before its first full edge; the node where it ends."""
        most = min(self._left[e] for e in path)
        for e in path:
            self._left[e] -= most
            self._left[e ^ 1] += most
        full = next(at for at, e in enumerate(path) if not self._left[e])
        node = self._ends[path[full] ^ 1]
        del path[full:]
        return node
