"""How a table becomes X and Y: columns, their order, and the classes. Stored with a trained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import DataError
from dnnlang.graph.architecture import Architecture, LossUse
from dnnlang.sizes import evaluate, substitute, symbols
from dnnlang.source import Span
from dnnlang.training import data_rules as rules
from dnnlang.training.columns import Routing, bind, listed, target_uses
from dnnlang.training.metrics import class_indices, two_values
from dnnlang.training.table import Array, Block, Numbers, Table, cell, is_number


@dataclass(frozen=True, slots=True)
class Target:
    """One target. `classes` are the class names in unit order, or None where the target is numbers.

    `distribution`: the loss states what targets sum to, so that Y may be class indices (m,). `values`: the
    only two numbers that a target of one unit takes; the output is right if it is nearer to the right one.
    """

    columns: tuple[str, ...]
    classes: tuple[str, ...] | None
    units: int
    distribution: bool
    values: tuple[float, float] | None = None

    @property
    def binary(self) -> bool:
        """Two classes on one unit: the first is 0, the second 1."""
        return self.classes is not None and self.units == 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns by input node, and targets by name (`Y`, or `Y[NODE]`)."""

    inputs: Mapping[str, tuple[str, ...]]
    targets: Mapping[str, Target]

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": {name: list(columns) for name, columns in self.inputs.items()},
            "targets": {
                name: {
                    "columns": list(target.columns),
                    "classes": None if target.classes is None else list(target.classes),
                    "units": target.units,
                    "distribution": target.distribution,
                    "values": None if target.values is None else list(target.values),
                }
                for name, target in self.targets.items()
            },
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Layout:
        """Raises KeyError, TypeError or ValueError where `data` is not what to_json writes."""
        return Layout(
            {str(name): _texts(columns) for name, columns in data["inputs"].items()},
            {
                str(name): Target(
                    _texts(entry["columns"]),
                    None if entry["classes"] is None else _texts(entry["classes"]),
                    int(entry["units"]),
                    bool(entry["distribution"]),
                    None if entry["values"] is None else _pair(entry["values"]),
                )
                for name, entry in data["targets"].items()
            },
        )


def lay_out(table: Table, block: Block, routing: Routing, architecture: Architecture) -> tuple[Layout, dict[str, int]]:
    """Decide what the targets are, from the data and the losses; also the sizes bound so far. Raises DataError."""
    sizes = dict(routing.sizes)
    targets = {}
    for name, use in target_uses(architecture).items():
        columns = routing.targets[name]
        targets[name] = _target(table, block, columns, use, architecture, sizes)
    return Layout(dict(routing.inputs), targets), sizes


def inputs_of(layout: Layout, features: list[str], numbers: Numbers, dtype: Any) -> Array | dict[str, Array]:
    """X, (n[0], m): an array, or one for each input by its name. Raises DataError where dtype overflows."""
    arrays = {}
    for name, columns in layout.inputs.items():
        part = numbers if list(columns) == features else numbers[:, [features.index(c) for c in columns]]
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(part.T, dtype=dtype)
        if not np.isfinite(array).all():
            unit, row = (int(i[0]) for i in np.nonzero(~np.isfinite(array)))
            raise DataError(
                rules.NOT_FINITE.at(
                    None,
                    f"{cell(row, columns[unit])} is {part[row, unit]:g}, too large for {np.dtype(dtype)}",
                    help="divide the column by its largest value",
                )
            )
        arrays[name] = array
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


def targets_of(layout: Layout, table: Table, block: Block, dtype: Any) -> Array | dict[str, Array]:
    """Y: numbers (k, m), class indices (m,) for a distribution, one-hot (k, m) or 0/1 (1, m). Raises DataError."""
    arrays = {name: _encoded(target, table, block, dtype) for name, target in layout.targets.items()}
    return next(iter(arrays.values())) if len(arrays) == 1 else arrays


# ---------------------------------------------------------------- what a target is


def _target(
    table: Table,
    block: Block,
    columns: tuple[str, ...],
    use: LossUse,
    architecture: Architecture,
    sizes: dict[str, int],
) -> Target:
    node = architecture.nodes[use.node]
    units = substitute(node.units, sizes)
    distribution = bool(use.loss.given)
    if len(columns) > 1:
        bound = bind(units, len(columns), {})
        if bound is None:
            raise DataError(
                rules.TARGET.at(
                    node.span,
                    f"the output has {units} units, but there are {len(columns)} target columns",
                    help=f"name as many columns as units, or write a last layer of {len(columns)}",
                    notes=[f"target columns: {listed(columns)}"],
                )
            )
        sizes |= bound
        _all_numbers(table, block, columns)
        return Target(columns, None, len(columns), distribution)
    classes = _classes(table, block, columns[0], units if not symbols(units) else None, distribution)
    count = 1 if classes is None else len(classes)
    one_unit = classes is None or (len(classes) == 2 and bind(units, 1, {}) == {})
    bound = bind(units, 1 if one_unit else count, {})
    if bound is not None:
        sizes |= bound
        if not one_unit:
            return Target(columns, classes, count, distribution)
        values = (0.0, 1.0) if classes is not None else two_values(np.asarray(block.raw[columns[0]]))
        return Target(columns, classes, 1, distribution, values)
    known = evaluate(units, {}) if not symbols(units) else None
    if classes is None:
        raise DataError(_one_column_many_units(columns[0], str(units), node.span))
    classes = _all_integers(classes, known)
    if classes is not None and known is not None:
        return Target(columns, classes, known, distribution)
    raise DataError(_wrong_classes(table, block, columns[0], str(units), node.span))


