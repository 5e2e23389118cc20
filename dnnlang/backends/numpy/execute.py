"""A plan for one batch size, compiled to steps on arrays that exist before the first of them runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends.buffers import buffer_bytes, padded
from dnnlang.backends.numpy.context import Context, Numbers
from dnnlang.backends.numpy.frame import Frame, FrameBuilder, Step, view
from dnnlang.backends.numpy.instructions import COMPILERS, compiled
from dnnlang.backends.numpy.masks import unpack
from dnnlang.errors import InternalError
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.plan.layout import starts
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.penalty import Penalty
from dnnlang.primitives.values import Value
from dnnlang.scalar.evaluate import evaluate
from dnnlang.sizes import evaluate as size_of
from dnnlang.source import Span

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


class Executable:
    """The plan `plan` for `m` samples.

    `persistent` holds the arrays that outlive a run, under the names of their values: parameters, gradients
    and state. Everything else lies in the arena, of `arena_bytes`, which `place` lays it out in.
    """

    def __init__(self, plan: Plan, m: int, dtype: npt.DTypeLike, persistent: Arrays, seed: int) -> None:
        self.plan = plan
        self.m = m
        self._frame = FrameBuilder(dtype)
        self._numbers = Numbers(self._frame, persistent)
        # Only plans for inference are traced, value by value.
        apart = plan.purpose is Purpose.INFERENCE
        self._context = Context(self._frame, m, seed, self._numbers.of, plan.places, apart=apart)
        self._inputs = {name: self._numbers.of(v) for name, v in plan.inputs.items()}
        self._targets = {name: self._numbers.of(v) for name, v in plan.targets.items()}
        self._outputs = {name: self._numbers.of(v) for name, v in plan.outputs.items()}
        self._forward: list[Step] = []
        self._losses: list[tuple[int, list[Step]]] = []  # the steps for J, and how many of _forward come before
        self._penalties: list[Step] = []
        self._parts: list[tuple[Instruction, list[Step]]] = []  # the forward steps again, by instruction
        for instruction in plan.forward:
            for part, steps in self._compile(instruction):
                if isinstance(part.primitive, Loss):
                    self._losses.append((len(self._forward), steps))
                elif isinstance(part.primitive, Penalty):
                    self._penalties.extend(steps)
                else:
                    self._forward.extend(steps)
                    self._parts.append((part, steps))
        self._with_loss = self._merged()
        self._backward = [s for i in plan.backward for _, steps in self._compile(i) for s in steps]
        self._updates = [s for i in plan.updates for _, steps in self._compile(i) for s in steps]

    # ------------------------------------------------------------ memory

    def slot_bytes(self) -> int:
        """Bytes of the slots, each padded to the alignment, laid out one on the other as the plan says."""
        return self._slots_laid_out()[1]

    def workspace_bytes(self) -> int:
        """Bytes of the temporaries that NumPy needs and the plan does not know of."""
        return self._frame.workspace_bytes()

    def arena_bytes(self) -> int:
        return self.slot_bytes() + self.workspace_bytes()

    def allocated_bytes(self) -> int:
        """Bytes of all arrays besides those that outlive a run: the arena, and the numbers that steps compute with."""
        numbers = self._frame.constant_count + len(self._context.scalars)
        return buffer_bytes(self.arena_bytes()) + numbers * self._frame.dtype.itemsize

    def place(self, arena: npt.NDArray[np.uint8]) -> None:
        """Lays slots and temporaries out in `arena`, which has at least `arena_bytes()` bytes."""
        dtype = self._frame.dtype
        begins, end = self._slots_laid_out()
        for value, slot_number in self.plan.places.items():
            number = self._numbers.known(value)
            if number is not None:
                self._frame.arrays[number] = view(arena, begins[slot_number], self._context.stored(value), dtype)
        self._frame.place_workspace(arena[end:])

    def displace(self) -> None:
        """Lets go of the arena."""
        for value in self.plan.places:
            number = self._numbers.known(value)
            if number is not None:
                self._frame.arrays[number] = None
        self._frame.displace_workspace()

    # ------------------------------------------------------------ running

    def forward(self, inputs: Arrays, *, step: int) -> dict[str, Array]:
        """The network's outputs, in fresh arrays."""
        frame = self._bring(inputs, {}, step)
        with np.errstate(all="ignore"):
            for run in self._forward:
                run(frame)
        return {name: frame[n].copy() for name, n in self._outputs.items()}

    def ready(self) -> None:
        """There is no way that is faster."""

    def trace(self, inputs: Arrays, *, step: int) -> Iterator[tuple[str, Array, Span | None]]:
        """Each value of the forward part once it is computed, copied."""
        frame = self._bring(inputs, {}, step)
        for instruction, steps in self._parts:
            with np.errstate(all="ignore"):
                for run in steps:
                    run(frame)
            array = self._entries(instruction.output, frame[self._context.number(instruction.output)])
            yield instruction.output.name, array.copy(), instruction.span

    def loss(self, inputs: Arrays, targets: Arrays, *, step: int, penalty: bool) -> float:
        """J, with or without what l2 adds to it."""
        frame = self._bring(inputs, targets, step)
        with np.errstate(all="ignore"):
            for run in self._with_loss:
                run(frame)
            if penalty:
                for run in self._penalties:
                    run(frame)
        return self._context.J

    def gradients(self, inputs: Arrays, targets: Arrays, *, step: int) -> float:
        """J; the gradients are then in the persistent arrays, and running statistics have followed the batch."""
        J = self._differentiated(inputs, targets, step)
        self._update()
        return J

    def step(self, inputs: Arrays, targets: Arrays, *, step: int, rate: float) -> float:
        """J before the update that this makes; `step` counts from 1."""
        scalars: dict[str, float] = {"rate": rate, "t": float(step)}
        with np.errstate(all="ignore"):
            for expr, number in self._context.scalars.items():
                value = evaluate(expr, scalars)
                assert isinstance(value, float)  # neither rate nor t is one number a unit
                self._frame.arrays[number] = self._frame.rounded(value)
        J = self._differentiated(inputs, targets, step)
        self._update()
        return J

    def steps(
        self, inputs: Arrays, targets: Arrays, columns: Array | None, *, times: int, step: int, rate: float
    ) -> Array:
        """J before each of `times` updates, the first of them number `step`.

        `columns` (times, m) are the samples of each batch; None: all of them, every time.
        """
        losses = np.empty(times)
        for at in range(times):
            x, y = inputs, targets
            if columns is not None:
                x = {name: a[:, columns[at]] for name, a in inputs.items()}
                y = {name: a[:, columns[at]] for name, a in targets.items()}
            losses[at] = self.step(x, y, step=step + at, rate=rate)
        return losses

    def _differentiated(self, inputs: Arrays, targets: Arrays, step: int) -> float:
        J = self.loss(inputs, targets, step=step, penalty=True)
        frame = self._frame.arrays
        with np.errstate(all="ignore"):
            for run in self._backward:
                run(frame)
        return J

    def _update(self) -> None:
        frame = self._frame.arrays
        with np.errstate(all="ignore"):
            for run in self._updates:
                run(frame)

    def array(self, value: Value) -> Array | None:
        """Where a value lies: what it was after a run, if no later value has taken its slot. None for J.

        Of a mask that is stored as single bits, a copy in numbers.
        """
        number = self._numbers.known(value)
        return None if number is None else self._entries(value, self._frame.arrays[number])

    def _entries(self, value: Value, array: Array) -> Array:
        if not value.packed:
            return array
        entries = np.empty(self._context.shape(value), self._frame.dtype)
        unpack(array, entries, self._frame.arrays[self._context.scales[value]])
        return entries

    # ------------------------------------------------------------ building

    def _compile(self, instruction: Instruction) -> list[tuple[Instruction, list[Step]]]:
        """The steps for an instruction, and for each member of a merged one."""
        if type(instruction.primitive) not in COMPILERS:
            raise InternalError(f"the numpy backend does not implement {instruction.primitive.operation}")
        return compiled(instruction, self._context)

    def _merged(self) -> list[Step]:
        """The forward steps with those for J between them, where the plan has them."""
        merged: list[Step] = []
        done = 0
        for before, steps in self._losses:
            merged.extend(self._forward[done:before])
            merged.extend(steps)
            done = before
        return [*merged, *self._forward[done:]]

    def _slots_laid_out(self) -> tuple[dict[int, int], int]:
        """Where each slot begins, in bytes, and where the highest ends."""
        item = self._frame.dtype.itemsize
        sizes = {s.number: padded(size_of(s.elements, {"m": self.m}) * item) for s in self.plan.slots}
        return starts(self.plan.slots, sizes)

    def _bring(self, inputs: Arrays, targets: Arrays, step: int) -> Frame:
        frame = self._frame.arrays
        for name, number in self._inputs.items():
            frame[number] = inputs[name]
        if targets:
            for name, number in self._targets.items():
                frame[number] = targets[name]
        self._context.step = step
        self._context.J = 0.0
        return frame
