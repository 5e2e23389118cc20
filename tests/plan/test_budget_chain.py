"""The schedules for chains: against every persistent schedule there is, Revolve's counts, and a replay of each."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.plan.budget.chain import Chain, Kind, Operation, Run, Solved, Stage, least_room, operations
from dnnlang.plan.budget.exact import Exact
from dnnlang.plan.budget.rounded import Rounded, in_units

UNLIMITED = 10**15


def random_chain(stages: int, seed: int, largest: int = 100, *, reads: bool | None = None) -> list[Stage]:
    """Sizes of all kinds: in place or not, stages that save nothing, free ones, inputs that backward does not read."""
    draw = random.Random(seed)
    sizes = [draw.choice((0, draw.randint(1, largest))), *(draw.randint(1, largest) for _ in range(stages))]
    chain = []
    for at in range(stages):
        a, z, inner = sizes[at], sizes[at + 1], draw.choice((0, draw.randint(1, largest)))
        read = draw.random() < 0.8 if reads is None else reads
        saved = inner + (a if read else 0)
        runs = []
        for _ in range(2):
            passing = max(a, z) + draw.choice((0, min(a, z), draw.randint(0, largest)))
            keeping = max(passing, a + z)
            least = a + inner + draw.choice((0, inner))
            runs.append(Run(passing, keeping, max(keeping, saved + z, least), least))
        gradient = draw.choice((z, draw.randint(0, largest))) if at < stages - 1 else 0
        backward = saved + gradient + draw.choice((0, a, draw.randint(0, largest)))
        work = draw.choice((draw.randint(1, 50), draw.randint(0, 10**6)))
        less = draw.randint(0, work) if inner else 0
        chain.append(Stage(a, saved, gradient, backward, (runs[0], runs[1]), work, work, less))
    return chain


# ---------------------------------------------------------------- every schedule


@cache
def schedules(first: int, last: int, *, end: bool) -> tuple[tuple[Operation, ...], ...]:
    """Every persistent schedule that brings the stages first … last backwards; `end`: the last stage is the last of
    all. Written anew from the paper's definition."""
    backward = Operation(Kind.BACKWARD, first)
    if first == last:
        return ((Operation(Kind.INNER, first), backward),)
    save = Operation(Kind.SAVE, first)
    found = [(save, *rest, backward) for rest in schedules(first + 1, last, end=end)]
    for at in range(first + 1, last + 1):
        up = (Operation(Kind.KEEP, first), *(Operation(Kind.PASS, n) for n in range(first + 1, at)))
        for above in schedules(at, last, end=end):
            found.extend((*up, *above, *below) for below in schedules(first, at - 1, end=False))
    return tuple(found)


def replay(chain: Chain, schedule: Iterator[Operation] | tuple[Operation, ...]) -> tuple[int, int]:
    """The most bytes alive, and the work on top, with a set of what is there at each moment."""
    inputs, saved, at, most, work, fresh = {0}, set(), 0, 0, 0, 0
    below = len(chain) - 1  # the stage that is brought backwards next
    for operation in schedule:
        n, stage = operation.stage, chain[operation.stage]
        others = sum(chain[k].input for k in inputs if k != n) + sum(chain[k].saved for k in saved if k != n)
        if operation.kind is Kind.BACKWARD:
            assert n == below
            assert n in saved
            saved.remove(n)
            below -= 1
            most = max(most, others + stage.backward)
            continue
        if n != at:
            assert n in inputs
        again = n < fresh
        run = stage.runs[again]
        fresh = max(fresh, n + 1)
        others += chain[below].gradient
        inputs.discard(n)
        if operation.kind is Kind.PASS:
            most, work, at = max(most, others + run.passing), work + again * stage.work, n + 1
        elif operation.kind is Kind.KEEP:
            inputs.add(n)
            most, work, at = max(most, others + run.keeping), work + again * stage.work, n + 1
        elif operation.kind is Kind.SAVE:
            saved.add(n)
            most, work, at = max(most, others + run.saving), work + again * stage.saving_work, n + 1
        else:
            saved.add(n)
            most, work = max(most, others + run.inner), work + again * stage.inner_work
        if operation.kind is not Kind.INNER:
            inputs.add(at)
    assert below == -1
    assert not inputs
    assert not saved
    return most, work


