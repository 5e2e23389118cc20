"""One line a diagnostic: `houses.dnn:21:1: error[DNN203]: …`."""

from __future__ import annotations

from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.diagnostics.display import printable


def concise(diagnostic: Diagnostic) -> str:
    """Without a place in a program, the line begins with the severity."""
    place = f"{diagnostic.span}: " if diagnostic.span is not None else ""
    message = " ".join(diagnostic.message.split())
    return printable(f"{place}{diagnostic.severity}[{diagnostic.code}]: {message}")
