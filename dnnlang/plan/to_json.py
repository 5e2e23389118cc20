"""A program with its plans as JSON. `plan.schema.json`, beside this file, says what stands where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass
from fractions import Fraction
from typing import Any, Final

from dnnlang.graph.architecture import Architecture, Copy, Node, Settings
from dnnlang.plan.ir import Instruction, Plan
from dnnlang.plan.layout import offsets
from dnnlang.plan.memory import ITEM_BYTES, memory
from dnnlang.plan.text import format_bytes
from dnnlang.plan.view import Step, View
from dnnlang.primitives.fused import Fused, Member
from dnnlang.primitives.loss import LossGradient
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr, topological
from dnnlang.scalar.functions import Activation, Optimizer
from dnnlang.sizes import Maximum, Polynomial, Size
from dnnlang.source import Span

VERSION: Final = 2
"""Changes whenever a reader of the old form could misread the new one."""

Json = dict[str, Any]


def program_json(architecture: Architecture, plans: Iterable[Plan], *, indent: int | None = 2) -> str:
    """The architecture and its plans. Sizes are numbers, or formulas as strings; exact numbers are strings."""
    expressions = _Expressions()
    made = {
        "format": "dnnlang plan",
        "version": VERSION,
        "program": _program(architecture),
        "nodes": [_node(node) for node in architecture.nodes.values()],
        "parameters": [
            {
                "name": p.name,
                "shape": _shape(p.shape),
                "fan": _shape(p.fan),
                "init": p.init.label if p.init is not None else None,
                "l2": _exact(p.l2),
                "trainable": p.trainable,
                "position": _position(p.span),
            }
            for p in architecture.parameters.values()
        ],
        "statistics": [
            {"name": s.name, "shape": _shape(s.shape), "initial": _exact(s.initial), "position": _position(s.span)}
            for s in architecture.statistics.values()
        ],
        "losses": [
            {
                "loss": use.loss.label,
                "node": use.node,
                "weight": str(use.weight),
                "target": use.target,
                "given": [{"expr": expressions.number(e), "value": str(v)} for e, v in use.loss.given],
            }
            for use in architecture.losses
        ],
        "settings": _settings(architecture.settings, expressions),
        "plans": [_plan(plan, expressions) for plan in plans],
        "expressions": expressions.entries,
    }
    return json.dumps(made, indent=indent, ensure_ascii=False)


# ---------------------------------------------------------------- the program


def _program(a: Architecture) -> Json:
    return {
        "name": a.source.name,
        "inputs": list(a.inputs),
        "outputs": list(a.outputs),
        "params": {name: str(value) for name, value in a.params.items()},
        "symbols": list(a.symbols),
    }


def _settings(settings: Settings, expressions: _Expressions) -> Json:
    return {
        "optimizer": _attribute(settings.optimizer, expressions),
        "learning_rate": str(settings.learning_rate),
        "clip_norm": _exact(settings.clip_norm),
        "l2": str(settings.l2),
    }


def _node(node: Node) -> Json:
    return {
        "name": node.name,
        "kind": node.kind.name,
        "inputs": list(node.inputs),
        "units": _size(node.units),
        "value": node.value,
        "position": _position(node.span),
        "within": _within(node.within.outwards() if node.within is not None else ()),
    }


# ---------------------------------------------------------------- one plan


def plan_json(plan: Plan) -> Json:
    """One plan as it stands among `plans`, with a table of expressions of its own that is left out."""
    return _plan(plan, _Expressions())


def _plan(plan: Plan, expressions: _Expressions) -> Json:
    view = View(plan)
    numbers: dict[Value, int] = {}
    values: list[Json] = []
    brought = (plan.inputs, plan.targets, plan.parameters, plan.statistics, plan.state)
    written = (v for i in plan.instructions for v in (*i.inner, *i.outputs))
    for value in (*(v for part in brought for v in part.values()), *written):
        numbers[value] = len(values)
        values.append(_value(value, plan, numbers))

    def named(mapping: Mapping[str, Value]) -> dict[str, int]:
        return {name: numbers[value] for name, value in mapping.items()}

    steps = (*view.forward, *view.backward, *view.updates)
    needs = memory(plan)
    return {
        "purpose": plan.purpose.value,
        "training": plan.training,
        "level": plan.level,
        "passes": list(plan.passes),
        "options": asdict(plan.options),
        "values": values,
        "instructions": [
            _instruction(i, step, numbers, expressions) for i, step in zip(plan.instructions, steps, strict=True)
        ],
        "slots": _slots(plan),
        "inputs": named(plan.inputs),
        "targets": named(plan.targets),
        "parameters": named(plan.parameters),
        "statistics": named(plan.statistics),
        "state": named(plan.state),
        "outputs": named(plan.outputs),
        "loss": numbers[plan.loss] if plan.loss is not None else None,
        "gradients": named(plan.gradients),
        "cache": [
            {
                "value": c.value,
                "shape": _shape(c.shape),
                "bytes": _size(c.bytes),
                "slot": c.slot,
                "written_by": c.written_by,
                "read_by": list(c.read_by),
                "why": c.why,
            }
            for c in view.cache()
        ],
        "memory": {f.name: format_bytes(getattr(needs, f.name)) for f in fields(needs)},
    }


def _slots(plan: Plan) -> list[Json]:
    begins = offsets(plan.slots)
    return [
        {
            "number": s.number,
            "rows": _size(s.rows),
            "per_sample": s.per_sample,
            "on": list(s.on),
            "offset": format_bytes(ITEM_BYTES * begins[s.number]),
        }
        for s in plan.slots
    ]


def _value(value: Value, plan: Plan, numbers: Mapping[Value, int]) -> Json:
    over = plan.aliases.get(value)
    return {
        "name": value.name,
        "version": value.version,
        "shape": _shape(value.shape),
        "role": value.role.value,
        "slot": plan.places.get(value),
        "packed": value.packed,
        "overwrites": numbers.get(over) if over is not None else None,
    }


def _instruction(i: Instruction, step: Step, numbers: Mapping[Value, int], expressions: _Expressions) -> Json:
    return {
        "label": step.label,
        "operation": step.operation,
        "attributes": _attributes(i.primitive, expressions),
        "inputs": [numbers[v] for v in i.inputs],
        "inner": [numbers[v] for v in i.inner],
        "outputs": [numbers[v] for v in i.outputs],
        "in_place": step.in_place,
        "formula": step.formula,
        "kept": list(step.kept),
        "note": step.note,
        "position": _position(step.position),
        "within": _within(step.within),
    }


def _attributes(primitive: object, expressions: _Expressions) -> Json:
    """The fields of a primitive's record. `gradient` of a loss is left out: the backward part states it."""
    assert is_dataclass(primitive)
    if isinstance(primitive, Fused):
        return {"members": [_member(member, expressions) for member in primitive.members]}
    made = {}
    for field in fields(primitive):
        value = getattr(primitive, field.name)
        if not isinstance(value, LossGradient):
            made[field.name] = _attribute(value, expressions)
    return made


