"""What must hold of a finished plan as a whole, against the program it belongs to. Part of the verifier.

A plan that the compiler is still at work on need not keep these; one that somebody hands over must.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dnnlang.plan.instruction_rules import Step, members
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.penalty import Decay, Penalty
from dnnlang.primitives.running import Running
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.functions import Optimizer
from dnnlang.sizes import M

Wrong = tuple[str, Instruction | Value | None]
"""What, and who is to blame."""

PASSED: Final = frozenset((Role.ACTIVATION, Role.DELTA, Role.GRADIENT))
WRITES: Final[Mapping[type, frozenset[Role]]] = {
    Loss: frozenset((Role.LOSS,)),
    Penalty: frozenset((Role.LOSS,)),
    Mask: frozenset((Role.MASK,)),
    Running: frozenset((Role.STATISTIC,)),
    Update: frozenset((Role.PARAMETER, Role.STATE)),
    Clip: frozenset((Role.GRADIENT,)),
    Decay: frozenset((Role.GRADIENT,)),
    Zeros: PASSED,
}
"""What a primitive writes; all others what is PASSED on."""
AFTERWARDS: Final = frozenset((Role.TARGET, Role.LOSS))
"""What is not there when a network is used."""


def whole_faults(plan: Plan) -> Iterator[Wrong]:
    """What is wrong with the plan as a whole."""
    yield from _ends(plan)
    yield from _known_in_use(plan)
    yield from _in_place(plan)
    gradients = {f"d{name}": value.shape for name, value in plan.parameters.items()}
    trained = {p.name for p in plan.architecture.parameters.values() if p.trainable}
    changed = trained if plan.purpose is Purpose.STEP else set()
    last: dict[str, tuple[Value, bool]] = {}  # of each gradient the last value, and whether it lasts
    for instruction in plan.instructions:
        for part in members(instruction):
            for message in _written(part, gradients, changed):
                yield message, instruction
            last |= {v.name: (v, v in instruction.outputs) for v in part.outputs if v.role is Role.GRADIENT}
    for value, lasts in last.values():
        if lasts and plan.gradients.get(value.name[1:]) is not value:
            yield f"{value.name} is computed, and not among the gradients", value
    if plan.purpose is Purpose.STEP and plan.architecture.settings.optimizer.statements:
        yield from _settings(plan, trained)


def _ends(plan: Plan) -> Iterator[Wrong]:
    """What comes in and goes out, by the names of the program."""
    a = plan.architecture
    for values, names, word in ((plan.inputs, a.inputs, "inputs"), (plan.outputs, a.outputs, "outputs")):
        if set(values) != set(names):
            yield f"the {word} are not those of the program: {', '.join(names)}", None
    brought = [(v, Role.INPUT) for v in plan.inputs.values()] + [(v, Role.TARGET) for v in plan.targets.values()]
    for value, role in brought:
        if value.role is not role or value.shape[1] != M or value.version:
            yield f"{value.name}, a {value.role} {value.shape}, is listed as {role}", value
    for name, value in plan.targets.items():
        if value.name != name:
            yield f"{value.name} is listed as the target {name}", value
    written = [v for values in (plan.inputs, plan.targets) for v in values.values()]
    if len(set(written)) < len(written):
        yield "a value is brought under two names", None
    if plan.loss is not None and plan.loss.role is not Role.LOSS:
        yield f"J is {plan.loss.name}, a {plan.loss.role}", plan.loss
    for value in plan.gradients.values():
        if value.role is not Role.GRADIENT:
            yield f"{value.name}, a {value.role}, is listed as a gradient", value
    if plan.purpose is not Purpose.INFERENCE and plan.loss is None and plan.gradients:
        yield "there are gradients, and no J", None


def _known_in_use(plan: Plan) -> Iterator[Wrong]:
    """Outputs are computed without targets and J: who uses the network has none."""
    for name, value in plan.outputs.items():
        if value.role in AFTERWARDS:
            yield f"the output of {name} is {value.name}, a {value.role}", value
    for instruction in plan.forward:
        for part in members(instruction):
            if isinstance(part.primitive, Loss | Penalty):
                continue
            for value in part.inputs:
                if value.role in AFTERWARDS:
                    message = f"{part.outputs[0].name} is computed from {value.name}, a {value.role}, and is no loss"
                    yield message, instruction


def _in_place(plan: Plan) -> Iterator[Wrong]:
    """A value that is said to overwrite another is written by an instruction that reads that, in its slot."""
    found = 0
    for instruction in plan.instructions:
        for output in instruction.outputs:
            over = plan.aliases.get(output)
            if over is None:
                continue
            found += 1
            if over not in instruction.inputs or plan.places.get(over) != plan.places.get(output):
                yield f"{output.name} is said to overwrite {over.name}, and does not", output
    if found != len(plan.aliases):
        yield "a value that no instruction writes is said to overwrite another", None
    brought = (plan.inputs, plan.targets, plan.parameters, plan.statistics, plan.state)
    packed = [v for values in brought for v in values.values() if v.packed]
    packed += [v for i in plan.instructions for v in (*i.inner, *i.outputs) if v.packed and v.role is not Role.MASK]
    for value in packed:
        yield f"{value.name} is packed, and no mask", value


def _written(part: Step, gradients: Mapping[str, object], changed: set[str]) -> Iterator[str]:
    """Roles and names of what one primitive writes."""
    allowed = WRITES.get(type(part.primitive), PASSED)
    for value in part.outputs:
        if value.role not in allowed:
            yield f"{part.primitive.operation} writes {value.name}, a {value.role}"
        elif value.role is Role.GRADIENT and gradients.get(value.name) != value.shape:
            yield f"{value.name} {value.shape} is the gradient of no parameter"
        elif value.role is Role.PARAMETER and value.name not in changed:
            yield f"{value.name} is changed, though it is not trained here"
        elif value.role is Role.LOSS and (value.shape != (1, 1) or value.name != "J"):
            yield f"{value.name} {value.shape} is not J"


def _settings(plan: Plan, trained: set[str]) -> Iterator[Wrong]:
    """A step clips and updates as the settings say."""
    settings = plan.architecture.settings
    clips = 0
    for instruction in plan.instructions:
        for part in members(instruction):
            p = part.primitive
            if isinstance(p, Update) and _meaning(p.optimizer) != _meaning(settings.optimizer):
                yield (
                    f"{part.outputs[0].name} is not updated by {settings.optimizer.label}, as the settings say",
                    instruction,
                )
            if isinstance(p, Clip):
                clips += 1
                if p.limit != settings.clip_norm or {v.name for v in part.outputs} != {f"d{name}" for name in trained}:
                    yield "the gradients are not clipped as the settings say", instruction
    if clips != (settings.clip_norm is not None and bool(trained)):
        yield f"the gradients are clipped {clips} times", None


def _meaning(optimizer: Optimizer) -> tuple[object, ...]:
    return optimizer.statements, optimizer.state
