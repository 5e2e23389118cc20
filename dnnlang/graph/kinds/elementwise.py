"""What `add` and `multiply` share: inputs of equal size, combined unit by unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.kind import NodeKind, Shaping
from dnnlang.graph.origin import SameAs, Written, describe, param_notes, size_as_written, told, trail_labels
from dnnlang.graph.scope import ArgumentEntry, line_of
from dnnlang.graph.solver import Equation, Solver
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.expression import Expr, apply, variable
from dnnlang.sizes import Polynomial, Size, symbols
from dnnlang.source import Span
from dnnlang.syntax.tree import Name, Number

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft
    from dnnlang.graph.scope import Scope

UNEQUAL_INPUTS = rule(
    "DNN203",
    "unequal-inputs",
    "`add` or `multiply` joins nodes of different sizes.",
    why="Both work unit by unit, so every input needs the same number of units; there is no broadcasting between "
    "nodes. A `layer` between them changes the size.",
    wrong="input 32 as x\nlayer 64 relu\nadd from x, _\nlayer 1 sigmoid\n",
    right="input 32 as x\nlayer 32 relu\nadd from x, _\nlayer 1 sigmoid\n",
)


class Elementwise(NodeKind):
    """Two or more inputs of equal size."""

    least = 2
    most = None
    operation: ClassVar[str]
    """The operation of scalar expressions that combines two numbers."""

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        first = draft.inputs[0]
        draft.origin = SameAs(first, draft.span)
        holds = True
        for position in range(1, len(draft.inputs)):
            other = draft.inputs[position]
            if other.units == first.units or not holds:
                continue
            holds = shaping.solver.equate(_equation(draft, position, shaping.solver, shaping.scope))
        return first.units if holds else None

    def lower(self, node: Node, build: Builder) -> Value:
        names = [f"x{i}" for i in range(1, len(node.inputs) + 1)]
        combined: Expr = variable(names[0])
        for name in names[1:]:
            combined = apply(self.operation, combined, variable(name))
        operands = {name: build.output_of(source) for name, source in zip(names, node.inputs, strict=True)}
        return build.map(node.value, combined, operands, node.span, label="")


def _equation(draft: Draft, position: int, solver: Solver, scope: Scope) -> Equation:
    first, other = draft.inputs[0], draft.inputs[position]
    assert first.units is not None
    assert other.units is not None

    def conflict(left: Size, right: Size) -> Diagnostic:
        return _unequal(draft, position, left, right, solver, scope)

    reason = f"`{draft.kind.name}` on line {draft.span.line} needs inputs of equal size"
    fixed = [node for node in (first, other) if isinstance(solver.resolve(node.units or 0), int)]
    if len(fixed) == 1:
        reason += f", and {told(fixed[0], solver)}"
    return Equation(first.units, other.units, draft.span, reason, conflict, (first.origin, other.origin))


def _unequal(draft: Draft, position: int, left: Size, right: Size, solver: Solver, scope: Scope) -> Diagnostic:
    first, other = draft.inputs[0], draft.inputs[position]
    assert first.units is not None
    assert other.units is not None
    kind = draft.kind.name
    labels = [
        Label(draft.places[0], describe(first.units, first.origin, solver)),
        Label(draft.places[position], describe(other.units, other.origin, solver)),
        *trail_labels(solver, [first.units, other.units]),
    ]
    notes = [f"{first.size_name()} = {left}, {other.size_name()} = {right}"]
    if isinstance(left, Polynomial) or isinstance(right, Polynomial):
        names = sorted(symbols(left) | symbols(right))
        are = "is a size" if len(names) == 1 else "are sizes"
        notes.append(f"{', '.join(names)} {are}, at least 1, so the two are never equal")
    notes.extend(param_notes([first.origin, other.origin], solver, [first.units, other.units]))
    return UNEQUAL_INPUTS.at(
        draft.span,
        f"`{kind}` needs inputs of equal size, but these have {left} and {right} units",
        labels=labels,
        notes=notes,
        help=_advice(draft, position, solver, scope),
    )


def _advice(draft: Draft, position: int, solver: Solver, scope: Scope) -> str:
    first, other = draft.inputs[0], draft.inputs[position]
    assert first.units is not None
    size = size_as_written(first.units, first.origin, solver, scope)
    handed = _handed(other)
    if handed is not None and draft.within is not None:
        hand = f"hand over `{size}` on {line_of(handed)}"
        if first.within is draft.within:
            return f"{hand}, or put a layer between them in the body"
        return f"{hand}, or put `layer {solver.resolve(other.units or 0)}` above that line"
    near = _off_by_a_little(first, other, solver)
    if other.alias is None:
        place = draft.places[position].text
        between = f"put a layer between them: `layer {size}` just before the `{draft.kind.name}`"
        if place not in ("_", draft.kind.name):
            between = f"put a layer between them: `layer {size} from {place}` just before the `{draft.kind.name}`, "
            between += f"which then takes in `_` in place of `{place}`"
        return f"{near}, or {between}" if near else between
    number = 2
    while scope.find(f"{other.alias}{number}") is not None:
        number += 1
    between = f"put a layer between them: `layer {size} from {other.alias} as {other.alias}{number}`"
    return f"{near}, or {between}" if near else between


def _handed(node: Draft) -> Span | None:
    """The use of a block that its size comes from, as it was handed over."""
    origin = node.origin
    while isinstance(origin, SameAs):
        origin = origin.node.origin
    if not isinstance(origin, Written) or not isinstance(origin.expression, Name):
        return None
    entry = origin.scope.find(origin.expression.id)
    return entry.use if isinstance(entry, ArgumentEntry) else None


def _off_by_a_little(first: Draft, other: Draft, solver: Solver) -> str | None:
    """`write 16 in place of 15 on line 2`, where two numbers in the program nearly agree."""
    units, origin = solver.resolve(first.units or 0), other.origin
    while isinstance(origin, SameAs):
        origin = origin.node.origin
    if not isinstance(origin, Written) or not isinstance(origin.expression, Number) or not isinstance(units, int):
        return None
    written = solver.resolve(other.units or 0)
    if not isinstance(written, int) or abs(written - units) * 10 > units:
        return None
    return f"write {units} in place of {written} on {line_of(origin.statement)}"
