"""Every value of a forward computation, for those who look for the one that went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnnlang.backends.choice import reference
from dnnlang.plan.ir import Instruction, Purpose
from dnnlang.plan.passes import make_plan
from dnnlang.primitives.values import Value
from dnnlang.training.state import Data, parts, samples
from dnnlang.training.table import Array

if TYPE_CHECKING:
    from dnnlang.network import Network


@dataclass(frozen=True, slots=True)
class Traced:
    """One instruction with the arrays that it read and wrote; None for J, which is no array."""

    instruction: Instruction
    inputs: tuple[Array | None, ...]
    output: Array | None


def trace(network: Network, X: Data, Y: Data, *, training: bool = True) -> list[Traced]:
    """The forward computation on X and Y as the lesson writes it, each value in a place of its own.

    Whatever backend the network has, the reference backend computes it. J is not among the values.
    """
    architecture = network.program.architecture
    plan = make_plan(architecture, Purpose.INFERENCE, level=0, training=training)
    inputs = _by_name(X, architecture.inputs)
    targets = _by_name(Y, tuple(plan.targets))
    executable = reference(np.dtype(network.dtype), network.seed).executable(plan, samples(X), network.tensors)
    executable.place(np.empty(executable.arena_bytes(), np.uint8))
    executable.forward(inputs, step=network.steps + 1)
    known = {value: inputs[name] for name, value in plan.inputs.items()}
    known |= {value: targets[name] for name, value in plan.targets.items() if name in targets}

    def array(value: Value) -> Array | None:
        return known[value] if value in known else executable.array(value)

    return [Traced(i, tuple(array(v) for v in i.inputs), array(i.output)) for i in plan.forward]


def _by_name(data: Data, names: tuple[str, ...]) -> dict[str, Array]:
    """Arrays under the plan's names; a single array is that of the only name."""
    arrays = dict(parts(data))
    return {names[0]: arrays[""]} if "" in arrays and names else arrays
