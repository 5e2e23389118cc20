"""C in several translation units: each function in one of them, the numbers those of the whole."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.backends.native import toolchain
from dnnlang.backends.native.source import Written, write
from dnnlang.backends.native.toolchain import available

ROOT = Path(__file__).parents[3]
DEFINED = re.compile(r"^(?:static )?void ((?:tile|step)_\w+)\([^;]*?\) \{$", re.MULTILINE)
DECLARED = re.compile(r"^void ((?:tile|step)_\w+)\([^;]*?\);$", re.MULTILINE)


def written(example: str, purpose: str = "step", lanes: int = 4) -> Written:
    return write(dnnlang.compile_file(ROOT / "examples" / f"{example}.dnn").plan(purpose), lanes=lanes, bits=32)


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("example", ["residual", "digits", "tower"])
def test_each_function_is_in_one_unit_and_known_where_it_is_used(example: str, count: int) -> None:
    made = written(example)
    units = made.units(count)
    assert len(units) == count
    defined = [name for unit in units for name in DEFINED.findall(unit)]
    assert sorted(defined) == sorted(DEFINED.findall(made.text))
    for unit in units:
        used = set(re.findall(r"\b(?:tile|step)_(?:\d+x\d+_)?\d+\b", unit))
        assert used == set(DECLARED.findall(unit))


def test_what_is_made_once_in_each_unit_is_made_once() -> None:
    """`product` and what it calls would else cost each unit a compile of it."""
    units = written("residual").units(3)
    assert sum("product(e, tiles" in unit for unit in units) == 1


def test_only_one_unit_has_the_threads_and_what_is_called_from_outside() -> None:
    first, *others = written("residual").units(4)
    for text in ("dnn_run(", "dnn_forward(", "functions[] ="):
        assert text in first
        assert not any(text in other for other in others)
    assert "OF_ALL_UNITS extern" not in first
    assert all("OF_ALL_UNITS extern" in other for other in others)


def test_a_small_program_is_not_divided() -> None:
    assert len(write(dnnlang.compile("input 2; layer 1").plan("inference"), lanes=4, bits=32).units(4)) == 1


@pytest.mark.skipif(not available(), reason="no C compiler")
@pytest.mark.usefixtures("compiled_in_a_hurry")
def test_units_compute_what_the_whole_does(monkeypatch: pytest.MonkeyPatch, on_threads, tmp_path: Path) -> None:
    on_threads(2)
    losses = []
    for processors in (1, 3):
        monkeypatch.setattr(toolchain, "_processors", lambda count=processors: count)
        monkeypatch.setattr(toolchain, "user_folder", lambda count=processors: tmp_path / str(count))
        losses.append(trained())
    assert losses[0] == losses[1]


def trained() -> list[float]:
    program = dnnlang.compile_file(ROOT / "examples" / "residual.dnn")
    network = program.load(backend="native", seed=1)
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((64, 70)), rng.integers(0, 10, 70)
    return [network.step(X, Y) for _ in range(3)]
