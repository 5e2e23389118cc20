"""Did you mean: only what is close, and the closest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.diagnostics.suggest import closest

NAMES = "layer apply add multiply concat dropout batchnorm layernorm standardize".split()
ACTIVATIONS = "linear relu leaky_relu elu selu gelu sigmoid hard_sigmoid tanh softmax softplus sin exp".split()


@pytest.mark.parametrize(
    ("word", "candidates", "meant"),
    [
        ("rellu", ACTIVATIONS, "relu"),
        ("ReLU", ACTIVATIONS, "relu"),
        ("sigmiod", ACTIVATIONS, "sigmoid"),
        ("sofmax", ACTIVATIONS, "softmax"),
        ("leakyrelu", ACTIVATIONS, "leaky_relu"),
        ("LeakyReLU", ACTIVATIONS, "leaky_relu"),
        ("hard-sigmoid", ACTIVATIONS, "hard_sigmoid"),
        ("lyaer", NAMES, "layer"),
        ("drop_out", NAMES, "dropout"),
        ("concatt", NAMES, "concat"),
        ("batch_norm", NAMES, "batchnorm"),
        ("dense", NAMES, None),
        ("conv", NAMES, None),
        ("maxout", ACTIVATIONS, None),
        ("x", ["y", "z"], None),
        ("X", ["x", "y"], "x"),
        ("h2", ["h1", "w"], "h1"),
        ("", ["a"], None),
        ("relu", [], None),
    ],
)
def test_what_is_meant(word: str, candidates: list[str], meant: str | None) -> None:
    assert closest(word, candidates) == meant


def test_of_equally_close_ones_the_first() -> None:
    assert closest("wa", ["wb", "wc"]) == "wb"
    assert closest("wa", ["wc", "wb"]) == "wc"


@given(st.text(max_size=20), st.lists(st.text(max_size=20), max_size=5))
def test_any_words(word: str, candidates: list[str]) -> None:
    meant = closest(word, candidates)
    assert meant is None or (meant in candidates and meant != word)
