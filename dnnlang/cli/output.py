"""Where results go: stdout, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from codecs import BOM_UTF8
from errno import EACCES
from pathlib import Path

from dnnlang.cli.parser import NO_ACCESS
from dnnlang.errors import UsageError
from dnnlang.training.atomic import refusal, write_bytes, write_text


def write_result(text: str, path: str | None) -> None:
    """Print `text`, or put it into the file `path`. Raises UsageError where it cannot be written."""
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    try:
        write_text(path, text)
    except OSError as error:
        raise UsageError(NO_ACCESS.at(None, f"cannot write `{path}`: {error.strerror or error}")) from None


def rewrite(path: str, text: str) -> None:
    """Put `text` in the place of a program; a byte order mark stays. Raises UsageError where that is refused."""
    try:
        with open(path, "rb") as file:
            mark = BOM_UTF8 if file.read(len(BOM_UTF8)) == BOM_UTF8 else b""
        if not os.access(path, os.W_OK):
            raise PermissionError(EACCES, "it is not writable")
        write_bytes(path, mark + text.encode("utf-8"))
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
