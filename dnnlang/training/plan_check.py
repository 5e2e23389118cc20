"""The plans of a file run on small random numbers: is each gradient the derivative of the plan's own J?

Besides: does a step do to the parameters what the optimizer makes of the gradients, and do the plans of one file agree
with each other on J, the outputs and the statistics? All in float64, by the plain meaning of each instruction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dnnlang.graph.architecture import Architecture
from dnnlang.plan.ir import Instruction, Plan, Purpose, parts
from dnnlang.primitives import Clip, Loss, Map, MeanOverSamples, Running, Update
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import Size, SizeError, evaluate, symbols
from dnnlang.training.gradcheck import ENTRIES, KINK, ROUNDING, STEP, TOLERANCE, TRIES, relative_error
from dnnlang.training.kinks import near_kinks
from dnnlang.training.order import CHECK, bits, shuffled
from dnnlang.training.reference import Array, Run, clipped, updated, value_of

SAMPLES: Final = 5
OPEN: Final = (4, 6, 12, 60, 5040)
"""What sizes that nothing fixes become: the first of these with which all sizes are whole numbers."""
SAME: Final = 1e-9
"""Relative difference of what two plans compute by different steps."""
TOGETHER: Final = 64
"""Runs at the same time, where the arrays are small."""
MOST_NUMBERS: Final = 2**22
"""Of one run, in all values together."""
MOST_WORK: Final = 2**34
"""Numbers in all runs together."""
RATE: Final = 0.1
"""The learning rate: so large that an update is no matter of rounding."""


class TooLargeError(Exception):
    """The plan is too large to be run as often as differences need it. The text says how large."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison: of what, in which plan of the file. `error` is relative; `problem` None where it is small."""

    plan: int
    kind: str
    name: str
    error: float
    problem: str | None
    about: Instruction | Value | None = None


def check(
    architecture: Architecture,
    plans: tuple[Plan, ...],
    *,
    with_settings: bool,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
) -> list[Finding]:
    """Every comparison that can be made, of plans in which the verifier finds no fault.

    `with_settings`: do the settings of `architecture` say what a step does? Else updates say so themselves. `sizes`
    binds sizes that are open. Raises TooLargeError.
    """
    bound = bind(plans, sizes or {})
    for plan in plans:
        _refuse_large(plan, bound)
    data = _Data(architecture, plans, bound, seed)
    found: list[Finding] = []
    runs = []
    with np.errstate(all="ignore"):
        for number, plan in enumerate(plans):
            run = data.run(plan)
            runs.append(run)
            found += _Derivatives(number, plan, run, data).findings()
            if plan.purpose is Purpose.STEP:
                found += _steps(number, plan, run, architecture if with_settings else None)
        return [*found, *_agreement(plans, runs, data)]


def open_sizes(plans: Iterable[Plan]) -> list[str]:
    """The symbols in the plans besides m."""
    return sorted({name for size in _formulas(plans) for name in symbols(size)} - {"m"})


def bind(plans: Iterable[Plan], sizes: Mapping[str, int]) -> dict[str, int]:
    """m and the open sizes as small numbers. Raises TooLargeError where none of those tried fits."""
    plans = tuple(plans)
    shapes, names = _formulas(plans), open_sizes(plans)
    for value in OPEN:
        bound = {"m": SAMPLES, **dict.fromkeys(names, value), **sizes}
        try:
            if all(evaluate(size, bound) > 0 for size in shapes):
                return bound
        except SizeError:
            continue
    raise TooLargeError(f"no small number for {', '.join(names)} makes every size a whole number; bind them with -D")


def _formulas(plans: Iterable[Plan]) -> set[Size]:
    return {n for plan in plans for v in _values(plan) for n in v.shape if not isinstance(n, int)}


def _refuse_large(plan: Plan, bound: Mapping[str, int]) -> None:
    numbers = sum(evaluate(v.shape[0], bound) * evaluate(v.shape[1], bound) for v in _values(plan))
    entries = sum(
        min(ENTRIES, evaluate(v.shape[0], bound) * evaluate(v.shape[1], bound)) for v in plan.parameters.values()
    )
    if numbers > MOST_NUMBERS or numbers * 2 * entries > MOST_WORK:
        raise TooLargeError(
            f"the plan for {plan.purpose} has {numbers:,} numbers, and would be run {2 * entries:,} times; "
            "this check is for small networks"
        )


def _values(plan: Plan) -> Iterator[Value]:
    yield from (value for _, value in brought(plan))
    for i in plan.instructions:
        yield from (*i.inner, *i.outputs)


