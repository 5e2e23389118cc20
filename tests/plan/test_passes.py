"""What each pass makes of small programs, in files beside them: tests/plan/PASS/NAME.dnn and NAME.plan.

The first line of a program says what it shows. The plan is that of the first level that has the pass, of -O2 where the
name ends so; `# --memory-budget 4kB --batch 64` at its beginning counts. `pytest --update-golden` writes the plans
anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import dnnlang
from dnnlang.plan.budget.amount import read_bytes
from dnnlang.plan.ir import Options, Purpose
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
    level = 2 if path.stem.endswith("_O2") else chosen.levels.start
    options = _options(path.read_text(encoding="utf-8"))
    plan = make_plan(program.architecture, purpose, level=level, training=True, after=chosen.name, options=options)
    assert plan.passes[-1] == chosen.name
    golden(path.with_suffix(".plan"), str(listing(plan)) + "\n")


def _options(text: str) -> Options:
    """What the first line asks for, as on the command line."""
    asked = re.match(r"# --memory-budget (\S+) --batch (\d+)", text)
    return Options() if asked is None else Options(memory_budget=read_bytes(asked[1]), batch=int(asked[2]))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("path", WHOLE, ids=lambda p: p.stem)
def test_whole_plan(path: Path, level: int, golden: Callable[[Path, str], None]) -> None:
    program = dnnlang.compile_file(path, optimize=level)
    golden(path.with_suffix(f".O{level}.plan"), f"{program}\n")


def test_every_pass_has_goldens() -> None:
    assert {p.parent.name for p in PROGRAMS} == set(BY_FOLDER)
