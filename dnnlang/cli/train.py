"""Train a program on a table of data.

Every column of the table that is no target is a unit of the input; rows are samples. The trained model holds
the program, the parameters, the names of columns and classes, and all that `--resume` needs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dnnlang.cli.output import check_output, write_result
from dnnlang.cli.parser import Parser, add_budget_option, add_deny_option, add_program_options
from dnnlang.cli.programs import MODEL, denied_codes, open_program
from dnnlang.cli.text import count, figure

if TYPE_CHECKING:
    from dnnlang.program import Program
    from dnnlang.training.evaluation import Measure
    from dnnlang.training.files import Model, Stored
    from dnnlang.training.loop import Observer, Run
    from dnnlang.training.state import Data

EXAMPLE: Final = """example:
  dnnc train examples/digits.dnn examples/data/digits.csv --target digit -o digits.safetensors
  dnnc predict digits.safetensors unseen.csv
"""


def configure(parser: Parser) -> None:
    from dnnlang.cli.data import add_data_options

    parser.add_argument("file", metavar="FILE", help="a program (.dnn)")
    add_data_options(parser)
    parser.add_argument(
        "--target",
        metavar="COL[,COL]",
        action="append",
        default=[],
        help="the column to predict, or one for each output unit; NAME=COL where there are several targets",
    )
    parser.add_argument(
        "--input",
        metavar="[NAME=]COL,…",
        action="append",
        default=[],
        help="the columns of an input, in order; the default is every column that is no target",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="MODEL",
        help="the trained model (default: FILE's name, ending in .safetensors, in this folder)",
    )
    parser.add_argument("--resume", metavar="MODEL", help="go on with the training in MODEL, and write it there")
    parser.add_argument("--backend", metavar="NAME", default="auto", help="auto (default), numpy or native")
    parser.add_argument("--history", metavar="PATH", help="write a JSON line for each epoch")
    parser.add_argument("--report", metavar="PATH", help="write a report (one HTML file)")
    add_budget_option(parser)
    add_program_options(parser)
    add_deny_option(parser)


def run(arguments: argparse.Namespace) -> int:
    from dnnlang.cli.progress import progress
    from dnnlang.cli.signals import stopping
    from dnnlang.cli.watchers import Checkpoints, ChosenBackend, HistoryFile
    from dnnlang.training.files import save
    from dnnlang.training.loop import Run

    output = arguments.output or arguments.resume or Path(arguments.file).stem + MODEL
    _check_outputs(arguments, output)
    program = open_program(arguments)
    stored = _stored(arguments)
    model, X, Y, measure = _prepare(arguments, program, stored)
    shown = progress()
    observers: list[Observer] = [ChosenBackend(), shown, Checkpoints(model, output)]
    if arguments.history is not None:
        observers.append(HistoryFile(arguments.history))
    training = Run(model.network, X, Y, observers=observers, state=model.training, measure=measure)
    model.training = training.state
    _note_other_data(arguments, training, X, Y)
    _advise(arguments, training)
    start = time.perf_counter()
    with stopping(training.stop) as interrupted, shown:
        training.go()
    save(model, output)
    if training.state.finished is None:
        state = training.state
        print(
            f"interrupted at step {state.step:,} of {training.steps:,}, in epoch {state.epoch + 1:,}", file=sys.stderr
        )
        print(f"continue with: {_again(arguments, output)}", file=sys.stderr)
        return interrupted.status
    _conclude(arguments, model, training, output, time.perf_counter() - start)
    return 0


def _check_outputs(arguments: argparse.Namespace, output: str) -> None:
    """Whatever would fail after an hour of training fails now."""
    inputs = (arguments.file, arguments.data)
    for path in (output, arguments.history, arguments.report):
        check_output(path, inputs=inputs)


def _stored(arguments: argparse.Namespace) -> Stored | None:
    from dnnlang.training.files import read

    return None if arguments.resume is None else read(arguments.resume)


def _prepare(
    arguments: argparse.Namespace, program: Program, stored: Stored | None
) -> tuple[Model, Data, Data, Measure]:
    """The network, loaded for the table's sizes (and from a checkpoint), and its X and Y. Raises DnnError."""
    from dnnlang.training.columns import route
    from dnnlang.training.data import open_table
    from dnnlang.training.evaluation import measure_of
    from dnnlang.training.files import Model, resume
    from dnnlang.training.layout import inputs_of, lay_out, targets_of

    table = open_table(arguments.data)
    routing = route(table, program.architecture, arguments.target, arguments.input)
    features = routing.features
    block = table.read(features, routing.labels)
    layout, sizes = lay_out(table, block, routing, program.architecture)
    if arguments.memory_budget is not None:
        program = _within(program.bind(sizes), arguments.memory_budget, block.rows)
    network = program.load(backend=arguments.backend, sizes=sizes)
    network.layout = layout
    X = inputs_of(layout, features, block.numbers, network.dtype)
    Y = targets_of(layout, table, block, network.dtype)
    training = None if stored is None else resume(network, stored)
    return Model(network, layout, training), X, Y, measure_of(network, Y, layout)


