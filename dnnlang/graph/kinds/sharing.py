"""Layers that use the W of another: `share=LAYER`, `tie=transpose(LAYER)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.graph.kinds.kind import Shaping
from dnnlang.graph.origin import param_notes, told, trail_labels
from dnnlang.graph.reader import Reader, text_of
from dnnlang.graph.solver import Equation, Solver, impossible
from dnnlang.sizes import Size, subtract
from dnnlang.syntax.tree import Call, Expression, Index, Name

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

SHARED_SHAPE = rule(
    "DNN207",
    "shared-shape",
    "A layer is to use the W of another layer, but its sizes ask for a W of another shape.",
    why="`share` uses the same matrix twice, so both layers need as many units and as many inputs. `tie` uses its "
    "transpose, so the units of one are the inputs of the other.",
    wrong="input 64\nlayer 16 relu as code\nlayer 60 tie=transpose(code)\nloss mse\n",
    right="input 64\nlayer 16 relu as code\nlayer 64 tie=transpose(code)\nloss mse\n",
)
CONFLICTING_KEYS = rule(
    "DNN112",
    "conflicting-keys",
    "Keys of a layer that exclude each other.",
    why="A layer that uses the W of another has no W of its own to initialise, penalise or freeze; that is said "
    "once, at the layer that W belongs to.",
    wrong="input 8\nlayer 8 relu as a\nlayer 8 relu share=a init=he\n",
    right="input 8\nlayer 8 relu as a init=he\nlayer 8 relu share=a\n",
)


def share_target(expression: Expression, reader: Reader) -> Draft | None:
    """The layer that `share=` names."""
    if isinstance(expression, Call) and expression.callee.id == "transpose":
        reader.refuse(
            expression, "`share` takes a layer as it is", f"for the transpose write `tie={text_of(expression)}`"
        )
        return None
    return _layer(expression, reader, "share=NAME")


def tie_target(expression: Expression, reader: Reader) -> Draft | None:
    """The layer that `tie=transpose(…)` names."""
    if not isinstance(expression, Call) or expression.callee.id != "transpose":
        layer = text_of(expression) if isinstance(expression, Name | Index) else "LAYER"
        if isinstance(expression, Call) and len(expression.arguments) == 1:
            layer = text_of(expression.arguments[0])
        reader.refuse(expression, "`tie` takes the transpose of another layer's W", f"write `tie=transpose({layer})`")
        return None
    if len(expression.arguments) != 1 or expression.keywords:
        reader.refuse(expression, "`transpose` takes one layer", "write `tie=transpose(LAYER)`")
        return None
    return _layer(expression.arguments[0], reader, "tie=transpose(NAME)")


def _layer(expression: Expression, reader: Reader, form: str) -> Draft | None:
    if not isinstance(expression, Name | Index):
        reader.refuse(expression, f"the name of a layer belongs here, not `{text_of(expression)}`", f"write `{form}`")
        return None
    node = reader.node(expression)
    if node is None or node.kind.name == "layer":
        return node
    if node.kind.name:
        layers = [d.alias or f"layer[{d.number}]" for d in reader.nodes.drafts if d.kind.name == "layer"]
        advice = f"name a layer, such as `{layers[-1]}`" if layers else "name a layer that stands above"
        reader.refuse(expression, f"`{text_of(expression)}` is no `layer`: only layers have a W to use again", advice)
    return None


def equations(draft: Draft, other: Draft, units: Size, shaping: Shaping, *, transposed: bool) -> Iterator[Equation]:
    """That W of `draft` has the shape of W of `other`, or of its transpose: for the units, then for the inputs."""
    fan_in = draft.inputs[0].units
    rows, columns = other.units, other.inputs[0].units
    if fan_in is None or rows is None or columns is None:
        return
    if transposed:
        rows, columns = columns, rows
    use = "tie" if transposed else "share"
    span = draft.given.written[use].span
    solver = shaping.solver

    def conflict(_left: Size, _right: Size) -> Diagnostic:
        resolve = solver.resolve
        matrix = f"W[{other.alias or other.number}]"
        shape = f"({resolve(other.units or 0)}, {resolve(other.inputs[0].units or 0)})"
        needed = f"({resolve(units)}, {resolve(fan_in)})"
        sources = [(units, draft), (fan_in, draft.inputs[0]), (rows, other), (columns, other.inputs[0])]
        if transposed:
            sources[2], sources[3] = (rows, other.inputs[0]), (columns, other)
        found = f"the transpose of {matrix} has shape ({resolve(rows)}, {resolve(columns)})"
        return SHARED_SHAPE.at(
            span,
            f"this layer needs a W of shape {needed}, but " + (found if transposed else f"{matrix} has shape {shape}"),
            labels=dict.fromkeys(
                [
                    *_ends(sources[0], sources[2], solver),
                    *_ends(sources[1], sources[3], solver),
                    *trail_labels(solver, [units, fan_in, rows, columns]),
                ]
            ),
            notes=[
                f"{matrix} has shape {shape}" + (", its transpose the other way round" if transposed else ""),
                *param_notes([node.origin for _, node in sources], solver, [units, fan_in, rows, columns]),
            ],
            help=_advice(resolve(units), resolve(fan_in), resolve(rows), resolve(columns)),
        )

    why = f"`{use}` on line {draft.span.line} uses W[{other.alias or other.number}]"
    origins = (draft.origin, draft.inputs[0].origin, other.origin, other.inputs[0].origin)
    yield Equation(units, rows, span, why, conflict, origins)
    yield Equation(fan_in, columns, span, why, conflict, origins)


def _ends(one: tuple[Size, Draft], other: tuple[Size, Draft], solver: Solver) -> Iterator[Label]:
    """Where two sizes come from that should be equal and cannot be."""
    if not _differ(solver.resolve(one[0]), solver.resolve(other[0])):
        return
    for _, node in (one, other):
        yield Label(node.origin.span if node.origin is not None else node.span, told(node, solver))


def _differ(one: Size, other: Size) -> bool:
    difference = subtract(one, other)
    return difference != 0 if isinstance(difference, int) else impossible(difference)


def _advice(units: Size, fan_in: Size, rows: Size, columns: Size) -> str:
    if not _differ(fan_in, columns):
        return f"give this layer {rows} units"
    if not _differ(units, rows):
        return f"put a layer of {columns} units in front of this one: `layer {columns}`"
    return f"give this layer {rows} units and an input of {columns} units"
