"""Which columns of a table go where: to an input, to a target, or nowhere. Decided by name, once."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dnnlang.diagnostics.diagnostic import Diagnostic
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import DataError
from dnnlang.graph.architecture import Architecture, LossUse
from dnnlang.sizes import Size, SizeError, evaluate, substitute, symbols
from dnnlang.training import data_rules as rules
from dnnlang.training.table import Table


@dataclass(frozen=True, slots=True)
class Routing:
    """Columns by input node and by target (`Y`, or `Y[NODE]`), in unit order, and the sizes that follow."""

    inputs: Mapping[str, tuple[str, ...]]
    targets: Mapping[str, tuple[str, ...]]
    sizes: Mapping[str, int]

    @property
    def features(self) -> list[str]:
        """All input columns, each once."""
        return list(dict.fromkeys(name for columns in self.inputs.values() for name in columns))

    @property
    def labels(self) -> list[str]:
        """All target columns, each once."""
        return list(dict.fromkeys(name for columns in self.targets.values() for name in columns))


def target_uses(architecture: Architecture) -> dict[str, LossUse]:
    """The losses by target, the first of each: they share the output's units and what is given of the target."""
    uses: dict[str, LossUse] = {}
    for use in architecture.losses:
        uses.setdefault(use.target, use)
    return uses


def route(
    table: Table,
    architecture: Architecture,
    targets: Sequence[str],
    inputs: Sequence[str] = (),
    sizes: Mapping[str, int] | None = None,
) -> Routing:
    """Assign the columns of `table`.

    `targets` and `inputs` are what the user wrote: `COL,COL`, or `NAME=COL,COL` where there are several.
    Without `inputs` a single input takes every column that is no target, in the table's order. Raises DataError.
    """
    uses = target_uses(architecture)
    names = {target: target for target in uses} | {use.node: target for target, use in uses.items()}
    target_columns = _assign(table, targets, names, list(uses), "target")
    missing = [target for target in uses if target not in target_columns]
    if missing:
        raise DataError(_no_target(table, missing, uses))
    input_columns = _input_columns(table, architecture, inputs, target_columns)
    bound = dict(sizes or {})
    for node, columns in input_columns.items():
        bound |= _bind_input(table, architecture, node, columns, bound)
    return Routing(input_columns, target_columns, bound)


def known_columns(table: Table, wanted: Sequence[str], what: str) -> None:
    """Raise DataError unless every name of `wanted` is a column of the table."""
    found = [_unknown(table, name, what) for name in wanted if name not in table.columns]
    if found:
        raise DataError(*found[: rules.SHOWN])


def bind(size: Size, wanted: int, bound: Mapping[str, int]) -> dict[str, int] | None:
    """The one open symbol that makes `size` equal `wanted`, where it occurs linearly; None if nothing does.

    {} where the size is known and already equal. Sizes that stay open (two symbols) give {} too: the
    compiler checks them once everything is bound.
    """
    try:
        rest = substitute(size, bound)
        open_symbols = sorted(symbols(rest))
        if not open_symbols:
            return {} if evaluate(rest, {}) == wanted else None
        if len(open_symbols) > 1:
            return {}
        name = open_symbols[0]
        first = evaluate(rest, {name: 1})
        step = evaluate(rest, {name: 2}) - first
        if step == 0 or (wanted - first) % step != 0:
            return None
        value = 1 + (wanted - first) // step
        return {name: value} if value >= 1 and evaluate(rest, {name: value}) == wanted else None
    except SizeError:
        return None


def _assign(
    table: Table, specs: Sequence[str], names: Mapping[str, str], all_names: list[str], what: str
) -> dict[str, tuple[str, ...]]:
    """Columns by name. `names` maps what may stand before `=` to what it stands for."""
    assigned: dict[str, tuple[str, ...]] = {}
    for spec in specs:
        before, equals, after = spec.partition("=")
        if equals and before.strip() in names:
            name = names[before.strip()]
            columns = after
        elif len(all_names) == 1 and (not equals or before.strip() not in names):
            name = all_names[0]
            columns = spec
        else:
            raise DataError(_unknown_name(before.strip() if equals else None, what, all_names, spec))
        if name in assigned:
            raise DataError(
                rules.ROUTING.at(None, f"the {what} `{name}` is given twice", help="list all its columns at once")
            )
        assigned[name] = tuple(_columns(table, columns, what))
    return assigned


