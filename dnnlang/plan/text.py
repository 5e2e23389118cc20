"""What a plan's listing says: the table of layers, the instructions, the lines about memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from dnnlang.graph.architecture import Architecture, Copy, Node
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.graph.kinds.normalized import NormalizedDetail
from dnnlang.plan.budget.steps import extra_work, writes_again
from dnnlang.plan.fold import Path
from dnnlang.plan.ir import IN_SLOTS, Plan, Purpose
from dnnlang.plan.layout import SAMPLES, offsets, sharing
from dnnlang.plan.listing import LayerRow, Listing, Row
from dnnlang.plan.lower import lower
from dnnlang.plan.memory import ITEM_BYTES, Bytes, Memory, elements, memory, slots_ratio
from dnnlang.plan.view import CacheSlot, Line, Step, View
from dnnlang.scalar.text import number
from dnnlang.sizes import Maximum, Size, format_terms, total


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
    """One row for each value that a step computes."""
    return (_row(step, line) for line in step.lines)


def _row(step: Step, line: Line) -> Row:
    shape = "scalar" if line.role == "loss" else _shape(*line.shape)
    slot = [] if line.slot is None else [f"slot {line.slot}"]
    place = ", ".join([*slot, "in place"] if line.in_place else slot)
    if step.operation == "clip":
        shape = "all"
    if line.role in ("gradient", "parameter", "statistic", "state"):
        place = line.role
    kept = [f"kept: {', '.join(line.kept)}"] if line.kept else []
    note = [line.note] if line.note is not None else []
    return Row(step.label, line.formula, shape, place, "; ".join(note + kept))


def _shape(rows: object, columns: object) -> str:
    return f"({rows}, {columns})"


# ---------------------------------------------------------------- memory


def _footer(plan: Plan, view: View) -> Iterable[tuple[str, str]]:
    if not plan.slots:
        return  # a plan on its way: nothing lies anywhere yet
    needs = memory(plan)
    if plan.purpose is not Purpose.INFERENCE:
        yield "cache", _cache(plan, view.cache(), needs)
    over = _over(plan)
    if over:
        yield "slots", over
    yield "peak", _peak(plan, needs)
    if plan.options.memory_budget is not None and plan.purpose is not Purpose.INFERENCE:
        yield "budget", _budget(plan, plan.options.memory_budget)


def _budget(plan: Plan, budget: int) -> str:
    """What a memory budget costs: `6,500,000 bytes at m = 256: 5 steps recomputed, 10.0 % more work`."""
    least = memory(plan, plan.options.item_bytes).at(plan.options.batch or SAMPLES).peak
    written = f"{budget:,} bytes at m = {plan.options.batch:,}, {format_bytes(least)} needed: "
    steps = sum(writes_again(i) for i in plan.backward)
    if steps == 0:
        return f"{written}nothing recomputed"
    return f"{written}{steps:,} step{'' if steps == 1 else 's'} recomputed, {100 * extra_work(plan):.1f} % more work"


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
    empty = replace(plan, level=0, forward=(), backward=(), updates=(), places={}, slots=())
    return ITEM_BYTES * elements(i.output for i in lower(empty).forward if i.output.role in IN_SLOTS)


def _over(plan: Plan) -> str:
    """Which slots lie where others were: `slot 7 at 80 m, over slots 2 to 5`."""
    found = sharing(plan.slots)
    if not found:
        return ""
    if len(found) > MOST_SHARING:
        return f"{len(found):,} of {len(plan.slots):,} lie where others were, or will be"
    at = offsets(plan.slots)
    parts = []
    for slot in sorted(found):
        start, end = found[slot]
        under = [n for n, (first, last) in found.items() if n < slot and first < end and start < last]
        if under:
            parts.append(f"slot {slot} at {format_bytes(ITEM_BYTES * at[slot])}, over {_slots(under)}")
    return "; ".join(parts)


def _slots(numbers: Sequence[int]) -> str:
    """`slot 2`, `slots 2 and 5`, `slots 2 to 5 and 7`."""
    stretches: list[list[int]] = []
    for slot in sorted(numbers):
        if stretches and stretches[-1][-1] == slot - 1:
            stretches[-1].append(slot)
        else:
            stretches.append([slot])
    words: list[str] = []
    for stretch in stretches:
        words += [f"{stretch[0]} to {stretch[-1]}"] if len(stretch) > 2 else map(str, stretch)
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"slot{'s' if len(numbers) > 1 else ''} {listed}"


def _peak(plan: Plan, needs: Memory) -> str:
    parts = {
        "parameters": needs.parameters,
        "statistics": needs.statistics,
        "gradients": needs.gradients,
        "state": needs.state,
    }
    owners = [name for name, size in parts.items() if size != 0 or name == "parameters"]
    names = owners[0] if len(owners) == 1 else f"{', '.join(owners[:-1])} and {owners[-1]}"
    at = needs.at(SAMPLES)
    example = f"{GAP_BEFORE_EXAMPLE}(m = {SAMPLES}: {format_bytes(at.peak)})"
    slots, persistent = format_bytes(needs.slots), format_bytes(needs.persistent)
    return f"{slots} bytes in slots + {persistent} in {names}{_least(plan, needs)}{example}"


def _least(plan: Plan, needs: Memory) -> str:
    """How the arena compares with the least that any could have."""
    if needs.slots == needs.least:
        return ", the least for these steps"
    ratio = slots_ratio(plan)
    if ratio == 1:
        return f", the least for these steps if m = {SAMPLES}"
    return f"; these steps need at least {format_bytes(needs.least)} in slots, ratio {ratio:.3f}"


GAP_BEFORE_EXAMPLE: Final = "   "
MOST_SHARING: Final = 24
"""Slots that share room, listed one by one."""


def format_bytes(size: Bytes) -> str:
    """`20 m`, `1,204`, `max(20 m, 4 m + 96)`."""
    if isinstance(size, Maximum):
        return f"max({', '.join(format_terms(s) for s in size.sizes)})"
    return format_terms(size)
