"""Syntax errors that follow from others: a bracket that closes nothing, because its opening one was mistyped."""

from __future__ import annotations

from dnnlang.diagnostics import Diagnostic
from dnnlang.source import Span
from dnnlang.syntax.layout import UNOPENED
from dnnlang.syntax.rules import names_in


def without_consequences(mistakes: list[Diagnostic], lost: set[str]) -> None:
    """Keep of such mistakes the first; `lost` takes the names on a line where brackets do not match."""
    places = sorted((d for d in mistakes if d.span is not None), key=_start)
    dropped: set[int] = set()
    missing = 0  # bodies whose opening brace is missing
    for at, mistake in enumerate(places):
        span = mistake.span
        assert span is not None
        if mistake.rule is not UNOPENED:
            missing += "`{` is missing" in mistake.message
            continue
        lost |= names_in(span.source.line(span.line))
        on_line = [d for d in places if d.span is not None and d.span.line == span.line and d is not mistake]
        if on_line:
            dropped.add(id(mistake))
            dropped.update(id(d) for d in on_line[1:] if d.rule is not UNOPENED)
            missing -= any("`{` is missing" in d.message for d in on_line)
        elif span.text == "}" and missing > 0 and at > 0:
            dropped.add(id(mistake))
            missing -= 1
    mistakes[:] = [d for d in mistakes if id(d) not in dropped]


def _start(diagnostic: Diagnostic) -> int:
    span: Span | None = diagnostic.span
    return span.start if span is not None else -1
