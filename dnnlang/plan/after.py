"""A plan on its way: the one that a given pass leaves, for whoever wants to see what each of them does."""

from __future__ import annotations

from typing import Final

from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import UsageError
from dnnlang.plan.ir import Purpose
from dnnlang.plan.passes import PASSES, Pass

NO_SUCH_PASS: Final = rule(
    "DNN876",
    "no-such-pass",
    "A plan is asked for after a pass that does not run.",
    why="Each level has its own passes: `-O0` lowers and differentiates, `-O1` and `-O2` go on from there.",
    wrong="dnnc compile examples/lesson.dnn -O0 --after fuse",
    right="dnnc compile examples/lesson.dnn -O2 --after fuse",
    program=False,
)


def pass_called(name: str, level: int) -> Pass:
    """The pass of that name; `-` and `_` stand for the space in it.

    Raises UsageError where there is none, and where it does not run at that level.
    """
    wanted = name.lower().replace("-", " ").replace("_", " ").strip()
    found = next((each for each in PASSES if each.name == wanted), None)
    if found is None:
        raise UsageError(_unknown(name, wanted, level))
    if level not in found.levels:
        message = f"the pass `{found.name}` does not run at -O{level}"
        raise UsageError(NO_SUCH_PASS.at(None, message, help=f"it does at {_levels(found)}; {_known(level)}"))
    return found


def purpose_of(each: Pass, wanted: Purpose) -> Purpose:
    """What a plan must be for, if the pass is to have a part in it: `wanted`, or else the largest."""
    return wanted if wanted in each.purposes else Purpose.STEP


def _unknown(name: str, wanted: str, level: int) -> Diagnostic:
    near = closest(wanted, [each.name for each in PASSES])
    return NO_SUCH_PASS.at(
        None,
        f"there is no pass `{name}`",
        help=f"did you mean `{near}`?" if near is not None else _known(level),
    )


def _known(level: int) -> str:
    names = ", ".join(each.name for each in PASSES if level in each.levels)
    return f"those of -O{level} are {names}"


def _levels(each: Pass) -> str:
    return " and ".join(f"-O{level}" for level in each.levels)
