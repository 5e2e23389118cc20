"""A plan for one batch size, compiled to steps on arrays that exist before the first of them runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.frame import Frame, FrameBuilder, Step, padded, view
from dnnlang.backends.numpy.instructions import COMPILERS, Context
from dnnlang.errors import InternalError
from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.penalty import Penalty
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.evaluate import evaluate
from dnnlang.sizes import Size
from dnnlang.sizes import evaluate as size_of
from dnnlang.source import Span

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

PERSISTENT: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.GRADIENT, Role.STATE))
"""Whose arrays outlive a run."""


class Executable:
    """The plan `plan` for `m` samples.

    `persistent` holds the arrays that outlive a run, under the names of their values: parameters, gradients
    and state. Everything else lies in the arena, of `arena_bytes`, which `place` lays it out in.
    """

    def __init__(self, plan: Plan, m: int, dtype: npt.DTypeLike, persistent: Arrays, seed: int) -> None:
        self.plan = plan
        self.m = m
        self._frame = FrameBuilder(dtype)
        self._persistent = persistent
        self._numbers: dict[Value | str, int] = {}
        self._context = Context(self._frame, m, seed, self._number, plan.places)
        self._inputs = {name: self._number(v) for name, v in plan.inputs.items()}
        self._targets = {name: self._number(v) for name, v in plan.targets.items()}
        self._outputs = {name: self._number(v) for name, v in plan.outputs.items()}
        self._forward: list[Step] = []
        self._losses: list[tuple[int, list[Step]]] = []  # the steps for J, and how many of _forward come before
        self._penalties: list[Step] = []
        self._parts: list[tuple[Instruction, list[Step]]] = []  # the forward steps again, by instruction
        for instruction in plan.forward:
            steps = self._compile(instruction)
            if isinstance(instruction.primitive, Loss):
                self._losses.append((len(self._forward), steps))
            elif isinstance(instruction.primitive, Penalty):
                self._penalties.extend(steps)
            else:
                self._forward.extend(steps)
                self._parts.append((instruction, steps))
        self._with_loss = self._merged()
        self._backward = [s for i in plan.backward for s in self._compile(i)]
        self._updates = [s for i in plan.updates for s in self._compile(i)]

    # ------------------------------------------------------------ memory

    def slot_bytes(self) -> int:
        """Bytes of the slots, each padded to the alignment."""
        return sum(padded(self._slot_elements(s.elements) * self._frame.dtype.itemsize) for s in self.plan.slots)

    def workspace_bytes(self) -> int:
        """Bytes of the temporaries that NumPy needs and the plan does not know of."""
        return self._frame.workspace_bytes()

    def arena_bytes(self) -> int:
        return self.slot_bytes() + self.workspace_bytes()

    def place(self, arena: npt.NDArray[np.uint8]) -> None:
        """Lays slots and temporaries out in `arena`, which has at least `arena_bytes()` bytes."""
        dtype = self._frame.dtype
        starts = {}
        start = 0
        for slot in self.plan.slots:
            starts[slot.number] = start
            start += padded(self._slot_elements(slot.elements) * dtype.itemsize)
        for value, slot_number in self.plan.places.items():
            if value in self._numbers:
                array = view(arena, starts[slot_number], self._context.shape(value), dtype)
                self._frame.arrays[self._numbers[value]] = array
        self._frame.place_workspace(arena[start:])

    # ------------------------------------------------------------ running

    def forward(self, inputs: Arrays, *, step: int) -> dict[str, Array]:
        """The network's outputs, in fresh arrays."""
        frame = self._bring(inputs, {}, step)
        with np.errstate(all="ignore"):
            for run in self._forward:
                run(frame)
        return {name: frame[n].copy() for name, n in self._outputs.items()}

    def trace(self, inputs: Arrays, *, step: int) -> Iterator[tuple[str, Array, Span | None]]:
        """Each value of the forward part once it is computed, copied."""
        frame = self._bring(inputs, {}, step)
        for instruction, steps in self._parts:
            with np.errstate(all="ignore"):
                for run in steps:
                    run(frame)
            yield instruction.output.name, frame[self._number(instruction.output)].copy(), instruction.span

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
        J = self._differentiated(inputs, targets, step)
        scalars: dict[str, float] = {"rate": rate, "t": float(step)}
        with np.errstate(all="ignore"):
            for expr, number in self._context.scalars.items():
                value = evaluate(expr, scalars)
                assert isinstance(value, float)  # neither rate nor t is one number a unit
                self._frame.arrays[number] = self._frame.rounded(value)
        self._update()
        return J

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
        """Where a value lies: what it was after a run, if no later value has taken its slot. None for J."""
        number = self._numbers.get(value.name if value.role in PERSISTENT else value)
        array: Array | None = None if number is None else self._frame.arrays[number]
        return array

    # ------------------------------------------------------------ building

    def _compile(self, instruction: Instruction) -> list[Step]:
        compiler = COMPILERS.get(type(instruction.primitive))
        if compiler is None:
            raise InternalError(f"the numpy backend does not implement {instruction.primitive.operation}")
        return compiler(instruction, self._context)

    def _merged(self) -> list[Step]:
        """The forward steps with those for J between them, where the plan has them."""
        merged: list[Step] = []
        done = 0
        for before, steps in self._losses:
            merged.extend(self._forward[done:before])
            merged.extend(steps)
            done = before
        return [*merged, *self._forward[done:]]

    def _number(self, value: Value) -> int:
        """The place of a value in the frame: one a persistent array, one a value otherwise."""
        persistent = value.role in PERSISTENT
        key: Value | str = value.name if persistent else value
        if key not in self._numbers:
            self._numbers[key] = self._frame.add(self._persistent[value.name] if persistent else None)
        return self._numbers[key]

    def _slot_elements(self, elements: Size) -> int:
        return size_of(elements, {"m": self.m})

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
