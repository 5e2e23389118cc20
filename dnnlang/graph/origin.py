"""Where a size comes from, told so that a dimension error can blame both ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics import Label
from dnnlang.graph.scope import DimEntry, ParamEntry, Scope, line_of
from dnnlang.graph.walk import names_in
from dnnlang.sizes import Size
from dnnlang.source import Span
from dnnlang.syntax.tree import Expression, Name, Number

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft
    from dnnlang.graph.solver import Solver

_LONGEST: Final = 60  # characters of source text quoted in a message
_MOST_LABELS: Final = 4  # steps of inference shown


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
        return f"{value} = {origin.symbol}, because {binding.equation.reason}"
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
    binding = solver.bindings.get(expression.id)
    if binding is not None:
        return f"{value} = {expression.id}, because {binding.equation.reason}"
    if isinstance(entry, DimEntry):
        return f"{value}, a dim declared on {line_of(entry.span)}"
    return str(value)


def quoted_head(origin: Written) -> str:
    """`` `layer width // 2` on line 17 ``: the statement up to the size."""
    head = origin.statement.to(origin.span)
    return f"`{source_text(head)}` on {line_of(origin.statement)}"


def source_text(span: Span) -> str:
    """What stands there, on one line, shortened if need be."""
    text = " ".join(span.text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def size_as_written(size: Size, origin: Origin | None, solver: Solver) -> str:
    """The size as the user would write it in another place: `width`, else the number or formula."""
    while isinstance(origin, SameAs):
        origin = origin.node.origin
    value = solver.resolve(size)
    if isinstance(origin, Written) and isinstance(origin.expression, Name):
        return origin.expression.id
    return str(value)


def trail_labels(solver: Solver, sizes: Iterable[Size]) -> list[Label]:
    """For every inferred symbol in the sizes, the place that fixed it."""
    labels: list[Label] = []
    for name, value, equation in solver.trail(*sizes)[:_MOST_LABELS]:
        if equation.span is not None:
            labels.append(Label(equation.span, f"{name} = {value}, because {equation.reason}"))
    return labels


def param_notes(origins: Iterable[Origin | None]) -> list[str]:
    """`width = 64, set on line 5` for every param in the written sizes, unless it is the whole of one of them."""
    written = [w for origin in origins for w in _written(origin)]
    told = {w.expression.id for w in written if isinstance(w.expression, Name)}
    notes: dict[str, None] = {}
    for origin in written:
        for name in names_in(origin.expression):
            entry = origin.scope.find(name.id)
            if isinstance(entry, ParamEntry) and entry.value is not None and name.id not in told:
                notes[f"{entry.name} = {entry.value}, {entry.set_where()}"] = None
    return list(notes)


def _written(origin: Origin | None) -> list[Written]:
    """The written sizes that a size is made of."""
    while isinstance(origin, SameAs):
        origin = origin.node.origin
    if isinstance(origin, Stacked):
        return [w for node in origin.nodes[:_MOST_LABELS] for w in _written(node.origin)]
    return [origin] if isinstance(origin, Written) else []