def frontier(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those rooms at which the work falls."""
    best: list[tuple[int, int]] = []
    for room, work in sorted(points):
        if not best or work < best[-1][1]:
            best.append((room, work))
    return best


@pytest.mark.parametrize("stages", range(1, 8))
@pytest.mark.parametrize("seed", range(4))
def test_equals_brute_force_over_all_budgets(stages: int, seed: int) -> None:
    chain = random_chain(stages, 100 * stages + seed)
    expected = frontier([replay(chain, s) for s in schedules(0, stages - 1, end=True)])
    assert Exact(chain, UNLIMITED).steps() == expected
    assert least_room(chain) == expected[0][0]


def test_equals_brute_force_on_eight_stages() -> None:
    every = schedules(0, 7, end=True)
    assert len(every) == 8558  # the large Schröder number
    for seed in range(2):
        chain = random_chain(8, seed)
        assert Exact(chain, UNLIMITED).steps() == frontier([replay(chain, s) for s in every])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_equals_brute_force_on_many_chains(seed: int) -> None:
    for stages in range(1, 9):
        chain = random_chain(stages, 1000 + seed, largest=10**6)
        expected = frontier([replay(chain, s) for s in schedules(0, stages - 1, end=True)])
        assert Exact(chain, UNLIMITED).steps() == expected


# ---------------------------------------------------------------- schedules that do not have this form


def cheapest(chain: Chain, budget: int) -> int | None:
    """The least work of all ways through, found by looking at every state that operations can lead to.

    A stage is run again only where its gradient waits for it, and what is kept stays until the backward part has read
    it; nothing else is said about the form of a schedule.
    """
    n = len(chain)
    start = (n - 1, frozenset[int](), frozenset[int](), 0, 0)  # waiting, inputs kept, saved, running value, fresh
    best = {start: 0}
    queue = [(0, 0, start)]
    for count in itertools.count(1):
        if not queue:
            return None
        work, _, state = heapq.heappop(queue)
        waiting, kept, saved, running, fresh = state
        if waiting < 0 and not kept:
            return work
        if work > best[state]:
            continue
        for added, room, after in moves(chain, waiting, kept, saved, running, fresh):
            if room <= budget and work + added < best.get(after, UNLIMITED):
                best[after] = work + added
                heapq.heappush(queue, (work + added, count, after))
    return None


def moves(chain: Chain, waiting: int, kept: frozenset[int], saved: frozenset[int], running: int, fresh: int):
    """Every operation: work, bytes, the state behind it."""
    n = len(chain)

    def others(k: int) -> int:
        return sum(chain[i].input for i in kept if i != k) + sum(chain[i].saved for i in saved if i != k)

    if waiting in saved:
        yield 0, others(waiting) + chain[waiting].backward, (waiting - 1, kept, saved - {waiting}, -1, fresh)
        return
    for k in {running, *kept} - {-1}:
        if k > waiting or k in saved:
            continue
        stage, again, room = chain[k], k < fresh, others(k) + chain[waiting].gradient
        run, on, behind = stage.runs[again], k + 1, max(fresh, k + 1)
        if on < n:
            if k not in kept:
                yield again * stage.work, room + run.passing, (waiting, kept, saved, on, behind)
            yield again * stage.work, room + run.keeping, (waiting, kept | {k}, saved, on, behind)
            yield again * stage.saving_work, room + run.saving, (waiting, kept - {k}, saved | {k}, on, behind)
        if k == waiting:
            yield again * stage.inner_work, room + run.inner, (waiting, kept - {k}, saved | {k}, -1, behind)


@pytest.mark.parametrize("stages", range(1, 6))
def test_no_other_form_is_cheaper(stages: int) -> None:
    for seed in range(4):
        chain = random_chain(stages, seed, reads=True)
        steps = Exact(chain, UNLIMITED).steps()
        for (room, work), before in zip(steps, [None, *(w for _, w in steps)], strict=False):
            assert cheapest(chain, room) == work
            assert cheapest(chain, room - 1) == before


# ---------------------------------------------------------------- Revolve


def revolve(steps: int, checkpoints: int) -> int:
    """Griewank and Walther, "Algorithm 799: revolve" (2000): forward steps besides the one before each backward step.

    r is the least number of repetitions with which so many steps can be reversed, C(checkpoints + r, checkpoints).
    """
    r = 0
    while math.comb(checkpoints + r, checkpoints) < steps:
        r += 1
    return r * steps - math.comb(checkpoints + r, checkpoints + 1)


@pytest.mark.parametrize("checkpoints", [1, 2, 3, 5])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13, 20])
def test_revolve(steps: int, checkpoints: int) -> None:
    """Unit sizes and unit work; a tape so large that only one step's can be there. What the running state and the
    gradients take is not counted there."""
    tape = 1000
    run = Run(passing=1, keeping=1, saving=tape, inner=tape)
    chain = [Stage(1, tape, 0, tape, (run, run), 1, 1, 1) for _ in range(steps)]
    # Every first run is no work on top, and there is one a step: they weigh as much as the last run of each.
    assert Exact(chain, checkpoints + tape).work(0, steps - 1, checkpoints + tape) == revolve(steps, checkpoints)


# ---------------------------------------------------------------- long chains


@given(st.integers(1, 14), st.integers(0, 10**6), st.floats(0, 1))
def test_schedules_keep_their_promise(stages: int, seed: int, share: float) -> None:
    chain = random_chain(stages, seed)
    solved = Exact(chain, UNLIMITED)
    least, most = solved.steps()[0][0], solved.steps()[-1][0]
    assert least == least_room(chain)
    room = int(least + share * (most - least))
    needed, work = replay(chain, operations(chain, solved, room))
    assert needed <= room
    assert work == solved.work(0, stages - 1, room) == Exact(chain, room).work(0, stages - 1, room)


@given(st.integers(1, 14), st.integers(0, 10**6), st.floats(1, 4))
def test_rounding_costs_no_room(stages: int, seed: int, times: float) -> None:
    """The rounded search finds the optimum of the rounded chain, and what it finds fits the chain as it is."""
    chain = random_chain(stages, seed, largest=10**6)
    room = int(least_room(chain) * times)
    unit = max(1, -(-room // 1000))
    rounded, units = in_units(chain, unit), room // unit
    solved: Solved = Rounded(rounded, units)
    work = solved.work(0, stages - 1, units)
    assert work == Exact(rounded, units).work(0, stages - 1, units)
    if work is None:
        return
    needed, replayed = replay(chain, operations(rounded, solved, units))
    assert replayed == work
    assert needed <= room


def test_a_hundred_stages() -> None:
    chain = random_chain(100, 1, largest=10**6)
    room = 2 * least_room(chain)
    unit = -(-room // 1000)
    rounded, units = in_units(chain, unit), room // unit
    needed, work = replay(chain, operations(rounded, Rounded(rounded, units), units))
    assert needed <= room
    assert 0 < work < 4 * sum(stage.work for stage in chain)
