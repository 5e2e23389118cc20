"""Diagnostics on the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import IO, Any

from dnnlang.diagnostics.diagnostic import Diagnostic


def show(diagnostics: Iterable[Diagnostic], format: str, *, file: IO[str] | None = None) -> None:
    """Print diagnostics in one of the formats, to stderr unless they are the command's result."""
    from dnnlang.diagnostics import render

    found = list(diagnostics)
    if file is None:
        if not found:
            return
        file = sys.stderr
    text = render.render(found, format, colour=format == "full" and wants_colour(file))
    if text:
        print(text, file=file, end="" if text.endswith("\n") else "\n")


def wants_colour(file: IO[Any]) -> bool:
    """On a terminal that can, unless NO_COLOR says no (https://no-color.org)."""
    return is_terminal(file) and not os.environ.get("NO_COLOR")


def is_terminal(file: IO[Any]) -> bool:
    """Whether people are watching, on something that understands cursor movement."""
    return file.isatty() and os.environ.get("TERM") != "dumb"
