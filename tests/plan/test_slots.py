"""Slots: what lives at the same time never overlaps, for any m; peaks as formulas; what the lesson's networks need."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan.ir import Plan, Purpose, Slot
from dnnlang.plan.layout import height, largest_lines, offsets, sharing, starts
from dnnlang.plan.liveness import buffers
from dnnlang.plan.memory import live_bytes, lower_bound, memory, slot_bytes, slots_ratio
from dnnlang.plan.passes import make_plan
from dnnlang.plan.text import format_bytes
from dnnlang.plan.verify import verify
from dnnlang.plan.verify_slots import Arena
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import M, Maximum, Size, evaluate
from tests.programs import ProgramSpec, programs

LESSON = "input 12288\nlayer 20 relu\nlayer 7 relu\nlayer 5 relu\nlayer 1 sigmoid"
MIXED = "input 3\nlayer 6 relu\nbatchnorm\nlayer 4 tanh\nlayernorm\nlayer 1 sigmoid"


def plan_of(text: str, level: int, purpose: Purpose = Purpose.GRADIENTS) -> Plan:
    return make_plan(dnnlang.compile(text).architecture, purpose, level=level, training=True)


def number(size: Size | Maximum, m: int) -> int:
    return size.evaluate({"m": m}) if isinstance(size, Maximum) else evaluate(size, {"m": m})


@pytest.mark.parametrize(
    ("text", "level", "bytes_"),
    [
        ("input 3\nlayer 5 relu\nlayer 1 sigmoid", 1, "44 m"),
        ("input 3\nlayer 5 relu\nlayer 1 sigmoid", 2, "24 m"),
        (LESSON, 1, "188 m"),
        (LESSON, 2, "132 m"),
    ],
)
def test_what_the_lesson_s_networks_need(text: str, level: int, bytes_: str) -> None:
    plan = plan_of(text, level)
    assert format_bytes(slot_bytes(plan)) == bytes_
    assert slot_bytes(plan) == lower_bound(plan)
    assert slots_ratio(plan) == 1


@pytest.mark.parametrize("m", [1, 3, 64, 1000])
@pytest.mark.parametrize("level", [0, 1, 2])
@given(spec=programs(max_nodes=12, most_units=9))
def test_what_lives_at_the_same_time_never_overlaps(level: int, m: int, spec: ProgramSpec) -> None:
    plan = plan_of(spec.text, level)
    sizes = {s.number: number(s.elements, m) for s in plan.slots}
    begins, end = starts(plan.slots, sizes)
    placed = []
    for b in buffers(plan):
        slot = plan.places[b.values[0]]
        assert {plan.places[v] for v in b.values} == {slot}
        placed.append((b.lower, b.upper, begins[slot], begins[slot] + sizes[slot]))
    for one, other in combinations(placed, 2):
        if one[0] < other[1] and other[0] < one[1]:
            assert one[3] <= other[2] or other[3] <= one[2]
    assert end == number(height(plan.slots), m) >= number(lower_bound(plan, 1), m)
    assert {n: number(at, m) for n, at in offsets(plan.slots).items()} == begins


@given(spec=programs(max_nodes=12))
def test_live_bytes_are_the_lower_bound_at_64(spec: ProgramSpec) -> None:
    plan = plan_of(spec.text, 1)
    assert live_bytes(plan) == number(lower_bound(plan), 64)
    needs = memory(plan)
    assert number(needs.slots, 64) == number(needs.peak, 64) - number(needs.persistent, 64)
    assert number(needs.workspace + needs.cache, 64) == number(needs.slots, 64)
    assert number(needs.cache + needs.workspace, 64) == number(needs.slots, 64)


def test_a_slot_that_stands_on_too_little_is_found() -> None:
    """Each slot in turn put at the beginning of the arena: what is alive there is destroyed."""
    for text, level in ((LESSON, 1), (LESSON, 2), (MIXED, 1), (MIXED, 2)):
        plan = plan_of(text, level)
        for at, slot in enumerate(plan.slots):
            if slot.on:
                moved = (*plan.slots[:at], replace(slot, on=()), *plan.slots[at + 1 :])
                assert verify(replace(plan, slots=moved)) != []


def test_the_verifier_lays_out_for_every_m() -> None:
    """The third slot lies just above the first if m = 64, but not if m is less."""
    arena = Arena((Slot(1, 64, False), Slot(2, 1, True), Slot(3, 1, True, (2,))))
    first, third = Value("first", (64, 1), Role.ACTIVATION), Value("third", (1, M), Role.ACTIVATION)
    assert arena.write(first, 1) == set()
    assert arena.write(third, 3) == {first}
    assert arena.holds(third)
    assert not arena.holds(first)


@given(data=st.data(), count=st.integers(1, 9))
def test_a_write_destroys_what_it_does_not_stand_on_and_what_does_not_stand_on_it(
    data: st.DataObject, count: int
) -> None:
    numbers = range(1, count + 1)
    on = {n: data.draw(st.sets(st.integers(1, n - 1), max_size=3) if n > 1 else st.just(set())) for n in numbers}
    below: dict[int, set[int]] = {}
    for n in numbers:
        below[n] = on[n].union(*(below[other] for other in on[n]))
    arena = Arena([Slot(n, 1, True, tuple(sorted(on[n]))) for n in data.draw(st.permutations(numbers))])
    there: dict[Value, int] = {}
    for slot in data.draw(st.lists(st.sampled_from(numbers), max_size=20)):
        value = Value("Z", (1, M), Role.ACTIVATION)
        gone = {v for v, other in there.items() if slot not in below[other] and other not in below[slot]}
        assert arena.write(value, slot) == gone
        there = {v: other for v, other in there.items() if v not in gone} | {value: slot}
        assert all(arena.holds(v) for v in there)
        assert not any(arena.holds(v) for v in gone)


@pytest.mark.parametrize("on", [(3,), (2,), (99,)])
def test_slots_that_stand_on_each_other_or_on_nothing_are_found(on: tuple[int, ...]) -> None:
    plan = plan_of(LESSON, 2)
    third = next(s for s in plan.slots if 2 in s.on)
    second = next(s for s in plan.slots if s.number == 2)
    broken = [replace(s, on=(third.number,) if on == (3,) else on) if s is second else s for s in plan.slots]
    assert verify(replace(plan, slots=tuple(broken))) != []


def test_slots_that_share_room() -> None:
    slots = (Slot(1, 2, True), Slot(2, 3, True, (1,)), Slot(3, 4, True, (1,)), Slot(4, 1, True, (2, 3)))
    assert sharing(slots) == {2: (128, 320), 3: (128, 384)}
    assert sharing(slots[:2]) == {}
    assert str(height(slots)) == "7*m"


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20))
def test_the_largest_lines(lines: list[tuple[int, int]]) -> None:
    kept = largest_lines(lines)
    for m in (1, 2, 3, 10, 1000):
        assert max(a * m + b for a, b in kept) >= max(a * m + b for a, b in lines)
    if set(kept) <= set(lines):
        assert all(max(a * m + b for a, b in kept) == max(a * m + b for a, b in lines) for m in (1, 2, 3, 10))


def test_a_listing_says_what_overlaps_and_reads_back() -> None:
    text = str(dnnlang.compile(LESSON, optimize=1))
    assert "\nslots      slot 7 at 0, over slots 2 to 5\n" in text
    assert str(dnnlang.read_plan(text)) == text
