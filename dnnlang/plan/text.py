"""What a plan's listing says: the table of layers, the instructions, the lines about memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from dnnlang.graph.architecture import Architecture, Copy, Node
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.graph.kinds.normalized import NormalizedDetail
from dnnlang.plan.fold import Path
from dnnlang.plan.ir import IN_SLOTS, Plan, Purpose
from dnnlang.plan.listing import LayerRow, Listing, Row
from dnnlang.plan.lower import lower
from dnnlang.plan.memory import ITEM_BYTES, Bytes, Memory, elements, memory
from dnnlang.plan.view import CacheSlot, Step, View
from dnnlang.scalar.text import number
from dnnlang.sizes import Maximum, Size, format_terms, total

EXAMPLE_SAMPLES: Final = 64


def listing(plan: Plan) -> Listing:
    """The listing of a plan. Its text is `str` of it."""
    view = View(plan)
    parts = [("forward", view.forward), ("backward", view.backward), ("update", view.updates)]
    sections = [(name, [(s, row) for s in steps for row in _rows(s)]) for name, steps in parts if steps]
    return Listing(
        _title(plan),
        _layers(plan.architecture),
        tuple((name, tuple(row for _, row in rows)) for name, rows in sections),
        tuple(_footer(plan, view)),
        _paths(plan, [[step.within for step, _ in rows] for _, rows in sections]),
    )


def _paths(plan: Plan, sections: Iterable[Sequence[Sequence[Copy]]]) -> tuple[tuple[Path, ...], ...]:
    """The repeats around each layer, and around each row of each section; none if there are no repeats."""
    nodes = _shown_nodes(plan.architecture)
    layers = [tuple(node.within.outwards()) if node.within is not None else () for node in nodes]
    paths = tuple(tuple(_path(within) for within in rows) for rows in (layers, *sections))
    return paths if any(map(any, paths)) else ()


def _path(within: Iterable[Copy]) -> Path:
    return tuple((id(c.expansion), c.number) for c in within if c.expansion.count is not None)[::-1]


# ---------------------------------------------------------------- the program


def _title(plan: Plan) -> str:
    a = plan.architecture
    layers = sum(isinstance(node.detail, LayerDetail) for node in a.nodes.values())
    parameters = elements(plan.parameters.values())
    sizes = ", ".join(_input_size(a, name) for name in a.inputs)
    losses = " + ".join(
        use.loss.label if use.weight == 1 else f"{number(use.weight)} {use.loss.label}" for use in a.losses
    )
    parts = [
        f"{layers} layer{'' if layers == 1 else 's'}",
        f"{format_terms(parameters, '*')} parameters ({sizes})",
        losses,
        f"-O{plan.level}",
    ]
    if plan.purpose is not Purpose.GRADIENTS:
        parts.append(f"{plan.purpose} plan")
    return f"{PurePath(a.source.name).name}: {', '.join(part for part in parts if part)}"


def _input_size(architecture: Architecture, name: str) -> str:
    symbol = "n[0]" if len(architecture.inputs) == 1 else f"n[{name}]"
    size = str(architecture.nodes[name].units)
    return f"{symbol} open" if size == symbol else f"{symbol} = {size}"


def _layers(architecture: Architecture) -> tuple[LayerRow, ...]:
    counted: set[str] = set()
    return tuple(_layer(architecture, node, counted) for node in _shown_nodes(architecture))


def _shown_nodes(architecture: Architecture) -> Iterable[Node]:
    inputs = frozenset(architecture.inputs)
    return (node for node in architecture.nodes.values() if node.name not in inputs)


def _layer(architecture: Architecture, node: Node, counted: set[str]) -> LayerRow:
    detail = node.detail
    units = _shape(node.units, "m")
    own = [key for key in _keys(detail) if key not in counted]
    counted.update(own)
    sizes = [architecture.parameters[key].shape for key in own]
    count = format_terms(total(rows * columns for rows, columns in sizes), "*")
    if not isinstance(detail, LayerDetail):
        return LayerRow("", node.statement or node.kind.name, "", "", units, count if own else "")
    activation = detail.activation.label
    name = "" if node.name == f"layer[{detail.l}]" else f" as {node.name}"
    W = _parameter(architecture, detail.W, detail.l, "W") + ("ᵀ" if detail.transpose else "")
    b = _parameter(architecture, detail.b, detail.l, "b") if detail.b is not None else "none"
    return LayerRow(str(detail.l), f"{node.units} {activation}{name}", W, b, units, count)


def _keys(detail: object) -> tuple[str, ...]:
    """The parameters that a node uses."""
    if isinstance(detail, NormalizedDetail):
        return detail.gamma, detail.beta
    if isinstance(detail, LayerDetail):
        return (detail.W,) if detail.b is None else (detail.W, detail.b)
    return ()


def _parameter(architecture: Architecture, key: str, l: int, letter: str) -> str:  # noqa: E741
    """A layer's own parameter by its shape, another layer's by its name."""
    return _shape(*architecture.parameters[key].shape) if key == f"{letter}[{l}]" else key


# ---------------------------------------------------------------- the instructions


def _rows(step: Step) -> Iterable[Row]:
    """One row a step; an update has one for each of the optimizer's statements."""
    if step.operation != "update":
        yield _row(step)
        return
    parameter = step.inputs[0]
    for statement in step.formula.split("; "):
        changed = statement.partition(" = ")[0]
        place = "parameter" if changed == parameter else "state" if changed in step.inputs else ""
        yield Row(step.label, statement, _shape(*step.shape), place, "")


