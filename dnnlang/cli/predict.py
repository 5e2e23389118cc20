"""Apply a trained model to data and write the predictions as CSV.

Columns are matched by name; the target column may be there or not. The first column is the prediction; where it
is a class, the output of each unit follows.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from dnnlang.cli.data import add_data_options, for_model
from dnnlang.cli.output import check_output, write_result
from dnnlang.cli.parser import Parser

if TYPE_CHECKING:
    from dnnlang.training.files import Model
    from dnnlang.training.layout import Layout, Target
    from dnnlang.training.table import Array

EXAMPLE: Final = """example:
  dnnc predict digits.safetensors unseen.csv
  dnnc predict digits.safetensors unseen.csv -o predictions.csv
"""


def configure(parser: Parser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a trained model (.safetensors)")
    add_data_options(parser)
    parser.add_argument("-o", dest="output", metavar="OUT", help="write the CSV there instead of printing it")
    parser.add_argument("--backend", metavar="NAME", default="auto", help="auto (default), numpy or native")


def run(arguments: argparse.Namespace) -> int:
    from dnnlang.training.evaluation import outputs
    from dnnlang.training.files import load

    check_output(arguments.output, inputs=(arguments.model, arguments.data))
    model = load(arguments.model, backend=arguments.backend)
    samples = for_model(model, arguments.data, targets=False)
    columns = dict(_columns(model, samples.layout, outputs(model.network, samples.X)))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_result(text.getvalue(), arguments.output)
    return 0


def _columns(model: Model, layout: Layout, A: dict[str, Array]) -> Iterable[tuple[str, Iterable[Any]]]:
    """The columns to write: those of the targets, then outputs that no target belongs to."""
    from dnnlang.training.columns import target_uses

    architecture = model.network.program.architecture
    told = set()
    for name, use in target_uses(architecture).items():
        target = layout.targets.get(name)
        if target is not None and use.node in A:
            told.add(use.node)
            yield from _target_columns(target, A[use.node])
    for node, array in A.items():
        if node not in told:
            value = architecture.nodes[node].value
            yield from ((f"{value}[{i}]", _texts(row)) for i, row in enumerate(array))


def _target_columns(target: Target, A: Array) -> Iterable[tuple[str, Iterable[Any]]]:
    from dnnlang.training.layout import decoded

    if target.classes is None:
        return zip(target.columns, map(_texts, A), strict=True)
    column = target.columns[0]
    labels = [target.classes[i] for i in decoded(target, A)]
    if target.binary:
        return [(column, labels), (f"{column}={target.classes[1]}", _texts(A[0]))]
    scores = [(f"{column}={name}", _texts(row)) for name, row in zip(target.classes, A, strict=True)]
    return [(column, labels), *scores]


def _texts(row: Array) -> list[str]:
    """The shortest text that gives back each number."""
    return [str(value) for value in row]
