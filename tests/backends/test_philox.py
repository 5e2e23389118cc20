"""Philox4x32-10: the published known answers, and what the streams promise."""

from __future__ import annotations

import numpy as np
import pytest

from dnnlang.backends.philox import key_of, mask_words, normal, philox4x32, uniform

# Random123, tests/kat_vectors.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_known_answers(counter: tuple, key: tuple, answer: tuple) -> None:
    assert tuple(int(w) for w in philox4x32(counter, key)) == answer


def test_arrays_of_counters_are_counters_one_by_one() -> None:
    counters = np.arange(12).reshape(3, 4)
    together = philox4x32((counters, 7, 8, 9), (1, 2))
    for index in np.ndindex(3, 4):
        alone = philox4x32((int(counters[index]), 7, 8, 9), (1, 2))
        assert [int(w[index]) for w in together] == [int(w) for w in alone]


def test_a_mask_does_not_depend_on_the_rest_of_the_batch() -> None:
    whole = mask_words(10, 64, seed=3, step=5, node=2)
    assert (mask_words(10, 9, seed=3, step=5, node=2) == whole[:, :9]).all()
    assert (mask_words(6, 64, seed=3, step=5, node=2) == whole[:6]).all()


def test_seed_step_and_node_tell_masks_apart() -> None:
    base = {"seed": 3, "step": 5, "node": 2}
    words = mask_words(8, 8, **base)
    for change in ({"seed": 4}, {"step": 6}, {"node": 3}):
        assert (mask_words(8, 8, **(base | change)) != words).mean() > 0.99


def test_large_and_negative_seeds_are_keys() -> None:
    assert key_of(2**32 + 5) == (5, 1)
    assert key_of(-1) == (0xFFFFFFFF, 0xFFFFFFFF)


def test_numbers_have_the_right_distribution() -> None:
    n = normal((200, 200), seed=0, parameter=1, draw=0)
    assert abs(n.mean()) < 0.02
    assert abs(n.std() - 1) < 0.02
    assert abs((n**4).mean() - 3) < 0.15
    u = uniform((200, 200), seed=0, parameter=1, draw=1)
    assert 0 < u.min() < 1e-3
    assert 1 - 1e-3 < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(n.ravel(), u.ravel())[0, 1]) < 0.02


def test_masks_and_initial_weights_come_from_different_streams() -> None:
    """Node 1 of step 0 and parameter 1 would share counters without the stream in the last word."""
    mask = mask_words(4, 1, seed=0, step=0, node=1)
    first = uniform((1, 1), seed=0, parameter=1, draw=0)[0, 0]
    assert (int(mask[0, 0]) + 0.5) * 2.0**-32 != first
