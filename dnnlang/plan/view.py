"""A plan as people look at it: labelled instructions with their formulas, and what is kept for which reason.

Everything here is computed when somebody asks; the passes carry no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnnlang.graph.architecture import Copy
from dnnlang.plan.formulas import Formula, formulas
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan, parts
from dnnlang.plan.memory import ITEM_BYTES, cached_values, elements
from dnnlang.plan.recompute import recomputes
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import Size
from dnnlang.source import Span


@dataclass(frozen=True, slots=True)
class Line:
    """One value that a step computes. `slot` is None, and `role` empty, for what nobody reads after the step."""

    formula: str
    output: str
    shape: tuple[Size, Size]
    slot: int | None
    in_place: bool
    kept: tuple[str, ...]
    note: str | None
    role: str


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction, or several merged ones. `label` is F1, F2, … B1, … or U1, …; `formula` has both sides.

    `operation` is the primitive, `inputs` and `output` are values by their lesson's names; where there are several
    outputs `output` is the first of them, and `lines` has all. `slot` is None for what does not lie in one.
    `position` is where the statement stands, and `within` are the bodies around it, the innermost first: where each
    block is used, the head of each repeat. `kept` says which steps of the backward part read it, and what for; `note`
    where a formula that nobody wrote comes from.
    """

    label: str
    operation: str
    inputs: tuple[str, ...]
    output: str
    shape: tuple[Size, Size]
    slot: int | None
    in_place: bool
    formula: str
    position: Span | None
    kept: tuple[str, ...]
    note: str | None
    role: str
    within: tuple[Copy, ...] = ()
    lines: tuple[Line, ...] = ()

    def __str__(self) -> str:
        return f"{self.label}  {self.formula}"


@dataclass(frozen=True, slots=True)
class CacheSlot:
    """Something kept from forward to backward. `slot` is None, and `bytes` 0, for a parameter kept by reference."""

    value: str
    shape: tuple[Size, Size]
    bytes: Size
    slot: int | None
    written_by: str | None
    read_by: tuple[str, ...]
    why: str


class View:
    """The steps and the cache of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.forward = self._steps("F", plan.forward)
        self.backward = self._steps("B", plan.backward)
        self.updates = self._steps("U", plan.updates)

    def cache(self) -> tuple[CacheSlot, ...]:
        """In the order in which the forward part writes them; at -O0 W and b too, by reference, as in the lesson."""
        written = {v: f"F{n}" for n, i in enumerate(self.plan.forward, 1) for v in i.outputs}
        reads = self._reads()
        slots = [self._kept(v, written.get(v), reads) for v in cached_values(self.plan)]
        if self.plan.level == 0 and self.plan.backward:
            slots.extend(self._kept(v, None, reads) for v in self.plan.parameters.values())
        return tuple(slots)

    def _kept(self, value: Value, writer: str | None, reads: dict[Value, list[tuple[str, str]]]) -> CacheSlot:
        found = reads.get(value, [])
        why = ", ".join(reason for _, reason in found) or "the lesson keeps it"
        size = ITEM_BYTES * elements([value]) if value.role in IN_SLOTS else 0
        readers = tuple(label for label, _ in found)
        return CacheSlot(value.name, value.shape, size, self.plan.places.get(value), writer, readers, why)

    def _reads(self) -> dict[Value, list[tuple[str, str]]]:
        """For each value the steps of the backward part that read it: label, and reason with label."""
        reads: dict[Value, list[tuple[str, str]]] = {}
        for number, instruction in enumerate(self.plan.backward, 1):
            label = f"B{number}"
            for part in parts(instruction):
                for position, value in enumerate(part.inputs):
                    entry = (label, _reason(part, position, label))
                    if entry not in reads.setdefault(value, []):
                        reads[value].append(entry)
        return reads

    def _steps(self, letter: str, instructions: Sequence[Instruction]) -> tuple[Step, ...]:
        reads = self._reads() if letter == "F" else {}
        return tuple(self._step(f"{letter}{n}", i, reads) for n, i in enumerate(instructions, 1))

    def _step(self, label: str, i: Instruction, reads: dict[Value, list[tuple[str, str]]]) -> Step:
        lines = tuple(self._line(f, i, label, reads) for f in formulas(i))
        output = i.output
        own = next((line for line in lines if line.output == output.name and line.role), lines[-1])
        return Step(
            label,
            i.primitive.operation,
            tuple(v.name for v in i.inputs),
            output.name,
            output.shape,
            self.plan.places.get(output),
            own.in_place,
            "; ".join(line.formula for line in lines),
            i.span,
            tuple(dict.fromkeys(reason for line in lines for reason in line.kept)),
            next((line.note for line in lines if line.note is not None), None),
            output.role.value,
            tuple(i.within.outwards()) if i.within is not None else (),
            lines,
        )

    def _line(self, f: Formula, i: Instruction, label: str, reads: dict[Value, list[tuple[str, str]]]) -> Line:
        value = f.value
        if value is None:
            return Line(f.text, f.text.partition(" = ")[0], f.part.output.shape, None, False, (), None, "")
        place = self.plan.places.get(value)
        here = any(self.plan.places.get(v) == place for v in i.inputs)
        in_place = value in self.plan.aliases if place is None else here
        kept = tuple(reason for _, reason in reads.get(value, ())) if value.role in IN_SLOTS else ()
        note = "recomputed" if label.startswith("B") and recomputes(f.part) else _note(f.part)
        role = "" if value in i.inner and value.role is not Role.LOSS else value.role.value
        return Line(f.text, value.name, value.shape, place, in_place, kept, note, role)


def _note(i: Instruction) -> str | None:
    if isinstance(i.primitive, Loss | Map):
        return i.primitive.note
    return None


def _reason(i: Instruction, position: int, label: str) -> str:
    """Why a step reads an operand: `dW[2] in B2`, `relu' in B5`; a loss's gradient is its own reason: `B1`."""
    primitive = i.primitive
    if isinstance(primitive, Map) and primitive.slope_of is not None:
        return f"{primitive.slope_of.label.partition('(')[0]}' in {label}"
    if isinstance(primitive, Map) and primitive.note is not None:
        return label
    return f"{i.output.name} in {label}"
