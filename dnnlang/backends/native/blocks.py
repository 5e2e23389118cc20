"""The code that c/run.h runs: stages of calls, and in how many blocks each is done.

A thread that is held up leaves blocks to the others. So there are more blocks than threads, where each is worth it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnnlang.backends.native.meetings import Stage
from dnnlang.backends.native.products import WIDTHS
from dnnlang.backends.native.steps import Argument, Call

MAX_BLOCKS: Final = 64
"""As in c/run.h."""
WORTH: Final = 200_000
"""Multiplications, of some 4 µs: to take a block takes a hundredth of that."""
EACH: Final = 16
"""Blocks of rows for each thread, at most."""
HEAD: Final = 2
STAGE: Final = 7


def code_of(stages: Sequence[Stage], m: int, vectors: int, threads: int) -> list[Argument]:
    """Numbers and places: how many stages and blocks, the stages, their calls."""
    heads: list[Argument] = []
    calls: list[Argument] = []
    start = HEAD + STAGE * len(stages)
    before, most = 0, 1
    for number, stage in enumerate(stages):
        heads_of_chains = []
        for chain, blocks in (
            (stage.columns, _of_samples(stage.columns, m, vectors, threads, number == 0)),
            (stage.rows, _of_rows(stage.rows, m, threads)),
        ):
            begin = start + len(calls)
            for call in chain:
                calls += [call.function, len(call.arguments), *call.arguments]
            heads_of_chains += [blocks, begin, start + len(calls)]
        heads += [*heads_of_chains, before]
        blocks = heads_of_chains[0] + heads_of_chains[3]
        before += blocks
        most = max(most, heads_of_chains[0], heads_of_chains[3])
    return [len(stages), most, *heads, *calls]


def _of_samples(calls: Sequence[Call], m: int, vectors: int, threads: int, first: bool) -> int:
    """Blocks of as many vectors as a tile is wide, in the same number for each thread. The first stage has some always:
    the batch is brought in them."""
    if not calls and not first:
        return 0
    if threads == 1:
        return 1
    widest = -(-vectors // WIDTHS[-1])
    worth = sum(call.work for call in calls) * m // WORTH
    return _whole(min(widest, worth), threads, most=max(vectors, threads))


def _of_rows(calls: Sequence[Call], m: int, threads: int) -> int:
    if not calls:
        return 0
    if threads == 1:
        return 1
    worth = sum(call.work for call in calls) * m // WORTH
    return _whole(min(worth, EACH * threads), threads, most=MAX_BLOCKS)


def _whole(blocks: int, threads: int, most: int) -> int:
    """The next multiple of the threads."""
    most = min(most, MAX_BLOCKS)
    return max(threads, min(-(-blocks // threads) * threads, most - most % threads))
