"""Print the summary and the plan of a program, or write it to a file.

FILE is a program (.dnn) or a trained model (.safetensors).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dnnlang.cli.output import check_output, write_result
from dnnlang.cli.parser import USAGE, Parser, add_budget_option, add_deny_option, add_program_options, samples
from dnnlang.cli.programs import MODEL, open_program
from dnnlang.errors import UsageError
from dnnlang.plan.ir import Purpose

if TYPE_CHECKING:
    from dnnlang.program import Program

EXAMPLE: Final = """example:
  dnnc compile examples/lesson.dnn
  dnnc compile examples/lesson.dnn -O0
  dnnc compile examples/lesson.dnn --purpose step
  dnnc compile examples/lesson.dnn --after differentiate
  dnnc compile examples/lesson.dnn --memory-budget 4MiB --batch 64
  dnnc compile examples/digits.dnn --emit json -o plan.json
  dnnc compile examples/tower.dnn --emit dot | dot -Tsvg -o tower.svg
  dnnc compile iris.safetensors --emit c -o iris && make -C iris test
"""

EMIT: Final = (
    "plan (default); json: all plans; dot, mermaid: the graph of the network; c: a C library, in the folder of -o"
)
C: Final = "c"


def _plan(program: Program, arguments: argparse.Namespace) -> str:
    purpose = "gradients" if arguments.purpose is None else arguments.purpose
    return program.listing(purpose, after=arguments.after).text(flat=arguments.flat)


def _json(program: Program, _arguments: argparse.Namespace) -> str:
    return program.to_json()


def _dot(program: Program, _arguments: argparse.Namespace) -> str:
    from dnnlang.emit.dot import dot

    return dot(program.architecture)


def _mermaid(program: Program, _arguments: argparse.Namespace) -> str:
    from dnnlang.emit.mermaid import mermaid

    return mermaid(program.architecture)


FORMATS: Final[dict[str, Callable[[Program, argparse.Namespace], str]]] = {
    "plan": _plan,
    "json": _json,
    "dot": _dot,
    "mermaid": _mermaid,
}


def configure(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="a program, or a trained model")
    parser.add_argument("--emit", metavar="FORMAT", choices=(*FORMATS, C), default="plan", help=EMIT)
    parser.add_argument(
        "--after", metavar="PASS", help="print the plan as this pass leaves it, such as `differentiate`"
    )
    parser.add_argument(
        "--purpose",
        choices=[purpose.value for purpose in Purpose],
        default=None,
        help="what the printed plan is for: outputs, gradients (default), or a step, which updates the parameters too",
    )
    parser.add_argument(
        "--keep-gradients",
        action="store_true",
        help="keep every gradient in the plan of a step, instead of updating a parameter where its gradient arises",
    )
    parser.add_argument("--flat", action="store_true", help="write out every copy of a repeated body in the plan")
    parser.add_argument("-o", dest="output", metavar="PATH", help="write there instead of printing; for c, a folder")
    parser.add_argument(
        "--with-training", action="store_true", help="for c: training too, by the optimizer of the program"
    )
    add_budget_option(parser)
    parser.add_argument(
        "--batch",
        metavar="M",
        type=samples,
        default=None,
        help="the number of samples that the memory budget is for (default: that of the training settings); for c, "
        "the most samples in one call (default: 1, with training the batch of the training settings)",
    )
    add_program_options(parser)
    add_deny_option(parser)


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    if arguments.emit == C:
        _library(arguments)
        return 0
    check_output(arguments.output, inputs=(arguments.file,))
    program = _from_model(arguments) if arguments.file.endswith(MODEL) else open_program(arguments)
    program = _within(program, arguments)
    text = FORMATS[arguments.emit](program, arguments)
    write_result(text if text.endswith("\n") else text + "\n", arguments.output)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Raise UsageError where options do not go together."""
    for option, given in (("--after", arguments.after), ("--purpose", arguments.purpose)):
        if given is not None and arguments.emit != "plan":
            message = f"`{option}` is for the plan as text, not for `--emit {arguments.emit}`"
            raise UsageError(USAGE.at(None, message, help="leave one of the two out"))
    if arguments.with_training and arguments.emit != C:
        message = f"`--with-training` is for `--emit c`, not for `--emit {arguments.emit}`"
        raise UsageError(USAGE.at(None, message, help="leave one of the two out"))


def _library(arguments: argparse.Namespace) -> None:
    from dnnlang.cli.emit_c import emit_c, loaded
    from dnnlang.training.files import read, realize

    if arguments.file.endswith(MODEL):
        program = _within(_from_model(arguments), arguments)
        emit_c(realize(read(arguments.file), backend="numpy").network, program, arguments)
    else:
        program = _within(open_program(arguments), arguments)
        emit_c(loaded(program), program, arguments)


def _within(program: Program, arguments: argparse.Namespace) -> Program:
    """The program with the options that were asked for."""
    if arguments.keep_gradients:
        program = program.keeping_gradients()
    if arguments.memory_budget is not None:
        return program.within(arguments.memory_budget, arguments.batch)
    if arguments.batch is not None and arguments.emit != C:
        message = "`--batch` goes with `--memory-budget`; a plan without one holds for every batch"
        raise UsageError(USAGE.at(None, message, help="give a memory budget too, or leave the batch out"))
    return program


def _from_model(arguments: argparse.Namespace) -> Program:
    from dnnlang.training.files import compiled, read

    if arguments.defines:
        message = f"`{arguments.file}` is a trained model, whose params and sizes are fixed; -D cannot change them"
        raise UsageError(USAGE.at(None, message))
    return compiled(read(arguments.file), optimize=arguments.optimize)
