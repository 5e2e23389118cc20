"""From the architecture to the forward instructions, by each node's own `lower`; then the losses and penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Architecture, Copy, LossUse, Parameter
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.primitives.loss import OPERANDS, Loss, LossGradient
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.penalty import Penalty
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.product import product
from dnnlang.primitives.running import Running
from dnnlang.primitives.stack import Stack
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.construct import rebuild
from dnnlang.scalar.derive import forward, joint
from dnnlang.scalar.expression import Expr, constant, topological, variables
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import M, Size
from dnnlang.source import Span


def lower(plan: Plan) -> Plan:
    """Fills in `forward`, the inputs, targets, parameters, statistics, outputs and J of an empty plan.

    `updates` gets what training changes besides parameters: the running statistics.
    """
    build = Lowering(plan.architecture, training=plan.training, packed=plan.level > 0)
    build.nodes()
    build.losses()
    build.penalties()
    return replace(
        plan,
        forward=tuple(build.instructions),
        inputs=build.inputs,
        targets=build.targets,
        updates=() if plan.purpose is Purpose.INFERENCE else tuple(build.updates),
        parameters=build.parameters,
        statistics=build.statistics,
        outputs={name: build.outputs[name] for name in plan.architecture.outputs},
        loss=build.loss,
    )


class Lowering:
    """The Builder that node kinds lower themselves with."""

    def __init__(self, architecture: Architecture, *, training: bool, packed: bool) -> None:
        self.training = training
        self._packed = packed  # one bit an entry of a mask, rather than a number as in the lesson
        self.instructions: list[Instruction] = []
        self.updates: list[Instruction] = []
        self.parameters = {p.name: Value(p.name, p.shape, Role.PARAMETER) for p in architecture.parameters.values()}
        self.statistics = {s.name: Value(s.name, s.shape, Role.STATISTIC) for s in architecture.statistics.values()}
        self.inputs: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}
        self.targets: dict[str, Value] = {}
        self.loss: Value | None = None
        self._architecture = architecture
        self._activated: dict[Value, tuple[Activation, Value]] = {}
        self._within: Copy | None = None  # the copy of a body that the node being lowered stands in

    # ------------------------------------------------------------ the parts of a program

    def nodes(self) -> None:
        entrances = frozenset(self._architecture.inputs)
        for node in self._architecture.nodes.values():
            if node.name in entrances:
                value = Value(node.value, (node.units, M), Role.INPUT)
                self.inputs[node.name] = value
            else:
                self._within = node.within
                value = node.kind.lower(node, self)
            self.outputs[node.name] = value
        self._within = None

    def losses(self) -> None:
        for use in self._architecture.losses:
            self._loss(use)

    def penalties(self) -> None:
        for parameter in self._architecture.parameters.values():
            rate = penalty_rate(parameter, self._architecture.settings.l2)
            if rate and parameter.trainable and self.loss is not None:
                J = Value("J", (1, 1), Role.LOSS, self.loss.version + 1)
                inputs = (self.parameters[parameter.name], self.loss)
                penalty = Instruction(Penalty(rate), inputs, (J,), parameter.span, parameter.within)
                self.instructions.append(penalty)
                self.loss = J

    def _loss(self, use: LossUse) -> None:
        a = self.outputs[use.node]
        y = self.targets.setdefault(use.target, Value(use.target, a.shape, Role.TARGET))
        activation, z = self._activated.get(a, (None, None))
        derived = joint(use.loss, activation)
        operands = {"a": a, "y": y} if z is None else {"z": z, "a": a, "y": y}
        units = a.shape[0]
        value, slope = _with_units(derived.value, units), _with_units(derived.gradient, units)
        used = variables(slope)
        gradient = LossGradient(
            a if z is None else z,
            slope,
            tuple((n, operands[n]) for n in OPERANDS if n in used),
            derived.note,
        )
        used = variables(value)
        names = tuple(n for n in OPERANDS if n in used)
        label = activation.label if activation is not None and activation.value.op != "variable" else None
        primitive = Loss(value, names, use.weight, use.loss.label, label, gradient)
        inputs = tuple(operands[n] for n in names)
        if self.loss is None:
            self.loss = Value("J", (1, 1), Role.LOSS)
            self.instructions.append(Instruction(primitive, inputs, (self.loss,), use.span))
            return
        J = Value("J", (1, 1), Role.LOSS, self.loss.version + 1)
        self.instructions.append(Instruction(primitive.accumulating(), (*inputs, self.loss), (J,), use.span))
        self.loss = J

    # ------------------------------------------------------------ what kinds call

    def output_of(self, node: str) -> Value:
        return self.outputs[node]

    def parameter(self, name: str) -> Value:
        return self.parameters[name]

    def statistic(self, name: str) -> Value:
        return self.statistics[name]

    def product(
        self, name: str, weights: Value, right: Value, bias: Value | None, span: Span, *, transpose: bool = False
    ) -> Value:
        primitive = product(transpose_left=transpose, bias=bias is not None)
        inputs = (weights, right) if bias is None else (weights, right, bias)
        return self._append(name, primitive, inputs, span)

    def activate(self, name: str, activation: Activation, z: Value, span: Span) -> Value:
        a = self._append(name, _activation_map(activation), (z,), span)
        self._activated[a] = (activation, z)
        return a

    def map(self, name: str, expr: Expr, operands: Mapping[str, Value], span: Span, *, label: str) -> Value:
        primitive = Map(expr, tuple(operands), per_unit=expr.per_unit)
        return self._append(name, primitive, tuple(operands.values()), span)

    def mean_over_samples(self, name: str, expr: Expr, operands: Mapping[str, Value], span: Span) -> Value:
        return self._append(name, MeanOverSamples(expr, tuple(operands)), tuple(operands.values()), span)

    def average(self, running: Value, new: Value, momentum: Fraction, span: Span, *, unbiased: bool = False) -> None:
        if not self.training:
            raise InternalError(f"{running.name} follows {new.name} outside training")
        after = Value(running.name, running.shape, running.role, running.version + 1)
        primitive = Running(momentum, unbiased)
        self.updates.append(Instruction(primitive, (running, new), (after,), span, self._within))

    def stack(self, name: str, parts: Sequence[Value], span: Span) -> Value:
        return self._append(name, Stack(), tuple(parts), span)

    def mask(self, name: str, like: Value, rate: Fraction, node: int, span: Span) -> Value:
        value = Value(name, like.shape, Role.MASK, packed=self._packed)
        self.instructions.append(Instruction(Mask(rate, node, like.shape), (), (value,), span, self._within))
        return value

    def _append(self, name: str, primitive: Primitive, inputs: tuple[Value, ...], span: Span) -> Value:
        value = Value(name, primitive.shape([v.shape for v in inputs]), Role.ACTIVATION)
        self.instructions.append(Instruction(primitive, inputs, (value,), span, self._within))
        return value


@lru_cache(maxsize=1024)
def _activation_map(activation: Activation) -> Map:
    return Map(forward(activation), ("z",), activation=activation)


def _with_units(expr: Expr, units: Size) -> Expr:
    """The number of units written in, where it is known: 2/3 (A - Y) rather than 2 (A - Y) / n."""
    if not isinstance(units, int):
        return expr
    new: dict[Expr, Expr] = {}
    for e in topological(expr):
        if e.op == "units":
            new[e] = constant(units)
        elif any(new[a] is not a for a in e.args):
            new[e] = rebuild(e.op, tuple(new[a] for a in e.args))
        else:
            new[e] = e
    return new[expr]


def penalty_rate(parameter: Parameter, l2: Fraction) -> Fraction:
    """λ of one parameter: its layer's own, else the training settings', biases none."""
    if parameter.l2 is not None:
        return parameter.l2
    return l2 if parameter.penalized else Fraction(0)