# ---------------------------------------------------------------- data


class _Data:
    """The numbers that all plans of a file are run on, by the names of values."""

    def __init__(self, architecture: Architecture, plans: tuple[Plan, ...], bound: dict[str, int], seed: int) -> None:
        self._random = np.random.Generator(bits(seed, CHECK, 0))
        self._architecture = architecture
        self._bound = bound
        self.seed = seed
        self.arrays: dict[str, Array] = {}
        for plan in plans:
            for name, value in brought(plan):
                if name not in self.arrays:
                    self.arrays[name] = self._drawn(value, SAMPLES, positive=False)
        drawn_for = [plan for plan in plans if plan.loss is not None and plan.gradients] or list(plans)
        if drawn_for:
            self._redraw(drawn_for[0])

    def run(self, plan: Plan, *, dropping: bool = True, changed: Mapping[Value, Array] | None = None) -> Run:
        """The plan on these numbers, but for those that are `changed`."""
        run = self.prepared(plan, dropping=dropping, changed=changed)
        run.carry_out(plan.instructions)
        return run

    def prepared(self, plan: Plan, *, dropping: bool = True, changed: Mapping[Value, Array] | None = None) -> Run:
        run = Run(self._bound, RATE, seed=self.seed, dropping=dropping)
        run.values = {value: self.arrays[name] for name, value in brought(plan)} | dict(changed or {})
        return run

    def _drawn(self, value: Value, columns: int, *, positive: bool) -> Array:
        """Inputs are normal, targets in (0, 1), what squares are averaged in positive."""
        rows = evaluate(value.shape[0], self._bound)
        if value.role is Role.INPUT:
            drawn = self._random.normal(size=(rows, columns))
            return np.abs(drawn) + 0.05 if positive else drawn
        if value.role is Role.TARGET:
            return self._given(value, self._random.uniform(0.05, 0.95, size=(rows, columns)))
        shape = (rows, evaluate(value.shape[1], self._bound))
        if value.role is Role.PARAMETER:
            return self._random.normal(size=shape) * (0.1 if shape[1] == 1 else 1 / np.sqrt(shape[1]))
        return self._random.uniform(0.5, 1.5, size=shape)

    def _given(self, target: Value, y: Array) -> Array:
        """Scaled until what is given of the targets holds, where it is proportional to them."""
        for use in self._architecture.losses:
            for expr, number in use.loss.given if use.target == target.name else ():
                now = value_of(expr, {"y": y}, y.shape[0]).mean(axis=0, keepdims=True)
                y = y * np.where(now == 0, 1, float(number) / np.where(now == 0, 1, now))
        return y

    def _redraw(self, plan: Plan) -> None:
        """Samples anew, until none lies near a kink or where forward is not defined, as far as TRIES find such."""
        positive = False
        for _ in range(TRIES):
            run = self.prepared(plan)
            run.carry_out(plan.forward)
            undefined = _undefined(plan, run)
            again = undefined | _near_kinks(plan, run)
            if not again.any():
                return
            positive |= bool(undefined.any())
            for name, value in brought(plan):
                if value.role in (Role.INPUT, Role.TARGET):
                    array = self.arrays[name].copy()
                    array[:, again] = self._drawn(value, int(again.sum()), positive=positive)
                    self.arrays[name] = array


def brought(plan: Plan) -> Iterator[tuple[str, Value]]:
    """What a run begins with; data under the names by which callers bring them."""
    for kind, values in (("input", plan.inputs), ("target", plan.targets)):
        yield from ((f"{kind} {name}", value) for name, value in values.items())
    for values in (plan.parameters, plan.statistics, plan.state):
        yield from values.items()


def _undefined(plan: Plan, run: Run) -> NDArray[np.bool_]:
    bad = np.zeros(SAMPLES, bool)
    for i in plan.forward:
        for value in (*i.inner, *i.outputs):
            array = run.values[value]
            if array.shape[-1] == SAMPLES:
                bad |= ~np.isfinite(array).all(axis=0)
    return bad


def _near_kinks(plan: Plan, run: Run) -> NDArray[np.bool_]:
    near = np.zeros(SAMPLES, bool)
    for i in (part for instruction in plan.forward for part in parts(instruction)):
        if isinstance(i.primitive, Map | MeanOverSamples | Loss) and i.primitive.names:
            operands = dict(zip(i.primitive.names, (run.values[v] for v in i.inputs), strict=False))
            near |= near_kinks(i.primitive.expr, operands, KINK)
    return near


