"""Masks of dropout as single bits: the same numbers as a matrix, piece by piece, in the room that the plan says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.backends.numpy import masks
from dnnlang.backends.numpy.masks import draw, unpack
from dnnlang.backends.philox import mask_words
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import M, evaluate, symbol

SIZES = st.integers(1, 70)


def stored(rows: int, columns: int, dtype: str) -> np.ndarray:
    """Room as for a value of the plan, with something in it before."""
    shape = Value("D", (rows, M), Role.MASK, packed=True).stored
    return np.full((evaluate(shape[0], {}), columns), np.nan, dtype)


@given(
    rows=SIZES,
    columns=SIZES,
    dtype=st.sampled_from(("float32", "float64")),
    dropped=st.integers(0, 2**32 - 1),
    piece=st.sampled_from((8, 64, 1 << 16)),
)
def test_bits_are_the_numbers_of_the_lesson(rows: int, columns: int, dtype: str, dropped: int, piece: int) -> None:
    expected = mask_words(rows, columns, seed=3, step=5, node=2) >= dropped
    bits, numbers, entries = stored(rows, columns, dtype), *(np.empty((rows, columns), dtype) for _ in range(2))
    before, masks.PIECE = masks.PIECE, piece
    try:
        draw(bits, (rows, columns), dropped, packed=True, seed=3, step=5, node=2)
        draw(numbers, (rows, columns), dropped, packed=False, seed=3, step=5, node=2)
        unpack(bits, entries, np.asarray(1.25, dtype))
    finally:
        masks.PIECE = before
    np.testing.assert_array_equal(numbers, expected)
    np.testing.assert_array_equal(entries, expected * np.asarray(1.25, dtype))


@pytest.mark.parametrize(("rows", "numbers"), [(1, 1), (32, 1), (33, 2), (64, 2), (1000, 32)])
def test_a_number_holds_32_entries_of_a_column(rows: int, numbers: int) -> None:
    assert Value("D", (rows, M), Role.MASK, packed=True).stored == (numbers, M)
    assert Value("D", (rows, M), Role.MASK).stored == (rows, M)


def test_an_open_number_of_entries_is_a_formula() -> None:
    rows, _ = Value("D", (symbol("n"), M), Role.MASK, packed=True).stored
    assert [evaluate(rows, {"n": n}) for n in (1, 32, 33, 640)] == [1, 1, 2, 20]


PROGRAM = "input 3 as x\nlayer 37 tanh\ndropout 0.3 as a\nlayer 5 relu\ndropout 0.5 as b\nlayer 2 softmax"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_level_draws_the_same_mask(dtype: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3, 41))
    traces = []
    for level in (0, 1, 2):
        network = dnnlang.compile(PROGRAM, optimize=level).load(dtype=dtype, seed=4)
        traces.append({name: array for name, array, _ in network.trace(X, training=True)})
    for name in ("mask[a]", "mask[b]"):
        assert traces[0][name].dtype == dtype
        np.testing.assert_array_equal(traces[1][name], traces[0][name])
        np.testing.assert_array_equal(traces[2][name], traces[0][name])
    assert set(np.unique(traces[2]["mask[b]"])) == {0, 2}


def test_a_mask_is_drawn_again_in_the_backward_part() -> None:
    """At -O2 nothing of it is kept, and the gradients are those of -O0."""
    rng = np.random.default_rng(1)
    X, Y = rng.normal(size=(3, 41)), rng.integers(0, 2, 41)
    found = []
    for level in (0, 2):
        program = dnnlang.compile(PROGRAM, optimize=level)
        network = program.load(dtype="float64", seed=4)
        found.append({name: np.array(g) for name, g in network.gradients(X, Y).items()})
    assert not any("mask" in slot.value for slot in program.cache)
    for name, gradient in found[0].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=1e-12, atol=1e-15)
