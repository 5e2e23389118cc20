"""Syntax errors that follow from others: a bracket that closes nothing, because its opening one was mistyped."""

from __future__ import annotations

from itertools import groupby

from dnnlang.diagnostics import Diagnostic
from dnnlang.syntax.brackets import UNOPENED
from dnnlang.syntax.rules import names_in


def without_consequences(mistakes: list[Diagnostic], lost: set[str]) -> None:
    """On a line where a bracket closes nothing keep one mistake; `lost` takes the names on such a line."""
    places = sorted((d for d in mistakes if d.span is not None), key=_start)
    dropped: set[int] = set()
    missing = 0  # bodies whose opening brace is missing
    for _, group in groupby(places, key=_line):
        on_line = list(group)
        missing += sum(_misses_brace(d) for d in on_line)
        unopened = [d for d in on_line if d.rule is UNOPENED]
        if not unopened:
            continue
        span = unopened[0].span
        assert span is not None
        lost |= names_in(span.source.line(span.line))
        others = [d for d in on_line if d.rule is not UNOPENED]
        dropped.update(id(d) for d in (*unopened, *others))
        if others:
            dropped.discard(id(others[0]))
            missing -= any(_misses_brace(d) for d in others)
        elif span.text == "}" and missing > 0:
            missing -= 1
        else:
            dropped.discard(id(unopened[0]))
    mistakes[:] = [d for d in mistakes if id(d) not in dropped]


def _misses_brace(diagnostic: Diagnostic) -> bool:
    return "`{` is missing" in diagnostic.message


def _line(diagnostic: Diagnostic) -> int:
    return diagnostic.span.line if diagnostic.span is not None else 0


def _start(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span is not None else -1
