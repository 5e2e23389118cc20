"""Open a data file by its ending."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from dnnlang.diagnostics.nearby import near_file
from dnnlang.errors import DataError
from dnnlang.training import data_rules as rules
from dnnlang.training.array_table import open_npz, open_parquet
from dnnlang.training.csv_table import open_csv
from dnnlang.training.table import Table

READERS: Final[dict[str, Callable[[str], Table]]] = {
    ".csv": open_csv,
    ".csv.gz": open_csv,
    ".npz": open_npz,
    ".parquet": open_parquet,
}
"""By the end of the file's name."""


def open_table(path: str | os.PathLike[str]) -> Table:
    """The table in the file at `path`, its columns known, its rows not yet read. Raises DataError."""
    name = os.fspath(path)
    if name.lower().endswith(".dnn"):
        message = f"`{name}` is a program, and the table of data belongs here"
        raise DataError(rules.UNREADABLE.at(None, message, help="the program comes first: `dnnc train PROGRAM DATA`"))
    if not os.path.exists(name):
        message = f"cannot read `{name}`: there is no such file"
        raise DataError(rules.UNREADABLE.at(None, message, help=near_file(name, *READERS)))
    for ending, reader in READERS.items():
        if name.lower().endswith(ending):
            return reader(name)
    raise DataError(
        rules.UNREADABLE.at(
            None,
            f"cannot read `{name}`: data files end in {', '.join(READERS)}",
            help="export the table as CSV",
        )
    )
