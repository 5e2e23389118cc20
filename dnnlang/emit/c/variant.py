"""The plans as C for one width of vectors: step functions, and the functions that call them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dnnlang.backends.native.source import calls_of, step_functions
from dnnlang.backends.native.steps import Call, Place, Section, Source
from dnnlang.emit.c.arena import Lasting, Raster, Room, batch
from dnnlang.emit.c.interface import Argument, Interface
from dnnlang.emit.c.shake import needed
from dnnlang.plan.ir import Plan
from dnnlang.primitives.values import Role, Value

FORWARD: Final = (Section.FORWARD,)


@dataclass(frozen=True, slots=True)
class Variant:
    """`macros` are for the header: where tensors lie, how large the arena is. `code` is for the source."""

    vector_bytes: int
    macros: tuple[tuple[str, int, str], ...]
    sample_row: int
    scalars: int
    flash_numbers: int
    arena_numbers: int
    code: str


def variant(offered: Interface, vector_bytes: int) -> Variant:
    """The code for vectors of so many bytes; 0: one number at a time, without extensions of C."""
    lanes = max(1, vector_bytes * 8 // offered.bits)
    raster = Raster(lanes, offered.samples)
    # Without vectors sums of one sample at a time: on small machines code is dear, and there are few registers.
    widths = (1,) if lanes == 1 else tuple(range(1, min(3, raster.vectors) + 1))
    source = Source()
    plans = [p for p in (offered.forward, offered.step) if p is not None]
    calls = [calls_of(plan, source, lanes=lanes, bits=offered.bits, widths=widths) for plan in plans]
    tensors = offered.tensors.values()
    lasting = Lasting(_lasting(offered, calls), raster)
    constants = {} if offered.training else {t.name: t.data for t in tensors}
    rooms = [
        Room(plan, made, raster, lasting, _brought(offered, plan), constants)
        for plan, made in zip(plans, calls, strict=True)
    ]
    bodies = [_forward(offered, calls[0], rooms[0])]
    if offered.step is not None:
        bodies.append(_step(offered, offered.step, calls[1], rooms[1], source))
    macros = [(t.row, raster.row(t.value), "") for t in tensors]
    if offered.training:
        macros = [
            m for t, row in zip(tensors, macros, strict=True) for m in ((t.place, lasting.starts[t.name], t.name), row)
        ]
    kept = [t for t in tensors if not offered.training or t.stored]
    return Variant(
        vector_bytes,
        tuple(macros),
        raster.ld,
        max(1, len(source.scalars)),
        sum(raster.tensor(t.value) for t in kept),
        max(1, raster.whole(max(room.end for room in rooms))),
        needed(step_functions(source), bodies, {}) + "\n" + "\n\n".join(bodies),
    )


def _lasting(offered: Interface, calls: Iterable[Sequence[tuple[Section, Call]]]) -> list[Value]:
    """What lies in the arena from call to call; gradients too, which are left there for whoever is curious."""
    if not offered.training:
        return []
    places = [p for made in calls for _, call in made for p in (*call.arguments, *call.writes)]
    gradients = [p for p in places if isinstance(p, Value) and p.role is Role.GRADIENT]
    return [*(t.value for t in offered.tensors.values()), *gradients]


def _brought(offered: Interface, plan: Plan) -> Mapping[Place, str]:
    """A single sample lies as the caller has it, and is read from there."""
    if offered.samples > 1:
        return {}
    inputs = [(plan.inputs[a.name], a) for a in offered.inputs]
    targets = [(plan.targets[a.name], a) for a in offered.targets if a.name in plan.targets]
    return {batch(value): f"({offered.real} *){a.identifier}" for value, a in (*inputs, *targets)}


def _forward(offered: Interface, calls: Sequence[tuple[Section, Call]], room: Room) -> str:
    outputs = [f"    take(e, {room.operand(_output(offered, a))}, {a.units}, {a.identifier});" for a in offered.outputs]
    arguments = [_pointer(a, "const real") for a in offered.inputs] + [_pointer(a, "real") for a in offered.outputs]
    lines = [*_bring(offered.inputs, offered.forward.inputs, room, offered), *_calls(calls, FORWARD, room), *outputs]
    return _function("run_forward", arguments, lines)


def _output(offered: Interface, a: Argument) -> Place:
    value = offered.forward.outputs[a.name]
    return batch(value) if value.role is Role.INPUT else value


def _step(offered: Interface, plan: Plan, calls: Sequence[tuple[Section, Call]], room: Room, source: Source) -> str:
    arguments = [_pointer(a, "const real") for a in (*offered.inputs, *offered.targets)]
    lines = [f"    e->scalars[{n}] = (real)({text});" for n, text in enumerate(source.scalars)]
    lines += _bring(offered.inputs, plan.inputs, room, offered)
    lines += _bring(offered.targets, plan.targets, room, offered)
    lines += _calls(calls, tuple(Section), room)
    return _function("run_step", arguments, lines)


def _bring(arguments: Sequence[Argument], values: Mapping[str, Value], room: Room, offered: Interface) -> list[str]:
    if offered.samples == 1:
        return [f"    (void){a.identifier};" for a in arguments]
    return [f"    bring(e, {a.identifier}, {a.units}, {room.operand(batch(values[a.name]))});" for a in arguments]


def _calls(calls: Sequence[tuple[Section, Call]], sections: Sequence[Section], room: Room) -> list[str]:
    lines = []
    for section, call in calls:
        if section in sections:
            operands = ", ".join(room.operand(place) for place in call.arguments)
            listed = f"(operand[]){{{operands}}}" if operands else "0"
            lines.append(f"    step_{call.function}(e, {listed}, 0, 1);")
    return lines


def _function(name: str, arguments: Sequence[str], lines: Sequence[str]) -> str:
    head = f"static void {name}({', '.join(['env *e', 'real *at', *arguments])}) {{"
    return "\n".join([head, "    (void)at;", *lines, "}"])


def _pointer(a: Argument, type_: str) -> str:
    return f"{type_} *{a.identifier}"
