"""The verifier: what must hold of a plan after any pass. It shares no code with the passes and the primitives.

Aliasing rules and liveness are stated here a second time, and the rules of each instruction in instruction_rules.py.
It trusts nothing that a plan says about itself: it runs through the instructions with a table of what each slot
and each persistent array holds at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnnlang.plan.instruction_rules import RULES, expression_faults, fits
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.penalty import Decay
from dnnlang.primitives.product import Product
from dnnlang.primitives.stack import Slice
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import M, Size

MAX_FAULTS: Final = 20

SLOTTED: Final = frozenset((Role.ACTIVATION, Role.MASK, Role.DELTA))
PERSISTENT: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.STATE, Role.GRADIENT, Role.LOSS))
BACKWARD_RESULTS: Final = frozenset((Role.DELTA, Role.GRADIENT))
FORWARD_RESULTS: Final = frozenset((Role.ACTIVATION, Role.MASK, Role.LOSS))
UPDATE_RESULTS: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.STATE, Role.GRADIENT))


def verify(plan: Plan, known: dict[int, Instruction] | None = None) -> list[str]:
    """What is wrong with the plan, a sentence each; an empty list if nothing is. Finds at most MAX_FAULTS.

    `known` are instructions, by id, that keep the rule of their primitive, found out when an earlier plan was checked;
    those of this plan are added. What an instruction reads and overwrites is checked in every plan anew.
    """
    return _Check(plan, {} if known is None else known).run()


class _Check:
    def __init__(self, plan: Plan, known: dict[int, Instruction]) -> None:
        self.plan = plan
        self.known = known
        self.faults: list[str] = []
        self.laid_out = bool(plan.slots or plan.places)
        self.swept = "dead code" in plan.passes
        self.rows = {s.number: s.rows for s in plan.slots}
        self.per_sample = {s.number: s.per_sample for s in plan.slots}
        self.holds: dict[int, Value] = {}  # slot → the value in it now
        self.current: dict[str, Value] = {}  # persistent array → the value in it now
        self.written: set[Value] = {*plan.inputs.values(), *plan.targets.values()}
        self.unread: set[Value] = set()
        self.forward_shapes: dict[str, tuple[Size, Size]] = {}
        self.well_formed: set[int] = set()  # ids of the maps whose expressions were looked at

    def run(self) -> list[str]:
        plan = self.plan
        self._brought()
        self._part("F", plan.forward, FORWARD_RESULTS)
        self._outputs()
        self._part("B", plan.backward, BACKWARD_RESULTS)
        self._part("U", plan.updates, UPDATE_RESULTS)
        self._results()
        if self.swept:
            for value in self.unread:
                self._fault(f"{value.name} is written, and nobody reads it")
        return self.faults[:MAX_FAULTS]

    def _fault(self, message: str) -> None:
        self.faults.append(message)

    # ------------------------------------------------------------ before and after

    def _brought(self) -> None:
        plan = self.plan
        brought = (plan.parameters, Role.PARAMETER), (plan.statistics, Role.STATISTIC), (plan.state, Role.STATE)
        for values, role in brought:
            for name, value in values.items():
                if value.role is not role or value.name != name:
                    self._fault(f"{value.name}, a {value.role}, is listed as the {role} {name}")
                self.current[name] = value
                self.written.add(value)
        declared = [(p.name, p.shape, plan.parameters) for p in plan.architecture.parameters.values()]
        declared += [(s.name, s.shape, plan.statistics) for s in plan.architecture.statistics.values()]
        for name, shape, values in declared:
            if name not in values or values[name].shape != shape:
                self._fault(f"{name} is missing, or not of the shape that the program gives it")

    def _outputs(self) -> None:
        for name, value in self.plan.outputs.items():
            if value not in self.written:
                self._fault(f"the output of {name}, {value.name}, is never written")
            elif self.laid_out and value.role in SLOTTED and self.holds.get(self._place(value)) is not value:
                self._fault(f"the output of {name}, {value.name}, is overwritten before the forward part ends")
            self.unread.discard(value)

    def _results(self) -> None:
        plan = self.plan
        if plan.loss is not None and self.current.get(plan.loss.name) is not plan.loss:
            self._fault("J is not what the last loss wrote")
        self._statistics()
        if plan.purpose is Purpose.INFERENCE:
            if plan.backward or plan.updates or plan.gradients:
                self._fault("a plan for inference computes gradients")
            return
        if "differentiate" not in plan.passes:
            return
        trained = {p.name: p.shape for p in plan.architecture.parameters.values() if p.trainable}
        if plan.gradients.keys() != trained.keys():
            self._fault("the gradients are not those of the trained parameters")
            return
        for name, gradient in plan.gradients.items():
            if self.current.get(gradient.name) is not gradient:
                self._fault(f"the gradient of {name} is not the last {gradient.name} that is written")
            if gradient.shape != trained[name] or gradient.name != f"d{name}":
                self._fault(f"{gradient.name} {gradient.shape} is not the gradient of {name} {trained[name]}")
        if "update" not in plan.passes:
            return
        for name in trained:
            if self.current[name] is plan.parameters[name]:
                self._fault(f"{name} is not updated")

    def _statistics(self) -> None:
        """Running statistics follow the batches in training, and then only; fitted ones never change."""
        plan = self.plan
        follow = plan.training and plan.purpose is not Purpose.INFERENCE
        for statistic in plan.architecture.statistics.values():
            changes = self.current.get(statistic.name) is not plan.statistics.get(statistic.name)
            if changes and (statistic.initial is None or not follow):
                self._fault(f"{statistic.name} is changed")
            elif follow and not changes and statistic.initial is not None:
                self._fault(f"{statistic.name} does not follow the batches")

    # ------------------------------------------------------------ one instruction

    def _part(self, letter: str, instructions: Sequence[Instruction], results: frozenset[Role]) -> None:
        """Reads, then the instruction's own rule, then writes. One loop, because there are many instructions."""
        written, unread, holds, current, places = self.written, self.unread, self.holds, self.current, self.plan.places
        laid_out, forward, known = self.laid_out, letter == "F", self.known
        for at, instruction in enumerate(instructions, 1):
            for value in instruction.inputs:
                role = value.role
                if value not in written:
                    self._fault(f"{letter}{at} reads {value.name} before it is written")
                elif role in SLOTTED:
                    unread.discard(value)
                    if laid_out and holds.get(places.get(value, 0)) is not value:
                        self._fault(f"{letter}{at} reads {value.name}, but something else lies in its slot")
                elif role in PERSISTENT and current.get(value.name) is not value:
                    self._fault(f"{letter}{at} reads {value.name} as it was before it changed")
                if forward and role in BACKWARD_RESULTS:
                    self._fault(f"{letter}{at} is a forward instruction and reads {value.name}")
            if id(instruction) not in known:
                self._rules(letter, at, instruction)
            for output in instruction.outputs:
                if output in written:
                    self._fault(f"{letter}{at} writes {output.name} a second time")
                written.add(output)
                role = output.role
                if role not in results:
                    self._fault(f"{letter}{at} stands in the wrong part: it writes {output.name}, a {role}")
                if role in SLOTTED:
                    unread.add(output)
                    if forward:
                        self.forward_shapes[output.name] = output.shape
                    else:
                        self._shape_of_gradient(letter, at, output)
                    if laid_out:
                        self._put(f"{letter}{at}", instruction, output)
                elif role in PERSISTENT:
                    self._replace(f"{letter}{at}", instruction, output)
            if len(self.faults) >= MAX_FAULTS:
                return

    def _rules(self, letter: str, at: int, instruction: Instruction) -> None:
        primitive = instruction.primitive
        rule = RULES.get(type(primitive))
        if rule is None:
            self._fault(f"{letter}{at} is of an unknown kind")
            return
        self.known[id(instruction)] = instruction
        for problem in rule(instruction):
            self._fault(f"{letter}{at} ({instruction.outputs[0].name}): {problem}")
        if id(primitive) not in self.well_formed:
            self.well_formed.add(id(primitive))
            for problem in expression_faults(primitive):
                self._fault(f"{letter}{at} ({instruction.outputs[0].name}): {problem}")

    def _shape_of_gradient(self, letter: str, at: int, value: Value) -> None:
        shape = self.forward_shapes.get(value.name[1:])
        if shape is not None and shape != value.shape:
            self._fault(f"{letter}{at} writes {value.name} {value.shape}, but {value.name[1:]} is {shape}")

    def _put(self, label: str, instruction: Instruction, value: Value) -> None:
        slot = self._place(value)
        if slot not in self.rows:
            self._fault(f"{label} writes {value.name}, which has no slot")
            return
        columns: Size = M if self.per_sample[slot] else 1
        if value.shape[1] != columns or not fits(value.shape[0], self.rows[slot]):
            self._fault(
                f"{label}: {value.name} {value.shape} does not fit slot {slot}, which has {self.rows[slot]} rows"
            )
        before = self.holds.get(slot)
        if before is not None and before in instruction.inputs:
            self._overwrite(label, instruction, before, value)
        self.holds[slot] = value

    def _overwrite(self, label: str, instruction: Instruction, before: Value, value: Value) -> None:
        """An output in the slot of an input: only where each entry is read before it is written."""
        if before.shape != value.shape:
            self._fault(f"{label} overwrites {before.name} {before.shape} by {value.name} {value.shape}")
        for position, read in enumerate(instruction.inputs):
            if read is before and position not in _entrywise(instruction):
                self._fault(f"{label} overwrites {before.name} while it still needs it")
                return

    def _replace(self, label: str, instruction: Instruction, value: Value) -> None:
        before = self.current.get(value.name)
        if before is not None and before not in instruction.inputs:
            self._fault(f"{label} writes {value.name} and loses what was there")
        elif before is not None and before.shape != value.shape:
            self._fault(f"{label} changes the shape of {value.name}")
        elif before is None and value.version != 0:
            self._fault(f"{label} adds to {value.name}, which does not exist yet")
        self.current[value.name] = value

    def _place(self, value: Value) -> int:
        return self.plan.places.get(value, 0)


def _entrywise(instruction: Instruction) -> range | tuple[int, ...]:
    """The inputs that are read entry by entry at the place where the output is written."""
    primitive, count = instruction.primitive, len(instruction.inputs)
    if isinstance(primitive, Map):
        return range(count)
    if isinstance(primitive, Product):
        return range(2 + primitive.bias, count)
    if isinstance(primitive, Slice | MeanOverSamples | Decay) and primitive.accumulate:
        return (count - 1,)
    return ()
