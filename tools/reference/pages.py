"""The pages of the reference: templates whose marks are replaced by what the compiler knows.

A mark is `{{name}}` or `{{name arguments}}`. Those of PARTS stand for generated text; these look at the template
itself:

    {{example NAME}}       examples/NAME.dnn, as a block
    {{steps NAME WORD …}}  the instructions of its plan whose result begins with one of the words
    {{layers}}             the table of layers that the compiler prints for the block above
    {{levels}}             steps and bytes of its plan at each level
    {{passes LEVEL}}       the same behind each pass
    {{pass LEVEL NAME}}    what a pass changes in it
    {{plan LEVEL}}         its plan for gradients; `{{plan LEVEL step}}` for a step
    {{message}}            what it says of the block above, which is marked `dnn wrong`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import dnnlang
from dnnlang.diagnostics.render import render
from dnnlang.errors import InternalError
from dnnlang.program import Program
from tools.reference import derivation, diagnostics, emitted, kinds, library, plan, settings, words
from tools.reference.facts import ROOT, activations, block
from tools.reference.plot import plot

DOCS: Final = ROOT / "docs"
TEMPLATES: Final = Path(__file__).with_name("templates")

PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "activation_sections": library.activation_sections,
    "activations": library.activation_list,
    "c_header": emitted.c_header,
    "counts": library.counts,
    "diagnostic_list": diagnostics.diagnostic_list,
    "diagnostic_sections": diagnostics.diagnostic_sections,
    "functions": words.functions,
    "initializers": library.initializer_table,
    "kind_sections": kinds.kind_sections,
    "kinds": kinds.kind_table,
    "limits": words.limits,
    "loss_sections": library.loss_sections,
    "optimizer_sections": library.optimizer_sections,
    "pair_sections": derivation.pair_sections,
    "pair_summary": derivation.pair_summary,
    "precedence": words.precedence,
    "reserved": words.reserved,
    "reserved_names": words.reserved_names,
    "schedules": settings.schedule_table,
    "settings": settings.setting_table,
}

PLANS: Final[Mapping[str, Callable[..., str]]] = {
    "levels": plan.level_table,
    "pass": plan.pass_change,
    "passes": plan.pass_table,
    "plan": plan.plan_text,
}

NOTICE: Final = "<!-- Made by `python -m tools.reference` from tools/reference/templates/{name}: edit that. -->\n\n"

_MARK: Final = re.compile(r"\{\{(\w+)(?: ([^}]*))?\}\}")
_BLOCK: Final = re.compile(r"^```dnn( wrong)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> dict[Path, str]:
    """Every file of the reference with its text: pages and plots."""
    made = {DOCS / path.name: page(path) for path in sorted(TEMPLATES.glob("*.md"))}
    plots = {DOCS / "plots" / f"{name}.svg": plot(name, found) for name, found in activations().items()}
    return {**made, **plots}


def page(template: Path) -> str:
    """A template with its marks replaced."""
    text = template.read_text(encoding="utf-8")
    made, end = [NOTICE.format(name=template.name)], 0
    for mark in _MARK.finditer(text):
        made.append(text[end : mark.start()])
        made.append(_replaced(mark.group(1), mark.group(2), text[: mark.start()], template).rstrip("\n"))
        end = mark.end()
    return "".join([*made, text[end:]])


def _replaced(name: str, arguments: str | None, before: str, template: Path) -> str:
    if name in PARTS and arguments is None:
        return PARTS[name]()
    if name == "example" and arguments is not None:
        return block(_example(arguments).read_text(encoding="utf-8"))
    if name == "steps" and arguments is not None:
        example, *starts = arguments.split()
        return _steps(dnnlang.compile_file(_example(example)), starts)
    if name == "layers":
        return block(str(dnnlang.compile(_above(before, wrong=False))).partition("\n\nforward")[0], "text")
    if name in PLANS:
        return PLANS[name](_above(before, wrong=False), *_level_and_rest(arguments, template))
    if name == "message":
        return _message(_above(before, wrong=True))
    raise InternalError(f"{template.name} has a mark {{{{{name}}}}} that stands for nothing")


def _level_and_rest(arguments: str | None, template: Path) -> list[Any]:
    """`1 dead code`: the number, then the rest as one word."""
    if arguments is None:
        return []
    level, _, rest = arguments.partition(" ")
    if level not in ("0", "1", "2"):
        raise InternalError(f"{template.name}: `{level}` is no level")
    return [int(level), rest] if rest else [int(level)]


def _example(name: str) -> Path:
    return ROOT / "examples" / f"{name}.dnn"


def _steps(program: Program, starts: list[str]) -> str:
    steps = [step for step in (*program.forward, *program.backward) if step.formula.startswith(tuple(starts))]
    if not steps:
        raise InternalError(f"the plan has no instruction for {starts}")
    width = max(len(step.label) for step in steps)
    return block("\n".join(f"{step.label:{width}}  {step.formula}" for step in steps), "text")


def _above(before: str, *, wrong: bool) -> str:
    """The block nearest above a mark."""
    found = list(_BLOCK.finditer(before))
    if not found or bool(found[-1].group(1)) is not wrong:
        raise InternalError(f"there is no {'wrong' if wrong else 'right'} program above the mark")
    return found[-1].group(2)


def _message(program: str) -> str:
    try:
        dnnlang.compile(program)
    except dnnlang.CompileError as error:
        return block(render(error.diagnostics, "full"), "text")
    raise InternalError(f"this program is not wrong:\n{program}")
