"""Where slots lie in the arena: by numbers when sizes are bound, and as formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from graphlib import TopologicalSorter
from typing import Final

from dnnlang.plan.ir import Slot
from dnnlang.plan.room import Room
from dnnlang.sizes import M, Maximum, Polynomial, Size, SizeError, evaluate, maximum, symbols
from dnnlang.sizes.monomial import ONE, Monomial

Line = tuple[int, int]
"""a m + b, as (a, b)."""

SAMPLES: Final = 64
"""The m for which slots are laid out. What stands on what is kept for every other m."""
OPEN_SIZES: Final = (64, 5040, 720720)
"""What open sizes are taken for: the first of these that makes every size a whole number."""
MOST_LINES: Final = 8
"""Formulas that an offset is the maximum of; more are replaced by one that is at least as large."""


def upwards(slots: Sequence[Slot]) -> list[Slot]:
    """The slots, each behind those that it stands on. Raises CycleError, a ValueError, where one stands on itself."""
    if all(on < slot.number for slot in slots for on in slot.on):
        return list(slots)
    by_number = {slot.number: slot for slot in slots}
    sorter = TopologicalSorter({slot.number: slot.on for slot in slots})
    return [by_number[number] for number in sorter.static_order()]


def starts(slots: Sequence[Slot], sizes: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """Where each slot begins, and where the highest ends, when slot `number` takes `sizes[number]`."""
    found: dict[int, int] = {}
    height = 0
    for slot in upwards(slots):
        start = max((found[n] + sizes[n] for n in slot.on), default=0)
        found[slot.number] = start
        height = max(height, start + sizes[slot.number])
    return found, height


def numbers_in(rooms: Iterable[Room]) -> dict[Room, int]:
    """How many numbers each room holds at the reference sizes; at least 1. Of many rooms most are alike.

    The reference sizes are SAMPLES samples, and a stated value of whatever else is open.
    """
    distinct = dict.fromkeys(rooms)
    for value in OPEN_SIZES:
        try:
            return {(rows, per): max(1, (SAMPLES if per else 1) * _number(rows, value)) for rows, per in distinct}
        except SizeError:
            continue
    return {(rows, per): max(1, _weight(rows)) for rows, per in distinct}


def slot_sizes(slots: Sequence[Slot]) -> dict[int, int]:
    """How many numbers each slot holds at the reference sizes, by its number."""
    numbers = numbers_in((s.rows, s.per_sample) for s in slots)
    return {s.number: numbers[s.rows, s.per_sample] for s in slots}


@lru_cache(maxsize=4096)  # a formula may have as many terms as a program has inputs, and each pass asks again
def _number(size: Size, value: int) -> int:
    """The size where all that is open is `value`. Raises SizeError where that is not an integer."""
    return evaluate(size, {**dict.fromkeys(symbols(size), value), "m": SAMPLES})


def _weight(size: Size) -> int:
    return size if isinstance(size, int) else sum(abs(coefficient) for _, coefficient in size.items())


def sharing(slots: Sequence[Slot]) -> dict[int, tuple[int, int]]:
    """Where those slots begin and end that have bytes in common with others; in numbers, at the reference sizes."""
    sizes = slot_sizes(slots)
    begins, _ = starts(slots, sizes)
    found: dict[int, tuple[int, int]] = {}
    highest, end = 0, 0  # the slot that reaches highest of those that begin no higher, and how high
    for number in sorted(begins, key=lambda n: begins[n]):
        if begins[number] < end:
            for each in (highest, number):
                found[each] = begins[each], begins[each] + sizes[each]
        if begins[number] + sizes[number] > end:
            highest, end = number, begins[number] + sizes[number]
    return found


def offsets(slots: Sequence[Slot]) -> dict[int, Size | Maximum]:
    """Where each slot begins, in numbers, as a formula."""
    return _formulas(slots)[0]


def height(slots: Sequence[Slot]) -> Size | Maximum:
    """How many numbers the arena holds, as a formula."""
    return _formulas(slots)[1]


def _formulas(slots: Sequence[Slot]) -> tuple[dict[int, Size | Maximum], Size | Maximum]:
    if not slots:
        return {}, 0
    if not all(isinstance(slot.rows, int) for slot in slots):
        return _of_any_sizes(slots)
    begins: dict[int, list[Line]] = {}
    ends: dict[int, list[Line]] = {}
    highest: list[Line] = []
    for slot in upwards(slots):
        assert isinstance(slot.rows, int)  # for the type checker
        begin = largest_lines([line for n in slot.on for line in ends[n]] or [(0, 0)])
        a, b = (slot.rows, 0) if slot.per_sample else (0, slot.rows)
        begins[slot.number] = begin
        ends[slot.number] = [(x + a, y + b) for x, y in begin]
        highest = largest_lines([*highest, *ends[slot.number]])
    return {number: formula(begin) for number, begin in begins.items()}, formula(highest)


def _of_any_sizes(slots: Sequence[Slot]) -> tuple[dict[int, Size | Maximum], Size | Maximum]:
    begins: dict[int, Size | Maximum] = {}
    ends: dict[int, Size | Maximum] = {}
    highest: Size | Maximum = 0
    for slot in upwards(slots):
        begins[slot.number] = _few(maximum(0, *(ends[n] for n in slot.on)))
        ends[slot.number] = begins[slot.number] + slot.elements
        highest = _few(maximum(highest, ends[slot.number]))
    return begins, highest


def _few(size: Size | Maximum) -> Size | Maximum:
    """The same, or if it is the maximum of too many formulas one that is at least as large."""
    return _above(size.sizes) if isinstance(size, Maximum) and len(size.sizes) > MOST_LINES else size


def _above(sizes: Iterable[Size]) -> Size:
    """A formula that is at least each of `sizes`: of each monomial the largest coefficient."""
    largest: dict[Monomial, int] = {}
    for size in sizes:
        for monomial, coefficient in ((ONE, size),) if isinstance(size, int) else size.items():
            largest[monomial] = max(coefficient, largest.get(monomial, 0))
    constant = largest.pop(ONE, 0)
    return Polynomial(largest) + constant if largest else constant


def largest_lines(lines: Iterable[Line]) -> list[Line]:
    """Those that are the largest for some m of at least 1, the steepest first; too many are replaced by one above."""
    kept: list[Line] = []
    for a, b in sorted(set(lines), reverse=True):
        if not kept or a + b > kept[-1][0] + kept[-1][1]:
            kept.append((a, b))
    if len(kept) <= MOST_LINES:
        return kept
    return [(max(a for a, _ in kept), max(b for _, b in kept))]


def formula(lines: Sequence[Line]) -> Size | Maximum:
    return maximum(*(a * M + b for a, b in lines))
