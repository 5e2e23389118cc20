"""The documentation of a rule, for `dnnc explain`."""

from __future__ import annotations

import textwrap
from typing import Final

from dnnlang.diagnostics.diagnostic import Rule
from dnnlang.diagnostics.display import printable

_WIDTH: Final = 88


def explain(rule: Rule) -> str:
    """Heading, summary, why, and an example that breaks the rule beside one that does not."""
    heading = f"{rule.code}: {rule.name}" + (" (a warning)" if rule.severity == "warning" else "")
    parts = [
        heading,
        textwrap.fill(rule.summary, _WIDTH),
        textwrap.fill(rule.why, _WIDTH),
        f"Wrong:\n\n{_example(rule.wrong)}",
        f"Right:\n\n{_example(rule.right)}",
    ]
    return "\n\n".join(parts) + "\n"


def _example(program: str) -> str:
    lines = (line if len(line) <= _WIDTH else f"{line[:60]} … {line[-20:]}" for line in program.splitlines())
    return "\n".join(f"    {printable(line)}".rstrip() for line in lines)
