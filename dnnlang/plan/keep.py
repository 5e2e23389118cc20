"""What is kept from forward to backward.

At -O1 the backward part reads A rather than Z wherever the derivative can be written in A. At -O2 it also computes
again what is cheap: what is kept then has the fewest bytes that are possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from dnnlang.plan.alias import write_in_place
from dnnlang.plan.cut import Item, least_kept
from dnnlang.plan.dead import drop_dead_code
from dnnlang.plan.fuse import merge_steps
from dnnlang.plan.ir import IN_SLOTS, Instruction, Plan
from dnnlang.plan.layout import numbers_in
from dnnlang.plan.liveness import Buffer, alive, buffers
from dnnlang.plan.order import order_instructions
from dnnlang.plan.recompute import RECOMPUTED, recompute
from dnnlang.plan.room import Room, room
from dnnlang.primitives.map import Map, slope
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.stack import Stack
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr

CHEAP: Final = (Map, Stack, Mask)
"""What is computed again rather than kept: work of a few operations an entry.

Products are left out, and so are means over the samples: those are one column, which is next to nothing to keep, and
take a pass over a whole matrix to make.
"""
TRIES: Final = 4
"""How often what raises the peak is given up piece by piece, before all of it is."""
MOST_FINISHED: Final = 3_000
"""Instructions of a plan that is merged and ordered for the sake of its peak; a longer one is taken as it is."""


def keep(plan: Plan) -> Plan:
    """Backward reads what takes the fewest bytes to keep; from -O2 on after it was computed again, if it is cheap."""
    return read_outputs(plan) if plan.level < 2 else keep_least(plan)


# ---------------------------------------------------------------- -O1


def read_outputs(plan: Plan) -> Plan:
    """Rewrites dZ = dA ∘ g'(Z) in A = g(Z). Then nobody reads Z, and A, which dW reads anyway, can overwrite it."""
    output_of = _outputs(plan)
    return replace(plan, backward=tuple(_in_output(i, output_of) for i in plan.backward))


def _outputs(plan: Plan) -> dict[tuple[Value, Expr], Value]:
    """A by Z and the activation."""
    found: dict[tuple[Value, Expr], Value] = {}
    for i in plan.forward:
        if isinstance(i.primitive, Map) and i.primitive.activation is not None:
            found[i.inputs[0], i.primitive.activation.value] = i.output
    return found


def _in_output(instruction: Instruction, output_of: Mapping[tuple[Value, Expr], Value]) -> Instruction:
    primitive = instruction.primitive
    if not isinstance(primitive, Map) or primitive.slope_of is None or "z" not in primitive.names:
        return instruction
    operands = dict(zip(primitive.names, instruction.inputs, strict=True))
    new = slope(primitive.slope_of, from_output=True)
    operands["a"] = output_of[operands["z"], primitive.slope_of.value]
    if primitive.accumulate:
        new = new.accumulating()
    return replace(instruction, primitive=new, inputs=tuple(operands[n] for n in new.names))


# ---------------------------------------------------------------- -O2


def keep_least(plan: Plan) -> Plan:
    """Keeps the fewest bytes, and computes again what else backward reads.

    Bytes are counted at the reference sizes of `layout.py`. Of choices with equally few, it is the one that computes
    the fewest entries again, if every slope that can reads A alone; then those whose A would be computed again for
    their sake read Z.

    The peak must not rise for it: where the largest sum of live slots, as the later passes leave them, is above that
    of the plan in which nothing is computed again, the pieces of the graph are given up of which something computed
    again is alive there; or if there are none, those of which something is kept.
    """
    choice = Choice(plan)
    without = choice.plan(())
    worth = [piece for piece in choice.pieces() if piece.again]
    if not worth:
        return without
    highest = max(_profile(without)[1])
    for _ in range(TRIES):
        made = choice.plan([v for piece in worth for v in piece.again])
        blamed = _alive_above(made, highest)
        if not blamed:
            return made
        left = [p for p in worth if blamed.isdisjoint(v.name for v in (*p.again, *p.kept))]
        if not left or len(left) == len(worth):
            break
        worth = left
    return without


