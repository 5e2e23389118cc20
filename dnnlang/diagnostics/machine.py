"""Diagnostics as JSON, for editors and other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.source import Span


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """An array of objects. Lines and columns count from 1, columns in characters; null without a place."""
    return json.dumps([_object(d) for d in diagnostics], ensure_ascii=False, indent=2) + "\n"


def _object(diagnostic: Diagnostic) -> dict[str, Any]:
    fix = None
    if diagnostic.fix is not None:
        fix = {"edits": [{**_place(edit.span), "text": edit.text} for edit in diagnostic.fix.edits]}
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **_place(diagnostic.span),
        "labels": [{**_place(label.span), "message": label.message} for label in diagnostic.labels],
        "help": diagnostic.help,
        "fix": fix,
    }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