# ---------------------------------------------------------------- derivatives


class _Derivatives:
    """The gradients of one plan against central differences of its J."""

    def __init__(self, number: int, plan: Plan, run: Run, data: _Data) -> None:
        self._number = number
        self._plan = plan
        self._run = run
        self._data = data

    def findings(self) -> Iterator[Finding]:
        plan = self._plan
        if plan.purpose is Purpose.INFERENCE or plan.loss is None:
            return
        made = computed_gradients(plan)
        J = float(self._run.values[plan.loss].ravel()[0])
        if not np.isfinite(J):
            problem = f"J is {J} for random numbers, so nothing can be compared"
            yield Finding(self._number, "loss", plan.loss.name, float("inf"), problem, plan.loss)
            return
        for name, parameter in plan.parameters.items():
            declared = plan.architecture.parameters.get(name)
            if declared is None or not declared.trainable:
                continue
            if name not in made:
                problem = f"d{name} is never computed"
                yield Finding(self._number, "gradient", f"d{name}", float("inf"), problem, parameter)
                continue
            yield self._compared(name, parameter, made[name], J)

    def _compared(self, name: str, parameter: Value, gradient: Value, J: float) -> Finding:
        flat = self._data.arrays[parameter.name].reshape(-1)
        chosen = shuffled(flat.size, self._data.seed, CHECK)[:ENTRIES] if flat.size > ENTRIES else np.arange(flat.size)
        differences = self._differences(parameter, flat, chosen)
        analytic = self._run.values[gradient].reshape(-1)[chosen]
        error = relative_error(analytic, differences)
        apart = float(np.linalg.norm(analytic - differences))
        rounding = apart <= ROUNDING * max(1.0, abs(J)) * np.sqrt(len(chosen))
        problem = None
        if error > TOLERANCE and not rounding:
            problem = f"{gradient.name} is not the derivative of J by {name}: relative error {error:.1e}"
        return Finding(self._number, "gradient", gradient.name, error, problem, gradient)

    def _differences(self, parameter: Value, flat: Array, chosen: NDArray[np.int64]) -> Array:
        """(J(w + h) - J(w - h)) / 2h for each of the entries, many of them in one run."""
        assert self._plan.loss is not None
        array = self._data.arrays[parameter.name]
        found = []
        for start in range(0, len(chosen), TOGETHER):
            entries = chosen[start : start + TOGETHER]
            rows = np.arange(len(entries))
            h = STEP * np.maximum(1.0, np.abs(flat[entries]))
            moved = np.repeat(flat[None], 2 * len(entries), axis=0)
            moved[rows, entries] += h
            moved[rows + len(entries), entries] -= h
            moved_by = moved[rows, entries] - moved[rows + len(entries), entries]
            run = self._data.prepared(self._plan, changed={parameter: moved.reshape(-1, *array.shape)})
            run.carry_out(self._plan.forward)
            J = np.broadcast_to(run.values[self._plan.loss], (2 * len(entries), 1, 1)).reshape(-1)
            found.append((J[: len(entries)] - J[len(entries) :]) / moved_by)
        return np.concatenate(found)


def computed_gradients(plan: Plan) -> dict[str, Value]:
    """By parameter, the last dW that is written before anything is clipped or updated."""
    made: dict[str, Value] = {}
    for i in (part for instruction in plan.instructions for part in parts(instruction)):
        if not isinstance(i.primitive, Clip | Update):
            made |= {v.name[1:]: v for v in i.outputs if v.role is Role.GRADIENT}
    return made


# ---------------------------------------------------------------- steps


def _steps(number: int, plan: Plan, run: Run, architecture: Architecture | None) -> Iterator[Finding]:
    """What an update writes against the optimizer applied to the gradients."""
    settings = architecture.settings if architecture is not None else None
    updates = _updates(plan)
    gradients = {name: run.values[v] for name, v in computed_gradients(plan).items() if name in plan.parameters}
    limit = _limit(plan) if settings is None else settings.clip_norm
    if limit is not None and gradients:
        gradients = dict(zip(gradients, clipped(list(gradients.values()), float(limit)), strict=True))
    for name, parameter in plan.parameters.items():
        update = updates.get(name)
        after = [v for v in (_last(plan, name, Role.PARAMETER), *_states(plan, update)) if v is not None]
        if update is None or name not in gradients or not after:
            continue
        assert isinstance(update.primitive, Update)
        optimizer = update.primitive.optimizer if settings is None else settings.optimizer
        state = [plan.state.get(f"{each}/{name}") for each in optimizer.state]
        known = [run.values[v] for v in state if v is not None]
        if len(known) < len(state) or len(after) != 1 + len(state):
            yield Finding(number, "update", name, float("inf"), f"{name} is not updated by {optimizer.label}", update)
            continue
        expected = updated(optimizer, [run.values[parameter], gradients[name], *known], run)
        for value, right in zip(after, expected, strict=True):
            error = _apart(run.values[value], right)
            problem = None
            if error > SAME:
                problem = f"{value.name} is not what {optimizer.label} makes of d{name}: relative error {error:.1e}"
            yield Finding(number, "update", value.name, error, problem, update)