def _classes(table: Table, block: Block, column: str, units: Any, distribution: bool) -> tuple[str, ...] | None:
    """The classes of a target column, sorted; None where it holds numbers to be fitted."""
    values = block.raw[column]
    if isinstance(values, list):
        distinct = tuple(sorted(set(values)))
        numeric = sum(is_number(value) for value in values)
        fits = len(distinct) == (2 if units == 1 else units)
        if numeric * 2 > len(values) and not fits:
            _all_numbers(table, block, (column,))
        return distinct
    _all_finite(table, column, values)
    if not distribution or units == 1:
        return None
    whole = np.floor(values)
    if (whole != values).any():
        row = int(np.nonzero(whole != values)[0][0])
        raise DataError(
            rules.TARGET.at(
                table.places([(row, column)])[0],
                f"{cell(row, column)} is {values[row]:g}, but a class is a text or a whole number",
                help="name a column of classes, or as many columns of probabilities as the output has units",
            )
        )
    return tuple(str(int(value)) for value in np.unique(whole))


def _all_integers(classes: tuple[str, ...], units: int | None) -> tuple[str, ...] | None:
    """0 … units-1, if the classes are some of these: one that does not occur still has its unit."""
    if units is None or not all(name.isdecimal() and int(name) < units for name in classes):
        return None
    return tuple(str(i) for i in range(units))


def _wrong_classes(table: Table, block: Block, column: str, units: str, span: Span) -> Any:
    values = block.raw[column]
    distinct = sorted(set(values)) if isinstance(values, list) else [f"{v:g}" for v in np.unique(values)]
    plural = "unit" if units == "1" else "units"
    return rules.TARGET.at(
        span,
        f"the output has {units} {plural}, but the target `{column}` has {len(distinct)} classes",
        help=f"write a last layer of {len(distinct)} units: `layer {len(distinct)} softmax`"
        if len(distinct) > 1
        else "there is nothing to tell apart; is this the right column?",
        notes=[f"classes: {listed(distinct)}"],
    )


def _one_column_many_units(column: str, units: str, span: Span) -> Any:
    return rules.TARGET.at(
        span,
        f"the output has {units} units, but the target is one column of numbers, `{column}`",
        help="write a last layer of 1 unit, or name a target column for each unit: `--target COL,COL`",
    )


# ---------------------------------------------------------------- numbers for the network


def _encoded(target: Target, table: Table, block: Block, dtype: Any) -> Array:
    if target.classes is None:
        _all_numbers(table, block, target.columns)
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(np.stack([np.asarray(block.raw[name]) for name in target.columns]), dtype)
    indices = _indices(target, target.classes, table, block)
    if target.binary:
        return indices[np.newaxis, :].astype(dtype)
    if target.distribution:
        return indices
    return np.eye(target.units, dtype=dtype)[:, indices]


def _indices(target: Target, classes: tuple[str, ...], table: Table, block: Block) -> NDArray[np.int64]:
    column = target.columns[0]
    values = block.raw[column]
    index = {name: i for i, name in enumerate(classes)}
    names = values if isinstance(values, list) else [_class_name(value, index) for value in values]
    try:
        return np.array([index[name] for name in names], np.int64)
    except KeyError:
        pass
    rows = [row for row, name in enumerate(names) if name not in index]
    first = {names[row]: row for row in reversed(rows)}
    shown = sorted(first.values())[: rules.SHOWN]
    spans = table.places([(row, column) for row in shown])
    raise DataError(
        *(
            rules.UNKNOWN_CLASS.at(
                span,
                f"{cell(row, column)} is `{names[row]}`, which is none of the classes that the network knows",
                help=f"did you mean `{near}`?"
                if (near := closest(names[row], list(classes))) is not None
                else "leave the row out, or train the network on this class too",
                notes=[f"classes: {listed(classes)}"],
            )
            for row, span in zip(shown, spans, strict=True)
        )
    )


def _class_name(value: float, index: Mapping[str, int]) -> str:
    """The class a number stands for: `3` and `3.0` are one class; text classes may look like `2.5` too."""
    name = str(int(value)) if value == int(value) else repr(float(value))
    return name if name in index or repr(float(value)) not in index else repr(float(value))


def _all_numbers(table: Table, block: Block, columns: tuple[str, ...]) -> None:
    for column in columns:
        values = block.raw[column]
        if not isinstance(values, list):
            _all_finite(table, column, values)
            continue
        rows = [row for row, value in enumerate(values) if not is_number(value)][: rules.SHOWN]
        spans = table.places([(row, column) for row in rows])
        raise DataError(
            *(
                rules.NOT_A_NUMBER.at(
                    span,
                    f"{cell(row, column)} is `{values[row][:40]}`, which is not a number",
                    help="the target of this network is numbers; write one there, or drop the row",
                )
                for row, span in zip(rows, spans, strict=True)
            )
        )


def _all_finite(table: Table, column: str, values: Numbers) -> None:
    rows = np.nonzero(~np.isfinite(values))[0][: rules.SHOWN].tolist()
    if not rows:
        return
    spans = table.places([(row, column) for row in rows])
    raise DataError(
        *(
            rules.NOT_FINITE.at(span, f"{cell(row, column)} is {values[row]}", help="drop the row")
            for row, span in zip(rows, spans, strict=True)
        )
    )


def _pair(values: Any) -> tuple[float, float]:
    low, high = values
    return float(low), float(high)


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list of texts was expected")
    return tuple(values)


def decoded(target: Target, A: Array) -> NDArray[np.int64]:
    """The class of each sample, (m,), from outputs or from a Y: (k, m), (1, m) or indices (m,)."""
    if target.binary:
        low, high = target.values or (0.0, 1.0)
        return (A.reshape(-1) > (low + high) / 2).astype(np.int64)
    return class_indices(A)