def _row(step: Step) -> Row:
    shape = "scalar" if step.role == "loss" else _shape(*step.shape)
    place = "" if step.slot is None else f"slot {step.slot}{', in place' if step.in_place else ''}"
    if step.operation == "clip":
        shape = "all"
    if step.role in ("gradient", "parameter", "statistic"):
        place = step.role
    kept = [f"kept: {', '.join(step.kept)}"] if step.kept else []
    note = [step.note] if step.note is not None else []
    return Row(step.label, step.formula, shape, place, "; ".join(note + kept))


def _shape(rows: object, columns: object) -> str:
    return f"({rows}, {columns})"


# ---------------------------------------------------------------- memory


def _footer(plan: Plan, view: View) -> Iterable[tuple[str, str]]:
    if not plan.slots:
        return  # a plan on its way: nothing lies anywhere yet
    needs = memory(plan)
    if plan.purpose is not Purpose.INFERENCE:
        yield "cache", _cache(plan, view.cache(), needs)
    yield "peak", _peak(plan, needs)


def _cache(plan: Plan, slots: tuple[CacheSlot, ...], needs: Memory) -> str:
    in_slots = [s for s in slots if s.slot is not None]
    written = f"{format_bytes(needs.cache)} bytes: {', '.join(f'{s.value} {format_bytes(s.bytes)}' for s in in_slots)}"
    if not in_slots:
        written = "nothing"
    references = [s.value for s in slots if s.slot is None]
    if references:
        written += f"; {', '.join(references)} by reference, 0 bytes"
    if plan.level == 0:
        return written
    return f"{written}        (the lesson keeps {format_bytes(lesson_bytes(plan))})"


def lesson_bytes(plan: Plan) -> Size:
    """Bytes of all that the forward part computes before anything is simplified: every Z and A."""
    empty = replace(plan, forward=(), backward=(), updates=(), places={}, slots=())
    return ITEM_BYTES * elements(i.output for i in lower(empty).forward if i.output.role in IN_SLOTS)


def _peak(plan: Plan, needs: Memory) -> str:
    slots = needs.cache + needs.workspace
    parts = {
        "parameters": needs.parameters,
        "statistics": needs.statistics,
        "gradients": needs.gradients,
        "state": needs.state,
    }
    persistent = total(parts.values())
    owners = [name for name, size in parts.items() if size != 0 or name == "parameters"]
    names = owners[0] if len(owners) == 1 else f"{', '.join(owners[:-1])} and {owners[-1]}"
    if needs.peak == needs.lower_bound:
        least = ", the least for these steps"
    else:
        least = f"; these steps need at least {format_bytes(needs.lower_bound)}"
    at = needs.at(EXAMPLE_SAMPLES).peak
    example = f"{GAP_BEFORE_EXAMPLE}(m = {EXAMPLE_SAMPLES}: {format_bytes(at)})"
    return f"{format_bytes(slots)} bytes in slots + {format_bytes(persistent)} in {names}{least}{example}"


GAP_BEFORE_EXAMPLE: Final = "   "


def format_bytes(size: Bytes) -> str:
    """`20 m`, `1,204`, `max(20 m, 4 m + 96)`."""
    if isinstance(size, Maximum):
        return f"max({', '.join(format_terms(s) for s in size.sizes)})"
    return format_terms(size)
