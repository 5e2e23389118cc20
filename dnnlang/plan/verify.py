"""The verifier: what must hold of a plan after any pass. It shares no code with the passes and the primitives.

Aliasing rules and liveness are stated here a second time, and the rules of each instruction in instruction_rules.py.
It trusts nothing that a plan says about itself: it runs through the instructions with a table of what each slot
and each persistent array holds at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dnnlang.graph.architecture import Parameter, Statistic
from dnnlang.plan.instruction_rules import RULES, Step, fits, members, record_faults
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.plan.overwrite_rules import entrywise
from dnnlang.plan.recomputed_rules import WRITTEN_AGAIN, Recomputation, writes_again
from dnnlang.plan.verify_slots import Arena
from dnnlang.plan.whole_rules import whole_faults
from dnnlang.primitives.fused import Fused
from dnnlang.primitives.update import Update
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import M, Size

MAX_FAULTS: Final = 20

SLOTTED: Final = frozenset((Role.ACTIVATION, Role.MASK, Role.DELTA))
PERSISTENT: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.STATE, Role.GRADIENT, Role.LOSS))
BACKWARD_RESULTS: Final = frozenset((Role.DELTA, Role.GRADIENT))
FORWARD_RESULTS: Final = frozenset((Role.ACTIVATION, Role.MASK, Role.LOSS))
UPDATED: Final = frozenset((Role.PARAMETER, Role.STATE))
"""What an update writes, also where it is merged with its gradient."""
UPDATE_RESULTS: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.STATE, Role.GRADIENT))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and with which instruction or value; None: with the plan as a whole."""

    message: str
    about: Instruction | Value | None


def verify(plan: Plan, known: set[Instruction] | None = None) -> list[str]:
    """What is wrong with the plan, a sentence each; an empty list if nothing is. Finds at most MAX_FAULTS."""
    return [fault.message for fault in faults(plan, known)]


def faults(plan: Plan, known: set[Instruction] | None = None, *, finished: bool = False) -> list[Fault]:
    """What is wrong with the plan, and who is to blame. `finished`: all must be there that its purpose asks for.

    Without it, its `passes` say how far it is.

    `known` are instructions that keep the rule of their primitive, found out when an earlier plan was checked; those
    of this plan are added. What an instruction reads and overwrites is checked in every plan anew.
    """
    return _Check(plan, set() if known is None else known, finished).run()


class _MalformedError(Exception):
    """An instruction of which nobody can say what it reads and writes; nothing behind it can be judged."""


