"""Repeated rows and lists, shown once: what folds, what does not, and that everything comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan.fold import More, folded, folded_list, unfolded, unfolded_list

CHAIN = "repeat {} {{ layer 5 relu }}\nlayer 1 sigmoid\n"


def shown(rows: list[str], copies: list[int]) -> list[str]:
    """The lines for rows of one cell, each in a copy of one repeat (0: in none)."""
    paths = [((1, copy),) if copy else () for copy in copies]
    lines = folded([(row,) for row in rows], paths)
    return [str(line).strip() if isinstance(line, More) else rows[line] for line in lines]


def test_copies_that_count_in_steps_fold() -> None:
    rows = ["X", *(f"A[{i}] in B{40 - 3 * i}" for i in range(1, 13)), "J"]
    assert shown(rows, [0, *range(1, 13), 0]) == [
        "X",
        "A[1] in B37",
        "⋮   11 more copies of the 1 row above; the last:",
        "A[12] in B4",
        "J",
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [f"A[{i * i}]" for i in range(1, 13)],  # not in equal steps
        [f"{'A' if i % 2 else 'Z'}[{i}]" for i in range(1, 13)],
        [f"A[{i}]" for i in range(1, 6)],  # too few to be worth it
        ["A[01]", *(f"A[{i}]" for i in range(2, 13))][:6],
    ],
)
def test_what_does_not_fold(rows: list[str]) -> None:
    assert shown(rows, list(range(1, len(rows) + 1))) == rows


def test_only_copies_fold() -> None:
    rows = [f"A[{i}]" for i in range(20)]
    assert shown(rows, [0] * 20) == rows
    assert list(folded([(row,) for row in rows], ())) == list(range(20))


def test_copies_of_different_repeats_do_not_mix() -> None:
    rows = [(f"A[{i}]",) for i in range(12)]
    paths = [((i // 6, i % 6),) for i in range(12)]
    assert list(folded(rows, paths)) == list(range(12))


def test_folds_inside_folds() -> None:
    rows = [(f"A[{20 * i + j}]",) for i in range(1, 11) for j in range(1, 13)]
    paths = [((0, i), (i, j)) for i in range(1, 11) for j in range(1, 13)]
    places = list(folded(rows, paths))
    assert len(places) == 3 + 1 + 3
    lines = [place if isinstance(place, More) else rows[place] for place in places]
    again, inside = unfolded(lines)
    assert again == rows
    assert list(folded(again, inside)) == places


def test_a_list_folds_by_itself() -> None:
    text = ", ".join(["a", *(f"A[{i}] {8 * i} m, mask[{i}] m" for i in range(1, 8)), "b 4"])
    assert folded_list(text) == "a, A[1] 8 m, mask[1] m … A[7] 56 m, mask[7] m (7 alike), b 4"
    assert unfolded_list(folded_list(text)) == text


@given(st.lists(st.sampled_from(["a", "b 1", "b 2", "b 3", "c[1] 05", "c[2] 06", "1,204 m", "", "d 10", "d 0"])))
def test_any_list_comes_back(items: list[str]) -> None:
    text = ", ".join(items)
    assert unfolded_list(folded_list(text)) == text
    longer = ", ".join(item for item in items for _ in range(12))
    assert unfolded_list(folded_list(longer)) == longer


@pytest.mark.parametrize("purpose", ["inference", "gradients", "step"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_long_chain_is_a_short_text(level: int, purpose: str) -> None:
    listing = dnnlang.compile(CHAIN.format(200), optimize=level).listing(purpose)
    assert dnnlang.read_plan(str(listing)) == listing
    assert str(dnnlang.read_plan(str(listing))) == str(listing)
    assert len(str(listing).splitlines()) < 80
    assert len(str(listing)) < 10_000
    flat = listing.text(flat=True)
    assert len(flat.splitlines()) > 400
    assert dnnlang.read_plan(flat) == listing


def test_a_program_without_repeat_is_written_out() -> None:
    by_hand = dnnlang.compile("layer 5 relu\n" * 30 + "layer 1 sigmoid").listing()
    assert "more copies" not in str(by_hand)
    assert str(by_hand) == by_hand.text(flat=True)


def test_few_copies_are_written_out() -> None:
    assert "more copies" not in str(dnnlang.compile(CHAIN.format(3)))


@pytest.mark.parametrize(
    "line",
    [
        " ⋮   999,999,999,999 more copies of the 1 row above; the last:",
        " ⋮   3 more copies of the 90 rows above; the last:",
        " ⋮   0 more copies of the 1 row above; the last:",
        " ⋮   7 more copies of the 1 row above; the last:",  # the numbers are not 7 equal steps apart
    ],
)
def test_a_text_that_was_changed_is_refused(line: str) -> None:
    text = str(dnnlang.compile(CHAIN.format(40)))
    first = next(each for each in text.splitlines() if "more copies" in each)
    with pytest.raises(dnnlang.UsageError):
        dnnlang.read_plan(text.replace(first, line, 1))
    with pytest.raises(dnnlang.UsageError):
        dnnlang.read_plan(text[: text.index(first)] + first)
