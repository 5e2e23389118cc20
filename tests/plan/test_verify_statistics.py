"""The verifier on plans with statistics, and with values that all samples or all units share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan.ir import Instruction, Plan, Purpose
from dnnlang.plan.passes import make_plan
from dnnlang.plan.verify import verify
from dnnlang.primitives import Map, Running
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.expression import variable
from tests.plan.test_verify import changed, find, one_dropped, without

PROGRAM = """
input 3 as x
standardize
layer 5 as h
batchnorm as bn
apply relu
add from h, _
layernorm as ln
layer 1 sigmoid
train { optimizer momentum }
"""


def plan_of(purpose: Purpose = Purpose.STEP, level: int = 1, *, training: bool = True) -> Plan:
    return make_plan(dnnlang.compile(PROGRAM).architecture, purpose, level=level, training=training)


def not_followed(plan: Plan) -> Plan:
    return replace(plan, updates=without(plan.updates, find(plan.updates, "running_mean[bn]", 1)))


def followed_by_another(plan: Plan) -> Plan:
    at = find(plan.updates, "running_mean[bn]", 1)
    _, new = plan.updates[at].inputs
    return replace(plan, updates=changed(plan.updates, at, inputs=(plan.statistics["running_variance[bn]"], new)))


def momentum_of_one(plan: Plan) -> Plan:
    at = find(plan.updates, "running_mean[bn]", 1)
    return replace(plan, updates=changed(plan.updates, at, primitive=Running(plan.architecture.settings.seed + 1)))


def fitted_statistic_changed(plan: Plan) -> Plan:
    mean = plan.statistics["mean[standardize[1]]"]
    after = Value(mean.name, mean.shape, Role.STATISTIC, 1)
    late = Instruction(Map(variable("z"), ("z",)), (mean,), (after,), None)
    return replace(plan, updates=(*plan.updates, late))


def statistic_missing(plan: Plan) -> Plan:
    return replace(plan, statistics={n: v for n, v in plan.statistics.items() if n != "running_mean[bn]"})


def followed_in_inference(plan: Plan) -> Plan:
    inference = plan_of(Purpose.INFERENCE)
    mu = inference.forward[find(inference.forward, "mu[bn]")].output
    running = inference.statistics["running_mean[bn]"]
    after = Value(running.name, running.shape, Role.STATISTIC, 1)
    late = Instruction(Running(plan.updates[0].primitive.momentum), (running, mu), (after,), None)
    return replace(inference, updates=(late,))


def mean_that_is_not_over_samples(plan: Plan) -> Plan:
    at = find(plan.forward, "mu[bn]")
    return replace(plan, forward=changed(plan.forward, at, inputs=(plan.parameters["gamma[bn]"],)))


def unit_for_column(plan: Plan) -> Plan:
    """var of the layer norm, one number a sample, where that of the batch belongs."""
    at = find(plan.forward, "bn")
    wrong = plan.forward[find(plan.forward, "mu[ln]")].output
    inputs = tuple(wrong if v.name == "mu[bn]" else v for v in plan.forward[at].inputs)
    return replace(plan, forward=changed(plan.forward, at, inputs=inputs))


def column_for_unit(plan: Plan) -> Plan:
    at = find(plan.forward, "ln")
    wrong = plan.forward[find(plan.forward, "mu[bn]")].output
    inputs = tuple(wrong if v.name == "mu[ln]" else v for v in plan.forward[at].inputs)
    return replace(plan, forward=changed(plan.forward, at, inputs=inputs))


def every_unit_asked_for(plan: Plan) -> Plan:
    """(1, m) was to come out, and the expression gives one number a unit."""
    at = find(plan.forward, "mu[ln]")
    return replace(plan, forward=changed(plan.forward, at, primitive=Map(variable("z"), ("z",), per_unit=False)))


def gradient_of_all_samples_kept_apart(plan: Plan) -> Plan:
    """dbeta = dbn, without the mean over the samples."""
    at = find(plan.backward, "dbeta[bn]")
    return replace(plan, backward=changed(plan.backward, at, primitive=Map(variable("z"), ("z",))))


CORRUPTIONS = [
    not_followed,
    followed_by_another,
    momentum_of_one,
    fitted_statistic_changed,
    statistic_missing,
    followed_in_inference,
    mean_that_is_not_over_samples,
    unit_for_column,
    column_for_unit,
    every_unit_asked_for,
    gradient_of_all_samples_kept_apart,
]


@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=lambda f: f.__name__)
def test_corruption_is_found(corrupt: Callable[[Plan], Plan]) -> None:
    plan = plan_of()
    assert verify(plan) == []
    assert verify(corrupt(plan)) != []


@given(data=st.data(), level=st.sampled_from([0, 1, 2]))
def test_a_dropped_instruction_is_always_found(data: st.DataObject, level: int) -> None:
    assert verify(one_dropped(plan_of(level=level), data)) != []


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("purpose", list(Purpose))
def test_statistics_follow_in_training_only(purpose: Purpose, training: bool) -> None:
    plan = plan_of(purpose, training=training)
    changed = {i.output.name for i in plan.updates if i.output.role is Role.STATISTIC}
    follow = training and purpose is not Purpose.INFERENCE
    assert changed == ({"running_mean[bn]", "running_variance[bn]"} if follow else set())
    read = {v.name for i in plan.forward for v in i.inputs if v.role is Role.STATISTIC}
    own = set() if training else {"running_mean[bn]", "running_variance[bn]"}
    assert read == own | {"mean[standardize[1]]", "deviation[standardize[1]]"}
