"""The table on the command line: options, and what a network gets of it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnlang.cli.parser import Parser

if TYPE_CHECKING:
    from dnnlang.training.files import Model
    from dnnlang.training.layout import Layout
    from dnnlang.training.state import Data
    from dnnlang.training.table import Table


@dataclass(frozen=True, slots=True)
class Samples:
    """What a table holds for a network: X, and Y where there are targets."""

    table: Table
    rows: int
    layout: Layout
    X: Data
    Y: Data | None


def add_data_options(parser: Parser) -> None:
    parser.add_argument("data", metavar="DATA", help="a table: .csv, .csv.gz, .npz or .parquet; rows are samples")


def for_model(model: Model, path: str, *, targets: bool) -> Samples:
    """The table at `path` for a trained model: its columns by name, whatever their order. Raises DataError."""
    from dnnlang.training.columns import known_columns, listed
    from dnnlang.training.data import open_table
    from dnnlang.training.layout import inputs_of, targets_of

    table = open_table(path)
    layout = model.layout if model.layout is not None else _unnamed(model, table)
    features = list(dict.fromkeys(name for columns in layout.inputs.values() for name in columns))
    labels = list(dict.fromkeys(name for target in layout.targets.values() for name in target.columns))
    known_columns(table, features, "model")
    if targets:
        known_columns(table, labels, "target")
    ignored = [name for name in table.columns if name not in features and name not in labels]
    if ignored:
        print(f"columns that the model does not use: {listed(ignored)}", file=sys.stderr)
    block = table.read(features, labels if targets else [])
    dtype = model.network.dtype
    X = inputs_of(layout, features, block.numbers, dtype)
    return Samples(table, block.rows, layout, X, targets_of(layout, table, block, dtype) if targets else None)


def _unnamed(model: Model, table: Table) -> Layout:
    """A model that was trained from Python has no column names: then the order must do, and the number must fit."""
    from dnnlang.errors import DataError
    from dnnlang.training import data_rules as rules
    from dnnlang.training.layout import Layout

    inputs = model.network.program.architecture.inputs
    units = {name: model.network.units(name) for name in inputs}
    if len(inputs) > 1 or len(table.columns) != units[inputs[0]]:
        raise DataError(
            rules.COLUMN_COUNT.at(
                None,
                f"the model was trained on arrays, without column names, and takes {sum(units.values())} numbers a "
                f"sample, but `{table.name}` has {len(table.columns)} columns",
                help="give a table of exactly these columns, or train with `dnnc train`, which stores their names",
            )
        )
    print("the model knows no column names; taking the columns in their order", file=sys.stderr)
    return Layout({inputs[0]: table.columns}, {})
