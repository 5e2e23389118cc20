"""Work done a piece at a time gives the numbers that it gives at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnlang
from dnnlang.backends.numpy import expressions, pieces, tiles
from dnnlang.network import Network
from tests.backends.test_numpy_memory import OPERATIONS, Data, drawn
from tests.exploring import examples
from tests.programs import ProgramSpec, programs


def results(network: Network, X: Data, Y: Data) -> dict[str, np.ndarray]:
    found = dict(network.gradients(X, Y))
    found["J"] = np.array(network.step(X, Y))
    return {**found, **network.statistics}


def compared(text: str, level: int, m: int) -> None:
    program = dnnlang.compile(text, optimize=level)
    X, Y = drawn(program, m, "float64")
    found = []
    for tile in (8, 1 << 40):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(expressions, "TILE", tile)
            patch.setattr(tiles, "TILE", tile)
            patch.setattr(tiles, "FEWEST_COLUMNS", 2)
            patch.setattr(pieces, "FEWEST_COLUMNS", 3)
            network = program.load(dtype="float64", seed=3)
            if not network.fitted:
                network.standardize(X)
            found.append(results(network, X, Y))
    small, whole = found
    for name in whole:
        np.testing.assert_allclose(small[name], whole[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str, level: int) -> None:
    compared(f"input 5\n{OPERATIONS[name]}", level, 19)


@given(programs(), st.integers(0, 2), st.integers(1, 11))
@settings(max_examples=examples(60))
def test_random_programs(spec: ProgramSpec, level: int, m: int) -> None:
    compared(spec.text, level, m)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (40_000, 2), (2, 40_000), (300, 700)])
def test_pieces_cover_everything_once(shape: tuple[int, int]) -> None:
    for cut in (tiles.entry_pieces, tiles.column_pieces):
        times = np.zeros(shape, int)
        for piece in cut(shape):
            times[piece] += 1
        assert (times == 1).all()
