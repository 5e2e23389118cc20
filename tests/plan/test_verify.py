"""The verifier finds nothing wrong with what the passes make, and something in each of these corruptions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.errors import InternalError
from dnnlang.plan import passes
from dnnlang.plan.ir import Instruction, Plan, Purpose, Slot
from dnnlang.plan.layout import starts
from dnnlang.plan.passes import make_plan
from dnnlang.plan.verify import faults, verify
from dnnlang.primitives import Map, Product
from dnnlang.primitives.update import Clip
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.expression import apply, variable
from dnnlang.sizes import M
from tests.programs import ProgramSpec, programs

PROGRAM = """
input 3 as x
layer 5 relu as h
dropout 0.5
layer 5 tanh
add from h, _
concat from _, x
layer 1 sigmoid
train { l2 0.1; clip_norm 1; optimizer momentum }
"""


def plan_of(purpose: Purpose = Purpose.STEP, level: int = 1) -> Plan:
    return make_plan(dnnlang.compile(PROGRAM).architecture, purpose, level=level, training=True)


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("level", [0, 1, 2])
@given(spec=programs())
def test_plans_of_random_programs_are_right_after_every_pass(purpose: Purpose, level: int, spec: ProgramSpec) -> None:
    """make_plan raises InternalError where the verifier complains."""
    plan = make_plan(dnnlang.compile(spec.text).architecture, purpose, level=level, training=True)
    assert verify(plan) == []


def find(instructions: tuple[Instruction, ...], name: str, version: int = 0) -> int:
    return next(n for n, i in enumerate(instructions) if (i.output.name, i.output.version) == (name, version))


def changed(instructions: tuple[Instruction, ...], at: int, **fields: object) -> tuple[Instruction, ...]:
    return (*instructions[:at], replace(instructions[at], **fields), *instructions[at + 1 :])


def without(instructions: tuple[Instruction, ...], at: int) -> tuple[Instruction, ...]:
    return instructions[:at] + instructions[at + 1 :]


def operands_swapped(plan: Plan) -> Plan:
    at = find(plan.forward, "Z[1]")
    W, X, b = plan.forward[at].inputs
    return replace(plan, forward=changed(plan.forward, at, inputs=(X, W, b)))


def forward_step_dropped(plan: Plan) -> Plan:
    return replace(plan, forward=without(plan.forward, find(plan.forward, "A[2]")))


def contribution_dropped(plan: Plan) -> Plan:
    return replace(plan, backward=without(plan.backward, find(plan.backward, "dW[1]")))


def order_reversed(plan: Plan) -> Plan:
    return replace(plan, backward=tuple(reversed(plan.backward)))


def shape_changed(plan: Plan) -> Plan:
    at = find(plan.forward, "Z[1]")
    old = plan.forward[at].output
    new = Value(old.name, (old.shape[0] + 1, old.shape[1]), old.role)
    forward = tuple(
        replace(
            i,
            inputs=tuple(new if v is old else v for v in i.inputs),
            outputs=tuple(new if v is old else v for v in i.outputs),
        )
        for i in plan.forward
    )
    places = {new if v is old else v: slot for v, slot in plan.places.items()}
    return replace(plan, forward=forward, places=places)


def two_live_values_in_one_slot(plan: Plan) -> Plan:
    kept = plan.forward[find(plan.forward, "A[1]")].output
    other = plan.forward[find(plan.forward, "Z[2]")].output
    return replace(plan, places={**plan.places, other: plan.places[kept]})


def product_over_its_own_operand(plan: Plan) -> Plan:
    at = find(plan.forward, "Z[2]")
    source = plan.forward[at].inputs[1]
    return replace(plan, places={**plan.places, plan.forward[at].output: plan.places[source]})


def slot_too_small(plan: Plan) -> Plan:
    slots = tuple(Slot(s.number, 1, s.per_sample) for s in plan.slots)
    return replace(plan, slots=slots)


def slot_missing(plan: Plan) -> Plan:
    return replace(plan, slots=plan.slots[:-1])


def no_slot_given(plan: Plan) -> Plan:
    value = plan.forward[find(plan.forward, "Z[2]")].output
    return replace(plan, places={v: slot for v, slot in plan.places.items() if v is not value})


def written_twice(plan: Plan) -> Plan:
    return replace(plan, forward=(plan.forward[0], *plan.forward))


def gradient_of_another(plan: Plan) -> Plan:
    gradients = {**plan.gradients, "W[1]": plan.gradients["W[2]"]}
    return replace(plan, gradients=gradients)


def gradient_left_out(plan: Plan) -> Plan:
    return replace(plan, gradients={n: g for n, g in plan.gradients.items() if n != "b[1]"})


def gradient_before_the_penalty(plan: Plan) -> Plan:
    first = plan.backward[find(plan.backward, "dW[1]")].output
    return replace(plan, gradients={**plan.gradients, "W[1]": first}, updates=())


def sum_restarted(plan: Plan) -> Plan:
    """The penalty's share replaces dW[1] instead of adding to it."""
    at = find(plan.backward, "dW[1]", 1)
    W = plan.backward[at].inputs[0]
    primitive = replace(plan.backward[at].primitive, accumulate=False)
    return replace(plan, backward=changed(plan.backward, at, primitive=primitive, inputs=(W,)))


