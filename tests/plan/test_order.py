"""The order of instructions never needs more room than the one given, and needs less where that is free."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

import dnnlang
from dnnlang.plan.alias import write_in_place
from dnnlang.plan.ir import Plan, Purpose
from dnnlang.plan.memory import live_bytes
from dnnlang.plan.order import loss_first, order_instructions
from dnnlang.plan.passes import PASSES, make_plan
from dnnlang.plan.verify import verify
from tests.programs import ProgramSpec, programs

TWO_HEADS = """
input 4 as x
layer 8 tanh as trunk
layer 30 relu from trunk as left
layer 1 sigmoid as a
layer 40 relu from trunk as right
layer 2 softmax as b
output a, b
loss binary_cross_entropy from a
loss cross_entropy from b
"""


def unordered(text: str, purpose: Purpose, level: int) -> Plan:
    plan = make_plan(dnnlang.compile(text).architecture, purpose, level=level, training=True)
    names = [p.name for p in PASSES if level in p.levels and purpose in p.purposes and p.name in plan.passes]
    before = names[names.index("order") - 1]
    return make_plan(dnnlang.compile(text).architecture, purpose, level=level, training=True, after=before)


def live(plan: Plan) -> int:
    return live_bytes(write_in_place(plan))


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize("level", [1, 2])
@given(spec=programs(max_nodes=12, most_units=9))
def test_no_order_is_worse_than_the_one_given(purpose: Purpose, level: int, spec: ProgramSpec) -> None:
    plan = loss_first(unordered(spec.text, purpose, level))
    ordered = order_instructions(plan)
    assert live(ordered) <= live(plan)
    assert set(ordered.instructions) == set(plan.instructions)
    assert verify(ordered) == []
    if live(ordered) == live(plan):
        assert ordered.instructions == plan.instructions


def test_gradients_of_one_head_come_before_those_of_the_other_take_room() -> None:
    plan = loss_first(unordered(TWO_HEADS, Purpose.GRADIENTS, 1))
    assert live(order_instructions(plan)) < live(plan)


def test_a_bad_order_is_put_right() -> None:
    """All products with Wᵀ first, and all dW last, keeps every dZ alive."""
    plan = loss_first(unordered("input 3\nlayer 8 relu\nlayer 8 relu\nlayer 8 relu\nlayer 1", Purpose.GRADIENTS, 1))
    late = [i for i in plan.backward if i.output.name.startswith(("dW", "db"))]
    bad = replace(plan, backward=tuple([i for i in plan.backward if i not in late] + late))
    assert live(bad) > live(plan)
    assert live(order_instructions(bad)) <= live(plan)
