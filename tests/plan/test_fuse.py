"""Merged steps: what they may overwrite, which updates join them, and that --keep-gradients leaves all gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan.fuse import MOST
from dnnlang.plan.ir import Instruction, Options, Plan, Purpose, overwritable, parts
from dnnlang.plan.passes import make_plan
from dnnlang.plan.text import listing
from dnnlang.primitives import Fused, Loss, Map, MeanOverSamples, Member, Product, Update
from dnnlang.primitives.fused import fused
from dnnlang.primitives.values import Role
from dnnlang.scalar.expression import apply, variable
from tests.programs import ProgramSpec, programs

STEPS = sorted((Path(__file__).parent / "merged_updates").glob("*.dnn"))


def plan_of(text: str, purpose: Purpose = Purpose.STEP, *, level: int = 2, keep_gradients: bool = False) -> Plan:
    options = Options(keep_gradients=keep_gradients)
    return make_plan(dnnlang.compile(text).architecture, purpose, level=level, training=True, options=options)


def writer(plan: Plan, name: str) -> Instruction:
    return next(i for i in plan.instructions for v in (*i.inner, *i.outputs) if v.name == name)


@pytest.mark.parametrize("path", STEPS, ids=lambda p: p.stem)
def test_updates_with_their_gradients(path: Path, golden: Callable[[Path, str], None]) -> None:
    program = dnnlang.compile_file(path)
    plan = make_plan(program.architecture, Purpose.STEP, level=2, training=True, after="fuse")
    golden(path.with_suffix(".plan"), str(listing(plan)) + "\n")


# ---------------------------------------------------------------- the record


SUM = Map(apply("add", variable("a"), variable("b")), ("a", "b"))


def test_an_output_may_overwrite_what_is_read_entry_by_entry() -> None:
    product, then = Member(Product(transpose_left=True), (0, 1), (3,)), Member(SUM, (3, 2), (4,))
    assert fused((product, then), 3, 1).overwrites == ((2,),)


def test_an_output_does_not_overwrite_what_a_later_member_reads() -> None:
    first, second = Member(SUM, (0, 1), (2,)), Member(SUM, (2, 1), (3,))
    assert fused((first, second), 2, 0).overwrites == ((0,), (0, 1))


def test_an_output_does_not_overwrite_what_a_product_reads_beside() -> None:
    product, then = Member(Product(), (0, 1), (2,)), Member(SUM, (2, 1), (3,))
    assert fused((product, then), 2, 1).overwrites == ((),)


def test_alike_steps_share_one_record() -> None:
    plan = plan_of("repeat 20 { layer 5 relu }\nlayer 1 sigmoid\n")
    merged = [i.primitive for i in plan.instructions if isinstance(i.primitive, Fused)]
    assert len(merged) == 62
    assert len({id(p) for p in merged}) <= 6


# ---------------------------------------------------------------- what is merged


def test_the_old_weights_are_read_before_they_are_updated() -> None:
    plan = plan_of("input 3; layer 5 relu; layer 4 relu; layer 1 sigmoid")
    names = [[v.name for v in (*i.inner, *i.outputs)] for i in plan.backward]
    delta = next(at for at, written in enumerate(names) if "dZ[1]" in written)
    update = next(at for at, written in enumerate(names) if "W[2]" in written)
    assert delta < update
    assert not plan.gradients
    assert not plan.updates


@given(spec=programs())
def test_updates_join_unless_something_else_needs_the_gradient(spec: ProgramSpec) -> None:
    plan = plan_of(spec.text)
    joined = [p for i in plan.backward for p in parts(i) if isinstance(p.primitive, Update)]
    left = [i for i in plan.updates if isinstance(i.primitive, Update)]
    trained = sum(p.trainable for p in plan.architecture.parameters.values())
    assert len(joined) + len(left) == trained
    assert bool(left) == (spec.clip_norm is not None and trained > 0)
    read = {v for i in plan.instructions for v in i.inputs}
    for name, gradient in plan.gradients.items():  # an array, because an earlier contribution lies in it
        assert spec.clip_norm is not None or gradient.version > 0, name
        assert gradient.role is Role.GRADIENT
    for instruction in plan.instructions:
        assert read.isdisjoint(instruction.inner)


@given(spec=programs())
def test_gradients_are_kept_on_demand(spec: ProgramSpec) -> None:
    plan = plan_of(spec.text, keep_gradients=True)
    trained = {p.name for p in plan.architecture.parameters.values() if p.trainable}
    assert plan.gradients.keys() == trained
    assert not any(isinstance(p.primitive, Update) for i in plan.backward for p in parts(i))
    assert plan_of(spec.text, Purpose.GRADIENTS).gradients.keys() == trained


@given(spec=programs())
def test_each_activation_stands_in_the_step_of_its_product(spec: ProgramSpec) -> None:
    plan = plan_of(spec.text, Purpose.GRADIENTS)
    maker = {v: i for i in plan.forward for p in parts(i) for v in p.outputs}
    primitive = {v: p.primitive for i in plan.forward for p in parts(i) for v in p.outputs}
    for instruction in plan.forward:
        for part in parts(instruction):
            if isinstance(part.primitive, Map) and part.primitive.activation is not None:
                z = part.inputs[0]
                if isinstance(primitive.get(z), Product):
                    assert maker[z] is instruction
            if isinstance(part.primitive, Loss) and not part.primitive.accumulate:
                made = [v for v in part.inputs if isinstance(primitive.get(v), Product | Map)]
                assert not made or instruction in [maker[v] for v in made]


def test_db_joins_dw() -> None:
    step = writer(plan_of("input 3; layer 5 relu; layer 1 sigmoid", Purpose.GRADIENTS), "dW[1]")
    assert [type(m.primitive) for m in step.primitive.members] == [Product, MeanOverSamples]
    assert [v.name for v in step.outputs] == ["dW[1]", "db[1]"]


def test_long_chains_are_cut() -> None:
    plan = plan_of("input 2\nlayer 2\n" + "apply relu\n" * 50 + "layer 1 sigmoid\n", Purpose.INFERENCE)
    longest = max(len(parts(i)) for i in plan.instructions)
    assert longest == MOST


def test_masks_are_drawn_where_they_are_used() -> None:
    plan = plan_of("input 3; layer 5 relu; dropout 0.5; layer 1 sigmoid", Purpose.GRADIENTS)
    masks = [v for i in plan.instructions for p in parts(i) for v in p.outputs if v.role is Role.MASK]
    assert masks
    for mask in masks:
        readers = sum(mask in p.inputs for i in plan.instructions for p in parts(i))
        assert (mask in plan.places) == (readers > 1)


@pytest.mark.parametrize("level", [0, 1])
def test_nothing_is_merged_below_the_second_level(level: int) -> None:
    plan = plan_of("layer 2; layer 1 sigmoid", level=level)
    assert not any(isinstance(i.primitive, Fused) for i in plan.instructions)


# ---------------------------------------------------------------- running them


def test_a_merged_step_may_overwrite_its_own_operand() -> None:
    """dZ[1] = W[2]ᵀ dZ[2] ∘ (A[1] > 0) in the place of A[1]: the product must not be written there first."""
    program = dnnlang.compile("input 3; layer 5 relu; layer 1 sigmoid")
    plan = program.plan("gradients")
    step = writer(plan, "dZ[1]")
    over = plan.aliases[step.output]
    assert over.name == "A[1]"
    assert step.inputs.index(over) in overwritable(step, 0)


@given(seed=st.integers(0, 2**20))
def test_trace_shows_what_lies_within_steps(seed: int) -> None:
    network = dnnlang.compile("input 3; layer 5 relu; layer 4 tanh; layer 1 sigmoid").load(dtype="float64", seed=seed)
    X = np.random.default_rng(seed).normal(size=(3, 4))
    seen = {name: array for name, array, _ in network.trace(X)}
    assert list(seen) == ["Z[1]", "A[1]", "Z[2]", "A[2]", "Z[3]", "A[3]"]
    for l in (1, 2):  # noqa: E741 - the lesson's name
        before = X if l == 1 else seen["A[1]"]
        W, b = network.parameters[f"W[{l}]"], network.parameters[f"b[{l}]"]
        assert np.allclose(seen[f"Z[{l}]"], W @ before + b)
    assert np.allclose(seen["A[1]"], np.maximum(seen["Z[1]"], 0))
    assert np.array_equal(network.forward(X), seen["A[3]"])


def test_formulas_of_merged_steps_read_like_the_lesson() -> None:
    text = "input 3; layer 5 relu; layer 1 sigmoid; train { optimizer sgd; l2 0.1 }"
    program = dnnlang.compile(text)
    assert program.forward[0].formula == "A[1] = relu(W[1] X + b[1])"
    assert program.backward[1].lines[0].formula == "dW[2] = 1/m dZ[2] A[1]ᵀ + 0.1/m W[2]"
    assert "dZ[1] = W[2]ᵀ dZ[2] ∘ (A[1] > 0)" in [step.formula for step in program.backward]
    step = str(program.listing("step"))
    assert "W[1] = W[1] - α (1/m dZ[1] Xᵀ + 0.1/m W[1])" in step
    assert "b[1] = b[1] - α (1/m Σ dZ[1])" in step
    assert dnnlang.read_plan(step) == program.listing("step")


def test_reasons_are_those_of_the_members() -> None:
    kept = {s.value: s.why for s in dnnlang.compile("input 3; layer 5 relu; layer 1 sigmoid").cache}
    assert kept == {"A[1]": "dW[2] in B2, relu' in B3", "A[2]": "B1"}
