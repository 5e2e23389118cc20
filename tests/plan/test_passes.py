"""What each pass makes of small programs, in files beside them: tests/plan/PASS/NAME.dnn and NAME.plan.

The first line of a program says what it shows. `pytest --update-golden` writes the plans anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import dnnlang
from dnnlang.plan.ir import Purpose
from dnnlang.plan.passes import PASSES, make_plan
from dnnlang.plan.text import listing

HERE = Path(__file__).parent
BY_FOLDER = {p.name.replace(" ", "_"): p for p in PASSES}
PROGRAMS = sorted(p for p in HERE.glob("*/*.dnn") if p.parent.name in BY_FOLDER)
WHOLE = sorted(HERE.glob("whole/*.dnn"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_pass(path: Path, golden: Callable[[Path, str], None]) -> None:
    chosen = BY_FOLDER[path.parent.name]
    program = dnnlang.compile_file(path)
    purpose = Purpose.STEP if chosen.name == "update" else Purpose.GRADIENTS
    plan = make_plan(program.architecture, purpose, level=chosen.levels.start, training=True, after=chosen.name)
    assert plan.passes[-1] == chosen.name
    golden(path.with_suffix(".plan"), str(listing(plan)) + "\n")


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("path", WHOLE, ids=lambda p: p.stem)
def test_whole_plan(path: Path, level: int, golden: Callable[[Path, str], None]) -> None:
    program = dnnlang.compile_file(path, optimize=level)
    golden(path.with_suffix(f".O{level}.plan"), f"{program}\n")


def test_every_pass_has_goldens() -> None:
    assert {p.parent.name for p in PROGRAMS} == set(BY_FOLDER)
