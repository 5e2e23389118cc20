"""A plan, compiled to native code, for one batch size: where everything lies, and the calls in order."""

from __future__ import annotations

import ctypes
import time
from array import array as whole_numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.buffers import aligned_buffer, buffer_bytes, padded
from dnnlang.backends.native.blocks import MAX_BLOCKS, code_of
from dnnlang.backends.native.forward import BLOCK, Block, Forward, SourceOfData, block, in_blocks, prepared
from dnnlang.backends.native.meetings import Region, Stage, stages
from dnnlang.backends.native.operands import has_samples, row_length, units
from dnnlang.backends.native.pace import Pace
from dnnlang.backends.native.source import Written
from dnnlang.backends.native.steps import PERSISTENT, Argument, Call, Part, Place, Section, Work
from dnnlang.backends.runner import Ready
from dnnlang.plan.ir import Plan, Purpose
from dnnlang.plan.layout import starts
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import Size, evaluate

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]

MAX_THREADS: Final = 16
"""As in c/run.h."""
MEETING: Final = 50_000
"""Multiplications that a thread does in the time that it takes for threads to meet, one that is late among them."""
MEETING_AGAIN: Final = 10_000
"""The same in a run of many steps: nobody has to wake up. If it takes longer, `Pace` finds out."""
NONE: Final = (SourceOfData * 0)()
FORWARD: Final = (Section.FORWARD,)
LOSS: Final = (*FORWARD, Section.LOSS)
PENALIZED: Final = (*LOSS, Section.PENALTY)
ALL: Final = (*PENALIZED, Section.BACKWARD, Section.UPDATE)


def environment_type(bits: int) -> type[ctypes.Structure]:
    """`env` of c/run.h, for numbers of so many bits."""
    real = ctypes.c_float if bits == 32 else ctypes.c_double

    class Env(ctypes.Structure):
        _fields_ = [
            ("m", ctypes.c_int64),
            ("ld", ctypes.c_int64),
            ("vectors", ctypes.c_int64),
            ("step", ctypes.c_int64),
            ("seed", ctypes.c_int64),
            ("rate", ctypes.c_double),
            ("scalars", ctypes.c_void_p),
            ("mean", real),
            ("J", ctypes.c_double * 8 * MAX_BLOCKS),
            ("penalty", ctypes.c_double * 8 * MAX_BLOCKS),
            ("norm", ctypes.c_double * 8 * MAX_BLOCKS),
        ]

    return Env


@dataclass(frozen=True, slots=True)
class Library:
    """A compiled plan: what was written, and functions of the loaded library: `dnn_run`, and the forward part alone."""

    plan: Plan
    written: Written
    run: Any
    forward: Forward
    lanes: int
    dtype: np.dtype[Any]


