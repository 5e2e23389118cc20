"""What is wrong with the plans of a file: the verifier's faults, and what they claim about themselves, with places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dnnlang.diagnostics.diagnostic import Diagnostic, rule
from dnnlang.plan.from_json import PlanFile
from dnnlang.plan.ir import Plan
from dnnlang.plan.json_positions import Path, path_text
from dnnlang.plan.to_json import plan_json
from dnnlang.plan.verify import Fault, faults
from dnnlang.sizes import SizeError

WRONG_PLAN = rule(
    "DNN892",
    "wrong-plan",
    "A plan file holds a plan that computes something else than it says, or nothing at all.",
    why="An instruction reads a value that was never written, or whose room something else has taken since; its "
    "operands do not fit each other; a gradient is missing. Whoever runs the plan would get wrong numbers without "
    "a word. The rules are those that every pass of the compiler is held to.",
    wrong='… {"label": "B1", "operation": "product", "inputs": [8, 3], "outputs": [9], …}   (8 is written by B2)\n',
    right="… the instructions in an order in which every value is written before it is read\n",
    program=False,
)
WRONG_CLAIM = rule(
    "DNN893",
    "wrong-claim",
    "A plan file states something about a plan that is not so.",
    why="What a plan keeps, where its slots begin and how many bytes it needs follows from its instructions and "
    "slots. Tools and people read the stated numbers, so they have to be the right ones. What is not stated is not "
    "checked; formulas and notes are for people.",
    wrong='"memory": {"peak": "64 m", …}   (of slots that take 96 m bytes)\n',
    right='"memory": {"peak": "96 m", …}\n',
    program=False,
)

_CACHE: Final = ("value", "shape", "bytes", "slot", "written_by", "read_by")


def judge(file: PlanFile) -> list[Diagnostic]:
    """What is wrong, in the order of the plans; claims of a plan are looked at if it is right otherwise."""
    found: list[Diagnostic] = []
    for number, plan in enumerate(file.plans):
        wrong = _faults(plan)
        for fault in wrong:
            path = file.path(number if fault.about is None else fault.about)
            found.append(WRONG_PLAN.at(file.document.span(path), f"{path_text(path)}: {fault.message}"))
        if not wrong:
            at = file.path(number)
            found += [
                _denied(file, (*at, *path), stated, right) for path, stated, right in _claims(plan, file.stated[number])
            ]
    return found


def _faults(plan: Plan) -> list[Fault]:
    try:
        return faults(plan, finished=True)
    except SizeError as error:
        return [Fault(f"its sizes cannot be computed with: {error}", None)]


def _denied(file: PlanFile, path: Path, stated: Any, right: Any) -> Diagnostic:
    message = f"{path_text(path)}: this says {stated!r}, but it is {right!r}"
    return WRONG_CLAIM.at(file.document.span(path), message)


def _claims(plan: Plan, stated: Mapping[str, Any]) -> Iterator[tuple[Path, Any, Any]]:
    """Each claim that is not so: where, what it says, what it should say."""
    if not _states_anything(stated):
        return
    right = plan_json(plan)
    for name, value in stated.get("memory", {}).items():
        yield from _different(("memory", name), value, right["memory"][name])
    for n, slot in enumerate(stated["slots"]):
        if "offset" in slot:
            yield from _different(("slots", n, "offset"), slot["offset"], right["slots"][n]["offset"])
    for n, instruction in enumerate(stated["instructions"]):
        if "in_place" in instruction:
            path = ("instructions", n, "in_place")
            yield from _different(path, instruction["in_place"], right["instructions"][n]["in_place"])
    if "cache" in stated:
        yield from _cache(stated["cache"], right["cache"])


def _states_anything(plan: Mapping[str, Any]) -> bool:
    parts = (*plan["slots"], *plan["instructions"])
    return "memory" in plan or "cache" in plan or any("offset" in p or "in_place" in p for p in parts)


def _cache(stated: list[Mapping[str, Any]], right: list[Mapping[str, Any]]) -> Iterator[tuple[Path, Any, Any]]:
    if len(stated) != len(right):
        names = [", ".join(entry["value"] for entry in each) for each in (stated, right)]
        yield ("cache",), names[0], names[1]
        return
    for n, (one, other) in enumerate(zip(stated, right, strict=True)):
        for key in _CACHE:
            yield from _different(("cache", n, key), one[key], other[key])


def _different(path: Path, stated: Any, right: Any) -> Iterator[tuple[Path, Any, Any]]:
    if stated != right:
        yield path, stated, right