def mean_forgotten(plan: Plan) -> Plan:
    at = find(plan.backward, "dW[2]")
    primitive = replace(plan.backward[at].primitive, mean=False)
    return replace(plan, backward=changed(plan.backward, at, primitive=primitive))


def mean_of_weights(plan: Plan) -> Plan:
    at = find(plan.backward, "db[2]")
    return replace(plan, backward=changed(plan.backward, at, inputs=(plan.parameters["W[2]"],)))


def free_variable(plan: Plan) -> Plan:
    at = find(plan.forward, "A[2]")
    primitive = Map(apply("add", variable("z"), variable("q")), ("z",))
    return replace(plan, forward=changed(plan.forward, at, primitive=primitive))


def update_before_the_gradient(plan: Plan) -> Plan:
    """dA[1] = W[2]ᵀ dZ[2] must see the old W[2]."""
    last = next(n for n, i in enumerate(plan.updates) if i.output.name == "W[2]")
    early = plan.updates[last]
    backward = (*plan.backward, early)
    return replace(plan, backward=backward, updates=without(plan.updates, last))


def update_with_the_wrong_gradient(plan: Plan) -> Plan:
    at = next(n for n, i in enumerate(plan.updates) if i.output.name == "W[1]")
    W, _, v = plan.updates[at].inputs
    return replace(plan, updates=changed(plan.updates, at, inputs=(W, plan.gradients["W[2]"], v)))


def parameter_not_updated(plan: Plan) -> Plan:
    return replace(plan, updates=plan.updates[:-1])


def backward_in_the_forward_part(plan: Plan) -> Plan:
    return replace(plan, forward=(*plan.forward, plan.backward[0]), backward=plan.backward[1:])


def output_overwritten(plan: Plan) -> Plan:
    """A value written after the output takes its slot before the forward part ends."""
    out = next(iter(plan.outputs.values()))
    like = plan.forward[find(plan.forward, "Z[3]")].inputs[0]
    late = Value("late", out.shape, Role.ACTIVATION)
    copy = Instruction(Map(variable("z"), ("z",)), (out,), (late,), None)
    assert like.role is Role.PARAMETER
    return replace(plan, forward=(*plan.forward, copy), places={**plan.places, late: plan.places[out]})


def accumulator_missing(plan: Plan) -> Plan:
    at = find(plan.backward, "dW[2]")
    primitive = replace(plan.backward[at].primitive, accumulate=True)
    return replace(plan, backward=changed(plan.backward, at, primitive=primitive))


def rate_of_a_mask_wrong(plan: Plan) -> Plan:
    at = next(n for n, i in enumerate(plan.forward) if i.output.role is Role.MASK)
    primitive = replace(plan.forward[at].primitive, rate=Fraction(1))
    return replace(plan, forward=changed(plan.forward, at, primitive=primitive))


def part_of_a_stack_missing(plan: Plan) -> Plan:
    at = find(plan.forward, "concat[1]")
    return replace(plan, forward=changed(plan.forward, at, inputs=plan.forward[at].inputs[:1]))


def transpose_forgotten(plan: Plan) -> Plan:
    at = next(n for n, i in enumerate(plan.backward) if isinstance(i.primitive, Product) and i.primitive.transpose_left)
    primitive = replace(plan.backward[at].primitive, transpose_left=False)
    return replace(plan, backward=changed(plan.backward, at, primitive=primitive))


def slot_apart_by_its_size_only(plan: Plan) -> Plan:
    """The topmost slot on one at the bottom that is as high as all between them: padding may move either end."""
    top = plan.slots[-1]
    offsets, end = starts(plan.slots, {s.number: s.rows for s in plan.slots if isinstance(s.rows, int)})
    support = Slot(len(plan.slots) + 1, offsets[top.number], True)
    assert offsets[top.number] + top.rows == end
    return replace(plan, slots=(*plan.slots[:-1], replace(top, on=(support.number,)), support))


def read_by_nobody(plan: Plan) -> Plan:
    at = find(plan.forward, "A[1]")
    value = plan.forward[at].output
    spare = Value("spare", value.shape, Role.ACTIVATION)
    extra = Instruction(Map(variable("z"), ("z",)), (value,), (spare,), None)
    slot = Slot(len(plan.slots) + 1, value.shape[0], True)
    forward = (*plan.forward[: at + 1], extra, *plan.forward[at + 1 :])
    return replace(plan, forward=forward, slots=(*plan.slots, slot), places={**plan.places, spare: slot.number})