class Executable:
    """A compiled plan for `m` samples on up to `threads` threads.

    `persistent` holds the arrays that outlive a run, made by `persistent_array`. Everything else lies in the arena, of
    `arena_bytes`, which `place` lays it out in.
    """

    def __init__(self, library: Library, m: int, persistent: Arrays, *, seed: int, threads: int) -> None:
        self.plan = library.plan
        self.m = m
        self._library = library
        self._persistent = persistent
        self._item = library.dtype.itemsize
        self._ld = row_length(m, library.lanes)
        self._vectors = -(-m // library.lanes)
        self._most_threads = min(threads, MAX_THREADS)
        self._most = 1  # threads that share the blocks of a run of many steps
        self.threads = 1  # of one step, or a part of it
        self._pace = Pace((1,))
        self._slots = {s.number: self._padded(s.rows, per_sample=s.per_sample) for s in self.plan.slots}
        self._works = self._work_sizes()
        self._code: dict[tuple[Section, ...], Array] = {}
        self._at: dict[Place, int] = {}
        self._arena: npt.NDArray[np.uint8] | None = None
        self._J = np.zeros(1)
        self._scalars = np.zeros(max(1, library.written.scalars), library.dtype)
        self._environment = environment_type(self._item * 8)()
        self._set_environment(seed)
        self._blocks = self._made_blocks(seed)

    # ------------------------------------------------------------ memory

    def slot_bytes(self) -> int:
        """Bytes of the plan's arena, its rows padded to whole vectors."""
        return starts(self.plan.slots, self._slots)[1]

    def workspace_bytes(self) -> int:
        """Bytes of what the plan does not know of: batches, dZ sample by sample, sums of long products."""
        return sum(self._works.values())

    def arena_bytes(self) -> int:
        return self.slot_bytes() + self.workspace_bytes() + sum(b.arena_bytes() for b in self._blocks)

    def allocated_bytes(self) -> int:
        """Bytes of all arrays besides those that outlive a run. The lists of calls are code."""
        own = sum(e._scalars.nbytes + e._J.nbytes for e in (self, *self._blocks))
        return buffer_bytes(self.arena_bytes()) + own

    def displace(self) -> None:
        """Lets go of the arena."""
        self._arena = None
        self._at.clear()
        self._code.clear()

    def place(self, arena: npt.NDArray[np.uint8]) -> None:
        """Lays slots and workspace out in `arena`, of at least `arena_bytes()` bytes, which begins on a cache line."""
        base = arena.ctypes.data
        slots, end = starts(self.plan.slots, self._slots)
        at: dict[Place, int] = {value: base + slots[n] for value, n in self.plan.places.items()}
        works = {}
        for key, size in self._works.items():
            works[key] = base + end
            end += size
        for _, call in self._library.written.calls:
            for place in (*call.arguments, *call.writes):
                if isinstance(place, Work):
                    at[place] = works[place.key]
                elif isinstance(place, Value) and place.role in PERSISTENT:
                    at[place] = self._persistent[place.name].ctypes.data
        for value in (*self.plan.inputs.values(), *self.plan.targets.values()):
            at[self._batch(value)] = works[self._batch(value).key]
        self._at, self._arena, self._code = at, arena, {}
        self._most = self._threads(MEETING_AGAIN)
        self.threads = min(self._most, self._threads(MEETING))
        self._pace = Pace((self._most, 1) if self._most > 1 else (1,))
        for b in self._blocks:
            b.place(arena[end : end + b.arena_bytes()])
            end += b.arena_bytes()

    def _work_sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for value in (*self.plan.inputs.values(), *self.plan.targets.values()):
            batch = self._batch(value)
            sizes[batch.key] = self._work_bytes(batch)
        for _, call in self._library.written.calls:
            for place in (*call.arguments, *call.writes):
                if isinstance(place, Work):
                    sizes[place.key] = max(sizes.get(place.key, 0), self._work_bytes(place))
        return sizes

    def _work_bytes(self, work: Work) -> int:
        if self.m <= work.unless:
            return 0
        if work.columns is None:
            return self._padded(work.rows, per_sample=True)
        rows = self._vectors * self._library.lanes if work.by_sample else work.rows
        each = padded(rows * work.columns * self._item)
        return each * self._most_threads if work.for_each_thread else each

    def _padded(self, rows: Size, *, per_sample: bool) -> int:
        """Bytes of so many rows of one number a sample, or of one row of so many numbers."""
        count = evaluate(rows, {"m": self.m})
        numbers = count * self._ld if per_sample else row_length(count, self._library.lanes)
        return padded(numbers * self._item)

    @staticmethod
    def _batch(value: Value) -> Work:
        return Work(f"batch {value.name}", evaluate(value.shape[0], {}))

    # ------------------------------------------------------------ running

    def forward(self, inputs: Arrays, *, step: int) -> dict[str, Array]:
        """The network's outputs, in fresh arrays."""
        self._run(FORWARD, self._sources(inputs, {}), step)
        return {name: self._view(value).copy() for name, value in self.plan.outputs.items()}

    def ready(self) -> Ready | None:
        """`forward` as one call, until the arena is another one; None where there are several inputs or outputs."""
        inputs, outputs = tuple(self.plan.inputs.values()), tuple(self.plan.outputs.values())
        if len(inputs) != 1 or len(outputs) != 1:
            return None
        X, A = self._view(inputs[0]), self._view(outputs[0])
        functions = self._library.forward
        if self._blocks:
            return in_blocks(functions, [b._of_block() for b in self._blocks], self._blocks[0].m, X, A)
        calls = [call for section, call in self._library.written.calls if section in FORWARD]
        work = self.m * sum(call.work for call in calls)
        source = self._source_in_place()
        return prepared(functions, self._environment, self._code_of(FORWARD), source, self.threads, X, A, work)

    def _of_block(self) -> Block:
        (output,) = self.plan.outputs.values()
        source = self._source_in_place()
        return block(self._environment, self._code_of(FORWARD), source, self._view(output))

    def _source_in_place(self) -> SourceOfData:
        """The batch as it lies where the steps read it."""
        (value,) = self.plan.inputs.values()
        X = self._view(value)
        return SourceOfData(X.ctypes.data, X.shape[0], self._ld, 1, X.ctypes.data)

    def _made_blocks(self, seed: int) -> tuple[Executable, ...]:
        """Executables for blocks of the samples, one for each thread; none if one block does, or steps need it all."""
        calls = [call for section, call in self._library.written.calls if section in FORWARD]
        if self.plan.purpose is not Purpose.INFERENCE or self.plan.training:
            return ()
        if len(self.plan.inputs) != 1 or len(self.plan.outputs) != 1 or any(c.part is Part.ROWS for c in calls):
            return ()
        most = min(self._most_threads, self._vectors)
        threads = cheapest(self.m * sum(call.work for call in calls), 3 * MEETING, most)
        samples = min(BLOCK, -(-self._vectors // threads)) * self._library.lanes
        if self.m <= samples:
            return ()
        made = min(threads, -(-self.m // samples))
        return tuple(Executable(self._library, samples, self._persistent, seed=seed, threads=1) for _ in range(made))

    def loss(self, inputs: Arrays, targets: Arrays, *, step: int, penalty: bool) -> float:
        """J, with or without what l2 adds to it."""
        return self._run(PENALIZED if penalty else LOSS, self._sources(inputs, targets), step)

    def gradients(self, inputs: Arrays, targets: Arrays, *, step: int) -> float:
        """J; the gradients are then in the persistent arrays, and running statistics have followed the batch."""
        return self._run(ALL, self._sources(inputs, targets), step)

    def step(self, inputs: Arrays, targets: Arrays, *, step: int, rate: float) -> float:
        """J before the update that this makes; `step` counts from 1."""
        self._environment.rate = rate
        return self._run(ALL, self._sources(inputs, targets), step)

    def steps(
        self, inputs: Arrays, targets: Arrays, columns: Array | None, *, times: int, step: int, rate: float
    ) -> Array:
        """J before each of `times` updates, the first of them number `step`.

        `columns` (times, m) are the samples of each batch; None: all of them, every time.
        """
        losses = np.zeros(times)
        sources = self._sources(inputs, targets)
        self._environment.rate = rate
        done = 0
        while done < times:  # between two calls Python sees to signals
            threads, count = self._pace.next()
            count = min(times - done, count)
            since = time.perf_counter()
            chosen = None if columns is None else columns[done : done + count]
            given = sources if columns is not None or done == 0 else NONE  # the batch is there already
            self._call(ALL, given, step + done, count, threads, chosen, losses[done:])
            self._pace.note(threads, count, time.perf_counter() - since)
            done += count
        return losses

    def _run(self, sections: tuple[Section, ...], sources: ctypes.Array[SourceOfData], step: int) -> float:
        self._call(sections, sources, step, 1, self.threads, None, self._J)
        return float(self._J[0])

    def _call(
        self,
        sections: tuple[Section, ...],
        sources: ctypes.Array[SourceOfData],
        step: int,
        times: int,
        threads: int,
        columns: Array | None,
        losses: Array,
    ) -> None:
        code = self._code_of(sections)
        self._environment.step = step
        self._library.run(
            ctypes.byref(self._environment),
            code.ctypes.data,
            times,
            threads,
            sources,
            len(sources),
            None if columns is None else columns.ctypes.data,
            losses.ctypes.data,
        )

    def _sources(self, inputs: Arrays, targets: Arrays) -> ctypes.Array[SourceOfData]:
        """Where batches come from: arrays (units, samples) of any strides."""
        brought = [(self.plan.inputs[name], array) for name, array in inputs.items()]
        brought += [(self.plan.targets[name], array) for name, array in targets.items()]
        made = (SourceOfData * len(brought))()
        for slot, (value, array) in zip(made, brought, strict=True):
            slot.from_, slot.units = array.ctypes.data, array.shape[0]
            slot.unit_stride, slot.sample_stride = (s // self._item for s in array.strides)
            slot.to = self._address(self._batch(value))
        return made

    def array(self, value: Value) -> Array | None:
        """Where a value lies: what it was after a run, if no later value has taken its place. None for J."""
        if value.role in PERSISTENT:
            return self._persistent[value.name]
        return None if value.role is Role.LOSS else self._view(value)

    def _view(self, value: Value) -> Array:
        place = self._batch(value) if value.role in (Role.INPUT, Role.TARGET) else value
        assert self._arena is not None
        rows, per_sample = units(place), has_samples(place)
        length = self._ld if per_sample else rows
        start = self._address(place) - self._arena.ctypes.data
        numbers = rows * self._ld if per_sample else rows
        stored = self._arena[start : start + numbers * self._item].view(self._library.dtype)
        return stored.reshape(rows, length)[:, : self.m] if per_sample else stored.reshape(rows, 1)

    # ------------------------------------------------------------ building

    def _set_environment(self, seed: int) -> None:
        e = self._environment
        e.m, e.ld, e.vectors, e.mean = self.m, self._ld, self._vectors, 1 / self.m
        e.seed = (seed + 2**63) % 2**64 - 2**63
        e.scalars = self._scalars.ctypes.data

    def _address(self, place: Place) -> int:
        return self._at[place]

    def _code_of(self, sections: tuple[Section, ...]) -> Array:
        """The calls of these sections as c/run.h reads them."""
        if sections not in self._code:
            words = [w if isinstance(w, int) else self._address(w) for w in self._words(sections)]
            self._code[sections] = np.frombuffer(whole_numbers("q", words), np.int64)
        return self._code[sections]

    def _words(self, sections: tuple[Section, ...]) -> list[Argument]:
        """The code of these sections, with places in the place of addresses."""
        calls = [call for section, call in self._library.written.calls if section in sections]
        return code_of(self._stages(calls), self.m, self._vectors, self._most)

    def _stages(self, calls: Sequence[Call]) -> list[Stage]:
        batches = [self._batch(v) for v in (*self.plan.inputs.values(), *self.plan.targets.values())]
        return stages(calls, self._region, self._ld * self._item, batches)

    def _region(self, place: Place) -> Region:
        start = self._address(place)
        if isinstance(place, Work):
            return Region(start, start + self._works[place.key], by_column=place.columns is None or place.by_sample)
        size = self._item * (
            units(place) * self._ld
            if has_samples(place)
            else row_length(units(place), self._library.lanes) * evaluate(place.shape[1], {})
        )
        return Region(start, start + size, by_column=has_samples(place))

    def _threads(self, meeting: int) -> int:
        """As many as make the whole faster, by the multiplications and the times that they meet."""
        calls = [call for _, call in self._library.written.calls]
        meetings = len(self._stages(calls)) + 2
        work = self.m * sum(call.work for call in calls)
        by_rows = any(call.part is Part.ROWS for call in calls)
        most = self._most_threads if by_rows else min(self._most_threads, self._vectors)
        return cheapest(work, meetings * meeting, most)


def cheapest(work: int, meetings: int, most: int) -> int:
    """The number of threads, up to `most`, for so many multiplications, if meetings take the time of so many."""
    costs = {T: work / T + (meetings if T > 1 else 0) for T in range(1, most + 1)}
    return min(costs, key=lambda T: costs[T])


def persistent_array(shape: tuple[int, int], dtype: npt.DTypeLike, lanes: int) -> Array:
    """Zeros of `shape`, (rows, columns), laid out for the generated code: a padded row for each column."""
    rows, columns = shape
    buffer = aligned_buffer(columns * row_length(rows, lanes) * np.dtype(dtype).itemsize)
    buffer.fill(0)
    return buffer.view(dtype).reshape(columns, -1)[:, :rows].T


def persistent_bytes(shape: tuple[int, int], dtype: npt.DTypeLike, lanes: int) -> int:
    """What such an array takes."""
    return buffer_bytes(shape[1] * row_length(shape[0], lanes) * np.dtype(dtype).itemsize)
