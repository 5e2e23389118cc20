"""Where results go: stdout, or a file that is there whole or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from dnnlang.cli.parser import NO_ACCESS
from dnnlang.errors import UsageError
from dnnlang.training.atomic import refusal, write_text


def write_result(text: str, path: str | None) -> None:
    """Print `text`, or put it into the file `path`. Raises UsageError where it cannot be written."""
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(NO_ACCESS.at(None, f"cannot write `{path}`: {error.strerror or error}")) from None


def check_output(path: str | None, *, inputs: tuple[str, ...] = ()) -> None:
    """Raise UsageError now if `path` cannot be written later, or is one of the files that are read."""
    if path is None or path == "-":
        return
    clash = next((name for name in inputs if _same(name, path)), None)
    if clash is not None:
        raise UsageError(
            NO_ACCESS.at(None, f"`{path}` would be written over the file that is read", help="give `-o` another name")
        )
    reason = refusal(path)
    if reason is not None:
        raise UsageError(NO_ACCESS.at(None, f"cannot write `{path}`: {reason}"))


def _same(a: str, b: str) -> bool:
    try:
        return Path(a).samefile(b)
    except OSError:
        return False
