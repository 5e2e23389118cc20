"""Plans for a memory budget: what is predicted is what they need, they fit, and they compute the same numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.errors import UsageError
from dnnlang.plan.alias import write_in_place
from dnnlang.plan.budget.amount import read_bytes
from dnnlang.plan.budget.chain import least_room
from dnnlang.plan.budget.emit import emit
from dnnlang.plan.budget.fit import TOO_SMALL, peak
from dnnlang.plan.budget.stages import Measure, cut
from dnnlang.plan.budget.steps import extra_work, total_work, writes_again
from dnnlang.plan.budget.undo import kept_again
from dnnlang.plan.ir import Options, Plan, Purpose
from dnnlang.plan.memory import lower_bound
from dnnlang.plan.passes import make_plan
from dnnlang.plan.slots import assign_slots
from dnnlang.plan.verify import verify
from dnnlang.program import BAD_ARGUMENT, BUDGET
from dnnlang.sizes import Maximum, evaluate
from tests.plan.test_budget_chain import replay, schedules
from tests.programs import ProgramSpec, programs

BATCH = 64
CHAINS = {
    "relu": "input 10; layer 30 relu; layer 20 relu; layer 25 relu; layer 2 sigmoid",
    "gelu": "input 10; layer 30 gelu; layer 20 swish; layer 3 softmax",
    "dropout": "input 10; layer 30 relu; dropout 0.5; layer 20 tanh; dropout 0.2; layer 3 softmax",
    "normalized": "input 10; layer 30; batchnorm; apply relu; layer 20; layernorm; layer 3 softmax",
    "residual": "input 10; layer 30 relu as a; layer 30; add from _, a; layer 20 relu as c; layer 20 tanh; "
    "add from _, c; layer 3 softmax",
    "shared": "input 10; layer 10 relu as a; layer 10 relu share=a; layer 10 relu share=a; layer 3 softmax\n"
    "train { optimizer adam; learning_rate 0.1; l2 0.1 }",
    "tied": "input 10; layer 30 relu as a; layer 10 relu tie=transpose(a); layer 8 sigmoid trainable=no; layer 3",
    "frozen": "input 10; layer 30 relu trainable=no; layer 20 gelu trainable=no; layer 25 gelu; layer 3 softmax",
}
OTHERS = {
    "long ways around": "input 64; layer 60 relu as a; layer 50 relu as b; layer 40 relu as c; layer 30 relu; "
    "layer 40 relu as e; add from e, c; layer 50 relu as g; add from g, b; layer 60 relu as i; add from i, a; "
    "layer 3 softmax",
    "two heads": "input 32; layer 60 gelu; layer 60 gelu; layer 60 gelu as z; layer 50 relu from z; "
    "layer 3 softmax as o1; layer 50 relu from z; layer 1 as o2\n"
    "output o1, o2; loss cross_entropy from o1; loss mse from o2 weight=0.5",
    "two in a row": "input 32; layer 60 gelu as z; layer 3 softmax as o1; layer 60 gelu from z; layer 60 relu; "
    "layer 1 as o2\noutput o1, o2; loss cross_entropy from o1; loss mse from o2 weight=0.5",
    "dense": "input 32; layer 30 relu as a; layer 30 relu; concat from a, _ as b; layer 30 relu; concat from b, _; "
    "layer 3 softmax",
}


def ordered(text: str, level: int, purpose: str) -> Plan:
    """The plan that the pass for a budget gets."""
    architecture = dnnlang.compile(text, optimize=level).architecture
    plan = make_plan(architecture, Purpose(purpose), level=level, training=True, after="order")
    return replace(plan, options=Options(memory_budget=1, batch=BATCH))


def alive(plan: Plan) -> int:
    """The lower bound of a plan, in bytes of slots."""
    bound = lower_bound(write_in_place(plan))
    return bound.evaluate({"m": BATCH}) if isinstance(bound, Maximum) else evaluate(bound, {"m": BATCH})


def least_bytes(program: dnnlang.Program, purpose: str = "gradients", batch: int = BATCH) -> int:
    """What the error for an impossible budget says."""
    with pytest.raises(UsageError) as caught:
        program.within(1, batch).plan(purpose)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.rule is TOO_SMALL
    assert diagnostic.help is not None
    return int(diagnostic.help.split("possible is ")[1].split(" bytes")[0].replace(",", ""))


# ---------------------------------------------------------------- the model of a plan


@pytest.mark.parametrize("purpose", ["gradients", "step"])
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("name", CHAINS)
def test_every_schedule_needs_what_is_predicted(name: str, level: int, purpose: str) -> None:
    """Also with the recomputation that other passes decided on undone. Chains of more than 4 stages are joined to 4."""
    as_kept = ordered(CHAINS[name], level, purpose)
    for plan in dict.fromkeys([as_kept, kept_again(as_kept, all_of_it=True), kept_again(as_kept, all_of_it=False)]):
        assert not verify(plan)
        sections = cut(plan, most=4)
        chain = Measure(plan, sections).chain()
        assert len(chain) >= 3 or plan is not as_kept
        for schedule in schedules(0, len(chain) - 1, end=True):
            made = emit(plan, sections, schedule)
            predicted, work = replay(chain, schedule)
            assert alive(made) == predicted
            assert total_work(made) == total_work(plan) + work or not same_forward(plan, made)
            assert not verify(assign_slots(write_in_place(made)))


def same_forward(plan: Plan, other: Plan) -> bool:
    """Not where a first run leaves out what a later run computes."""
    return all(a is b for a, b in zip(plan.forward, other.forward, strict=True))


@pytest.mark.parametrize("purpose", ["gradients", "step"])
@pytest.mark.parametrize("level", [1, 2])
def test_the_best_of_all_schedules_is_taken(level: int, purpose: str) -> None:
    """For every budget at which anything changes: no schedule that fits has less work than the plan."""
    plan = ordered(CHAINS["relu"], level, purpose)
    sections = cut(plan)
    chain = Measure(plan, sections).chain()
    every = [(*replay(chain, s), s) for s in schedules(0, len(chain) - 1, end=True)]
    least = min(needed for needed, _, _ in every)
    assert least == least_room(chain)
    program = dnnlang.compile(CHAINS["relu"], optimize=level)
    persistent = program.memory(BATCH, purpose=purpose).persistent
    assert isinstance(persistent, int)
    for room in sorted({needed for needed, _, _ in every}):
        made = program.within(persistent + room, BATCH).plan(purpose)
        best = min(work for needed, work, _ in every if needed <= room)
        assert total_work(made) == total_work(plan) + best


# ---------------------------------------------------------------- whole plans


@pytest.mark.parametrize("purpose", ["gradients", "step"])
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("text", [*CHAINS.values(), *OTHERS.values()], ids=[*CHAINS, *OTHERS])
def test_fits_and_says_so(text: str, level: int, purpose: str) -> None:
    program = dnnlang.compile(text, optimize=level)
    most = program.memory(BATCH, purpose=purpose).peak
    assert isinstance(most, int)
    least = least_bytes(program, purpose)
    for budget in (least, (least + most) // 2, most - 1):
        if budget < least:
            continue
        made = program.within(budget, BATCH)
        needed = made.memory(BATCH, purpose=purpose).peak
        assert isinstance(needed, int)
        assert needed <= budget
        listing = made.listing(purpose)
        assert dnnlang.read_plan(str(listing)) == listing
        name, line = listing.footer[-1]
        assert name == "budget"
        assert line.startswith(f"{budget:,} bytes at m = 64, {needed:,} needed: ")
        plan = made.plan(purpose)
        if any(writes_again(i) for i in plan.backward):
            assert f"{100 * extra_work(plan):.1f} % more work" in line
            assert "recomputed" in str(listing)
    with pytest.raises(UsageError):
        program.within(least - 1, BATCH).plan(purpose)


def test_a_plan_that_fits_stays_as_it_is() -> None:
    text = CHAINS["gelu"]
    free, bound = dnnlang.compile(text), dnnlang.compile(text, memory_budget="1MiB", batch=BATCH)
    listing = bound.listing()
    assert listing.footer[-1] == (
        "budget",
        f"1,048,576 bytes at m = 64, {peak(bound.plan()):,} needed: {listing.footer[-1][1].split(': ')[1]}",
    )
    assert replace(listing, footer=listing.footer[:-1]) == free.listing()


def test_numbers_count_as_large_as_they_are() -> None:
    """A budget is for the dtype that the network is loaded with."""
    program = dnnlang.compile(CHAINS["relu"])
    most = program.memory(BATCH).peak
    assert isinstance(most, int)
    made = program.within(most + 1000, BATCH)
    assert not any(writes_again(i) for i in made.plan().backward)
    with pytest.raises(UsageError) as caught:
        made.plan(dtype="float64")
    assert caught.value.diagnostics[0].rule is TOO_SMALL
    twice = program.within(2 * most - 1, BATCH).plan(dtype="float64")
    assert any(writes_again(i) for i in twice.backward)


def test_a_deep_net_takes_roots_of_it() -> None:
    """100 layers in a tenth of the slots, with less than twice the work."""
    program = dnnlang.compile("input 20; " + "layer 20 relu; " * 100 + "layer 2 softmax")
    needs = program.memory(BATCH)
    assert isinstance(needs.slots, int)
    assert isinstance(needs.persistent, int)
    plan = program.within(needs.persistent + needs.slots // 10, BATCH).plan()
    assert not verify(plan)
    assert peak(plan) <= needs.persistent + needs.slots // 10
    assert 0.1 < extra_work(plan) < 0.6


# ---------------------------------------------------------------- numbers


def data(program: dnnlang.Program, batch: int) -> tuple[object, object]:
    random = np.random.default_rng(1)
    architecture = program.architecture
    X = {name: random.normal(size=(architecture.nodes[name].units, batch)) for name in architecture.inputs}
    Y = {}
    for use in architecture.losses:
        units = architecture.nodes[use.node].units
        Y[use.target] = np.eye(units)[:, random.integers(0, units, batch)]
    return (X if len(X) > 1 else next(iter(X.values()))), (Y if len(Y) > 1 else next(iter(Y.values())))


def same_numbers(free: dnnlang.Program, bound: dnnlang.Program, purpose: str, batch: int) -> None:
    a, b = free.load(seed=3), bound.load(seed=3)
    X, Y = data(free, batch)
    for network in (a, b):
        network.standardize(X)
    if purpose == "gradients":
        expected, got = a.gradients(X, Y), b.gradients(X, Y)
    else:
        for _ in range(3):
            np.testing.assert_equal(a.step(X, Y), b.step(X, Y))
        expected, got = {**a.tensors, **a.state}, {**b.tensors, **b.state}
    assert expected.keys() == got.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


@pytest.mark.parametrize("purpose", ["gradients", "step"])
@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("text", [*CHAINS.values(), *OTHERS.values()], ids=[*CHAINS, *OTHERS])
def test_the_same_numbers(text: str, level: int, purpose: str) -> None:
    program = dnnlang.compile(text, optimize=level)
    same_numbers(program, program.within(least_bytes(program, purpose), BATCH), purpose, BATCH)


@given(programs(), st.integers(1, 2), st.sampled_from(["gradients", "step"]), st.floats(0, 1), st.integers(1, 40))
def test_random_programs(spec: ProgramSpec, level: int, purpose: str, share: float, batch: int) -> None:
    program = dnnlang.compile(spec.text, optimize=level)
    most = program.memory(batch, purpose=purpose).peak
    assert isinstance(most, int)
    least = least_bytes(program, purpose, batch)
    budget = int(least + share * (most - least))
    made = program.within(budget, batch)
    needed = made.memory(batch, purpose=purpose).peak
    assert isinstance(needed, int)
    assert needed <= budget
    same_numbers(program, made, purpose, batch)


# ---------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("64MiB", 64 * 2**20),
        ("1.5GiB", 3 * 2**29),
        ("512kB", 512_000),
        ("512 KB", 512_000),
        ("1TiB", 2**40),
        ("1234", 1234),
        ("1234 B", 1234),
        ("0.5KiB", 512),
        ("2mib", 2**21),
    ],
)
def test_amounts(text: str, amount: int) -> None:
    assert read_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1e9", "64 Mi", "1_000", "1,000", "64MiBs", "٣", "9" * 30])
def test_no_amounts(text: str) -> None:
    assert read_bytes(text) is None


@pytest.mark.parametrize(
    ("options", "rule", "words"),
    [
        ({"memory_budget": "64MiB"}, BUDGET, "nobody said how many"),
        ({"memory_budget": "64 Mo", "batch": 8}, BAD_ARGUMENT, "'64 Mo'"),
        ({"memory_budget": 0, "batch": 8}, BAD_ARGUMENT, "above 0"),
        ({"memory_budget": True, "batch": 8}, BAD_ARGUMENT, "above 0"),
        ({"memory_budget": 10**6, "batch": 0}, BAD_ARGUMENT, "at least 1"),
        ({"memory_budget": 10**6, "batch": 1.5}, BAD_ARGUMENT, "at least 1"),
        ({"batch": 8}, BUDGET, "without a memory budget"),
        ({"memory_budget": 10**6, "batch": 8, "optimize": 0}, BUDGET, "-O0"),
    ],
)
def test_what_cannot_be_asked_for(options: dict[str, object], rule: object, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        dnnlang.compile("input 3; layer 1 sigmoid", **options)
    assert caught.value.diagnostics[0].rule is rule
    assert words in caught.value.diagnostics[0].message


def test_open_sizes_have_no_budget_until_they_are_bound() -> None:
    program = dnnlang.compile("layer 5 relu; layer 1 sigmoid", memory_budget="1MiB", batch=8)
    with pytest.raises(UsageError) as caught:
        program.plan()
    assert caught.value.diagnostics[0].rule is BUDGET
    assert "n[0]" in caught.value.diagnostics[0].message
    bound = program.bind({"n[0]": 3})
    assert bound.options.memory_budget == 2**20
    assert bound.plan().options.batch == 8


def test_the_batch_of_the_training_settings() -> None:
    program = dnnlang.compile("input 3; layer 1 sigmoid\ntrain { batch 16 }", memory_budget=10**6)
    assert program.options.batch == 16


@pytest.mark.parametrize("purpose", ["gradients", "step"])
def test_an_output_of_a_merged_step_that_is_computed_again_goes(purpose: str) -> None:
    """A[2] leaves its step beside Z[2] only for the backward part, which then computes it again."""
    program = dnnlang.compile("input 8; layer 40 tanh; layer 40 gelu; dropout 0.5; layer 3 softmax")
    least = least_bytes(program, purpose, 64)
    assert not verify(program.within(least, 64).plan(purpose))