class _Check:
    def __init__(self, plan: Plan, known: set[Instruction], finished: bool) -> None:
        self.plan = plan
        self.finished = finished
        self.known = known
        self.faults: list[Fault] = []
        self.at: Instruction | None = None  # where the check is
        self.letter, self.number = "", 0  # of that instruction
        self.laid_out = bool(plan.slots or plan.places)
        self.swept = "dead code" in plan.passes
        self.rows = {s.number: s.rows for s in plan.slots}
        self.per_sample = {s.number: s.per_sample for s in plan.slots}
        self.arena = self._laid_out_slots()
        self.current: dict[str, Value] = {}  # persistent array → the value in it now
        self.written: set[Value] = {*plan.inputs.values(), *plan.targets.values()}
        # What may be read now: of the written values those that nothing was written over, and that are not out of date.
        self.readable = {v for v in self.written if v.role not in SLOTTED and v.role not in PERSISTENT}
        self.forward_shapes: dict[str, tuple[Size, Size]] = {}
        self.well_formed: set[int] = set()  # ids of the maps whose expressions were looked at

    def run(self) -> list[Fault]:
        plan = self.plan
        if self.finished:
            for message, about in whole_faults(plan):
                self._fault(message, about)
        self._brought()
        try:
            self._part("F", plan.forward, FORWARD_RESULTS)
            self._outputs()
            self._part("B", plan.backward, BACKWARD_RESULTS | WRITTEN_AGAIN)
            self._part("U", plan.updates, UPDATE_RESULTS)
        except _MalformedError:
            return self.faults[:MAX_FAULTS]
        self._results()
        if self.swept:
            self._unread()
        return self.faults[:MAX_FAULTS]

    @property
    def label(self) -> str:
        """`B3`."""
        return f"{self.letter}{self.number}"

    def _fault(self, message: str, about: Instruction | Value | None = None) -> None:
        self.faults.append(Fault(message, self.at if about is None else about))

    def _done(self, name: str) -> bool:
        return self.finished or name in self.plan.passes

    # ------------------------------------------------------------ before and after

    def _brought(self) -> None:
        plan = self.plan
        brought = (plan.parameters, Role.PARAMETER), (plan.statistics, Role.STATISTIC), (plan.state, Role.STATE)
        for values, role in brought:
            for name, value in values.items():
                if value.role is not role or value.name != name:
                    self._fault(f"{value.name}, a {value.role}, is listed as the {role} {name}")
            self.current.update(values)
            self.written.update(values.values())
        self.readable.update(v for name, v in self.current.items() if v.name == name and v.role in PERSISTENT)
        self._declared(plan.architecture.parameters, plan.parameters)
        self._declared(plan.architecture.statistics, plan.statistics)

    def _declared(self, arrays: Mapping[str, Parameter] | Mapping[str, Statistic], values: Mapping[str, Value]) -> None:
        for declared in arrays.values():
            value = values.get(declared.name)
            if value is None or value.shape != declared.shape:
                self._fault(f"{declared.name} is missing, or not of the shape that the program gives it")

    def _outputs(self) -> None:
        for name, value in self.plan.outputs.items():
            if value not in self.written:
                self._fault(f"the output of {name}, {value.name}, is never written")
            elif self.laid_out and value.role in SLOTTED and not self.arena.holds(value):
                self._fault(f"the output of {name}, {value.name}, is overwritten before the forward part ends")

    def _unread(self) -> None:
        plan = self.plan
        read = set(plan.outputs.values()).union(*[i.inputs for i in plan.instructions])
        for instruction in plan.instructions:
            if read.issuperset(instruction.outputs):
                continue
            for value in instruction.outputs:
                if value.role in SLOTTED and value not in read:
                    self._fault(f"{value.name} is written, and nobody reads it", value)

    def _results(self) -> None:
        plan = self.plan
        if plan.loss is not None and self.current.get(plan.loss.name) is not plan.loss:
            self._fault("J is not what the last loss wrote")
        self._statistics()
        if plan.purpose is Purpose.INFERENCE:
            if plan.backward or plan.updates or plan.gradients:
                self._fault("a plan for inference computes gradients")
            return
        if not self._done("differentiate"):
            return
        trained = {p.name: p.shape for p in plan.architecture.parameters.values() if p.trainable}
        merges = plan.purpose is Purpose.STEP and self._done("fuse") and not plan.options.keep_gradients
        if not plan.gradients.keys() <= trained.keys() or (not merges and len(plan.gradients) < len(trained)):
            self._fault("the gradients are not those of the trained parameters")
            return
        for name, gradient in plan.gradients.items():
            if self.current.get(gradient.name) is not gradient:
                self._fault(f"the gradient of {name} is not the last {gradient.name} that is written")
            if gradient.shape != trained[name] or gradient.name != f"d{name}":
                self._fault(f"{gradient.name} {gradient.shape} is not the gradient of {name} {trained[name]}")
        if plan.purpose is not Purpose.STEP or not self._done("update"):
            return
        for name in trained:
            if self.current.get(name) is plan.parameters.get(name):
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
        written, readable, known = self.written, self.readable, self.known
        forward, backward = letter == "F", letter == "B"
        recomputation = Recomputation(self.plan)
        self.letter = letter
        for number, instruction in enumerate(instructions, 1):
            self.at, self.number = instruction, number
            if not readable.issuperset(instruction.inputs):
                self._unreadable(instruction)
            if forward:
                self._reads_forward(instruction)
            checked = instruction in known
            if not checked:
                self._rules(instruction)
            if backward and writes_again(instruction):
                for problem in recomputation.faults(instruction):
                    self._fault(f"{self.label}: {problem}")
            if instruction.inner:
                self._inner(instruction, results)
            in_turn = isinstance(instruction.primitive, Fused) and _changes_in_turn(instruction)
            if in_turn and checked:
                self._as_before(instruction)
            elif in_turn:
                self._members(instruction, results)
            for output in instruction.outputs:
                if output in written:
                    self._fault(f"{self.label} writes {output.name} a second time")
                written.add(output)
                role = output.role
                if role not in results and not in_turn:
                    self._fault(f"{self.label} stands in the wrong part: it writes {output.name}, a {role}")
                if role in SLOTTED:
                    self._fill(instruction, output)
                elif role in PERSISTENT and not in_turn:
                    self._replace(instruction, output)
            if len(self.faults) >= MAX_FAULTS:
                break
        self.at = None

    def _unreadable(self, instruction: Instruction) -> None:
        """Why an instruction cannot read all that it reads."""
        for value in instruction.inputs:
            if value not in self.written:
                self._fault(f"{self.label} reads {value.name} before it is written")
            elif value.role in SLOTTED and self.laid_out and not self.arena.holds(value):
                self._fault(f"{self.label} reads {value.name}, but something else was written over it")
            elif value.role in PERSISTENT and self.current.get(value.name) is not value:
                self._fault(f"{self.label} reads {value.name} as it was before it changed")

    def _reads_forward(self, instruction: Instruction) -> None:
        for value in instruction.inputs:
            if value.role in BACKWARD_RESULTS:
                self._fault(f"{self.label} is a forward instruction and reads {value.name}")

    def _fill(self, instruction: Instruction, output: Value) -> None:
        """An output in a slot."""
        if self.letter == "F":
            self.forward_shapes[output.name] = output.shape
        elif output.role is Role.DELTA:
            self._shape_of_gradient(output)
        if self.laid_out:
            self._put(instruction, output)
        else:
            self.readable.add(output)

    def _change(self, name: str, before: Value | None, after: Value | None) -> None:
        """The persistent array `name` holds another value from now on; None: nothing."""
        if before is not None:
            self.readable.discard(before)
        if after is None:
            self.current.pop(name, None)
        else:
            self.current[name] = after
            self.readable.add(after)

    def _inner(self, instruction: Instruction, results: frozenset[Role]) -> None:
        """What lives within a merged step only."""
        for value in instruction.inner:
            if value in self.written:
                self._fault(f"{self.label} computes {value.name} a second time")
            if value.role not in results:
                self._fault(f"{self.label} stands in the wrong part: it computes {value.name}, a {value.role}")
            if results is FORWARD_RESULTS:
                self.forward_shapes[value.name] = value.shape
            elif value.role is Role.DELTA:
                self._shape_of_gradient(value)

    def _as_before(self, instruction: Instruction) -> None:
        """What a step leaves whose members were found to be right among themselves: in an earlier plan."""
        for output in instruction.outputs:
            if output.role in PERSISTENT:
                before = self.current.get(output.name)
                if before is not None and before not in instruction.inputs:
                    self._fault(f"{self.label} writes {output.name} and loses what was there")
                self._change(output.name, before, output)

    def _members(self, instruction: Instruction, results: frozenset[Role]) -> None:
        """The members of a step one by one: each reads what persists as it is at that moment."""
        current, inner = self.current, instruction.inner
        before = {v.name: current.get(v.name) for v in inner}
        for member in members(instruction):
            update = isinstance(member.primitive, Update)
            of_step = update and self.plan.purpose is Purpose.STEP and results is not FORWARD_RESULTS
            allowed = UPDATED if of_step else results
            for value in member.inputs:
                if value.role in PERSISTENT and current.get(value.name) is not value:
                    self._fault(f"{self.label} reads {value.name} as it was before it changed")
            for output in member.outputs:
                if output.role not in allowed:
                    self._fault(f"{self.label} stands in the wrong part: it writes {output.name}, a {output.role}")
                if output.role in PERSISTENT:
                    self._replace(member, output)
        for name, lies_there in before.items():  # what is used up where it arises never comes to lie in the array
            used_up = current.get(name)
            if used_up in inner:
                self._change(name, used_up, lies_there)

    def _rules(self, instruction: Instruction) -> None:
        primitive = instruction.primitive
        rule = RULES.get(type(primitive))
        if rule is None:
            self._fault(f"{self.label} is of an unknown kind")
            return
        self.known.add(instruction)
        if id(primitive) not in self.well_formed:
            found = list(record_faults(primitive))
            for problem in found:
                self._fault(f"{self.label} ({instruction.outputs[0].name}): {problem}")
            if found:
                raise _MalformedError
            self.well_formed.add(id(primitive))
        found = list(rule(instruction))
        for problem in found:
            self._fault(f"{self.label} ({instruction.outputs[0].name}): {problem}")
        if found and isinstance(primitive, Fused):
            raise _MalformedError

    def _shape_of_gradient(self, value: Value) -> None:
        shape = self.forward_shapes.get(value.name[1:])
        if shape is not None and shape != value.shape:
            self._fault(f"{self.label} writes {value.name} {value.shape}, but {value.name[1:]} is {shape}")

    def _put(self, instruction: Instruction, value: Value) -> None:
        slot = self._place(value)
        if slot not in self.rows:
            self._fault(f"{self.label} writes {value.name}, which has no slot")
            return
        columns: Size = M if self.per_sample[slot] else 1
        if value.shape[1] != columns or not fits(_stored_rows(value), self.rows[slot]):
            self._fault(
                f"{self.label}: {value.name} {value.shape} does not fit slot {slot}, which has {self.rows[slot]} rows"
            )
        destroyed = self.arena.write(value, slot)
        self.readable -= destroyed
        self.readable.add(value)
        for gone in destroyed:
            if gone in instruction.inputs:
                self._overwrite(instruction, gone, value)
            elif gone in instruction.outputs:
                self._fault(f"{self.label} writes {value.name} over {gone.name}, which it writes too")

    def _overwrite(self, instruction: Instruction, before: Value, value: Value) -> None:
        """The output `value` in the place of an input: only where each entry is read before it is written."""
        alike = before.shape == value.shape and before.packed == value.packed
        if not alike or self._place(before) != self._place(value):
            self._fault(f"{self.label} overwrites {before.name} {before.shape} by {value.name} {value.shape}")
        free = entrywise(instruction, instruction.outputs.index(value))
        for position, read in enumerate(instruction.inputs):
            if read is before and position not in free:
                self._fault(f"{self.label} overwrites {before.name} while it still needs it")
                return

    def _laid_out_slots(self) -> Arena:
        try:
            return Arena(self.plan.slots)
        except ValueError as error:
            self._fault(str(error))
            return Arena([replace(slot, on=()) for slot in self.plan.slots])

    def _replace(self, instruction: Step, value: Value) -> None:
        before = self.current.get(value.name)
        if before is not None and before not in instruction.inputs:
            self._fault(f"{self.label} writes {value.name} and loses what was there")
        elif before is not None and before.shape != value.shape:
            self._fault(f"{self.label} changes the shape of {value.name}")
        elif before is None and value.version != 0:
            self._fault(f"{self.label} adds to {value.name}, which does not exist yet")
        self._change(value.name, before, value)

    def _place(self, value: Value) -> int:
        return self.plan.places.get(value, 0)


def _stored_rows(value: Value) -> Size:
    """Rows of numbers that a value takes: a packed mask one for every 32 units, a bit each."""
    return (value.shape[0] + 31) // 32 if value.packed else value.shape[0]


def _changes_in_turn(instruction: Instruction) -> bool:
    """Does a merged step change what persists several times: a gradient that grows, a parameter updated with it?"""
    used_up = any(v.role in PERSISTENT for v in instruction.inner)
    return used_up or any(v.role is Role.PARAMETER for v in instruction.outputs)
