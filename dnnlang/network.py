"""A program with numbers: parameters, and the plans run on them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dnnlang.backends import arrays
from dnnlang.backends.arrays import Data
from dnnlang.backends.buffers import aligned_buffer
from dnnlang.backends.choice import (
    BACKENDS,
    is_worth_compiling,
    native,
    native_if_there,
    numpy_seconds,
    reference,
    why,
)
from dnnlang.backends.numpy.values import Evaluator, initial, unmeasured
from dnnlang.backends.runner import KEPT, Backend, Executable, Runner
from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import UsageError
from dnnlang.graph.architecture import Statistic
from dnnlang.plan.ir import Plan, Purpose
from dnnlang.plan.memory import Memory
from dnnlang.primitives.values import Value
from dnnlang.program import BAD_ARGUMENT, Program, item_bytes
from dnnlang.scalar.expression import Expr
from dnnlang.sizes import Maximum
from dnnlang.source import Span

if TYPE_CHECKING:
    from dnnlang.training.layout import Layout
    from dnnlang.training.state import Record

Array = npt.NDArray[Any]

TOO_LARGE = rule(
    "DNN872",
    "larger-than-memory",
    "A network, or a batch of it, needs more memory than the machine has.",
    why="The bytes are known from the plan before anything is allocated. A huge layer is usually a misprint; a batch "
    "that is too large can be split.",
    wrong="network.forward(X)              # X: (12288, 50_000_000)",
    right="network.forward(X[:, :10_000])  # and the rest in further calls",
    program=False,
)


NOT_FITTED = rule(
    "DNN873",
    "standardize-not-fitted",
    "A network computes with a `standardize` that has not seen the training data yet.",
    why="It subtracts the mean of the training data and divides by their deviation, and nobody has said what these "
    "are. `network.fit` and `dnnc train` measure them first; training step by step has to begin with it.",
    wrong="network = program.load()\nnetwork.step(X, Y)",
    right="network = program.load()\nnetwork.standardize(X)   # X: all training samples\nnetwork.step(X, Y)",
    program=False,
)


class Arrays(dict[str, Array]):
    """Arrays by name. Setting an item copies into the array, which stays the one that the network computes with."""

    def __init__(self, arrays: Mapping[str, Array], what: str) -> None:
        super().__init__(arrays)
        self._what = what

    def __setitem__(self, name: str, value: npt.ArrayLike) -> None:
        if name not in self:
            raise UsageError(BAD_ARGUMENT.at(None, f"the network has no {self._what} {name}"))
        array = np.asarray(value)
        if array.shape != self[name].shape:
            message = f"{name} is {self[name].shape}, but an array of {array.shape} was assigned"
            raise UsageError(BAD_ARGUMENT.at(None, message))
        self[name][...] = array


class Network:
    """A loaded program. `parameters` are the arrays themselves; writing to them changes the network.

    `statistics` are what nodes measure instead of training it: the running mean and variance of `batchnorm`, the mean
    and deviation of `standardize`, which are NaN until they are fitted.
    `steps` counts the updates so far, `learning_rate` is that of `step` unless it is given one. X is (n[0], m) and Y
    (n[L], m), a column for each sample; with several inputs or targets dicts by name.
    """

    def __init__(
        self, program: Program, *, backend: str = "numpy", dtype: str = "float32", seed: int | None = None
    ) -> None:
        self._item_bytes = item_bytes(dtype)
        self.program = program
        self.dtype = dtype
        settings = program.architecture.settings
        self.seed = settings.seed if seed is None else seed
        self.learning_rate = float(settings.learning_rate)
        self.steps = 0
        self.layout: Layout | None = None  # columns and classes of the table it was trained on; files keep them
        if backend not in BACKENDS:
            raise UsageError(_no_backend(backend))
        self._chooses = backend == "auto"
        self._arrays, running, self._faster = _backends(backend, self._numpy_dtype, self.seed)
        self._runner = Runner(running, self._numpy_dtype)
        self._refuse_if_larger(self._parameter_bytes(), "its parameters need")
        parameters = program.architecture.parameters.values()
        made = {p.name: self._kept(initial(p, n, self.seed, self._numpy_dtype)) for n, p in enumerate(parameters)}
        self.parameters = Arrays(made, "parameter")
        statistics = program.architecture.statistics.values()
        measured = {s.name: self._kept(unmeasured(s, self._numpy_dtype)) for s in statistics}
        self.statistics = Arrays(measured, "statistic")
        self._to_fit = tuple(s for s in statistics if s.initial is None)
        self._gradients: dict[str, Array] = {}
        self._state: dict[str, Array] | None = None
        self._inputs = {name: self.units(name) for name in program.architecture.inputs}
        self._targets = {use.target: self.units(use.node) for use in program.architecture.losses}
        self._nodes = {use.target: use.node for use in program.architecture.losses}
        self._equations: dict[tuple[Expr, tuple[int, ...]], Evaluator] = {}
        self._given: dict[str, tuple[tuple[Expr, Fraction], ...]] = {}
        for use in program.architecture.losses:
            self._given[use.target] = (*self._given.get(use.target, ()), *use.loss.given)

    # ------------------------------------------------------------ what it is

    @property
    def backend(self) -> str:
        """What runs it now: `numpy` or `native`."""
        return self._runner.backend.name

    @property
    def sizes(self) -> dict[str, int]:
        """The open sizes of the program, bound."""
        return dict(self.program.sizes)

    @property
    def tensors(self) -> dict[str, Array]:
        """Parameters and statistics together: what the network has learned, and what a model file holds."""
        return {**self.parameters, **self.statistics}

    @property
    def fitted(self) -> bool:
        """Have all `standardize` nodes seen the training data?"""
        return self._unfitted() is None

    @property
    def state(self) -> dict[str, Array]:
        """The optimizer's state, 0 before the first step: `v/W[1]` is v of W[1]."""
        if self._state is None:
            names = self.program.architecture.settings.optimizer.state
            trained = [p.name for p in self.program.architecture.parameters.values() if p.trainable]
            self._state = {f"{s}/{name}": self._zeros(name) for name in trained for s in names}
        return self._state

    def units(self, node: str) -> int:
        """The number of units of a node."""
        units = self.program.architecture.nodes[node].units
        assert isinstance(units, int)
        return units

    def memory(self, m: int = 64, *, purpose: str = "step") -> Memory:
        """Bytes for batches of m samples, as this backend really allocates them: padding and temporaries included.

        They are those of a network that makes nothing but plans for `purpose`, for at most m samples.
        """
        needs = self.program.memory(m, purpose=purpose, dtype=self.dtype)
        plan = self.program.plan(purpose, dtype=self.dtype)
        allocated = self._made(plan, m, Purpose(purpose)).allocated_bytes()
        added = allocated - _number(needs.cache) - _number(needs.workspace)
        kept = {
            "parameters": self._kept_bytes(plan.parameters.values()),
            "gradients": self._kept_bytes(plan.gradients.values()),
            "state": self._kept_bytes(plan.state.values()),
            "statistics": self._kept_bytes(plan.statistics.values()),
        }
        padding = sum(kept.values()) - _number(needs.persistent)
        return replace(
            needs,
            **kept,
            workspace=_number(needs.workspace) + added,
            peak=_number(needs.peak) + added + padding,
            lower_bound=_number(needs.lower_bound) + padding,
        )

    def __repr__(self) -> str:
        return f"<Network {self.program.architecture.source.name}, {self.backend}, {self.dtype}>"

    # ------------------------------------------------------------ numbers

    def forward(self, X: Data, *, training: bool = False) -> Array | dict[str, Array]:
        """A[L], (n[L], m), in a fresh array; a dict by node if the program has several outputs."""
        ready = None
        if type(X) is np.ndarray and not training:
            ready = self._runner.ready.get(X.shape)
            A = ready(X) if ready is not None else None
            if A is not None:
                return A
        x = self._read(X)
        executable = self._executable(Purpose.INFERENCE, training, x)
        outputs = executable.forward(x, step=self.steps + 1)
        if not training and ready is None:
            self._runner.make_ready(executable, x)
        names = self.program.architecture.outputs
        return outputs[names[0]] if len(names) == 1 else outputs

    def loss(self, X: Data, Y: Data, *, training: bool = False, penalty: bool = True) -> float:
        """J; without what l2 adds to it if `penalty` is False."""
        x, y = self._read_both(X, Y)
        executable = self._executable(Purpose.INFERENCE, training, x)
        return executable.loss(x, y, step=self.steps + 1, penalty=penalty)

    def gradients(self, X: Data, Y: Data, *, training: bool = True) -> dict[str, Array]:
        """`{"dW[1]": …}` for every trained parameter, in fresh arrays. In training running statistics follow."""
        x, y = self._read_both(X, Y)
        self._executable(Purpose.GRADIENTS, training, x).gradients(x, y, step=self.steps + 1)
        plan = self.program.plan(Purpose.GRADIENTS, training=training, dtype=self.dtype)
        return {name: array.copy() for name, array in self._gradient_arrays(plan).items()}

    def step(self, X: Data, Y: Data, learning_rate: float | None = None, *, training: bool = True) -> float:
        """One update by the program's optimizer; returns J before it."""
        x, y = self._read_both(X, Y)
        rate = self.learning_rate if learning_rate is None else learning_rate
        executable = self._executable(Purpose.STEP, training, x)
        J = executable.step(x, y, step=self.steps + 1, rate=rate)
        self.steps += 1
        return J

    def train(
        self, X: Data, Y: Data, steps: int, *, columns: npt.ArrayLike | None = None, learning_rate: float | None = None
    ) -> Array:
        """`steps` updates in one call; J before each of them, (steps,).

        Each is on all samples of X and Y, or on those that a row of `columns`, (steps, m), numbers. Raises UsageError
        where `columns` is something else.
        """
        x, y = self._read_both(X, Y)
        rate = self.learning_rate if learning_rate is None else learning_rate
        if columns is not None:
            return self.updates(x, y, self._columns(columns, steps, _samples(x)), rate)
        return self.updates(x, y, None, rate, steps)

    def trace(self, X: Data, *, training: bool = False) -> Iterator[tuple[str, Array, Span | None]]:
        """Every value of the forward part as it is computed: its name, a copy, the statement it comes from."""
        x = self._read(X)
        plan = self.program.plan(Purpose.INFERENCE, training=training, dtype=self.dtype)
        self._refuse_unfitted()
        traced = reference(self._numpy_dtype, self.seed).executable(plan, _samples(x), self._persistent(plan))
        traced.place(aligned_buffer(traced.arena_bytes()))
        yield from traced.trace(x, step=self.steps + 1)

    def read(self, X: Data, Y: Data, *, by_samples: bool = False) -> tuple[dict[str, Array], dict[str, Array]]:
        """X and Y by name, checked and of the network's dtype, as `updates` takes them.

        With `by_samples` laid out so that batches can be drawn from them fast. Raises DataError.
        """
        x, y = self._read_both(X, Y)
        if not by_samples or self.backend == "numpy":
            return x, y
        return {n: np.asfortranarray(a) for n, a in x.items()}, {n: np.asfortranarray(a) for n, a in y.items()}

    def updates(
        self, x: Mapping[str, Array], y: Mapping[str, Array], columns: Array | None, rate: float, steps: int = 1
    ) -> Array:
        """As `train`, of arrays that `read` gave: an update for each row of `columns`, or `steps` on all samples."""
        plan = self.program.plan(Purpose.STEP, training=True, dtype=self.dtype)
        m, times = (_samples(x), steps) if columns is None else (columns.shape[1], len(columns))
        self._refuse_unfitted()
        executable = self._runner.placed(self._made(plan, m, Purpose.STEP))
        losses = executable.steps(x, y, columns, times=times, step=self.steps + 1, rate=rate)
        self.steps += times
        return losses

    # ------------------------------------------------------------ training and files

    def standardize(self, X: Data) -> None:
        """Fit the `standardize` nodes to X, all training samples. `fit` does it by itself, once."""
        from dnnlang.training.standardizing import fit_statistics

        fit_statistics(self, self._read(X))

    def fit(self, X: Data, Y: Data, **options: Any) -> list[Record]:
        """Train by the program's settings; one record an epoch. Options are those of dnnlang.training.loop.fit.

        Warns (DnnWarning) of a batch that is larger than the data, and of inputs that are not scaled.
        """
        from dnnlang.training.loop import fit

        return fit(self, X, Y, **options)  # type: ignore[arg-type]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a .safetensors file, atomically."""
        from dnnlang.training.files import Model, save

        save(Model(self, self.layout), path)

    # ------------------------------------------------------------ within

    def _columns(self, columns: npt.ArrayLike, steps: int, samples: int) -> Array:
        chosen = np.ascontiguousarray(columns, np.int64)
        if chosen.ndim != 2 or len(chosen) != steps or not chosen.size:
            shape = "(" + ", ".join(map(str, chosen.shape)) + ")"
            message = f"`columns` is {shape}, expected ({steps}, m): the samples of each step"
            raise UsageError(BAD_ARGUMENT.at(None, message))
        if chosen.min() < 0 or chosen.max() >= samples:
            message = f"`columns` numbers samples from {chosen.min()} to {chosen.max()}, but X has {samples:,}, from 0"
            raise UsageError(BAD_ARGUMENT.at(None, message))
        return chosen

    def prefer_fastest(self, m: int, steps: int) -> str | None:
        """With backend `auto`, goes over to native code if so many updates, for m samples each, are worth a compile.

        Gives the backend and why it is that one, in words; None where it was asked for by its name, or there is little
        to do.
        """
        if not self._chooses:
            return None
        plan = self.program.plan(Purpose.STEP, training=True, dtype=self.dtype)
        seconds = steps * numpy_seconds(plan, m)
        if self._faster is None or not is_worth_compiling(seconds) or self.backend == self._faster.name:
            return why(self.backend, seconds)
        slow, self._runner = self._runner, Runner(self._faster, self._numpy_dtype)
        try:
            self._made(plan, m, Purpose.STEP)
        except UsageError as e:
            self._runner = slow
            return f"{self.backend}, because {e.diagnostics[0].message}"
        return why(self.backend, seconds)

    def _kept(self, array: Array) -> Array:
        """A copy of an array that outlives the run, laid out as the backend has them."""
        made = self._arrays.array((array.shape[0], array.shape[1]))
        made[...] = array
        return made

    def _zeros(self, parameter: str) -> Array:
        rows, columns = self.parameters[parameter].shape
        return self._arrays.array((rows, columns))

    def _kept_bytes(self, values: Iterable[Value]) -> int:
        return sum(self._arrays.array_bytes((_number(v.shape[0]), _number(v.shape[1]))) for v in values)

    @property
    def _numpy_dtype(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    def _read(self, X: Data) -> dict[str, Array]:
        return arrays.inputs(X, self._inputs, self._numpy_dtype)

    def _read_both(self, X: Data, Y: Data) -> tuple[dict[str, Array], dict[str, Array]]:
        x = self._read(X)
        m = _samples(x)
        return x, arrays.targets(Y, self._targets, self._given, m, self._numpy_dtype, self._given_value, self._nodes)

    def _given_value(self, expr: Expr, y: Array) -> Array:
        key = (expr, y.shape)
        if key not in self._equations:
            if len(self._equations) >= KEPT:
                self._equations.clear()
            self._equations[key] = Evaluator(expr, ("y",), (y.shape[0], y.shape[1]))
        return self._equations[key]({"y": y})

    def _executable(self, purpose: Purpose, training: bool, x: Mapping[str, Array]) -> Executable:
        plan = self.program.plan(purpose, training=training, dtype=self.dtype)
        m = _samples(x)
        self._refuse_unfitted()
        return self._runner.placed(self._made(plan, m, purpose))

    def _made(self, plan: Plan, m: int, purpose: Purpose) -> Executable:
        known = self._runner.known(plan, m)
        if known is not None:
            return known
        needed = self._runner.bytes_needed(plan, m) + self._parameter_bytes()
        self._refuse_if_larger(needed, f"a batch of {m:,} samples needs")
        return self._runner.make(plan, m, self._persistent(plan))

    def _persistent(self, plan: Plan) -> dict[str, Array]:
        state = self.state if plan.purpose is Purpose.STEP else {}
        return {**self.tensors, **self._gradient_arrays(plan), **state}

    def _unfitted(self) -> Statistic | None:
        """A statistic that is to be fitted to the training data, and is not yet."""
        if not self._to_fit:
            return None
        unknown = next((s for s in self._to_fit if np.isnan(self.statistics[s.name]).any()), None)
        if unknown is None:
            self._to_fit = ()  # a fitted network stays fitted; nobody need look again at every step
        return unknown

    def _refuse_unfitted(self) -> None:
        statistic = self._unfitted()
        if statistic is None:
            return
        message = f"this `standardize` has not seen the training data: {statistic.name} is not known"
        advice = "call `network.standardize(X)` with all training samples first; `network.fit` does it by itself"
        raise UsageError(NOT_FITTED.at(statistic.span, message, help=advice))

    def _gradient_arrays(self, plan: Plan) -> dict[str, Array]:
        """Those that the plan leaves; a plan for a step may use up some where they arise."""
        for name, value in plan.gradients.items():
            if value.name not in self._gradients:
                self._gradients[value.name] = self._zeros(name)
        return {value.name: self._gradients[value.name] for value in plan.gradients.values()}

    def _parameter_bytes(self) -> int:
        total = 0
        for rows, columns in (*self.program.parameters.values(), *self.program.statistics.values()):
            assert isinstance(rows, int)
            assert isinstance(columns, int)
            total += rows * columns
        return total * self._item_bytes

    def _refuse_if_larger(self, needed: int, what: str) -> None:
        there = physical_memory()
        if there is not None and needed > there:
            message = (
                f"{self.program.architecture.source.name}: {what} {_gib(needed)}, but this machine has {_gib(there)}"
            )
            raise UsageError(TOO_LARGE.at(None, message, help="make the layers smaller, or the batch"))


def load(path: str | os.PathLike[str], *, backend: str = "auto", dtype: str | None = None) -> Network:
    """The network in a model file that `network.save` or `dnnc train` wrote. Raises ModelFileError."""
    from dnnlang.training.files import load as load_model

    return load_model(path, backend=backend, dtype=dtype).network


def _samples(arrays: Mapping[str, Array]) -> int:
    return int(next(iter(arrays.values())).shape[1])


def _no_backend(name: str) -> Diagnostic:
    near = closest(name, BACKENDS)
    advice = f"did you mean `{near}`?" if near is not None else "leave it out for the one that is there"
    return BAD_ARGUMENT.at(None, f"there is no backend `{name}`; there are {', '.join(BACKENDS)}", help=advice)


def _backends(name: str, dtype: np.dtype[Any], seed: int) -> tuple[Backend, Backend, Backend | None]:
    """Which one lays the arrays out, which one runs, and which one may take over when there is much to do."""
    if name == "native":
        made = native(dtype, seed)
        return made, made, None
    slow = reference(dtype, seed)
    fast = native_if_there(dtype, seed) if name == "auto" else None
    return fast or slow, slow, fast


def physical_memory() -> int | None:
    """Bytes of memory in this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"


def _number(size: object) -> int:
    assert isinstance(size, int)
    assert not isinstance(size, Maximum)
    return size
