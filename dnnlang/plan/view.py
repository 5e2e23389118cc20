"""A plan as people look at it: labelled instructions with their formulas, and what is kept for which reason.

Everything here is computed when somebody asks; the passes carry no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnnlang.graph.architecture import Copy
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.plan.memory import ITEM_BYTES, cached_values, elements
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.product import Product
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Value
from dnnlang.sizes import Size
from dnnlang.source import Span


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction. `label` is F1, F2, … B1, … or U1, …; `formula` is the lesson's, with both sides.

    `operation` is the primitive, `inputs` and `output` are values by their lesson's names. `slot` is None for
    what does not lie in one. `position` is where the statement stands, and `within` are the bodies around it, the
    innermost first: where each block is used, the head of each repeat. `kept` says which steps of the backward part
    read it, and what for; `note` where a formula that nobody wrote comes from.
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
        written = {i.output: f"F{n}" for n, i in enumerate(self.plan.forward, 1)}
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
            for position, value in enumerate(instruction.inputs):
                entry = (label, _reason(instruction, position, label))
                if entry not in reads.setdefault(value, []):
                    reads[value].append(entry)
        return reads

    def _steps(self, letter: str, instructions: Sequence[Instruction]) -> tuple[Step, ...]:
        reads = self._reads() if letter == "F" else {}
        return tuple(self._step(f"{letter}{n}", i, reads) for n, i in enumerate(instructions, 1))

    def _step(self, label: str, i: Instruction, reads: dict[Value, list[tuple[str, str]]]) -> Step:
        output = i.output
        place = self.plan.places.get(output)
        in_place = place is not None and any(self.plan.places.get(v) == place for v in i.inputs)
        kept = tuple(reason for _, reason in reads.get(output, ())) if output.role in IN_SLOTS else ()
        names = tuple(v.name for v in i.inputs)
        return Step(
            label,
            i.primitive.operation,
            names,
            output.name,
            output.shape,
            place,
            in_place,
            _formula(i, names),
            i.span,
            kept,
            _note(i),
            output.role.value,
            tuple(i.within.outwards()) if i.within is not None else (),
        )


def _formula(i: Instruction, names: tuple[str, ...]) -> str:
    if isinstance(i.primitive, Update):
        return "; ".join(i.primitive.statements(names))
    if isinstance(i.primitive, Clip):
        return f"dW, db = {i.primitive.formula(names)}"
    right = i.primitive.formula(names, str(_units(i)))
    output = i.output.name
    for sign in "+-":  # an accumulation onto what the name stood for before
        if right.startswith(f"{output} {sign} "):
            return f"{output} {sign}= {_bare(right.removeprefix(f'{output} {sign} '))}"
    return f"{output} = {right}"


def _bare(text: str) -> str:
    """Without the parentheses around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for at, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[1:-1] if at == len(text) - 1 else text
    return text


def _units(i: Instruction) -> Size:
    """The number of units of the columns that an expression works on; its operands may be one number a column."""
    values = (*i.inputs, i.output) if isinstance(i.primitive, Loss | Map | MeanOverSamples) else (i.output,)
    return next((v.shape[0] for v in values if v.shape[0] != 1), 1)


def _note(i: Instruction) -> str | None:
    if isinstance(i.primitive, Loss | Map):
        return i.primitive.note
    return None


def _reason(i: Instruction, position: int, label: str) -> str:
    """Why a step reads an operand: `dW[2] in B2`, `relu' in B5`; a loss's gradient is its own reason: `B1`."""
    primitive = i.primitive
    if isinstance(primitive, Product) and primitive.epilogue is not None and position >= 2 + primitive.bias:
        primitive = primitive.epilogue
    if isinstance(primitive, Map) and primitive.slope_of is not None:
        return f"{primitive.slope_of.label.partition('(')[0]}' in {label}"
    if isinstance(primitive, Map) and primitive.note is not None:
        return label
    return f"{i.output.name} in {label}"
