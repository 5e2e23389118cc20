"""Executables kept between calls, all on one arena that is as large as the largest of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.numpy.execute import Executable
from dnnlang.backends.numpy.frame import aligned_buffer
from dnnlang.plan.ir import Plan
from dnnlang.plan.memory import slot_bytes
from dnnlang.sizes import evaluate

KEPT: Final = 8
"""Executables kept: a plan for each batch size that comes up again and again."""

Arrays = Mapping[str, npt.NDArray[Any]]


class Runner:
    """Makes executables, and lays each out in the arena before it runs.

    Nothing in the arena outlives a run, so plans and batch sizes can share it.
    """

    def __init__(self, dtype: np.dtype[Any], seed: int) -> None:
        self._dtype = dtype
        self._seed = seed
        self._made: OrderedDict[tuple[int, int], Executable] = OrderedDict()
        self._placed: set[int] = set()  # ids of those laid out in the arena as it is now
        self._arena = aligned_buffer(0)

    @property
    def arena_bytes(self) -> int:
        return self._arena.nbytes

    def bytes_needed(self, plan: Plan, m: int) -> int:
        """Bytes of slots and persistent arrays besides the parameters, estimated before anything is made."""
        persistent = sum(
            evaluate(v.shape[0], {}) * evaluate(v.shape[1], {})
            for v in (*plan.gradients.values(), *plan.state.values())
        )
        return evaluate(slot_bytes(plan, self._dtype.itemsize), {"m": m}) + persistent * self._dtype.itemsize

    def known(self, plan: Plan, m: int) -> Executable | None:
        """The plan compiled for m samples, if it was made and is still kept."""
        key = (id(plan), m)
        if key in self._made:
            self._made.move_to_end(key)
        return self._made.get(key)

    def make(self, plan: Plan, m: int, persistent: Arrays) -> Executable:
        """Compile the plan for m samples; what was used least recently may go for it."""
        executable = Executable(plan, m, self._dtype, persistent, self._seed)
        self._made[id(plan), m] = executable
        if len(self._made) > KEPT:
            _, old = self._made.popitem(last=False)
            self._placed.discard(id(old))
        return executable

    def placed(self, executable: Executable) -> Executable:
        """Laid out in the arena, which grows if it has to."""
        if id(executable) in self._placed:
            return executable
        if executable.arena_bytes() > self._arena.nbytes:
            self._arena = aligned_buffer(executable.arena_bytes())
            self._placed.clear()
        executable.place(self._arena)
        self._placed.add(id(executable))
        return executable
