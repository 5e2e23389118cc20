"""Where everything lies in the one arena of the caller: what outlives a call, then room that all calls share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dnnlang.backends.native.operands import row_length
from dnnlang.backends.native.steps import PERSISTENT, Argument, Call, Place, Section, Work, constant
from dnnlang.plan.ir import Plan
from dnnlang.plan.layout import starts
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import evaluate


@dataclass(frozen=True, slots=True)
class Raster:
    """Vectors of `lanes` numbers, and up to `samples` samples side by side."""

    lanes: int
    samples: int

    @property
    def ld(self) -> int:
        """How far rows of one number a sample lie apart."""
        return row_length(self.samples, self.lanes)

    @property
    def vectors(self) -> int:
        return -(-self.samples // self.lanes)

    def whole(self, numbers: int) -> int:
        """So many numbers, filled up to whole vectors."""
        return -(-numbers // self.lanes) * self.lanes

    def tensor(self, value: Value) -> int:
        """Numbers of what has no samples: a row for each column."""
        return constant(value.shape[1]) * self.row(value)

    def row(self, value: Value) -> int:
        return row_length(constant(value.shape[0]), self.lanes)


def batch(value: Value) -> Work:
    """Where an input or a target is brought to, as backends/native/writing.py has it."""
    return Work(f"batch {value.name}", constant(value.shape[0]))


class Lasting:
    """The tensors that lie in the arena from call to call: where each begins, by name, and where they end."""

    def __init__(self, values: Iterable[Value], raster: Raster) -> None:
        self.starts: dict[str, int] = {}
        self.end = 0
        for value in values:
            if value.name not in self.starts:
                self.starts[value.name] = self.end
                self.end += raster.whole(raster.tensor(value))


class Room:
    """Where a plan's values lie behind the lasting ones. `brought` are places of the caller's own arrays."""

    def __init__(
        self,
        plan: Plan,
        calls: Sequence[tuple[Section, Call]],
        raster: Raster,
        lasting: Lasting,
        brought: Mapping[Place, str],
        constants: Mapping[str, str],
    ) -> None:
        self._plan, self._raster, self._lasting = plan, raster, lasting
        self._brought, self._constants = brought, constants
        sizes = {s.number: self._numbers(evaluate(s.rows, {"m": raster.samples}), s.per_sample) for s in plan.slots}
        begins, height = starts(plan.slots, sizes)
        self._slots = {number: lasting.end + begin for number, begin in begins.items()}
        self._works: dict[str, int] = {}
        self.end = lasting.end + height
        for key, size in self._work_sizes(calls).items():
            self._works[key] = self.end
            self.end += raster.whole(size)

    def operand(self, place: Argument) -> str:
        """The C text of a pointer to where the place begins, in a function whose `at` is the arena."""
        if isinstance(place, int):
            return str(place)
        if place in self._brought:
            return self._brought[place]
        if isinstance(place, Value) and place.role in PERSISTENT and place.name in self._constants:
            return f"(real *){self._constants[place.name]}"
        return f"at + {self.start(place)}"

    def start(self, place: Place) -> int:
        if isinstance(place, Work):
            return self._works[place.key]
        if place.role in (Role.INPUT, Role.TARGET):
            return self._works[batch(place).key]
        if place.role in PERSISTENT:
            return self._lasting.starts[place.name]
        return self._slots[self._plan.places[place]]

    def _work_sizes(self, calls: Sequence[tuple[Section, Call]]) -> dict[str, int]:
        sizes: dict[str, int] = {}
        works = [batch(v) for v in (*self._plan.inputs.values(), *self._plan.targets.values())]
        for _, call in calls:
            works += [p for p in (*call.arguments, *call.writes) if isinstance(p, Work)]
        for work in works:
            size = 0 if work in self._brought else self._work(work)
            sizes[work.key] = max(sizes.get(work.key, 0), size)
        return sizes

    def _work(self, work: Work) -> int:
        if self._raster.samples <= work.unless:
            return 0
        if work.columns is None:
            return self._numbers(work.rows, True)
        rows = self._raster.vectors * self._raster.lanes if work.by_sample else work.rows
        return rows * work.columns

    def _numbers(self, rows: int, per_sample: bool) -> int:
        numbers = rows * self._raster.ld if per_sample else row_length(rows, self._raster.lanes)
        return self._raster.whole(numbers)
