"""What is kept at -O2: never more than at -O1, never a higher peak, and the least that is possible."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import dnnlang
from dnnlang.plan import keep as keeping
from dnnlang.plan import passes
from dnnlang.plan.ir import IN_SLOTS, Plan, Purpose
from dnnlang.plan.keep import Choice, keep_least, read_outputs
from dnnlang.plan.layout import SAMPLES
from dnnlang.plan.memory import Memory, cached_values, elements, memory
from dnnlang.plan.passes import make_plan
from dnnlang.plan.recompute import recomputes
from dnnlang.primitives import MeanOverSamples, Product
from dnnlang.primitives.values import Value
from dnnlang.sizes import evaluate
from tests.programs import ProgramSpec, programs

TRAINED = (Purpose.GRADIENTS, Purpose.STEP)
NEED_Z = ("gelu", "swish", "gelu_tanh", "square")
"""Activations with slopes that are not written in A alone."""


@st.composite
def with_slopes_in_z(draw: st.DrawFn, most: int = 8) -> str:
    """A random program, some of whose activations need Z."""
    spec: ProgramSpec = draw(programs(max_nodes=most))
    lines = spec.text.split("\n")
    for at, line in enumerate(lines):
        words = line.split(" ")
        place = {"layer": 2, "apply": 1}.get(words[0])
        if place is not None and words[place] != "linear" and draw(st.booleans()) and not _has_loss(spec, words):
            words[place] = draw(st.sampled_from(NEED_Z))
        lines[at] = " ".join(words)
    return "define activation square(z) = z * z\n" + "\n".join(lines)


def _has_loss(spec: ProgramSpec, words: list[str]) -> bool:
    return words[words.index("as") + 1] in {node for _, node, _ in spec.losses}


def compiled(text: str, purpose: Purpose, level: int = 2, after: str | None = None) -> Plan:
    return make_plan(dnnlang.compile(text).architecture, purpose, level=level, training=True, after=after)


def needs(plan: Plan) -> Memory:
    return memory(plan).at(SAMPLES)


@given(text=with_slopes_in_z(), purpose=st.sampled_from(TRAINED))
def test_it_keeps_no_more_than_at_level_1_and_the_peak_is_no_higher(text: str, purpose: Purpose) -> None:
    least = compiled(text, purpose)
    with patch.object(passes, "PASSES", _with_keep(read_outputs)):
        outputs = compiled(text, purpose)
    assert needs(least).cache <= needs(compiled(text, purpose, level=1)).cache
    assert needs(least).cache <= needs(outputs).cache
    assert needs(least).lower_bound <= needs(outputs).lower_bound


def _with_keep(run: Callable[[Plan], Plan]) -> tuple[passes.Pass, ...]:
    return tuple(passes.Pass(p.name, run, p.levels, p.purposes) if p.name == "keep" else p for p in passes.PASSES)


@given(text=with_slopes_in_z(), purpose=st.sampled_from(TRAINED))
def test_only_cheap_steps_are_recomputed(text: str, purpose: Purpose) -> None:
    for instruction in compiled(text, purpose, after="keep").backward:
        assert not recomputes(instruction) or not isinstance(instruction.primitive, Product | MeanOverSamples)


@given(text=with_slopes_in_z(), m=st.integers(1, 5))
def test_the_gradients_are_those_of_the_lesson(text: str, m: int) -> None:
    found = []
    for level in (0, 2):
        program = dnnlang.compile(text, optimize=level)
        network = program.load(dtype="float64", seed=1)
        for name in program.architecture.statistics:
            network.tensors[name][...] = 0.5
        plan, rng = program.plan("gradients"), np.random.default_rng(2)
        X = {name: rng.normal(size=(int(v.shape[0]), m)) for name, v in plan.inputs.items()}
        Y = {name: np.full((int(v.shape[0]), m), 1 / int(v.shape[0])) for name, v in plan.targets.items()}
        found.append({name: np.array(g) for name, g in network.gradients(X, Y).items()})
    for name, gradient in found[0].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=1e-9, atol=1e-12, err_msg=name)


# ---------------------------------------------------------------- against all subsets


def bytes_of(values: frozenset[Value] | list[Value]) -> int:
    return 4 * evaluate(elements(values), {"m": SAMPLES})


def ways_to_read(before: Plan, level_1: Plan) -> list[list[frozenset[Value]]]:
    """For each instruction of the backward part what it reads: of a slope in either form."""
    ways = [[frozenset(i.inputs)] for i in before.updates]
    for in_z, in_a in zip(before.backward, level_1.backward, strict=True):
        ways.append([frozenset(in_z.inputs), frozenset(in_a.inputs)])
    return ways


def suffices(plan: Plan, kept: frozenset[Value], ways: list[list[frozenset[Value]]]) -> bool:
    """Can everything that is read be had from what is kept, by cheap steps?"""
    unknown = set()
    for i in plan.forward:
        expensive = isinstance(i.primitive, Product | MeanOverSamples)
        if i.output.role in IN_SLOTS and i.output not in kept and (expensive or not unknown.isdisjoint(i.inputs)):
            unknown.add(i.output)
    return all(any(unknown.isdisjoint(way) for way in either) for either in ways)


@given(text=with_slopes_in_z(most=3), purpose=st.sampled_from(TRAINED))
@example(text="input 2 as x\nlayer 3 relu as h\nconcat from h, x\nlayer 1 sigmoid", purpose=Purpose.GRADIENTS)
@example(text="input 2\nlayer 3 gelu\nlayernorm\ndropout 0.5\nlayer 1 sigmoid", purpose=Purpose.STEP)
def test_it_keeps_the_least_of_all_subsets(text: str, purpose: Purpose) -> None:
    """All that lies in slots may be kept, computed again, or left; the peak is another matter."""
    before = compiled(text, purpose, after="copies")
    values = [v for i in before.forward for v in i.outputs if v.role in IN_SLOTS]
    assume(len(values) <= 11)
    ways = ways_to_read(before, read_outputs(before))
    subsets = (frozenset(c) for count in range(len(values) + 1) for c in combinations(values, count))
    least = min(bytes_of(kept) for kept in subsets if suffices(before, kept, ways))
    pieces = Choice(before).pieces()
    assert bytes_of([v for piece in pieces for v in piece.kept]) == least
    with patch.object(keeping, "_alive_above", lambda plan, highest: set()):
        made = keep_least(before)
    read_later = {v for i in (*made.backward, *made.updates) for v in i.inputs}
    assert bytes_of([v for v in values if v in read_later]) == least


# ---------------------------------------------------------------- examples


def kept_by(text: str, level: int = 2) -> dict[str, str]:
    plan = compiled(text, Purpose.GRADIENTS, level=level)
    return {v.name: str(4 * elements([v])) for v in cached_values(plan)}


@pytest.mark.parametrize(
    ("activation", "kept"),
    [("relu", "A[1]"), ("tanh", "A[1]"), ("gelu", "Z[1]"), ("swish", "Z[1]"), ("sigmoid", "A[1]")],
)
def test_of_z_and_a_one_is_kept(activation: str, kept: str) -> None:
    found = kept_by(f"input 3\nlayer 5 {activation}\nlayer 1 sigmoid")
    assert found == {kept: "20*m", "A[2]": "4*m"}


def test_a_normalised_layer_keeps_its_input_and_what_was_measured() -> None:
    program = "input 3\nlayer 5 bias=none\nbatchnorm as bn\napply relu\nlayer 1 sigmoid"
    assert kept_by(program) == {"A[1]": "20*m", "mu[bn]": "20", "var[bn]": "20", "A[2]": "4*m"}


def test_a_mask_is_one_bit_an_entry_and_then_nothing() -> None:
    program = "input 3\nlayer 40 relu\ndropout 0.5 as drop\nlayer 1 sigmoid"
    assert kept_by(program, 0)["mask[drop]"] == "160*m"
    assert kept_by(program, 1)["mask[drop]"] == "8*m"
    assert kept_by(program) == {"A[1]": "160*m", "A[2]": "4*m"}


def test_an_open_size_counts_as_the_reference() -> None:
    """n[0] is taken for 64, m too: one column of sums is less than what they are sums of."""
    assert kept_by("layernorm as ln\nlayer 2 softmax") == {"A[1]": "8*m"}


def test_a_long_network_is_decided_layer_by_layer() -> None:
    plan = compiled("input 3\nrepeat 2000 { layer 4 gelu }\nlayer 1 sigmoid", Purpose.GRADIENTS, after="keep")
    assert sum(recomputes(i) for i in plan.backward) == 2000
