"""Diagnostics as text, in one of the formats of `--output-format`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dnnlang.diagnostics.concise import concise
from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.diagnostics.full import full
from dnnlang.diagnostics.github import github
from dnnlang.diagnostics.machine import as_json

MOST_SHOWN: Final = 20
"""Errors, and as many warnings, shown to people; more of them do not help to find the first mistake."""

_FORMATS: Final[Mapping[str, Callable[[Diagnostic], str]]] = {"concise": concise, "github": github}
FORMATS: Final = ("full", *_FORMATS, "json")


def render(diagnostics: Sequence[Diagnostic], format: str, *, colour: bool = False) -> str:
    """The diagnostics in their order, ready to be written; "" for none (json: an empty array).

    `format` is one of FORMATS. `colour` (ANSI codes) concerns `full` only. `full` and `concise` show at most
    MOST_SHOWN errors and as many warnings and count the rest; the formats for machines show all.
    """
    if format == "json":
        return as_json(diagnostics)
    if format == "github":
        return "".join(github(d) + "\n" for d in diagnostics)
    if format not in FORMATS:
        raise ValueError(f"{format!r} is none of {', '.join(FORMATS)}")
    shown, rest = _most_important(diagnostics)
    if format == "concise":
        return "".join(concise(d) + "\n" for d in shown) + (f"{rest}\n" if rest else "")
    blocks = [full(d, colour=colour) for d in shown]
    return "\n".join(blocks) + (f"\n{rest}\n" if rest else "")


def _most_important(diagnostics: Sequence[Diagnostic]) -> tuple[list[Diagnostic], str]:
    """What to show, and a sentence about the rest (or "")."""
    shown: list[Diagnostic] = []
    left = {"error": MOST_SHOWN, "warning": MOST_SHOWN}
    for d in diagnostics:
        if left[d.severity] > 0:
            shown.append(d)
        left[d.severity] -= 1
    more = [f"{-n:,} more {severity}{'s' if n < -1 else ''}" for severity, n in left.items() if n < 0]
    return shown, f"… and {' and '.join(more)}" if more else ""
