"""Print the summary and the plan of a program, or write it to a file.

FILE is a program (.dnn) or a trained model (.safetensors).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dnnlang.cli.output import check_output, write_result
from dnnlang.cli.parser import USAGE, Parser, add_deny_option, add_program_options
from dnnlang.cli.programs import MODEL, open_program
from dnnlang.errors import UsageError

if TYPE_CHECKING:
    from dnnlang.program import Program

EXAMPLE: Final = """example:
  dnnc compile examples/lesson.dnn
  dnnc compile examples/lesson.dnn -O0
  dnnc compile examples/digits.dnn --emit json -o plan.json
"""


def _plan(program: Program, flat: bool) -> str:
    return program.listing().text(flat=flat)


def _json(program: Program, _flat: bool) -> str:
    return program.to_json()


FORMATS: Final[dict[str, Callable[[Program, bool], str]]] = {"plan": _plan, "json": _json}


def configure(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a program, or a trained model")
    parser.add_argument("--emit", metavar="FORMAT", choices=FORMATS, default="plan", help="plan (default) or json")
    parser.add_argument("--flat", action="store_true", help="write out every copy of a repeated body in the plan")
    parser.add_argument("-o", dest="output", metavar="PATH", help="write there instead of printing")
    add_program_options(parser)
    add_deny_option(parser)


def run(arguments: argparse.Namespace) -> int:
    check_output(arguments.output, inputs=(arguments.file,))
    program = _from_model(arguments) if arguments.file.endswith(MODEL) else open_program(arguments)
    text = FORMATS[arguments.emit](program, arguments.flat)
    write_result(text if text.endswith("\n") else text + "\n", arguments.output)
    return 0


def _from_model(arguments: argparse.Namespace) -> Program:
    from dnnlang.training.files import compiled, read

    if arguments.defines:
        message = f"`{arguments.file}` is a trained model, whose params and sizes are fixed; -D cannot change them"
        raise UsageError(USAGE.at(None, message))
    return compiled(read(arguments.file), optimize=arguments.optimize)
