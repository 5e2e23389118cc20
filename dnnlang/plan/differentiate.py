"""From the forward instructions to the backward ones: in reverse, each primitive by its own derivative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dnnlang.graph.architecture import Parameter
from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.penalty import Penalty
from dnnlang.primitives.primitive import Contribution, Primitive
from dnnlang.primitives.values import Role, Value


def differentiate(plan: Plan) -> Plan:
    """Appends the backward instructions; every trained parameter gets a gradient.

    A value read in several places gets one contribution from each, added up in the order in which they
    arise. Values that no trained parameter stands behind get none, so there is no dX.
    """
    sweep = _Sweep(plan)
    for instruction in reversed(plan.forward):
        sweep.step(instruction)
    sweep.finish()
    return replace(plan, backward=tuple(sweep.backward), gradients=sweep.of_parameters())


class _Sweep:
    def __init__(self, plan: Plan) -> None:
        trained = [p for p in plan.architecture.parameters.values() if p.trainable]
        self.backward: list[Instruction] = []
        self._trained = {plan.parameters[p.name]: p for p in trained}
        self._wanted = _wanted(plan.forward, set(self._trained))
        self._gradients: dict[Value, Value] = {}
        self._penalties: dict[Value, Instruction] = {}
        self._first_use = _first_use(plan.forward, self._trained)

    def step(self, instruction: Instruction) -> None:
        primitive = instruction.primitive
        if isinstance(primitive, Penalty):
            # Its share of dW comes last, onto the sum that the losses give: dW = 1/m dZ Aᵀ, then += λ/m W.
            self._penalties[instruction.inputs[0]] = instruction
            return
        output = instruction.output
        upstream = self._gradients.get(output)
        if upstream is None:
            if not isinstance(primitive, Loss):
                return
            upstream = output  # dJ/dJ = 1: nothing to compute
        wanted = self._wanted.__contains__
        for contribution in primitive.derivative(instruction.inputs, output, upstream, wanted):
            self._add(contribution, instruction)
        for weights in self._first_use.get(instruction, ()):
            self._penalize(weights)

    def finish(self) -> None:
        for weights in list(self._penalties):
            self._penalize(weights)
        for parameter, declared in self._trained.items():
            if parameter not in self._gradients:
                self._append(parameter, Zeros(parameter.shape), (), 0, declared)

    def of_parameters(self) -> dict[str, Value]:
        return {parameter.name: self._gradients[parameter] for parameter in self._trained}

    def _penalize(self, weights: Value) -> None:
        penalty = self._penalties.pop(weights, None)
        if penalty is None:
            return
        wanted = self._wanted.__contains__
        for c in penalty.primitive.derivative(penalty.inputs, penalty.output, penalty.output, wanted):
            self._add(c, penalty)

    def _add(self, contribution: Contribution, asked: Instruction) -> None:
        so_far = self._gradients.get(contribution.of)
        if so_far is None:
            self._append(contribution.of, contribution.primitive, contribution.inputs, 0, asked)
            return
        primitive = contribution.primitive.accumulating()
        self._append(contribution.of, primitive, (*contribution.inputs, so_far), so_far.version + 1, asked)

    def _append(
        self, of: Value, primitive: Primitive, inputs: tuple[Value, ...], version: int, asked: Instruction | Parameter
    ) -> None:
        """An instruction for the gradient of `of`; `asked` says where in the program it comes from."""
        role = Role.GRADIENT if of.role is Role.PARAMETER else Role.DELTA
        gradient = Value(f"d{of.name}", of.shape, role, version)
        self.backward.append(Instruction(primitive, inputs, (gradient,), asked.span, asked.within))
        self._gradients[of] = gradient


def _wanted(forward: tuple[Instruction, ...], trained: set[Value]) -> set[Value]:
    """The values that something trained stands behind."""
    wanted = trained
    for instruction in forward:
        if not wanted.isdisjoint(instruction.inputs):
            wanted.update(instruction.outputs)
    return wanted


def _first_use(forward: tuple[Instruction, ...], trained: Mapping[Value, Parameter]) -> dict[Instruction, list[Value]]:
    """For each instruction the parameters that no earlier one reads: their gradients are complete after it."""
    seen: set[Value] = set()
    first: dict[Instruction, list[Value]] = {}
    for instruction in forward:
        if isinstance(instruction.primitive, Penalty):
            continue
        for value in instruction.inputs:
            if value in trained and value not in seen:
                seen.add(value)
                first.setdefault(instruction, []).append(value)
    return first