def _within(program: Program, budget: int, rows: int) -> Program:
    """The program with plans for this budget and the batch of its settings. Raises UsageError if none fits."""
    batch = program.architecture.settings.batch
    made = program.within(budget, min(batch, rows) if batch is not None else rows)
    made.plan("step")
    return made


def _note_other_data(arguments: argparse.Namespace, training: Run, X: Data, Y: Data) -> None:
    from dnnlang.training.state import digest

    if arguments.resume is not None and training.state.digest != digest(X, Y):
        print(
            f"note: the training in `{arguments.resume}` began with other data; "
            "what is held out may have been trained on before",
            file=sys.stderr,
        )


def _advise(arguments: argparse.Namespace, training: Run) -> None:
    """Show what is worth a warning now that the data are seen. Raises DataError for what `--deny` makes errors of."""
    from dnnlang.cli.show import show
    from dnnlang.diagnostics.allow import deny
    from dnnlang.errors import DataError
    from dnnlang.training.advice import advice
    from dnnlang.training.state import samples

    held = samples(training.held[0]) if training.held is not None else 0
    found = deny(advice(training.network, training.X, held), denied_codes(arguments.deny))
    refused = [d for d in found if d.severity == "error"]
    if refused:
        raise DataError(*refused)
    show(found, arguments.output_format)


def _again(arguments: argparse.Namespace, output: str) -> str:
    """The command that goes on where this one stopped."""
    words = ["dnnc", "train", arguments.file, arguments.data]
    for target in arguments.target:
        words += ["--target", target]
    for columns in arguments.input:
        words += ["--input", columns]
    for name, value in arguments.defines:
        words += ["-D", f"{name}={value}"]
    if arguments.memory_budget is not None:
        words += ["--memory-budget", str(arguments.memory_budget)]
    return shlex.join([*words, "--resume", output])


def _conclude(arguments: argparse.Namespace, model: Model, training: Run, output: str, seconds: float) -> None:
    """What was reached, where it is, and what to do next."""
    from dnnlang.training.evaluation import measure
    from dnnlang.training.state import samples

    state = training.state
    held = training.held is not None
    X, Y = training.held if training.held is not None else (training.X, training.Y)
    loss, values = measure(model.network, X, Y, training.measure)
    reached = {
        f"{'held-out' if held else 'training'} {name}": value for name, value in [*values.items(), ("loss", loss)]
    }
    lines = [f"trained {count(state.epoch, 'epoch')} ({count(state.step, 'step')}) in {seconds:.1f} s"]
    if state.finished == "patience":
        lines[0] += ", then stopped: no better validation loss"
    if state.best is not None:
        lines.append(f"the parameters are those of epoch {state.best_epoch:,}, the best on held-out data")
    width = max(map(len, reached))
    lines += [f"{name:<{width}}  {figure(name, value)}" for name, value in reached.items()]
    lines[-1] += f"   ({count(samples(X), 'row')})"
    lines.append(f"model: {output}")
    if arguments.report is not None:
        from dnnlang.training.report import write_report

        write_report(arguments.report, model, training, reached, seconds)
        lines.append(f"report: {arguments.report}")
    lines.append(f"next: {shlex.join(['dnnc', 'predict', output])} DATA")
    write_result("\n".join(lines) + "\n", None)
