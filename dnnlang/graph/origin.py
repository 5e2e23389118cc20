"""Where a size comes from, told so that a dimension error can blame both ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics import Label
from dnnlang.graph.scope import ArgumentEntry, CounterEntry, DimEntry, Entry, ParamEntry, Scope, line_of
from dnnlang.graph.values import shown
from dnnlang.graph.walk import names_in, text_of
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import Size
from dnnlang.source import Span
from dnnlang.syntax.tree import Expression, Name, Number

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft
    from dnnlang.graph.solver import Solver

_LONGEST: Final = 60  # characters of source text quoted in a message
_MOST_LABELS: Final = 4  # steps of inference shown
_MOST_WRITTEN: Final = 100  # places looked at for params to explain


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A size that stands in the program: `expression`, in the statement at `statement`."""

    expression: Expression
    statement: Span
    scope: Scope

    @property
    def span(self) -> Span:
        return self.expression.span


@dataclass(frozen=True, slots=True, eq=False)
class SameAs:
    """The size of another node, handed on."""

    node: Draft
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """The sum of the sizes of other nodes, at `span`."""

    nodes: tuple[Draft, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """A symbol that stands for the size of an input without one."""

    symbol: str
    span: Span


Origin = Written | SameAs | Stacked | Open


def told(node: Draft, solver: Solver) -> str:
    """`n[stem] = 64, from …`: a node's size by its name, and where it comes from."""
    assert node.units is not None
    text, name = describe(node.units, node.origin, solver), node.size_name()
    text = text.replace(f" = {name},", ",", 1)
    return text if text.startswith(f"{name},") else f"{name} = {text}"


def describe(size: Size, origin: Origin | None, solver: Solver) -> str:
    """`64 = width, set on line 5`: the size as it is known now, and where it comes from."""
    while isinstance(origin, SameAs):
        origin = origin.node.origin
    value = solver.resolve(size)
    if isinstance(origin, Written):
        return _describe_written(value, origin, solver)
    if isinstance(origin, Stacked):
        parts = " + ".join(str(solver.resolve(n.units)) for n in origin.nodes if n.units is not None)
        return f"{value} = {parts}, stacked on {line_of(origin.span)}"
    if isinstance(origin, Open):
        binding = solver.bindings.get(origin.symbol)
        if binding is None:
            return f"{value}, which nothing fixes"
        fixed = binding.equation.span  # there a label of the trail says why
        why = f"because {binding.equation.reason}" if fixed is None else f"fixed on {line_of(fixed)}"
        return f"{value} = {origin.symbol}, {why}"
    return str(value)


def _describe_written(value: Size, origin: Written, solver: Solver) -> str:
    expression = origin.expression
    if isinstance(expression, Number):
        return f"{value}, from {quoted_head(origin)}"
    if not isinstance(expression, Name):
        written = source_text(expression.span)
        same = "".join(written.split()) == "".join(str(value).split())
        return f"{value}{'' if same else f' = {written}'}, from {quoted_head(origin)}"
    entry = origin.scope.find(expression.id)
    if isinstance(entry, ParamEntry):
        return f"{value} = {entry.name}, {entry.set_where()}"
    if isinstance(entry, CounterEntry):
        return f"{value} = {entry.name}, the counter on {line_of(entry.span)}"
    if isinstance(entry, ArgumentEntry):
        return f"{value} = {entry.name}, {_handed(entry)}"
    binding = solver.bindings.get(expression.id)
    if binding is not None:
        fixed = binding.equation.span
        why = f"because {binding.equation.reason}" if fixed is None else f"fixed on {line_of(fixed)}"
        return f"{value} = {expression.id}, {why}"
    if isinstance(entry, DimEntry):
        return f"{value}, a dim declared on {line_of(entry.span)}"
    return str(value)


def _handed(entry: ArgumentEntry) -> str:
    """`handed over as `2 * width` on line 15`."""
    if entry.use is None:
        return f"the default on {line_of(entry.expression.span)}"
    return f"handed over as `{text_of(entry.expression)}` on {line_of(entry.use)}"


def quoted_head(origin: Written) -> str:
    """`` `layer width // 2` on line 17 ``: the statement up to the size."""
    head = origin.statement.to(origin.span)
    return f"`{source_text(head)}` on {line_of(origin.statement)}"


def source_text(span: Span) -> str:
    """What stands there, on one line, shortened if need be."""
    text = " ".join(span.text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def size_as_written(size: Size, origin: Origin | None, solver: Solver, scope: Scope) -> str:
    """The size as the user would write it in another place, with the names of `scope`: `width`, else the number."""
    while isinstance(origin, SameAs):
        origin = origin.node.origin
    value = solver.resolve(size)
    if isinstance(origin, Written) and isinstance(origin.expression, Name):
        name = origin.expression.id
        if origin.scope.find(name) is scope.find(name):
            return name
    return str(value)


def trail_labels(solver: Solver, sizes: Iterable[Size]) -> list[Label]:
    """For every inferred symbol in the sizes, the place that fixed it."""
    labels: list[Label] = []
    for name, value, equation in solver.trail(*sizes)[:_MOST_LABELS]:
        if equation.span is not None:
            labels.append(Label(equation.span, f"{name} = {value}, because {equation.reason}"))
    return labels


def param_notes(origins: Iterable[Origin | None], solver: Solver, sizes: Iterable[Size] = ()) -> list[str]:
    """`width = 64, set on line 5` for every param in the written sizes, unless it is the whole of one of them.

    Those that inferred symbols in `sizes` were found from are looked at too.
    """
    steps = solver.trail(*sizes)[:_MOST_LABELS]
    found = [*origins, *(origin for _, _, equation in steps for origin in equation.origins)]
    written = [w for origin in found for w in _written(origin)]
    return number_notes([(w.expression, w.scope) for w in written], solver, whole_told=True)


def number_notes(
    expressions: Iterable[tuple[Expression, Scope]], solver: Solver | None = None, *, whole_told: bool = False
) -> list[str]:
    """What the names in expressions stand for, and where that is set: params, counters, parameters of blocks.

    What was handed to a block is followed to the params in it. With a solver, dims that were bound from outside are
    among them. `whole_told`: an expression that is just a name has been told about.
    """
    queue = list(expressions)
    known = {scope.find(e.id) for e, scope in queue if isinstance(e, Name)} if whole_told else set()
    seen: set[Entry] = set()
    notes: dict[str, None] = {}
    for expression, scope in queue:  # grows while it is walked through
        for name in names_in(expression):
            entry = scope.find(name.id)
            binding = solver.bindings.get(name.id) if isinstance(entry, DimEntry) and solver is not None else None
            if binding is not None and binding.equation.span is None and entry not in known:
                notes[f"{name.id} = {binding.size}, because {binding.equation.reason}"] = None
            if not isinstance(entry, ParamEntry | CounterEntry | ArgumentEntry) or entry in seen:
                continue
            seen.add(entry)
            if isinstance(entry, ArgumentEntry):
                queue.append((entry.expression, entry.scope))
            value = entry.value
            if entry in known or value is None or isinstance(value, Activation):
                continue
            if isinstance(entry, ParamEntry):
                notes[f"{entry.name} = {shown(value)}, {entry.set_where()}"] = None
            elif isinstance(entry, ArgumentEntry):
                notes[f"{entry.name} = {shown(value)}, {_handed(entry)}"] = None
            else:
                notes[f"{entry.name} = {value}, the counter on {line_of(entry.span)}"] = None
    return list(notes)


def _written(origin: Origin | None) -> list[Written]:
    """The written sizes that a size is made of; of a tall stack the last ones."""
    found: list[Written] = []
    queue, seen = [origin], 0
    while queue and seen < _MOST_WRITTEN:
        origin = queue.pop(0)
        seen += 1
        while isinstance(origin, SameAs):
            origin = origin.node.origin
        if isinstance(origin, Stacked):
            queue.extend(node.origin for node in origin.nodes[:_MOST_LABELS])
        elif isinstance(origin, Written):
            found.append(origin)
    return found
