"""What the emitted library offers: its functions' arguments and the tensors that it holds, each with a C identifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dnnlang.backends.native.steps import constant
from dnnlang.emit.c.names import Identifiers
from dnnlang.emit.c.text import Array
from dnnlang.network import Network
from dnnlang.plan.dead import drop_dead_code
from dnnlang.plan.ir import Plan, Purpose, parts
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.penalty import Penalty
from dnnlang.primitives.values import Value
from dnnlang.program import Program

REAL: Final = {32: "float", 64: "double"}
MACROS: Final = [f"MODEL_{w}" for w in "H FORMAT SAMPLES ARENA_BYTES ARENA_ALIGNMENT FLASH_BYTES RATE VECTORS".split()]
"""Of the header, besides those of tensors."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A pointer of a function: m samples, one behind the other, of `units` numbers each. `name` is the plan's."""

    name: str
    identifier: str
    units: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """A parameter, a statistic or state of the optimizer; `value` has its name and shape."""

    value: Value
    place: str  # a macro: where it begins in the arena
    row: str  # a macro: how far its columns lie apart
    data: str  # its numbers in the source
    array: Array

    @property
    def name(self) -> str:
        return self.value.name

    @property
    def stored(self) -> bool:
        """Is it written into the source? In the arena of a training build zeros come by themselves."""
        return bool(self.array.any())


@dataclass(frozen=True, slots=True)
class Interface:
    """The network, the plans that are emitted, and what C calls everything."""

    network: Network
    samples: int
    forward: Plan
    step: Plan | None
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    targets: tuple[Argument, ...]
    tensors: Mapping[str, Tensor]

    @property
    def training(self) -> bool:
        return self.step is not None

    @property
    def bits(self) -> int:
        return 64 if self.network.dtype == "float64" else 32

    @property
    def real(self) -> str:
        return REAL[self.bits]


def interface(network: Network, program: Program, *, samples: int, training: bool) -> Interface:
    """What to emit of a network, by the plans of `program`, for up to so many samples at a time."""
    layout = network.layout
    forward = drop_dead_code(replace(program.plan(Purpose.INFERENCE, dtype=network.dtype), loss=None))
    step = program.plan(Purpose.STEP, dtype=network.dtype) if training else None
    columns = {} if layout is None else layout.inputs
    classes = {} if layout is None else {name: t.classes or t.columns for name, t in layout.targets.items()}
    of_node = {use.node: classes.get(use.target, ()) for use in program.architecture.losses}
    names = Identifiers(MACROS)
    inputs = _arguments(forward.inputs, "x", columns, names)
    outputs = _arguments(forward.outputs, "y", of_node, names)
    targets = () if step is None else _arguments(step.targets, "target", classes, names)
    values = {v.name: v for v in _read(forward)}
    arrays = dict(network.tensors)
    if step is not None:
        values |= {v.name: v for v in (*step.parameters.values(), *step.statistics.values(), *step.state.values())}
        arrays |= network.state
    tensors = {
        name: Tensor(value, names.of("MODEL", name), names.of("MODEL_ROW", name), names.of("data", name), arrays[name])
        for name, value in values.items()
    }
    return Interface(network, samples, forward, step, inputs, outputs, targets, tensors)


def _read(plan: Plan) -> Iterator[Value]:
    """The parameters and statistics that outputs are made of, in the order in which they are declared."""
    made = [part for i in plan.instructions for part in parts(i) if not isinstance(part.primitive, Loss | Penalty)]
    read = {v for part in made for v in part.inputs}
    return (v for v in (*plan.parameters.values(), *plan.statistics.values()) if v in read)


def _arguments(
    values: Mapping[str, Value], stem: str, labels: Mapping[str, tuple[str, ...]], names: Identifiers
) -> tuple[Argument, ...]:
    """`x` where there is one, `x_left` and `x_right` where there are several."""
    single = len(values) == 1
    return tuple(
        Argument(name, names.of(stem, "" if single else name), constant(value.shape[0]), labels.get(name, ()))
        for name, value in values.items()
    )
