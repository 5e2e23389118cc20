"""Lay programs out in the one way, in place.

There is nothing to choose. A statement stands on a line of its own, four blanks further in each body, with one
blank around operators; the values of `train` and the comments at the ends of neighbouring lines stand below each
other; a line of more than 120 characters is broken inside its parentheses. What was written on one line as a whole,
a body or a file, stays on one line while it fits. Every comment stays where it is.

A program with syntax errors is left as it is. The others mean the same before and after, which is checked each time.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from codecs import BOM_UTF8
from pathlib import Path
from typing import Final

from dnnlang.cli.output import rewrite, write_result
from dnnlang.cli.parser import USAGE, Parser
from dnnlang.cli.show import show
from dnnlang.cli.text import count
from dnnlang.diagnostics.diagnostic import Diagnostic, Diagnostics
from dnnlang.errors import CompileError, UsageError
from dnnlang.source import SourceFile
from dnnlang.syntax.files import read_source, source_from_bytes

EXAMPLE: Final = """example:
  dnnc fmt houses.dnn
  dnnc fmt --check .            exit status 1 and a list, if any program would change
  dnnc fmt --diff houses.dnn    show what would change
  dnnc fmt - < houses.dnn       write to standard output, for editors
"""
_STDIN: Final = "-"


def configure(parser: Parser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="programs, folders (all .dnn files in them), or - for standard input"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; list what would change, and fail if any")
    parser.add_argument("--diff", action="store_true", help="write nothing; show what would change")


def run(arguments: argparse.Namespace) -> int:
    found: list[Diagnostic] = []
    status = programs = changed = 0
    for name in arguments.files:
        try:
            paths = _programs(name)
        except UsageError as error:
            found += error.diagnostics
            status = 2
            continue
        for path in paths:
            programs += 1
            try:
                changed += _format(path, arguments)
            except CompileError as error:
                found += error.diagnostics
                status = max(status, 1)
            except UsageError as error:
                found += error.diagnostics
                status = 2
    show(found, arguments.output_format)
    if arguments.output_format == "full" and not found and _STDIN not in arguments.files:
        print(_summary(programs, changed, arguments), file=sys.stderr)
    return max(status, 1) if arguments.check and changed else status


def _summary(programs: int, changed: int, arguments: argparse.Namespace) -> str:
    if not changed:
        return f"{count(programs, 'program')}, nothing to format"
    done = "would be formatted" if arguments.check or arguments.diff else "formatted"
    share = count(programs, "program")
    return f"{share} {done}" if changed == programs else f"{changed:,} of {share} {done}"


def _programs(name: str) -> list[str]:
    """The programs that are meant by an argument. Hidden folders are left out. Raises UsageError if there is none."""
    folder = Path(name)
    if name == _STDIN or not folder.is_dir():
        return [name]
    inside = (path.relative_to(folder) for path in sorted(folder.rglob("*.dnn")))
    paths = [str(folder / path) for path in inside if not any(part.startswith(".") for part in path.parts)]
    if not paths:
        raise UsageError(USAGE.at(None, f"there is no program (.dnn) in the folder `{name}`"))
    return paths


def _format(path: str, arguments: argparse.Namespace) -> bool:
    """Format one program, or say what would change. Whether anything would. Raises CompileError, UsageError."""
    from dnnlang.syntax.format import formatted

    standard = path == _STDIN
    data = sys.stdin.buffer.read() if standard else b""
    source = source_from_bytes("<stdin>", data) if standard else read_source(path)
    found = Diagnostics()
    text = formatted(source, found)
    if text is None:
        raise CompileError(*found.in_source_order())
    changed = text != source.text
    if changed and arguments.diff:
        write_result(_diff(source, text), None)
    elif changed and arguments.check:
        write_result(f"{source.name}\n", None)
    elif standard and not (arguments.check or arguments.diff):
        sys.stdout.flush()
        sys.stdout.buffer.write((BOM_UTF8 if data.startswith(BOM_UTF8) else b"") + text.encode("utf-8"))
    elif changed:
        rewrite(path, text)
    return changed


def _diff(source: SourceFile, text: str) -> str:
    """As `diff -u` prints it."""
    before, after = (which.splitlines(keepends=True) for which in (source.text, text))
    lines = difflib.unified_diff(before, after, source.name, source.name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