def _columns(table: Table, text: str, what: str) -> list[str]:
    """Column names between commas; a name that itself holds a comma may be quoted, as in CSV."""
    names: list[str] = []
    for name in (part.strip() for part in next(csv.reader([text]), [])):
        if name in table.columns:
            names.append(name)
        elif name in table.groups:
            names += table.groups[name]
        else:
            raise DataError(_unknown(table, name, what))
    doubled = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if doubled is not None:
        raise DataError(rules.ROUTING.at(None, f"the {what} column `{doubled}` is listed twice"))
    if not names:
        raise DataError(rules.ROUTING.at(None, f"the {what} names no column", help=f"columns: {listed(table.columns)}"))
    return names


def _input_columns(
    table: Table, architecture: Architecture, inputs: Sequence[str], targets: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    if inputs:
        assigned = _assign(
            table, inputs, {name: name for name in architecture.inputs}, list(architecture.inputs), "input"
        )
        _refuse_targets(assigned, targets)
        missing = [name for name in architecture.inputs if name not in assigned]
    else:
        taken = {name for columns in targets.values() for name in columns}
        rest = tuple(name for name in table.columns if name not in taken)
        assigned = _by_group(table, architecture.inputs) or {architecture.inputs[0]: rest}
        missing = [name for name in architecture.inputs if name not in assigned]
        if not rest:
            raise DataError(
                rules.ROUTING.at(
                    None, f"`{table.name}` has no column besides the target", help="say more with `--input`"
                )
            )
    if missing and len(architecture.inputs) > 1:
        raise DataError(
            rules.ROUTING.at(
                None,
                f"it is not said which columns go to the input `{missing[0]}`",
                help=f"say it for each: {' '.join(f'--input {name}=COL,COL' for name in architecture.inputs)}",
                notes=[f"columns: {listed(table.columns)}"],
            )
        )
    return assigned


def _refuse_targets(inputs: Mapping[str, tuple[str, ...]], targets: Mapping[str, tuple[str, ...]]) -> None:
    """A column that goes in and is to be predicted as well would teach the network to copy it."""
    wanted = {column for columns in targets.values() for column in columns}
    for columns in inputs.values():
        for column in columns:
            if column in wanted:
                message = f"the column `{column}` is the target, and cannot be an input too"
                raise DataError(rules.ROUTING.at(None, message, help=f"leave `{column}` out of `--input`"))


def _by_group(table: Table, inputs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Inputs that bear the names of matrices in an archive need no routing."""
    return {name: table.groups[name] for name in inputs if name in table.groups}


def _bind_input(
    table: Table, architecture: Architecture, node: str, columns: tuple[str, ...], bound: Mapping[str, int]
) -> dict[str, int]:
    data = architecture.nodes[node]
    found = bind(data.units, len(columns), bound)
    if found is not None:
        return found
    units = substitute(data.units, bound)
    count = len(columns)
    go = f"1 column of `{table.name}` goes" if count == 1 else f"{count} columns of `{table.name}` go"
    raise DataError(
        rules.COLUMN_COUNT.at(
            data.span,
            f"the input {node} has {units} {'unit' if units == 1 else 'units'}, but {go} there",
            notes=[f"columns: {listed(columns)}"],
            help=f"write `input {count}`, or choose columns with `--input {node}=COL,COL`",
        )
    )


def _no_target(table: Table, missing: list[str], uses: Mapping[str, LossUse]) -> Diagnostic:
    if len(uses) == 1:
        message = f"it is not said which column of `{table.name}` is the target"
        help = f"say it, for example with `--target {table.columns[-1]}`"
    else:
        message = f"it is not said which columns are the target {missing[0]}"
        help = "say it for each: " + " ".join(f"--target {use.node}=COL" for use in uses.values())
    return rules.ROUTING.at(None, message, help=help, notes=[f"columns: {listed(table.columns)}"])


def _unknown(table: Table, name: str, what: str) -> Diagnostic:
    near = closest(name, [*table.columns, *table.groups])
    return rules.UNKNOWN_COLUMN.at(
        None,
        f"`{table.name}` has no column `{name}`" + (f", which the {what} needs" if what != "target" else ""),
        help=f"did you mean `{near}`?" if near is not None else f"the file needs a column `{name}`, under that name",
        notes=[f"columns: {listed(table.columns)}"],
    )


def _unknown_name(name: str | None, what: str, known: list[str], spec: str) -> Diagnostic:
    if name is None:
        message = f"the network has {len(known)} {what}s, and `{spec}` does not say for which one it is"
        help = f"write `--{what} {known[0]}={spec}`"
    else:
        near = closest(name, known)
        message = f"the network has no {what} `{name}`"
        help = f"did you mean `{near}`?" if near is not None else f"the {what}s are {listed(known)}"
    return rules.ROUTING.at(None, message, help=help)


def listed(names: Iterable[str], limit: int = 12) -> str:
    """The first few names, for a message."""
    names = list(names)
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
