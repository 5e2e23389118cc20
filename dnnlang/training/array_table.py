"""Tables from NumPy archives and Parquet files: columns come as arrays, so there is no text to point at."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.errors import DataError
from dnnlang.source import Span
from dnnlang.training import data_rules as rules
from dnnlang.training.table import Array, Block, Numbers, cell


class ArrayTable:
    """A table in memory: one or more matrices (rows, k), whose columns have names. Raises DataError."""

    def __init__(self, name: str, arrays: Mapping[str, Array]) -> None:
        self.name = name
        self.groups: dict[str, tuple[str, ...]] = {}
        self._where: dict[str, tuple[Array, int | None]] = {}
        self._arrays = arrays
        for key, array in arrays.items():
            self._add(key, array)
        self.columns = tuple(self._where)
        if not self.columns:
            raise DataError(rules.EMPTY.at(None, f"`{name}` has no columns"))
        self._rows = self._same_rows()

    def read(self, numbers: Sequence[str], raw: Sequence[str]) -> Block:
        bad: list[Diagnostic] = []
        whole = self._whole(numbers)
        if whole is None:
            block = np.empty((self._rows, len(numbers)))
            for i, name in enumerate(numbers):
                block[:, i] = self._number_column(name, bad)
        else:
            block = whole.astype(np.float64)
        if not bad and not np.isfinite(block).all():
            bad += self._not_finite(block, numbers)
        columns = {name: self._raw_column(name, bad) for name in raw}
        if bad:
            raise DataError(*bad[: rules.SHOWN])
        return Block(self._rows, block, columns)

    def places(self, cells: Sequence[tuple[int, str | None]]) -> list[Span | None]:
        return [None] * len(cells)

    def _add(self, key: str, array: Array) -> None:
        if array.ndim not in (1, 2):
            raise DataError(
                rules.UNREADABLE.at(
                    None,
                    f"`{key}` in `{self.name}` has shape {array.shape}, but a column is (rows,) and a matrix "
                    "(rows, columns)",
                    help=f"flatten each sample: `{key}.reshape(len({key}), -1)`" if array.ndim > 2 else None,
                )
            )
        if array.dtype.kind not in "biufUSO":
            raise DataError(
                rules.NOT_A_NUMBER.at(
                    None,
                    f"`{key}` in `{self.name}` holds {array.dtype}, which are neither numbers nor text",
                    help="turn it into numbers, or leave it out of the file",
                )
            )
        if array.ndim == 1:
            self._where[key] = (array, None)
            return
        names = tuple(f"{key}[{i}]" for i in range(array.shape[1]))
        self.groups[key] = names
        self._where.update((name, (array, i)) for i, name in enumerate(names))

    def _same_rows(self) -> int:
        lengths = {key: len(array) for key, array in self._arrays.items()}
        first, rows = next(iter(lengths.items()))
        for key, length in lengths.items():
            if length != rows:
                raise DataError(
                    rules.RAGGED.at(
                        None,
                        f"`{first}` in `{self.name}` has {rows} rows, but `{key}` has {length}",
                        help="rows are samples, so every array needs as many"
                        + ("; transpose it" if rows in self._arrays[key].shape else ""),
                    )
                )
        if rows == 0:
            raise DataError(rules.EMPTY.at(None, f"`{self.name}` has no rows"))
        return rows

    def _column(self, name: str) -> Array:
        array, at = self._where[name]
        return array if at is None else array[:, at]

    def _whole(self, names: Sequence[str]) -> Array | None:
        """The matrix whose columns these are, all and in order: then nothing needs to be gathered."""
        for key, group in self.groups.items():
            if group == tuple(names) and self._arrays[key].dtype.kind in "biuf":
                return self._arrays[key]
        return None

    def _number_column(self, name: str, bad: list[Diagnostic]) -> Numbers | float:
        column = self._column(name)
        try:
            return column.astype(np.float64)
        except (ValueError, TypeError):
            pass
        for row, value in enumerate(column.tolist()):
            if (problem := _problem(value)) is not None:
                rule, what = problem
                bad.append(
                    rule.at(
                        None,
                        f"{cell(row, name)} of `{self.name}` {what}",
                        help="turn the column into numbers, or leave it out with `--input`",
                    )
                )
                break
        return 0.0

    def _not_finite(self, block: Numbers, names: Sequence[str]) -> list[Diagnostic]:
        rows, columns = (where.tolist() for where in np.nonzero(~np.isfinite(block)))
        return [
            rules.NOT_FINITE.at(
                None,
                f"{cell(row, names[column])} of `{self.name}` is {block[row, column]}",
                help="put a finite number there, or drop the row",
                notes=[f"{len(rows) - rules.SHOWN:,} more bad places in `{self.name}` are not shown"]
                if i == rules.SHOWN - 1 and len(rows) > rules.SHOWN
                else [],
            )
            for i, (row, column) in enumerate(zip(rows[: rules.SHOWN], columns, strict=False))
        ]

    def _raw_column(self, name: str, bad: list[Diagnostic]) -> Numbers | list[str]:
        column = self._column(name)
        if column.dtype.kind in "biuf":
            return column.astype(np.float64)
        texts = []
        for row, value in enumerate(column.tolist()):
            if value is None or value in ("", b""):
                bad.append(
                    rules.MISSING_VALUE.at(
                        None, f"{cell(row, name)} of `{self.name}` is empty", help="fill it in, or drop the row"
                    )
                )
            texts.append(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value).strip())
        return texts


def open_npz(path: str) -> ArrayTable:
    """Open a NumPy archive; nothing in it is executed (no pickles). Raises DataError."""
    return ArrayTable(path, _guarded(path, _npz_arrays))


def open_parquet(path: str) -> ArrayTable:
    """Open a Parquet file; needs the `parquet` extra. Raises DataError."""
    return ArrayTable(path, _guarded(path, _parquet_arrays))


def _npz_arrays(path: str) -> dict[str, Array]:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array, not an archive of named ones")
        return {key: archive[key] for key in archive.files}


def _parquet_arrays(path: str) -> dict[str, Array]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError(
            rules.UNREADABLE.at(
                None,
                f"reading `{path}` needs pyarrow, which is not installed",
                help='install the extra: `pip install "dnnlang[parquet]"`',
            )
        ) from None
    table = parquet.ParquetFile(path).read()
    names = table.column_names
    for i, name in enumerate(names):
        if names.index(name) != i:
            raise DataError(rules.HEADER.at(None, f"two columns of `{path}` are both named `{name}`"))
    arrays = {}
    for name in names:
        column = table.column(name)
        if column.null_count:
            row = column.is_null().to_pylist().index(True)
            raise DataError(
                rules.MISSING_VALUE.at(
                    None,
                    f"{cell(row, name)} of `{path}` is empty ({column.null_count:,} empty cells in the column)",
                    help="fill it in, or drop the row or the column",
                )
            )
        arrays[name] = np.asarray(column.to_numpy())
    return arrays


def _guarded(path: str, load: Callable[[str], dict[str, Array]]) -> dict[str, Array]:
    try:
        return load(path)
    except FileNotFoundError:
        reason = "there is no such file"
    except (zipfile.BadZipFile, zlib.error, EOFError):
        reason = "it is damaged, or not what its name says"
    except OSError as error:
        reason = error.strerror or str(error)
    except MemoryError:
        reason = "it is larger than the memory"
    except ValueError as error:
        reason = _first_line(error)
    raise DataError(rules.UNREADABLE.at(None, f"cannot read `{path}`: {reason}"))


def _problem(value: Any) -> tuple[Any, str] | None:
    if value is None or value in ("", b""):
        return rules.MISSING_VALUE, "is empty"
    try:
        float(value)
    except (TypeError, ValueError):
        return rules.NOT_A_NUMBER, f"is `{str(value)[:40]}`, which is not a number"
    return None


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "it holds Python objects, which are never loaded" if "allow_pickle" in text else text
