"""The verifier: what must hold of a plan after any pass. It shares no code with the passes and the primitives.

Shape rules, aliasing rules and liveness are stated here a second time, from the meaning of the instructions.
It trusts nothing that a plan says about itself: it runs through the instructions with a table of what each slot
and each persistent array holds at that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.penalty import Decay, Penalty
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.product import Product
from dnnlang.primitives.running import Running
from dnnlang.primitives.stack import Slice, Stack
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.expression import DRAWS, Expr, topological, variables
from dnnlang.sizes import M, Size, at_least

MAX_FAULTS: Final = 20

SLOTTED: Final = frozenset((Role.ACTIVATION, Role.MASK, Role.DELTA))
PERSISTENT: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.STATE, Role.GRADIENT, Role.LOSS))
BACKWARD_RESULTS: Final = frozenset((Role.DELTA, Role.GRADIENT))
FORWARD_RESULTS: Final = frozenset((Role.ACTIVATION, Role.MASK, Role.LOSS))
UPDATE_RESULTS: Final = frozenset((Role.PARAMETER, Role.STATISTIC, Role.STATE, Role.GRADIENT))


def verify(plan: Plan) -> list[str]:
    """What is wrong with the plan, a sentence each; an empty list if nothing is. Finds at most MAX_FAULTS."""
    return _Check(plan).run()


class _Check:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
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
        declared = plan.architecture.parameters.values(), plan.architecture.statistics.values()
        for what, ours, values in zip(("parameter", "statistic"), declared, (plan.parameters, plan.statistics)):
            for each in ours:
                value = values.get(each.name)
                if value is None or value.shape != each.shape:
                    self._fault(f"the {what} {each.name} is missing, or not of the shape that the program gives it")

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
        laid_out, forward = self.laid_out, letter == "F"
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
        for problem in rule(instruction):
            self._fault(f"{letter}{at} ({instruction.outputs[0].name}): {problem}")
        if id(primitive) not in self.well_formed:
            self.well_formed.add(id(primitive))
            for problem in _expression(primitive):
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
        if value.shape[1] != columns or not _fits(value.shape[0], self.rows[slot]):
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


def _fits(rows: Size, room: Size) -> bool:
    if isinstance(rows, int) and isinstance(room, int):
        return rows <= room
    return at_least(room, rows)


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


# ---------------------------------------------------------------- shape rules, stated anew


def _product(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Product)
    epilogue = 0 if p.epilogue is None else len(p.epilogue.names) - 1
    if len(i.inputs) != 2 + p.bias + p.accumulate + epilogue:
        yield f"a product with {len(i.inputs)} operands"
        return
    left, right, out = i.inputs[0].shape, i.inputs[1].shape, i.outputs[0].shape
    rows, inner = (left[1], left[0]) if p.transpose_left else left
    middle, columns = (right[1], right[0]) if p.transpose_right else right
    if inner != middle:
        yield f"{i.inputs[0].name} and {i.inputs[1].name} cannot be multiplied: {inner} against {middle}"
    if out[0] != rows or out[1] != columns:
        yield f"the product is ({rows}, {columns}), not {out}"
    if p.bias and i.inputs[2].shape != (rows, 1):
        yield f"the bias {i.inputs[2].name} is {i.inputs[2].shape}"
    if p.mean != (inner == M):
        yield "the mean over samples is taken of a sum over something else, or left out"
    for value in i.inputs[2 + p.bias :]:
        if value.shape != out:
            yield f"{value.name} is {value.shape}, the product {out}"


def _same_shapes(i: Instruction) -> Iterator[str]:
    out = i.outputs[0].shape
    for value in i.inputs:
        if value.shape != out:
            yield f"{value.name} is {value.shape}, the result {out}"


def _map(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Map)
    if len(p.names) != len(i.inputs) or not i.inputs:
        yield f"an expression of {len(p.names)} variables has {len(i.inputs)} operands"
        return
    rows, columns = i.outputs[0].shape
    if not p.per_unit and (p.expr.per_unit or rows != 1):
        yield f"one number a column was expected, not {i.outputs[0].shape}"
    yield from _operands(p, i, rows if p.per_unit else None, columns)


def _mean(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, MeanOverSamples)
    if len(i.inputs) != len(p.names) + p.accumulate:
        yield f"a mean of {len(p.names)} variables has {len(i.inputs)} operands"
        return
    rows, columns = i.outputs[0].shape
    if columns != 1 or all(v.shape[1] != M for v in i.inputs):
        yield f"a mean over the samples gives {i.outputs[0].shape}"
    yield from _operands(p, i, rows, M)
    if p.accumulate and i.inputs[-1].shape != i.outputs[0].shape:
        yield f"it is added to {i.inputs[-1].shape}"


def _operands(p: Map | MeanOverSamples, i: Instruction, rows: Size | None, columns: Size) -> Iterator[str]:
    """Each is (rows, columns), or one number a column, or one column for all samples. Rows None: any, if all agree."""
    shared = _shared_by_units(p.expr)
    for name, value in zip(p.names, i.inputs, strict=False):
        k, m = value.shape
        if name in shared:
            fits = k == 1
        else:
            rows = k if rows is None else rows
            fits = k == rows
        if not fits or m not in (1, columns):
            yield f"{value.name} is {value.shape}, in columns of {rows} units and for {columns} samples"


@lru_cache(maxsize=1024)
def _shared_by_units(expr: Expr) -> frozenset[str | None]:
    """The variables that are one number for the whole column."""
    return frozenset(e.name for e in topological(expr) if e.op == "variable" and not e.per_unit)


def _running(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Running)
    if len(i.inputs) != 2 or i.inputs[0].role is not Role.STATISTIC:
        yield "a running average reads a statistic and what it follows"
    elif i.outputs[0].name != i.inputs[0].name:
        yield f"{i.inputs[0].name} becomes {i.outputs[0].name}"
    if not 0 <= p.momentum < 1:
        yield f"a momentum of {p.momentum}"
    yield from _same_shapes(i)


def _loss(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Loss)
    if len(i.inputs) != len(p.names) + p.accumulate:
        yield f"a loss of {len(p.names)} variables has {len(i.inputs)} operands"
        return
    shapes = {v.shape for v in i.inputs[: len(p.names)]}
    if len(shapes) > 1:
        yield "output and target have different shapes"
    if i.outputs[0].shape != (1, 1) or (p.accumulate and i.inputs[-1].role is not Role.LOSS):
        yield "J is not a number"


def _penalty(i: Instruction) -> Iterator[str]:
    if len(i.inputs) != 2 or i.inputs[0].role is not Role.PARAMETER or i.inputs[1].role is not Role.LOSS:
        yield "a penalty reads a parameter and J"
    if i.outputs[0].role is not Role.LOSS:
        yield "a penalty adds to J"


def _decay(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Decay)
    if len(i.inputs) != 1 + p.accumulate or i.inputs[0].role is not Role.PARAMETER:
        yield "a decay reads a parameter"
    yield from _same_shapes(i)


def _stack(i: Instruction) -> Iterator[str]:
    rows: Size = 0
    for value in i.inputs:
        rows = rows + value.shape[0]
        if value.shape[1] != i.outputs[0].shape[1]:
            yield f"{value.name} has {value.shape[1]} columns, the stack {i.outputs[0].shape[1]}"
    if rows != i.outputs[0].shape[0]:
        yield f"the parts have {rows} rows together, the stack {i.outputs[0].shape[0]}"


def _slice(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Slice)
    if len(i.inputs) != 1 + p.accumulate:
        yield f"a slice with {len(i.inputs)} operands"
        return
    rows, columns = i.inputs[0].shape
    if i.outputs[0].shape != (p.rows, columns):
        yield f"{p.rows} rows of {i.inputs[0].shape} are not {i.outputs[0].shape}"
    if not _fits(p.start + p.rows, rows) or not _fits(0, p.start):
        yield f"rows {p.start} to {p.start + p.rows} of {rows}"
    if p.accumulate and i.inputs[1].shape != i.outputs[0].shape:
        yield f"it is added to {i.inputs[1].shape}"


def _mask(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Mask)
    if i.inputs or i.outputs[0].shape != p.like or i.outputs[0].role is not Role.MASK:
        yield "not the mask of what it is for"
    if not 0 <= p.rate < 1:
        yield f"a rate of {p.rate}"


def _zeros(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Zeros)
    if i.inputs or i.outputs[0].shape != p.like:
        yield f"zeros of {p.like}, not {i.outputs[0].shape}"


def _clip(i: Instruction) -> Iterator[str]:
    if len(i.inputs) != len(i.outputs):
        yield f"{len(i.inputs)} gradients go in, {len(i.outputs)} come out"
    for before, after in zip(i.inputs, i.outputs, strict=False):
        if before.role is not Role.GRADIENT or before.name != after.name:
            yield f"{before.name} becomes {after.name}"


def _update(i: Instruction) -> Iterator[str]:
    p = i.primitive
    assert isinstance(p, Update)
    if len(i.inputs) != 2 + len(p.optimizer.state) or len(i.outputs) != 1 + len(p.optimizer.state):
        yield "the operands are not the parameter, its gradient and the optimizer's state"
        return
    parameter, gradient, *state = i.inputs
    if parameter.role is not Role.PARAMETER or gradient.name != f"d{parameter.name}":
        yield f"{parameter.name} is updated with {gradient.name}"
    for before, after in zip((parameter, *state), i.outputs, strict=True):
        if before.name != after.name:
            yield f"{before.name} becomes {after.name}"
    for name, value in zip(p.optimizer.state, state, strict=True):
        if value.name != f"{name}/{parameter.name}":
            yield f"{value.name} is not the {name} of {parameter.name}"
    yield from _same_shapes(i)


RULES: Final[dict[type, Callable[[Instruction], Iterator[str]]]] = {
    Product: _product,
    Map: _map,
    MeanOverSamples: _mean,
    Loss: _loss,
    Penalty: _penalty,
    Decay: _decay,
    Stack: _stack,
    Slice: _slice,
    Mask: _mask,
    Zeros: _zeros,
    Running: _running,
    Clip: _clip,
    Update: _update,
}


def _expression(primitive: Primitive) -> Iterator[str]:
    """Every variable of the expression is an operand, and nothing in it is random."""
    of = primitive.epilogue if isinstance(primitive, Product) else primitive
    if not isinstance(of, Map | MeanOverSamples | Loss):
        return
    missing = variables(of.expr) - set(of.names)
    if missing:
        yield f"nobody says what {', '.join(sorted(missing))} is"
    if of.expr.op in DRAWS:
        yield "an expression outside an initializer draws random numbers"
    if isinstance(of, Map) and isinstance(primitive, Product) and of.names[:1] != ("u",):
        yield "the epilogue does not begin with the product"
