"""Executables kept between calls, all on one arena that is as large as the largest of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from dnnlang.backends.buffers import aligned_buffer
from dnnlang.plan.ir import Plan
from dnnlang.plan.layout import starts
from dnnlang.primitives.values import Value
from dnnlang.sizes import evaluate

KEPT: Final = 8
"""Executables kept: a plan for each batch size that comes up again and again."""

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Ready = Callable[[Array], Array | None]
"""The output for an array of the shape and dtype that it is for; None if the array has to be checked first."""


class Executable(Protocol):
    """A plan for one batch size, whose arrays exist before it runs. X and Y are (units, m), by name.

    `step` counts from 1; it tells the random masks of different steps apart.
    """

    m: int

    def arena_bytes(self) -> int:
        """Bytes of slots and workspace."""

    def allocated_bytes(self) -> int:
        """Bytes of all that is allocated besides the arrays that outlive a run."""

    def place(self, arena: npt.NDArray[np.uint8]) -> None:
        """Lays slots and workspace out in `arena`, of at least `arena_bytes()` bytes."""

    def displace(self) -> None:
        """Lets go of the arena."""

    def forward(self, inputs: Arrays, *, step: int) -> dict[str, Array]:
        """The network's outputs, in fresh arrays."""

    def ready(self) -> Ready | None:
        """`forward` for more X of the same shape, in less time; None if there is no such way. Ends with `displace`."""

    def loss(self, inputs: Arrays, targets: Arrays, *, step: int, penalty: bool) -> float:
        """J, with or without what l2 adds to it."""

    def gradients(self, inputs: Arrays, targets: Arrays, *, step: int) -> float:
        """J; the gradients are then in the arrays that outlive the run."""

    def step(self, inputs: Arrays, targets: Arrays, *, step: int, rate: float) -> float:
        """J before the update that this makes."""

    def steps(
        self, inputs: Arrays, targets: Arrays, columns: Array | None, *, times: int, step: int, rate: float
    ) -> Array:
        """J before each of `times` updates. `columns`, (times, m), are the samples of each; None: the first m."""

    def array(self, value: Value) -> Array | None:
        """Where a value lies: what it was after a run, if no later value has taken its place."""


class Backend(Protocol):
    """What makes numbers of plans."""

    name: str

    def array(self, shape: tuple[int, int]) -> Array:
        """Zeros that outlive a run, laid out as this backend likes them best."""

    def array_bytes(self, shape: tuple[int, int]) -> int:
        """What such an array takes, padding included."""

    def executable(self, plan: Plan, m: int, persistent: Arrays) -> Executable:
        """The plan for m samples. `persistent` are the arrays that outlive a run, by name.

        Raises UsageError where the backend cannot run here.
        """


class Runner:
    """Makes executables, and lays each out in the arena before it runs.

    Nothing in the arena outlives a run, so plans and batch sizes can share it.
    """

    def __init__(self, backend: Backend, dtype: np.dtype[Any]) -> None:
        self.backend = backend
        self._dtype = dtype
        self._made: OrderedDict[tuple[int, int], tuple[Plan, Executable]] = OrderedDict()
        self._placed: set[int] = set()  # ids of those laid out in the arena as it is now
        self._arena = aligned_buffer(0)
        self.ready: dict[tuple[int, ...], Ready] = {}
        """By the shape of X: the output of the network, not in training, of an X like one that was there before."""

    @property
    def arena_bytes(self) -> int:
        return self._arena.nbytes

    def bytes_needed(self, plan: Plan, m: int) -> int:
        """Bytes of slots and persistent arrays besides the parameters, estimated before anything is made."""
        persistent = sum(
            evaluate(v.shape[0], {}) * evaluate(v.shape[1], {})
            for v in (*plan.gradients.values(), *plan.state.values())
        )
        sizes = {slot.number: evaluate(slot.elements, {"m": m}) for slot in plan.slots}
        return (starts(plan.slots, sizes)[1] + persistent) * self._dtype.itemsize

    def known(self, plan: Plan, m: int) -> Executable | None:
        """The plan for m samples, if it was made and is still kept."""
        key = (id(plan), m)
        if key not in self._made:
            return None
        self._made.move_to_end(key)
        return self._made[key][1]

    def make(self, plan: Plan, m: int, persistent: Arrays) -> Executable:
        """The plan for m samples; what was used least recently may go for it."""
        executable = self.backend.executable(plan, m, persistent)
        self._made[id(plan), m] = plan, executable
        if len(self._made) > KEPT:
            _, (_, old) = self._made.popitem(last=False)
            self._placed.discard(id(old))
            self.ready.clear()
        return executable

    def placed(self, executable: Executable) -> Executable:
        """Laid out in the arena, which grows if it has to."""
        if id(executable) in self._placed:
            return executable
        if executable.arena_bytes() > self._arena.nbytes:
            self._give_up_arena()
            self._arena = aligned_buffer(executable.arena_bytes())
        executable.place(self._arena)
        self._placed.add(id(executable))
        return executable

    def make_ready(self, executable: Executable, x: Arrays) -> None:
        """Notes the fast way of a placed executable, for inference, for further X like x. Most programs have one."""
        ready = executable.ready()
        if ready is not None:
            self.ready[next(iter(x.values())).shape] = ready

    def _give_up_arena(self) -> None:
        """Before the larger one is there, so that the two are never there together."""
        for _, executable in self._made.values():
            executable.displace()
        self._placed.clear()
        self.ready.clear()
        self._arena = aligned_buffer(0)
