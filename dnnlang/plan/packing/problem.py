"""The problem: buffers, each alive in an interval of time, are to lie in one arena; which is to be small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import NamedTuple


class Block(NamedTuple):
    """`size` bytes, or other units, that are in use in [lower, upper). Sizes are positive."""

    lower: int
    upper: int
    size: int


@dataclass(frozen=True, slots=True)
class Packing:
    """Where each block begins, and where the highest ends. None can end lower than `bound`."""

    offsets: tuple[int, ...]
    height: int
    bound: int


def bound(blocks: Sequence[Block]) -> int:
    """The largest sum of sizes in use at the same time."""
    changes = [(b.lower, b.size) for b in blocks] + [(b.upper, -b.size) for b in blocks]
    changes.sort()  # at the same time those that end come first
    live = most = 0
    for _, change in changes:
        live += change
        most = max(most, live)
    return most


def loads(blocks: Sequence[Block]) -> list[int]:
    """For each block the largest sum of sizes in use at a moment of its own."""
    moments = sorted({moment for b in blocks for moment in (b.lower, b.upper)})
    place = {moment: number for number, moment in enumerate(moments)}
    change = [0] * len(moments)
    for b in blocks:
        change[place[b.lower]] += b.size
        change[place[b.upper]] -= b.size
    live = list(accumulate(change))
    return [max(live[place[b.lower] : place[b.upper]]) for b in blocks]


def height(blocks: Sequence[Block], offsets: Sequence[int]) -> int:
    """Where the highest block ends."""
    return max((at + b.size for at, b in zip(offsets, blocks, strict=True)), default=0)


def overlaps(blocks: Sequence[Block], offsets: Sequence[int]) -> bool:
    """Do two blocks share a byte at the same time? In time quadratic in their number; for tests."""
    placed = [(b.lower, b.upper, at, at + b.size) for b, at in zip(blocks, offsets, strict=True)]
    placed.sort()
    for number, (_, upper, start, end) in enumerate(placed):
        for lower, _, other_start, other_end in placed[number + 1 :]:
            if lower >= upper:
                break
            if start < other_end and other_start < end:
                return True
    return False


def independent(blocks: Sequence[Block]) -> list[list[int]]:
    """The numbers of the blocks, in groups that have no moment in common."""
    groups: list[list[int]] = []
    end = None
    for number in sorted(range(len(blocks)), key=lambda n: blocks[n].lower):
        if end is None or blocks[number].lower >= end:
            groups.append([])
            end = blocks[number].upper
        groups[-1].append(number)
        end = max(end, blocks[number].upper)
    return groups


def neighbours(blocks: Sequence[Block], most: int) -> list[list[int]] | None:
    """For each block the others that are in use at some moment of its own; None if these are more than `most`."""
    found: list[list[int]] = [[] for _ in blocks]
    live: list[int] = []
    pairs = 0
    order = sorted(range(len(blocks)), key=lambda n: blocks[n].lower)
    for lower, starting in groupby(order, key=lambda n: blocks[n].lower):
        live = [n for n in live if blocks[n].upper > lower]
        for number in starting:
            pairs += len(live)
            if pairs > most:
                return None
            found[number].extend(live)
            for other in live:
                found[other].append(number)
            live.append(number)
    return found
