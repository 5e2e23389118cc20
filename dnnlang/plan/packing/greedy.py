"""Greedy packing: one block after the other, each as low as it can lie. What differs is the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from dnnlang.plan.packing.problem import Block, height, loads

Order = list[int]


def first_fit(blocks: Sequence[Block], beside: Sequence[Sequence[int]], order: Sequence[int]) -> list[int]:
    """Offsets when the blocks are placed in this order. `beside` has for each block those that share a moment."""
    offsets = [-1] * len(blocks)
    for number in order:
        size = blocks[number].size
        at = 0
        for start, end in sorted((offsets[n], offsets[n] + blocks[n].size) for n in beside[number] if offsets[n] >= 0):
            if start - at >= size:
                break
            at = max(at, end)
        offsets[number] = at
    return offsets


def orders(blocks: Sequence[Block]) -> Iterator[Order]:
    """Orders in which greedy packing often does well, the best ones first."""
    most = loads(blocks)

    def length(n: int) -> int:
        return blocks[n].upper - blocks[n].lower

    def area(n: int) -> int:
        return length(n) * blocks[n].size

    keys: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda n: (-blocks[n].size, -length(n)),
        lambda n: (-area(n), -blocks[n].size),
        lambda n: (-length(n), -blocks[n].size),
        lambda n: (-most[n], -area(n)),
        lambda n: (-most[n], -blocks[n].size),
        lambda n: (blocks[n].lower, -blocks[n].upper),
        lambda n: (-blocks[n].upper, blocks[n].lower),
    )
    for key in keys:
        yield sorted(range(len(blocks)), key=key)


def improved(
    blocks: Sequence[Block], beside: Sequence[Sequence[int]], begin: Iterable[Order], target: int, rounds: int
) -> list[int]:
    """The best of so many rounds; after each, the blocks that end above `target` come earlier in the next.

    This is "squeaky wheel" optimisation (Joslin and Clements, JAIR 10, 1999). The rounds are shared out among the
    orders to begin with.
    """
    best: list[int] = []
    least = None
    starts = list(begin)[:rounds]
    for order in starts:
        priority = {number: -place for place, number in enumerate(order)}
        for _ in range(-(-rounds // len(starts))):
            offsets = first_fit(blocks, beside, sorted(priority, key=lambda n: -priority[n]))
            reached = height(blocks, offsets)
            if least is None or reached < least:
                best, least = offsets, reached
            if reached <= target:
                return best
            for number, (at, block) in enumerate(zip(offsets, blocks, strict=True)):
                if at + block.size > target:
                    priority[number] += len(blocks) // 4 + 1
    return best
