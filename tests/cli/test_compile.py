"""`dnnc compile --after PASS` and `--emit FORMAT`."""

from __future__ import annotations

from pathlib import Path

import pytest

import dnnlang
from dnnlang.plan.passes import PASSES
from tests.cli.tools import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.dnn"))
LEVELS = {level: [each.name for each in PASSES if level in each.levels] for level in (0, 1, 2)}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_plan_at_any_point_is_printed_and_read_back(path: Path, level: int) -> None:
    program = dnnlang.compile_file(path, optimize=level)
    for name in LEVELS[level]:
        found = program.listing(after=name)
        assert found.title.endswith(f", after {name}")
        for text in (found.text(), found.text(flat=True)):
            again = dnnlang.read_plan(text)
            assert again == found
        assert dnnlang.read_plan(found.text()).text() == found.text()


def test_a_pass_goes_by_its_name_however_it_is_spelt(dnnc, folder):
    for spelling in ("dead code", "dead-code", "dead_code", "Dead Code"):
        done = dnnc("compile", "moons.dnn", "--after", spelling)
        assert done.status == 0
        assert done.out.partition("\n")[0].endswith("-O2, after dead code")


def test_a_plan_on_its_way_has_no_slots_yet(dnnc, folder):
    first = dnnc("compile", "moons.dnn", "-O1", "--after", "lower").out
    assert "Z[1] = W[1] X + b[1]" in first
    assert "slot" not in first
    assert "backward" not in first
    assert "peak" not in first
    assert "dZ[2] = A[2] - Y" in dnnc("compile", "moons.dnn", "-O1", "--after", "differentiate").out
    in_place = dnnc("compile", "moons.dnn", "-O1", "--after", "alias").out
    assert "in place" in in_place
    assert "slot" not in in_place
    last = dnnc("compile", "moons.dnn", "-O1", "--after", "slots").out
    assert last.partition("\n")[2] == dnnc("compile", "moons.dnn", "-O1").out.partition("\n")[2]


def test_a_pass_for_steps_only_shows_a_step(dnnc, folder):
    done = dnnc("compile", "moons.dnn", "--after", "update")
    assert "step plan, after update" in done.out
    assert "\nupdate\n" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--after", "slot"), "did you mean `slots`?"),
        (("--after", "differentate"), "did you mean `differentiate`?"),
        (("--after", "wish"), "those of -O2 are lower, "),
        (("-O0", "--after", "fuse"), "the pass `fuse` does not run at -O0"),
        (("-O0", "--after", "fuse"), "it does at -O2; those of -O0 are lower, differentiate, update, own slots"),
        (("--after", "own slots"), "it does at -O0"),
        (("--after", "lower", "--emit", "json"), "`--after` is for the plan as text, not for `--emit json`"),
        (("--after", "lower", "--emit", "dot"), "`--after` is for the plan as text"),
        (("--emit", "dott"), "invalid choice"),
    ],
)
def test_what_is_refused(arguments, message, dnnc, folder):
    done = dnnc("compile", "moons.dnn", *arguments)
    assert done.status == 2
    assert done.out == ""
    assert message in done.err


def test_the_network_is_drawn(dnnc, folder):
    done = dnnc("compile", "moons.dnn", "--emit", "dot")
    assert done.out.startswith('digraph "moons.dnn" {\n')
    assert dnnc("compile", "moons.dnn", "--emit", "mermaid", "-o", "moons.mmd").out == ""
    assert (folder / "moons.mmd").read_text().startswith("flowchart TD\n")
