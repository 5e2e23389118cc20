"""Every diagnostic, by the area that its code belongs to."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

import dnnlang
from dnnlang.cli.explain import WITHOUT_RULES
from dnnlang.diagnostics import RULES, Rule
from dnnlang.diagnostics.display import printable
from dnnlang.errors import InternalError
from tools.reference.facts import block, table

AREAS: Final = {
    "DNN0": "Characters, files and syntax",
    "DNN1": "Names, nodes, operands and keys",
    "DNN2": "Sizes",
    "DNN3": "Warnings",
    "DNN4": "Definitions and their formulas",
    "DNN5": "Training settings",
    "DNN6": "Data",
    "DNN7": "Model files",
    "DNN8": "Running, and the use of the commands and the Python API",
}
LONGEST_LINE: Final = 100
MOST_LINES: Final = 20


def diagnostic_list() -> str:
    rules = _rules()
    return table(
        ("code", "name", ""), ((f"[{r.code}](#{_anchor(r)})", r.name, _cell(r.summary)) for r in rules.values())
    )


def diagnostic_sections() -> str:
    rules = _rules()
    strays = [code for code in rules if code[:4] not in AREAS]
    if strays:
        raise InternalError(f"codes without an area: {strays}")
    parts = []
    for prefix, title in AREAS.items():
        parts.append(f"## {title}\n")
        parts += [_section(rule) for code, rule in rules.items() if code.startswith(prefix)]
    return "\n".join(parts)


def _rules() -> dict[str, Rule]:
    """All rules by code: a rule stands in the module that finds the mistake, so all modules are imported."""
    for module in pkgutil.walk_packages(dnnlang.__path__, "dnnlang."):
        if module.name not in WITHOUT_RULES:
            import_module(module.name)
    own = {code: rule for code, rule in RULES.items() if code.startswith("DNN")}
    return dict(sorted(own.items()))


def _section(rule: Rule) -> str:
    warning = " (a warning)" if rule.severity == "warning" else ""
    wrong, right = (block(_shortened(text), "dnn" if rule.program else "text") for text in (rule.wrong, rule.right))
    heading = f"### {rule.code}: {rule.name}{warning}"
    return f"{heading}\n\n**{rule.summary}** {rule.why}\n\nWrong:\n\n{wrong}\nRight:\n\n{right}"


def _anchor(rule: Rule) -> str:
    """As GitHub makes it of the heading."""
    return f"{rule.code}-{rule.name}".lower() + ("-a-warning" if rule.severity == "warning" else "")


def _cell(text: str) -> str:
    return text.replace("<", "&lt;")


def _shortened(program: str) -> str:
    """Without control characters, and the middle of what is too long for a page left out."""
    return "\n".join(_few(list(_lines(program))))


def _lines(program: str) -> Iterator[str]:
    for line in program.splitlines():
        shown = printable(line)
        yield shown if len(shown) <= LONGEST_LINE else f"{shown[:70]} … {shown[-20:]}"


def _few(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[: MOST_LINES // 2], "…", *lines[-MOST_LINES // 2 :]]