CORRUPTIONS = [
    operands_swapped,
    forward_step_dropped,
    contribution_dropped,
    order_reversed,
    shape_changed,
    two_live_values_in_one_slot,
    product_over_its_own_operand,
    slot_too_small,
    slot_missing,
    no_slot_given,
    written_twice,
    gradient_of_another,
    gradient_left_out,
    gradient_before_the_penalty,
    sum_restarted,
    mean_forgotten,
    mean_of_weights,
    free_variable,
    update_before_the_gradient,
    update_with_the_wrong_gradient,
    parameter_not_updated,
    backward_in_the_forward_part,
    output_overwritten,
    accumulator_missing,
    rate_of_a_mask_wrong,
    part_of_a_stack_missing,
    transpose_forgotten,
    slot_apart_by_its_size_only,
    read_by_nobody,
]


@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=lambda f: f.__name__)
def test_corruption_is_found(corrupt: Callable[[Plan], Plan]) -> None:
    plan = plan_of()
    assert verify(plan) == []
    assert verify(corrupt(plan)) != []


def output_from_the_target(plan: Plan) -> Plan:
    at = find(plan.forward, "A[3]")
    assert isinstance(plan.forward[at].primitive, Map)
    [target] = plan.targets.values()
    return replace(plan, forward=changed(plan.forward, at, inputs=(target,)))


def output_from_the_loss(plan: Plan) -> Plan:
    last = plan.forward[-1].output
    assert last is plan.loss
    late = Instruction(
        Map(variable("z"), ("z",), per_unit=False), (last,), (Value("late", (1, M), Role.ACTIVATION),), None
    )
    return replace(plan, forward=(*plan.forward, late))


def output_is_the_target(plan: Plan) -> Plan:
    [name] = plan.outputs
    [target] = plan.targets.values()
    return replace(plan, outputs={name: target})


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (output_from_the_target, "A[3] is computed from Y, a target, and is no loss"),
        (output_from_the_loss, "late is computed from J, a loss, and is no loss"),
        (output_is_the_target, "the output of layer[3] is Y, a target"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_outputs_need_no_target(corrupt: Callable[[Plan], Plan], message: str, purpose: Purpose) -> None:
    """Who uses a network has none."""
    plan = plan_of(purpose)
    assert faults(plan, finished=True) == []
    assert message in [fault.message for fault in faults(corrupt(plan), finished=True)]


def one_dropped(plan: Plan, data: st.DataObject) -> Plan:
    """The plan without one of its instructions."""
    part = data.draw(st.sampled_from(["forward", "backward", "updates"]))
    at = data.draw(st.integers(0, len(getattr(plan, part)) - 1))
    return replace(plan, **{part: without(getattr(plan, part), at)})


@given(data=st.data(), level=st.sampled_from([0, 1, 2]))
def test_a_dropped_instruction_is_always_found(data: st.DataObject, level: int) -> None:
    assert verify(one_dropped(plan_of(level=level), data)) != []


def test_a_wrong_pass_is_an_internal_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tuple(
        replace(p, run=lambda plan: forward_step_dropped(plan)) if p.name == "order" else p for p in passes.PASSES
    )
    monkeypatch.setattr(passes, "PASSES", broken)
    with pytest.raises(InternalError, match="after the pass `order`"):
        plan_of()


def test_a_gradient_is_not_read_as_it_was_before_it_changed() -> None:
    """An update with the gradient before it was clipped."""
    plan = plan_of()
    clip = plan.updates[0]
    assert isinstance(clip.primitive, Clip)
    update = plan.updates[1]
    before = clip.inputs[clip.outputs.index(update.inputs[1])]
    inputs = (update.inputs[0], before, *update.inputs[2:])
    found = verify(replace(plan, updates=changed(plan.updates, 1, inputs=inputs)))
    assert f"U2 reads {before.name} as it was before it changed" in found


def test_what_nobody_reads_is_found() -> None:
    """From dead code on: before, plans may hold what turns out to be needless."""
    architecture = dnnlang.compile(PROGRAM).architecture
    for after, found in (("keep", []), ("dead code", ["spare is written, and nobody reads it"])):
        plan = make_plan(architecture, Purpose.GRADIENTS, level=1, training=True, after=after)
        at = find(plan.forward, "Z[1]")
        spare = Value("spare", plan.forward[at].output.shape, Role.ACTIVATION)
        twice = replace(plan.forward[at], outputs=(spare,))
        assert verify(replace(plan, forward=(*plan.forward, twice))) == found


def test_the_verifier_calls_nothing_that_it_verifies() -> None:
    """Records of primitives are data; their functions, and the passes', are not used."""
    folder = Path(passes.__file__).parent
    names = ("verify.py", "verify_slots.py", "instruction_rules.py", "overwrite_rules.py", "recomputed_rules.py")
    source = "".join((folder / name).read_text(encoding="utf-8") for name in names)
    for name in (".shape(", ".derivative(", ".overwritable(", "last_uses", "plan.passes import", "plan.slots import"):
        assert name not in source
