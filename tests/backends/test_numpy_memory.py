"""`network.memory()` is the truth: what NumPy allocates is counted, and is what was said before."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import dnnlang
from dnnlang.backends.numpy.backend import NumPy
from dnnlang.network import Network
from dnnlang.plan.ir import Purpose
from dnnlang.program import Program
from tests.exploring import examples
from tests.programs import ProgramSpec, programs

Data = dict[str, NDArray[Any]]

EXAMPLES = sorted(p for p in (Path(__file__).parents[2] / "examples").glob("*.dnn") if p.stem != "cats")
MOMENTARY = 2**20
"""Bytes that NumPy may take for a moment, for pieces of arrays."""

OPERATIONS = {
    "relu": "layer 6 relu\nlayer 3 softmax",
    "gelu": "layer 6 gelu\nlayer 3 softmax",
    "smooth": "layer 6 mish\nlayer 4 swish\nlayer 6 selu\nlayer 3 softmax",
    "log_softmax": "layer 6 log_softmax\nlayer 3 softmax\nloss kl_divergence",
    "whole columns": "layer 6 tops\nlayer 3 softmax\ndefine activation tops(z) = max(z) * z + min(z) / (1 + sum(z^2))",
    "where": "layer 6 steep\nlayer 1\nloss huber\ndefine activation steep(z) = where(z > 0, z * z, exp(z) - 1)",
    "dropout": "layer 12 relu\ndropout 0.5\nlayer 9 tanh\ndropout 0.1\nlayer 3 softmax",
    "normal": "standardize\nlayer 6\nbatchnorm\napply relu\nlayer 6\nlayernorm\napply tanh\nlayer 3 softmax",
    "twice standardized": "standardize\nstandardize\nlayer 3 softmax",
    "joined": "layer 5 tanh as a\nlayer 5\nmultiply from a, _\nadd from a, _\nconcat from a, _\nlayer 1 sigmoid",
    "penalty": "layer 6 relu l2=0.1\nlayer 3 softmax\ntrain { l2 0.5; clip_norm 1; optimizer momentum }",
    "adamw": "layer 6 relu\nlayer 3 softmax\ntrain { optimizer adamw }",
}


def drawn(program: Program, m: int, dtype: str) -> tuple[Data, Data]:
    """X and Y by name, of the right dtype, so that nothing has to be converted."""
    rng = np.random.default_rng(0)
    a = program.architecture
    X = {name: rng.normal(size=(a.nodes[name].units, m)).astype(dtype) for name in a.inputs}
    Y = {}
    for use in a.losses:
        units = a.nodes[use.node].units
        Y[use.target] = np.zeros((units, m), dtype)
        Y[use.target][rng.integers(units, size=m), np.arange(m)] = 1
    return X, Y


def arrays_made(run: Callable[[], object]) -> int:
    """Bytes of arrays that are there after `run` and were not before."""
    tracemalloc.start()
    try:
        result = run()
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    arrays = tracemalloc.DomainFilter(inclusive=True, domain=np.lib.tracemalloc_domain)
    del result
    return sum(trace.size for trace in snapshot.filter_traces([arrays]).traces)


def run_once(network: Network, purpose: str, X: Data, Y: Data) -> None:
    if purpose == "inference":
        network.loss(X, Y)
    elif purpose == "gradients":
        network.gradients(X, Y)
    else:
        network.step(X, Y)


def assert_truth(program: Program, purpose: str, m: int, dtype: str) -> None:
    X, Y = drawn(program, m, dtype)

    def run() -> Network:
        network = program.load(dtype=dtype)
        if not network.fitted:
            network.standardize(X)
        run_once(network, purpose, X, Y)
        return network

    said = run().memory(m, purpose=purpose).peak  # modules that make arrays for themselves are imported now
    assert arrays_made(run) == said


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("purpose", ["inference", "gradients", "step"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples(path: Path, purpose: str, level: int) -> None:
    program = dnnlang.compile_file(path, optimize=level)
    if "n[0]" in program.symbols:
        program = program.bind({"n[0]": 3})
    assert_truth(program, purpose, 13, "float32")


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str, level: int) -> None:
    program = dnnlang.compile(f"input 5\n{OPERATIONS[name]}", optimize=level)
    for purpose, m, dtype in (("step", 5000, "float32"), ("gradients", 33, "float64"), ("inference", 5000, "float32")):
        assert_truth(program, purpose, m, dtype)


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("purpose", [Purpose.INFERENCE, Purpose.STEP])
def test_an_executable_goes_with_its_last_user(purpose: Purpose, name: str, level: int) -> None:
    """It does not wait for the garbage collector, and its arrays with it: nothing in it leads back to it."""
    program = dnnlang.compile(f"input 5\n{OPERATIONS[name]}", optimize=level)
    network = program.load()
    plan = program.plan(purpose)
    persistent = {**network.tensors, **network.state}
    persistent |= {value.name: network.tensors[of] for of, value in plan.gradients.items()}
    executable = NumPy(np.dtype("float32"), 0).executable(plan, 7, persistent)
    executable.place(np.empty(executable.arena_bytes(), np.uint8))
    there = weakref.ref(executable)
    gc.disable()
    try:
        del executable
        assert there() is None
    finally:
        gc.enable()


@given(programs(), st.integers(0, 2), st.integers(1, 40), st.sampled_from(["float32", "float64"]))
@settings(max_examples=examples(25))
def test_random_programs(spec: ProgramSpec, level: int, m: int, dtype: str) -> None:
    program = dnnlang.compile(spec.text, optimize=level)
    for purpose in ("inference", "gradients", "step"):
        assert_truth(program, purpose, m, dtype)


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_that_grows_with_m_is_hidden(name: str, level: int) -> None:
    """What is allocated for a moment during a step is no more for a larger m."""
    program = dnnlang.compile(f"input 5\n{OPERATIONS[name]}", optimize=level)
    few, many = 17_000, 117_000
    assert hidden(program, many) - hidden(program, few) < many - few  # not one byte a sample


def hidden(program: Program, m: int) -> int:
    """The most bytes allocated during a step, X and Y and all that is counted being there."""
    network = program.load()
    X, Y = drawn(program, m, "float32")
    if not network.fitted:
        network.standardize(X)
    network.step(X, Y)
    tracemalloc.start()
    network.step(X, Y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def test_a_larger_batch_takes_the_place_of_the_smaller_one() -> None:
    program = dnnlang.compile("input 5\nlayer 40 tanh\nlayer 3 softmax")
    network = program.load()
    X, Y = drawn(program, 20_000, "float32")
    network.memory(20_000)
    tracemalloc.start()
    for m in (1_000, 5_000, 10_000, 20_000):
        network.step({"X": X["X"][:, :m].copy()}, {"Y": Y["Y"][:, :m].copy()})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    copies = X["X"].nbytes + Y["Y"].nbytes
    assert most < network.memory(20_000).peak + copies + MOMENTARY
