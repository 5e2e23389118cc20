"""Arguments: argparse, with mistakes reported as diagnostics."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from dnnlang.diagnostics.diagnostic import rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import UsageError

USAGE = rule(
    "DNN860",
    "wrong-usage",
    "A command was called in a way that it does not understand.",
    why="Options are never guessed or abbreviated, so that a script means the same in every version.",
    wrong="dnnc train iris.dnn iris.csv --taget species",
    right="dnnc train iris.dnn iris.csv --target species",
    program=False,
)
NO_ACCESS = rule(
    "DNN861",
    "no-access",
    "A file cannot be read or written.",
    why="The system refused, for the reason given.",
    wrong="dnnc compile iris.dnn --emit json -o /no/such/folder/plan.json",
    right="dnnc compile iris.dnn --emit json -o plan.json",
    program=False,
)


class Parser(argparse.ArgumentParser):
    """Raises UsageError instead of leaving the process; suggests what may have been meant."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **settings)
        self.flags: list[str] = ["-h", "--help"]

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        action = super().add_argument(*names, **settings)
        if hasattr(self, "flags"):  # argparse itself adds --help while it is being set up
            self.flags += action.option_strings
        return action

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """All arguments, or UsageError."""
        found, rest = self.parse_known_intermixed_args(list(arguments))
        if rest:
            raise UsageError(self._unknown(rest[0]))
        return found

    def error(self, message: str) -> NoReturn:
        raise UsageError(USAGE.at(None, f"{self.prog}: {message}", help=f"`{self.prog} --help` shows how it is used"))

    def _unknown(self, argument: str) -> Any:
        if not argument.startswith("-"):
            message = f"{self.prog}: there is one argument too many, `{argument}`"
            return USAGE.at(None, message, help=f"`{self.prog} --help` shows how it is used")
        word = argument.split("=", 1)[0]
        near = closest(word, self.flags)
        return USAGE.at(
            None,
            f"{self.prog}: there is no option `{word}`",
            help=f"did you mean `{near}`?" if near is not None else f"`{self.prog} --help` lists the options",
        )


def definition(text: str) -> tuple[str, str]:
    """`NAME=VALUE` of -D."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    return name.strip(), value.strip()


def amount(text: str) -> int:
    """The bytes of --memory-budget."""
    from dnnlang.plan.budget.amount import read_bytes

    found = read_bytes(text)
    if not found:
        raise argparse.ArgumentTypeError(f"`{text}` is no amount of memory; write 64MiB, 1.5GiB, 512kB, or bytes")
    return found


def samples(text: str) -> int:
    """The number of samples of --batch."""
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 12 or int(text) == 0:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of samples; write 64")
    return int(text)


def add_budget_option(parser: Parser) -> None:
    """--memory-budget, of the commands that plan gradients."""
    parser.add_argument(
        "--memory-budget",
        metavar="SIZE",
        type=amount,
        default=None,
        help="compute values again in the backward part rather than needing more: 64MiB, 1.5GiB, 512kB, or bytes; "
        "parameters, gradients and the optimizer's state count too, X and Y do not",
    )


def add_program_options(parser: Parser) -> None:
    """-D and -O, of every command that compiles."""
    parser.add_argument(
        "-D",
        dest="defines",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=definition,
        help="set a param, a dim or an open size, as in -D width=128 or -D 'n[0]=3'",
    )
    parser.add_argument(
        "-O",
        dest="optimize",
        metavar="LEVEL",
        type=int,
        choices=(0, 1, 2),
        default=None,
        help="0: the lesson as written; 1: caches only what backward reads; 2: merges steps too (default)",
    )


def add_deny_option(parser: Parser) -> None:
    """--deny, of every command that compiles a program text."""
    parser.add_argument(
        "--deny",
        metavar="CODE",
        action="append",
        default=[],
        help="make errors of these warnings, as in --deny DNN321; --deny warnings: of all",
    )


def add_diagnostic_option(parser: Parser) -> None:
    """--output-format, of every command."""
    parser.add_argument(
        "--output-format",
        metavar="FORMAT",
        choices=FORMATS,
        default="full",
        help="how diagnostics are shown: full (default), concise, json or github",
    )


FORMATS = ("full", "concise", "json", "github")