@dataclass(frozen=True, slots=True)
class _Slope:
    """A slope of `output` = g(Z) in both its forms. `alone`: that in A does without Z."""

    output: Value
    in_a: Instruction
    in_z: Instruction
    alone: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Values decided together: those to keep, and those to compute again."""

    kept: tuple[Value, ...]
    again: tuple[Value, ...]


class Choice:
    """A plan whose slopes are in Z, and what may become of it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._slopes: dict[Value, list[_Slope]] = {}
        self._others: set[Value] = {v for i in plan.updates for v in i.inputs}  # what is read whatever is chosen
        output_of = _outputs(plan)
        for i in plan.backward:
            in_a = _in_output(i, output_of)
            if in_a is i or not isinstance(in_a.primitive, Map) or "a" not in in_a.primitive.names:
                self._others.update(i.inputs)
                continue
            A = in_a.inputs[in_a.primitive.names.index("a")]
            self._slopes.setdefault(A, []).append(_Slope(A, in_a, i, "z" not in in_a.primitive.names))

    def pieces(self) -> list[Piece]:
        """The minimum cut: what to keep for the fewest bytes, whatever that means for the peak."""
        needed = set(self._others)
        for slope_ in (s for slopes in self._slopes.values() for s in slopes):
            needed.update((slope_.in_a if slope_.alone else slope_.in_z).inputs)
        writers = [i for i in self._plan.forward if i.output.role in IN_SLOTS]
        values = [i.output for i in writers]
        number = {v: n for n, v in enumerate(values)}
        numbers = numbers_in(taken for v in values for taken in (room(v), _entries(v)))
        items = [
            Item(numbers[room(v)], numbers[_entries(v)], _operands(i, number), v in needed)
            for i, v in zip(writers, values, strict=True)
        ]
        return [
            Piece(tuple(values[n] for n in cut.kept), tuple(values[n] for n in cut.again)) for cut in least_kept(items)
        ]

    def plan(self, again: Iterable[Value]) -> Plan:
        """The plan that computes these values again, each slope in the form whose operands are at hand."""
        candidates = set(again)
        read = set(self._others)
        chosen: dict[Instruction, Instruction] = {}
        for i in reversed(self._plan.forward):
            A = i.output
            for s in self._slopes.get(A, ()):
                chosen[s.in_z] = s.in_a if A in read or (s.alone and A not in candidates) else s.in_z
            read.update(v for s in self._slopes.get(A, ()) for v in chosen[s.in_z].inputs)
            if A in candidates and A in read:
                read.update(i.inputs)
        backward = tuple(chosen.get(i, i) for i in self._plan.backward)
        return recompute(replace(self._plan, backward=backward), candidates & read)


def _entries(value: Value) -> Room:
    """The room that it would take unpacked."""
    rows, columns = value.shape
    return rows, columns != 1


def _operands(instruction: Instruction, number: Mapping[Value, int]) -> tuple[int, ...] | None:
    if not isinstance(instruction.primitive, CHEAP):
        return None
    return tuple(dict.fromkeys(number[v] for v in instruction.inputs if v in number))


# ---------------------------------------------------------------- the peak


def _profile(plan: Plan) -> tuple[list[Buffer], list[int]]:
    """The buffers of the plan, and how many numbers are alive at each instruction."""
    plan = _finished(plan)
    found = buffers(plan)
    return found, alive(found, numbers_in(b.room for b in found), len(plan.instructions))


def _finished(plan: Plan) -> Plan:
    """As the later passes leave it; a long plan without those that take long."""
    plan = drop_dead_code(plan)
    if len(plan.instructions) <= MOST_FINISHED:
        plan = order_instructions(merge_steps(plan))
    return write_in_place(plan)


def _alive_above(plan: Plan, highest: int) -> set[str]:
    """The names of what is alive where more is alive than `highest`: of values computed again, else of all."""
    found, numbers = _profile(plan)
    above = list(accumulate((n > highest for n in numbers), initial=0))
    there = [v for b in found if above[b.upper] > above[b.lower] for v in b.values]
    forward = {v for i in plan.forward for v in i.outputs}
    again = {v.name for v in there if v.role in RECOMPUTED and v not in forward}
    return again or {v.name for v in there}
