"""Forward values computed again in the backward part: the same numbers, and nothing that the verifier lets pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.backends.numpy.execute import Executable
from dnnlang.errors import InternalError
from dnnlang.plan.alias import write_in_place
from dnnlang.plan.dead import drop_dead_code
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.plan.passes import make_plan
from dnnlang.plan.recompute import RECOMPUTED, recompute, recomputes
from dnnlang.plan.slots import assign_slots
from dnnlang.plan.text import listing
from dnnlang.plan.verify import verify
from dnnlang.primitives.values import Value
from tests.programs import ProgramSpec, programs


def plan_of(text: str, purpose: Purpose = Purpose.STEP) -> Plan:
    return make_plan(dnnlang.compile(text).architecture, purpose, level=1, training=True, after="order")


def candidates(plan: Plan) -> list[Value]:
    return [i.output for i in plan.forward if i.output.role in RECOMPUTED]


def gradients(plan: Plan, tensors: dict[str, np.ndarray], m: int) -> dict[str, np.ndarray]:
    """Each dW and db, and running statistics, after one run."""
    plan = assign_slots(write_in_place(plan))
    assert verify(plan) == []
    arrays = {name: array.copy() for name, array in tensors.items()}
    for gradient in plan.gradients.values():
        arrays[gradient.name] = np.zeros([int(n) for n in gradient.shape])
    executable = Executable(plan, m, "float64", arrays, seed=5)
    executable.place(np.empty(executable.arena_bytes(), np.uint8))
    rng = np.random.default_rng(3)
    X = {name: rng.normal(size=(int(v.shape[0]), m)) for name, v in plan.inputs.items()}
    Y = {name: np.full((int(v.shape[0]), m), 0.25) for name, v in plan.targets.items()}
    executable.gradients(X, Y, step=2)
    return arrays


@given(spec=programs(max_nodes=5), data=st.data(), m=st.integers(1, 5))
def test_whatever_is_computed_again_the_numbers_are_the_same(spec: ProgramSpec, data: st.DataObject, m: int) -> None:
    plan = plan_of(spec.text, Purpose.GRADIENTS)
    again = data.draw(st.sets(st.sampled_from(candidates(plan)))) if candidates(plan) else set()
    made = drop_dead_code(recompute(plan, again))
    assert verify(made) == []
    read = {v for i in (*made.backward, *made.updates) for v in i.inputs}
    assert read.isdisjoint(again)
    network = dnnlang.compile(spec.text).load(dtype="float64", seed=1)
    expected, found = (gradients(p, network.tensors, m) for p in (plan, made))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


PROGRAM = "input 3\nlayer 4 tanh\nlayer 5 gelu\ndropout 0.5 as drop\nlayer 4 gelu\nlayer 1 sigmoid"


def again(*names: str) -> Plan:
    plan = plan_of(PROGRAM)
    return recompute(plan, [v for v in candidates(plan) if v.name in names])


def written_again(plan: Plan) -> list[str]:
    return [f"{i.output.name}/{i.output.version}" for i in plan.backward if recomputes(i)]


def test_operands_are_computed_again_first_and_each_just_before_it_is_read() -> None:
    plan = again("Z[2]", "A[2]", "drop", "mask[drop]")
    assert written_again(plan) == ["Z[2]/1", "A[2]/1", "mask[drop]/1", "drop/1"]
    names = [i.output.name for i in plan.backward]
    assert names[names.index("drop") + 1] == "dW[3]"


def test_one_that_is_read_late_is_computed_late() -> None:
    names = [i.output.name for i in again("A[1]").backward]
    assert names[names.index("A[1]") + 1] == "dW[2]"


def test_what_is_computed_again_may_stand_on_more_of_it() -> None:
    plan = again("drop")
    later = recompute(plan, [v for v in candidates(plan) if v.name == "A[2]"])
    assert (written_again(plan), written_again(later)) == (["drop/1"], ["A[2]/1", "drop/1"])
    assert verify(later) == []


def test_the_listing_says_so() -> None:
    rows = [row for _, part in listing(again("A[3]")).sections for row in part]
    assert [row.formula for row in rows if row.note == "recomputed"] == ["A[3] = gelu(Z[3])"]


def test_only_what_the_forward_part_writes() -> None:
    plan = plan_of(PROGRAM)
    with pytest.raises(InternalError, match="to recompute"):
        recompute(plan, [plan.backward[0].output])


# ---------------------------------------------------------------- what the verifier finds


def changed(plan: Plan, name: str, change: Callable[[Instruction], Instruction]) -> Plan:
    """With another instruction in the place of the one that writes `name` again; its readers read what that writes."""
    at = next(n for n, i in enumerate(plan.backward) if recomputes(i) and i.output.name == name)
    old = plan.backward[at]
    new = change(old)
    rewired = dict(zip(old.outputs, new.outputs, strict=True))
    after = [replace(i, inputs=tuple(rewired.get(v, v) for v in i.inputs)) for i in plan.backward[at + 1 :]]
    return replace(plan, backward=(*plan.backward[:at], new, *after))


def value_of(plan: Plan, name: str) -> Value:
    return next(i.output for i in plan.forward if i.output.name == name)


def with_output(i: Instruction, **fields: object) -> Instruction:
    return replace(i, outputs=(replace(i.output, **fields),))


PLAN = again("Z[2]", "A[2]", "drop", "mask[drop]")

CORRUPTIONS = {
    "another operand": lambda p: changed(p, "A[2]", lambda i: replace(i, inputs=(value_of(p, "A[2]"),))),
    "another activation": lambda p: changed(
        p, "A[2]", lambda i: replace(i, primitive=next(f for f in p.forward if f.output.name == "A[1]").primitive)
    ),
    "another name": lambda p: changed(p, "A[2]", lambda i: with_output(i, name="A[9]")),
    "the same version": lambda p: changed(p, "A[2]", lambda i: with_output(i, version=0)),
    "another shape": lambda p: changed(p, "A[2]", lambda i: with_output(i, shape=(6, i.output.shape[1]))),
    "bits in place of numbers": lambda p: changed(p, "mask[drop]", lambda i: with_output(i, packed=False)),
    "another mask": lambda p: changed(p, "mask[drop]", lambda i: replace(i, primitive=replace(i.primitive, node=7))),
    "an operand left out": lambda p: changed(p, "drop", lambda i: replace(i, inputs=i.inputs[:1])),
    "another parameter": lambda p: changed(
        p, "Z[2]", lambda i: replace(i, inputs=(replace(i.inputs[0], version=1), *i.inputs[1:]))
    ),
}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=list(CORRUPTIONS))
def test_corruption_is_found(corrupt: Callable[[Plan], Plan]) -> None:
    assert verify(PLAN) == []
    assert verify(corrupt(PLAN)) != []


def test_a_product_after_the_update_of_its_weights_is_found() -> None:
    """Computed again from the new W[2] it would be another number."""
    at = next(n for n, i in enumerate(PLAN.updates) if i.output.name == "W[2]")
    early = PLAN.updates[at]
    plan = replace(PLAN, backward=(early, *PLAN.backward), updates=(*PLAN.updates[:at], *PLAN.updates[at + 1 :]))
    assert any("W[2]" in str(fault) for fault in verify(plan))
