"""Say what is wrong with programs, and repair what is certain."""

from __future__ import annotations

import argparse
import sys
from typing import Final

from dnnlang.cli.output import rewrite
from dnnlang.cli.parser import Parser, add_deny_option, add_program_options
from dnnlang.cli.programs import architecture_of
from dnnlang.cli.show import show
from dnnlang.diagnostics.diagnostic import Diagnostic, Diagnostics, Edit
from dnnlang.errors import CompileError, UsageError

EXAMPLE: Final = """example:
  dnnc check houses.dnn
  dnnc check --fix *.dnn
"""


ROUNDS: Final = 20
"""A repair may bring something to light that the mistake had hidden, and that can be repaired in turn."""


def configure(parser: Parser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="programs (.dnn)")
    parser.add_argument("--fix", action="store_true", help="repair what is certain, in place")
    add_program_options(parser)
    add_deny_option(parser)


def run(arguments: argparse.Namespace) -> int:
    found: list[Diagnostic] = []
    status = 0
    for path in arguments.files:
        try:
            in_file = _check(path, arguments)
            fixed = 0
            for _ in range(ROUNDS if arguments.fix else 0):
                repaired = _fix(path, in_file)
                if not repaired:
                    break
                fixed += repaired
                in_file = _check(path, arguments)
            if fixed:
                print(f"{path}: {fixed} fixed", file=sys.stderr)
        except CompileError as error:
            in_file = list(error.diagnostics)
        except UsageError as error:
            in_file = list(error.diagnostics)
            status = 2
        found += in_file
    show(found, arguments.output_format, file=sys.stdout)
    if status == 0 and any(d.severity == "error" for d in found):
        status = 1
    if not found and arguments.output_format == "full":
        count = len(arguments.files)
        print(f"{count} program{'' if count == 1 else 's'} checked, nothing found", file=sys.stderr)
    return status


def _check(path: str, arguments: argparse.Namespace) -> list[Diagnostic]:
    found = Diagnostics()
    architecture_of(path, arguments.defines, found, arguments.deny)
    return found.in_source_order()


def _fix(path: str, found: list[Diagnostic]) -> int:
    """Apply the fixes that concern this file and do not overlap; how many there were."""
    edits: list[Edit] = []
    fixed = 0
    for diagnostic in found:
        mine = diagnostic.fix.edits if diagnostic.fix is not None else ()
        if mine and all(e.span.source.name == path for e in mine) and not _overlap(edits, mine):
            edits += mine
            fixed += 1
    if not edits:
        return 0
    text = edits[0].span.source.text
    line_end = "\r\n" if "\r\n" in text else "\n"
    for edit in sorted(edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text.replace("\n", line_end) + text[edit.span.end :]
    rewrite(path, text)
    return fixed


def _overlap(edits: list[Edit], more: tuple[Edit, ...]) -> bool:
    return any(a.span.start <= b.span.end and b.span.start <= a.span.end for a in edits for b in more)