def _updates(plan: Plan) -> dict[str, Instruction]:
    every = (part for instruction in plan.instructions for part in parts(instruction))
    return {i.outputs[0].name: i for i in every if isinstance(i.primitive, Update)}


def _states(plan: Plan, update: Instruction | None) -> list[Value]:
    found = [_last(plan, v.name, Role.STATE) for v in update.outputs[1:]] if update is not None else []
    return [v for v in found if v is not None]


def _limit(plan: Plan) -> Fraction | None:
    every = (part.primitive for instruction in plan.instructions for part in parts(instruction))
    return next((p.limit for p in every if isinstance(p, Clip)), None)


def _last(plan: Plan, name: str, role: Role) -> Value | None:
    """The last value of that name that is written."""
    found = None
    for i in plan.instructions:
        for value in i.outputs:
            if value.name == name and value.role is role:
                found = value
    return found


# ---------------------------------------------------------------- agreement


def _agreement(plans: tuple[Plan, ...], runs: list[Run], data: _Data) -> Iterator[Finding]:
    """Plans of one file belong to one program: each is compared with the first of its kind."""
    first: dict[bool, int] = {}
    for n, plan in enumerate(plans):
        if plan.training not in first:
            first[plan.training] = n
        else:
            yield from _same(plans, runs, first[plan.training], n)
    if len(first) == 2:
        yield from _trained_and_used(plans, data, first[True], first[False])


def _same(plans: tuple[Plan, ...], runs: list[Run], a: int, b: int) -> Iterator[Finding]:
    one, other = plans[a], plans[b]
    pairs = _results(one, other)
    if Purpose.INFERENCE not in (one.purpose, other.purpose):
        for name in one.statistics:
            after = _last(one, name, Role.STATISTIC), _last(other, name, Role.STATISTIC)
            if after[0] is not None and after[1] is not None:
                pairs.append(("statistic", after[0], after[1]))
    for kind, left, right in pairs:
        yield _agreeing(b, kind, right, runs[a].values[left], runs[b].values[right], a)


def _results(one: Plan, other: Plan) -> list[tuple[str, Value, Value]]:
    """J and the outputs of both."""
    pairs = [("output", v, other.outputs[name]) for name, v in one.outputs.items() if name in other.outputs]
    if one.loss is not None and other.loss is not None:
        pairs.append(("loss", one.loss, other.loss))
    return pairs


def _trained_and_used(plans: tuple[Plan, ...], data: _Data, training: int, used: int) -> Iterator[Finding]:
    """Nothing dropped, and the batch's own statistics for the running ones: then both compute the same outputs."""
    one, other = plans[training], plans[used]
    left = data.run(one, dropping=False)
    measured: dict[str, Array] = {}
    for i in (part for instruction in one.instructions for part in parts(instruction)):
        if isinstance(i.primitive, Running):
            measured[i.inputs[0].name] = left.values[i.inputs[1]]
    changed = {value: measured[name] for name, value in other.statistics.items() if name in measured}
    right = data.run(other, changed=changed)
    for kind, mine, theirs in _results(one, other):
        yield _agreeing(used, kind, theirs, left.values[mine], right.values[theirs], training)


def _agreeing(number: int, kind: str, value: Value, expected: Array, got: Array, by: int) -> Finding:
    error = _apart(got, expected)
    problem = None
    if error > SAME:
        problem = f"{value.name} is not what plans[{by}] computes: relative error {error:.1e}"
    return Finding(number, kind, value.name, error, problem, value)


def _apart(a: Array, b: Array) -> float:
    if a.shape[-2:] != b.shape[-2:]:
        return float("inf")
    return relative_error(np.ascontiguousarray(a), np.ascontiguousarray(b))
