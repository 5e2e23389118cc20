"""What `add` and `multiply` share: inputs of equal size, combined unit by unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.kind import NodeKind, Shaping
from dnnlang.graph.origin import SameAs, describe, param_notes, size_as_written, trail_labels
from dnnlang.graph.solver import Equation, Solver
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.expression import Expr, apply, variable
from dnnlang.sizes import Size

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
    return Equation(first.units, other.units, draft.span, reason, conflict)


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
    notes.extend(param_notes([first.origin, other.origin]))
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
    if other.alias is None:
        source = "" if draft.places[position].text in ("_", draft.kind.name) else f" from {draft.places[position].text}"
        return f"put a layer between them: `layer {size}{source}` just before the `{draft.kind.name}`, and join that"
    number = 2
    while scope.find(f"{other.alias}{number}") is not None:
        number += 1
    return f"put a layer between them: `layer {size} from {other.alias} as {other.alias}{number}`"
