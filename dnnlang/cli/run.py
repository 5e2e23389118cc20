"""From arguments to an exit status: finds the command, and turns every failure into a message."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from importlib import import_module

from dnnlang.cli.commands import COMMANDS
from dnnlang.cli.parser import FORMATS, NO_ACCESS, USAGE, Parser, add_diagnostic_option
from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import CompileError, DataError, DnnError, NumericError, UsageError
from dnnlang.version import __version__

FINE, FAILED, USED_WRONGLY, NUMBERS_WRONG, OURS, INTERRUPTED = 0, 1, 2, 3, 70, 130


def run(arguments: list[str]) -> int:
    """Carry out `dnnc ARGUMENTS`. Never raises; the status is as documented."""
    _print_anything()
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except DnnError as error:
        return _report(error, arguments)
    except BrokenPipeError:
        return _quietly()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _report(UsageError(NO_ACCESS.at(None, _access(error))), arguments)
    except MemoryError:
        return _report(UsageError(NO_ACCESS.at(None, "there is not enough memory for this")), arguments)
    except SystemExit as error:  # argparse, after --help
        return error.code if isinstance(error.code, int) else FINE
    except Exception as error:
        return _confess(error)


def _print_anything() -> None:
    """A terminal that knows no `∘`, and a path that is no text, must not keep a message from being shown."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        print(_help(), end="", file=sys.stderr)
        return USED_WRONGLY
    if arguments[0] in ("-h", "--help"):
        print(_help(), end="")
        return FINE
    if arguments[0] in ("-V", "--version"):
        print(f"dnnc {__version__}")
        return FINE
    name = arguments[0]
    if name not in COMMANDS:
        raise UsageError(_unknown_command(name))
    module = import_module(f"dnnlang.cli.{name}")
    parser = Parser(prog=f"dnnc {name}", description=module.__doc__, epilog=module.EXAMPLE)
    module.configure(parser)
    add_diagnostic_option(parser)
    status: int = module.run(parser.parse(arguments[1:]))
    return status


def _help() -> str:
    lines = "\n".join(f"  {name:<10}  {summary}" for name, summary in COMMANDS.items())
    return f"""usage: dnnc COMMAND …

Compiles and trains deep feed-forward networks written in the .dnn language.

commands:
{lines}

`dnnc COMMAND --help` says more about each.

options:
  -h, --help     show this and leave
  -V, --version  show the version and leave

example:
  dnnc train iris.dnn iris.csv --target species
  dnnc predict iris.safetensors flowers.csv
"""


def _unknown_command(name: str) -> Diagnostic:
    option = name.startswith("-")
    near = closest(name, ["--help", "--version"] if option else COMMANDS)
    what = f"there is no option `{name}`" if option else f"there is no command `{name}`"
    if near is not None:
        help = f"did you mean `dnnc {near}`?"
    elif name.endswith(".dnn"):
        help = f"say what to do with it: `dnnc compile {name}`"
    else:
        help = f"the commands are {', '.join(COMMANDS)}"
    return USAGE.at(None, f"dnnc: {what}", help=help)


# ---------------------------------------------------------------- failures


def status_of(error: DnnError) -> int:
    """1 the program has errors or a check failed, 2 wrong usage or an unusable file, 3 the numbers went wrong."""
    if isinstance(error, NumericError):
        return NUMBERS_WRONG
    if isinstance(error, CompileError):
        return FAILED
    if isinstance(error, DataError) and not _is_access(error):
        return FAILED
    return USED_WRONGLY


def _is_access(error: DataError) -> bool:
    """Whether the data could not be read at all, or were asked for wrongly, rather than being wrong themselves."""
    from dnnlang.training import data_rules

    usage = (data_rules.UNREADABLE, data_rules.ROUTING)
    return any(d.rule in usage for d in error.diagnostics)


def _report(error: DnnError, arguments: list[str]) -> int:
    from dnnlang.cli.show import show

    try:
        show(error.diagnostics, _format(arguments))
    except BrokenPipeError:
        return _quietly()
    return status_of(error)


def _format(arguments: list[str]) -> str:
    """The --output-format asked for, found even where the other arguments cannot be understood."""
    for i, argument in enumerate(arguments):
        if argument == "--output-format" and i + 1 < len(arguments):
            argument = f"{argument}={arguments[i + 1]}"
        name, _, value = argument.partition("=")
        if name == "--output-format" and value in FORMATS:
            return value
    return "full"


def _access(error: OSError) -> str:
    place = f" `{error.filename}`" if error.filename else ""
    return f"cannot read or write{place}: {error.strerror or error}"


def _quietly() -> int:
    """Whoever read our output has seen enough. Python must not try to flush it again as it exits."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return FINE


def _confess(error: Exception) -> int:
    """A mistake of ours, with what a report needs."""
    from traceback import extract_tb

    from dnnlang.errors import InternalError

    if not isinstance(error, InternalError):
        places = extract_tb(error.__traceback__)
        where = f", in {os.path.basename(places[-1].filename)} line {places[-1].lineno}" if places else ""
        error = InternalError(f"{type(error).__name__}: {error}{where}")
    if os.environ.get("DNNLANG_TRACEBACK"):
        raise error
    print(error, file=sys.stderr)
    return OURS
