"""The plan: instructions in order, and where each value lies. Passes make a new plan from the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dnnlang.graph.architecture import Architecture, Copy
from dnnlang.primitives.fused import Fused
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import M, Size
from dnnlang.source import Span

IN_SLOTS = frozenset((Role.ACTIVATION, Role.MASK, Role.DELTA))
"""Whose values lie in slots. All others are persistent, or belong to the caller."""


class Purpose(StrEnum):
    """What a plan is for."""

    INFERENCE = "inference"  # the outputs, and J if there are targets
    GRADIENTS = "gradients"  # J and the gradient of every trained parameter
    STEP = "step"  # gradients, then the optimizer's update


@dataclass(frozen=True, slots=True)
class Options:
    """What a compile may be asked for besides the level.

    `keep_gradients` keeps every dW and db in a plan for a step, instead of using some up where they arise.
    `memory_budget` is the largest peak, in bytes, of a plan for `batch` samples with numbers of `item_bytes` bytes.
    """

    keep_gradients: bool = False
    memory_budget: int | None = None
    batch: int | None = None
    item_bytes: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """`outputs` = `primitive` of `inputs`. `span` is the statement that asked for it, in the copy `within` of a body.

    Most primitives have one output; Clip and Update change several persistent values at once, and a Fused one has the
    outputs of all that it merges. `inner` are the values that live and die within a Fused step, and lie in no slot.
    """

    primitive: Primitive
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span | None
    within: Copy | None = None
    inner: tuple[Value, ...] = ()

    @property
    def output(self) -> Value:
        return self.outputs[0]


def parts(instruction: Instruction) -> tuple[Instruction, ...]:
    """The plain instructions that a Fused one merges, in order; any other by itself."""
    primitive = instruction.primitive
    if not isinstance(primitive, Fused):
        return (instruction,)
    values = (*instruction.inputs, *instruction.inner, *instruction.outputs)
    return tuple(
        Instruction(
            member.primitive,
            tuple(values[place] for place in member.inputs),
            tuple(values[place] for place in member.outputs),
            instruction.span,
            instruction.within,
        )
        for member in primitive.members
    )


def overwritable(instruction: Instruction, number: int) -> Sequence[int]:
    """Which inputs output `number` may overwrite, where these have its shape and nobody reads them any more."""
    primitive = instruction.primitive
    if isinstance(primitive, Fused):
        return primitive.overwrites[number]
    return primitive.overwritable(len(instruction.inputs)) if number == 0 else ()


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A region of the arena, for values that are never alive at the same time: `rows` numbers, a sample or once.

    It begins where the highest of the slots that it stands `on` ends, at the beginning of the arena if it stands on
    none. Slots that do not stand on each other may overlap; then what lies in them is not alive at the same time.
    """

    number: int
    rows: Size
    per_sample: bool
    on: tuple[int, ...] = ()

    @property
    def elements(self) -> Size:
        return self.rows * M if self.per_sample else self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One computation over one batch. m, the number of samples, is a symbol in it.

    `aliases` gives for an output that is written in place the input that it overwrites; `places` gives the slot
    number of each value that lies in one. Mappings go from names to values: what the caller brings
    (`inputs`, `targets`), what persists (`parameters`, `statistics`, `state` under names like `v/W[1]`), and the
    results (`outputs`, alive at the end of the forward part; `loss`; `gradients` by the name of the parameter).
    """

    architecture: Architecture
    purpose: Purpose
    training: bool
    level: int
    forward: tuple[Instruction, ...]
    backward: tuple[Instruction, ...]
    updates: tuple[Instruction, ...]
    inputs: Mapping[str, Value]
    targets: Mapping[str, Value]
    parameters: Mapping[str, Value]
    state: Mapping[str, Value]
    outputs: Mapping[str, Value]
    loss: Value | None
    gradients: Mapping[str, Value]
    slots: tuple[Slot, ...] = ()
    places: Mapping[Value, int] = field(default_factory=dict)
    passes: tuple[str, ...] = ()
    statistics: Mapping[str, Value] = field(default_factory=dict)
    options: Options = Options()
    aliases: Mapping[Value, Value] = field(default_factory=dict)

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return self.forward + self.backward + self.updates
