"""What the writers of C share: the source, the instruction that they are at, and the calls made so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import count

from dnnlang.backends.native.loops import Loop, Overlaps, joined, may_join
from dnnlang.backends.native.operands import Operands, has_samples, row_length
from dnnlang.backends.native.steps import Call, Part, Place, Section, Source, Work, constant
from dnnlang.plan.ir import Instruction, Plan, Purpose, parts
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.values import Role, Value


@dataclass(slots=True)
class Writing:
    """`lanes` are the numbers in a vector, `bits` those of a number: 32 or 64."""

    plan: Plan
    source: Source
    lanes: int
    bits: int
    widths: tuple[int, ...] = (1, 2, 3)  # vectors that a tile of a product may be wide
    calls: list[tuple[Section, Call]] = field(default_factory=list)
    section: Section = Section.FORWARD
    inner: dict[Value, Work] = field(default_factory=dict)  # those of the instruction at hand that need room
    scales: dict[Value, Fraction] = field(default_factory=dict)  # of masks: what a kept entry is
    outputs: frozenset[Value] = frozenset()
    _numbers: count[int] = field(default_factory=count)
    _turns: count[int] = field(default_factory=count)
    _open: list[Loop] = field(default_factory=list)  # which later loops may still join
    _overlaps: Overlaps = field(init=False)

    def __post_init__(self) -> None:
        self._overlaps = Overlaps(self.plan)

    def turn(self) -> int:
        """0 and 1 by turns."""
        return next(self._turns) % 2

    def begin(self, instruction: Instruction) -> None:
        """The next instruction of the plan."""
        self.inner = {}
        self.outputs = frozenset(instruction.outputs)
        self._numbers = count()

    def enter(self, section: Section) -> None:
        """What comes next is of this section. Those of a step are always run together, but J of inference is not."""
        if section is not self.section and self.plan.purpose is Purpose.INFERENCE:
            self.close()
        self.section = section

    def fresh(self) -> str:
        """A name for a variable, that no other of the function has."""
        return f"x{next(self._numbers)}"

    def row_length(self, place: Place) -> int:
        """How far the stored rows of a value without samples lie apart: the columns of W, one behind the other."""
        rows = place.rows if isinstance(place, Work) else constant(place.shape[0])
        return row_length(rows, self.lanes)

    def place(self, value: Value) -> Place:
        """Where a value lies: inner ones in room of their own, inputs and targets where batches are drawn to."""
        if value.role in (Role.INPUT, Role.TARGET):
            return Work(f"batch {value.name}", constant(value.shape[0]))
        return self.inner.get(value, value)

    def lasting(self, made: Sequence[Instruction], rest: Sequence[Instruction]) -> tuple[Value, ...]:
        """What has to be stored of the values that were made: results of the instruction, and what `rest` reads."""
        later = {v for i in rest for v in i.inputs}
        kept = []
        for value in (v for i in made for v in i.outputs):
            if value in later and value not in self.outputs:
                self.inner[value] = Work(f"inner {len(self.inner)}", *self._inner_shape(value))
            if value in self.outputs or value in later:
                kept.append(value)
        return tuple(kept)

    def _inner_shape(self, value: Value) -> tuple[int, int | None]:
        rows, columns = value.stored
        if has_samples(value):
            return constant(rows), None
        return constant(columns), row_length(constant(rows), self.lanes)

    def scale(self, mask: Value) -> Fraction:
        """What a kept entry of a mask is."""
        if not self.scales:
            for i in self.plan.instructions:
                self._note_mask(i)
        return self.scales[mask]

    def _note_mask(self, instruction: Instruction) -> None:
        for part in parts(instruction):
            if isinstance(part.primitive, Mask):
                self.scales[part.outputs[0]] = 1 / (1 - part.primitive.rate)

    def pointers(self, operands: Operands, *extra: tuple[str, Work]) -> list[str]:
        """The lines that name what the function is called with. Call it when the text names all its operands."""
        lines = []
        if operands.places:
            listed = ", ".join(f"PLACE({n})" for n in range(len(operands.places)))
            lines.append(f"real *const o[] = {{{listed}}};")
        for n, (name, work) in enumerate(extra, len(operands.places)):
            lines.append(f"real *const {name} = {_room(n, work)};")
        return lines

    def call(
        self,
        body: Sequence[str],
        operands: Operands,
        *,
        extra: Sequence[tuple[str, Work]] = (),
        seen: Sequence[tuple[str, Work]] = (),
        part: Part,
        work: int,
        writes: Sequence[Place] = (),
    ) -> None:
        """Adds a function with this body, and its call. It writes to the room in `extra`, and reads that in `seen`."""
        self.close()
        works, read = tuple(work for _, work in extra), tuple(work for _, work in seen)
        lines = [*self.pointers(operands, *extra, *seen), *body]
        places = tuple(self.place(p) if isinstance(p, Value) else p for p in operands.places)
        written = [self.place(p) if isinstance(p, Value) else p for p in (*operands.written, *writes)]
        reads = tuple(p for p in places if p not in written or p in map(self._placed, operands.read))
        number, arguments = self.source.function(lines), (*places, *works, *read)
        self.calls.append((self.section, Call(number, arguments, (*reads, *read), (*written, *works), part, work)))

    def loop(self, loop: Loop) -> None:
        """Adds a loop over the samples of a block, to the ones right before it if that can be."""
        located = replace(loop, operands=self._located(loop.operands))
        if not may_join(self._open, located, self._overlaps):
            self.close()
        self._open.append(located)

    def close(self) -> None:
        """Makes a call of the loops so far: none joins them any more."""
        loops, self._open = self._open, []
        if loops:
            body, operands = joined(loops)
            self.call(body, operands, part=Part.COLUMNS, work=sum(loop.work for loop in loops))

    def _located(self, o: Operands) -> Operands:
        """The operands of the instruction at hand, as places that mean the same in every other."""
        return Operands(*([self._placed(p) for p in places] for places in (o.places, o.written, o.read)))

    def _placed(self, place: Place) -> Place:
        return self.place(place) if isinstance(place, Value) else place


def _room(n: int, work: Work) -> str:
    """Where room of a step begins. Which thread this is is not asked where it does not matter: that takes time."""
    if not work.for_each_thread:
        return f"PLACE({n})"
    size = work.rows * (work.columns or 0)
    mine = f"PLACE({n}) + THREAD * {size}"
    if not size:
        return "0"
    return f"e->m > {work.unless} ? {mine} : 0" if work.unless else mine
