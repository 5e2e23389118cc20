"""Source files: from the disk, from strings, and the two that ship with the package."""

from __future__ import annotations

import os
from pathlib import Path

from dnnlang.diagnostics import Diagnostic, Diagnostics, rule
from dnnlang.diagnostics.nearby import near_file
from dnnlang.errors import CompileError, UsageError
from dnnlang.source import SourceFile, Span

LARGEST = 64 * 2**20
"""Bytes; a program that is larger was not written by people, and is probably data."""

UNREADABLE = rule(
    "DNN020",
    "unreadable-file",
    "A file cannot be read.",
    why="The operating system refused it, or the path names no ordinary file.",
    wrong="dnnc check hosues.dnn\n",
    right="dnnc check houses.dnn\n",
    program=False,
)
NOT_UTF_8 = rule(
    "DNN001",
    "not-utf-8",
    "A program holds bytes that are not UTF-8 text.",
    why="Programs are UTF-8, so that everybody sees the same characters. Editors save in another encoding only when "
    "told to, or when the file came from an old one; a file that is not text at all breaks this rule too.",
    wrong="(saved as Latin-1)  layer 5 relu  # première couche\n",
    right="(saved as UTF-8)    layer 5 relu  # première couche\n",
    program=False,
)

_PACKAGE = Path(__file__).resolve().parent.parent


def read_source(path: str | os.PathLike[str], *, largest: int = LARGEST, ending: str = ".dnn") -> SourceFile:
    """The program at `path`, or another text of at most `largest` bytes whose name has that ending as a rule.

    Raises UsageError where there is no readable file, CompileError where it is not UTF-8.
    """
    name = os.fspath(path)
    try:
        data = _bytes(name, largest)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        advice = near_file(name, ending) if isinstance(error, FileNotFoundError) else None
        raise UsageError(UNREADABLE.at(None, f"cannot read `{name}`: {reason}", help=advice)) from error
    except ValueError as error:  # a NUL in the path
        raise UsageError(UNREADABLE.at(None, f"cannot read `{name}`: not a path")) from error
    if len(data) > largest:
        message = f"cannot read `{name}`: it is larger than {largest // 2**20} MiB"
        raise UsageError(UNREADABLE.at(None, message, help="a program is text; is this a file of data?"))
    return source_from_bytes(name, data)


def source_from_bytes(name: str, data: bytes) -> SourceFile:
    """A program as its file holds it; `name` is what messages call it. Raises CompileError where it is not UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CompileError(_not_utf_8(name, data, error)) from error
    return SourceFile(name, text.removeprefix("\ufeff"))


def source_from_text(name: str, text: str, found: Diagnostics) -> SourceFile | None:
    """A program given as a string; `name` is what messages call it. None where the string is not text."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"character {error.start:,} is half of a surrogate pair (U+{ord(text[error.start]):04X}), not text"
        found.add(NOT_UTF_8.at(None, message, help="decode the bytes that this string comes from as UTF-8"))
        return None
    return SourceFile(name, text.removeprefix("\ufeff"))


def grammar_text(name: str) -> str:
    """A file of grammar/, `dnn.lark` or `prelude.dnn`, as it is on the disk now."""
    shipped = _PACKAGE / "grammar"  # in a wheel; a checkout has the folder next to the package
    folder = shipped if shipped.is_dir() else _PACKAGE.parent / "grammar"
    return (folder / name).read_text(encoding="utf-8")


def _bytes(name: str, largest: int) -> bytes:
    with open(name, "rb") as file:
        return file.read(largest + 1)


def _not_utf_8(name: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    at = error.start
    before = data[:at].decode("utf-8").removeprefix("\ufeff")
    source = SourceFile(name, before + data[at:].decode("utf-8", errors="replace"))
    span = Span(source, len(before), len(before) + 1)
    message = f"byte {at:,} of the file, on line {span.line}, is 0x{data[at]:02X}, which is not UTF-8 here"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        advice = "the file looks like UTF-16: save it as UTF-8"
    elif b"\0" in data:
        advice = "the file does not look like text: is it the right one?"
    else:
        advice = "save the file as UTF-8"
    return NOT_UTF_8.at(span, message, help=advice)
