"""The plan: instructions in order, and where each value lies. Passes make a new plan from the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dnnlang.graph.architecture import Architecture, Copy
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


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """`outputs` = `primitive` of `inputs`. `span` is the statement that asked for it, in the copy `within` of a body.

    All primitives have one output, except those that change several persistent values at once (Clip, Update).
    """

    primitive: Primitive
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    span: Span | None
    within: Copy | None = None

    @property
    def output(self) -> Value:
        return self.outputs[0]


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """Room for values that are never alive at the same time: `rows` numbers, for each sample or once."""

    number: int
    rows: Size
    per_sample: bool

    @property
    def elements(self) -> Size:
        return self.rows * M if self.per_sample else self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One computation over one batch. m, the number of samples, is a symbol in it.

    `places` gives the slot number of each value that lies in one; an instruction works in place where its
    output has the slot of one of its inputs. Mappings go from names to values: what the caller brings
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

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return self.forward + self.backward + self.updates
