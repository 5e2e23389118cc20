"""Workflow commands, which GitHub shows as annotations: `::error file=…,line=…,col=…,title=…::…`."""

from __future__ import annotations

from dnnlang.diagnostics.diagnostic import Diagnostic


def github(diagnostic: Diagnostic) -> str:
    """One line; help and notes follow the message."""
    properties: dict[str, str] = {}
    span = diagnostic.span
    if span is not None:
        properties = {
            "file": span.source.name,
            "line": str(span.line),
            "col": str(span.column),
            "endLine": str(span.end_line),
            "endColumn": str(span.end_column),
        }
    properties["title"] = f"{diagnostic.code} {diagnostic.rule.name}"
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    lines = [diagnostic.message, *diagnostic.notes]
    if diagnostic.help is not None:
        lines.append(f"help: {diagnostic.help}")
    return f"::{diagnostic.severity} {written}::{_data(chr(10).join(lines))}"


def _data(text: str) -> str:
    """Escaped as the toolkit of GitHub Actions does it (`escapeData` in packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