def _member(member: Member, expressions: _Expressions) -> Json:
    return {
        "operation": member.primitive.operation,
        "attributes": _attributes(member.primitive, expressions),
        "inputs": list(member.inputs),
        "outputs": list(member.outputs),
    }


def _attribute(value: object, expressions: _Expressions) -> Any:
    if isinstance(value, Expr):
        return expressions.number(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, Polynomial):
        return str(value)
    if isinstance(value, Activation):
        return value.label
    if isinstance(value, Optimizer):
        statements = [{"name": name, "value": expressions.number(e)} for name, e in value.statements]
        return {"label": value.label, "state": list(value.state), "statements": statements}
    if isinstance(value, tuple):
        return [_attribute(v, expressions) for v in value]
    if is_dataclass(value):
        return _attributes(value, expressions)
    return value


class _Expressions:
    """The table of all nodes of all expressions; an operand is its place in the table."""

    def __init__(self) -> None:
        self.entries: list[Json] = []
        self._numbers: dict[Expr, int] = {}

    def number(self, expr: Expr) -> int:
        for e in topological(expr):
            if e not in self._numbers:
                self._numbers[e] = len(self.entries)
                self.entries.append(self._entry(e))
        return self._numbers[expr]

    def _entry(self, e: Expr) -> Json:
        entry: Json = {"op": e.op}
        if e.args:
            entry["args"] = [self._numbers[a] for a in e.args]
        if e.value is not None:
            entry["value"] = str(e.value)
        if e.name is not None:
            entry["name"] = e.name
            entry["per_unit"] = e.per_unit
        return entry


# ---------------------------------------------------------------- small things


def _size(size: Size | Maximum) -> int | str:
    return size if isinstance(size, int) else str(size)


def _shape(shape: tuple[Size, Size]) -> list[int | str]:
    return [_size(n) for n in shape]


def _exact(value: Fraction | None) -> str | None:
    return None if value is None else str(value)


def _within(copies: Iterable[Copy]) -> list[Json]:
    return [{"name": copy.name, "copy": copy.number, "position": _position(copy.span)} for copy in copies]


def _position(span: Span | None) -> Json | None:
    if span is None:
        return None
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
