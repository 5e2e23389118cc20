"""The native backend computes what the numpy backend does: over random programs, and where sizes are special."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnlang
from dnnlang.backends.native.pace import Pace
from dnnlang.backends.native.products import CHUNK
from dnnlang.backends.native.toolchain import available
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.values import Role
from tests.backends.native.comparing import (
    Case,
    assert_alike,
    assert_same,
    assert_same_gradients,
    assert_same_steps,
    bits,
    both,
    data_for,
    everything,
    loaded,
    named,
)
from tests.exploring import examples
from tests.plan.test_budget import least_bytes
from tests.programs import OPTIMIZERS, ProgramSpec, programs

pytestmark = [
    pytest.mark.skipif(not available(), reason="no C compiler"),
    pytest.mark.usefixtures("compiled_in_a_hurry"),
]

Threads = Callable[[int], None]

DTYPES = ("float32", "float64")
CASES = st.builds(
    Case,
    programs(most_units=9),
    level=st.integers(0, 2),
    m=st.sampled_from([1, 2, 5, 7, 16, 17, 33, 100]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**20),
    keep_gradients=st.booleans(),
)


# ---------------------------------------------------------------- random programs


@given(case=CASES)
@settings(max_examples=examples(8))
def test_random_programs(case: Case) -> None:
    assert_same(case)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_many_random_programs(threads: int, on_threads: Threads) -> None:
    on_threads(threads)

    @given(case=CASES)
    @settings(max_examples=examples(100))
    def run(case: Case) -> None:
        assert_same(case)

    run()


@pytest.mark.slow
@given(
    spec=programs(),
    level=st.integers(1, 2),
    share=st.floats(0, 1),
    m=st.integers(1, 40),
    dtype=st.sampled_from(DTYPES),
)
@settings(max_examples=examples(60))
def test_random_programs_within_a_budget(spec: ProgramSpec, level: int, share: float, m: int, dtype: str) -> None:
    assert_same_within_budget(dnnlang.compile(spec.text, optimize=level), m, share, dtype)


def assert_same_within_budget(program: dnnlang.Program, m: int, share: float, dtype: str) -> None:
    """`share` is how much of the room that could be saved is left."""
    needed = program.memory(m, purpose="step", dtype=dtype).peak
    least = least_bytes(program, "step", m) * (1 if dtype == "float32" else 2)
    assert isinstance(needed, int)
    bound = program.within(int(least + share * max(0, needed - least)), m)
    X, Y = data_for(program, m)
    assert_same_steps(*both(bound, dtype), X, Y, dtype, steps=2)


# ---------------------------------------------------------------- kinds of programs


MOMENTUM = "\ntrain { optimizer momentum }"
"""Not adam, the default, whose steps are of one size however small the gradient is."""

PROGRAMS = {
    "plain": "input 5; layer 9 relu; layer 6 tanh; layer 3 softmax" + MOMENTUM,
    "one unit": "input 1; layer 1 tanh; layer 1 sigmoid" + MOMENTUM,
    "wide": "input 40; layer 70 relu; layer 33 gelu; layer 17 softmax" + MOMENTUM,
    "shared": "input 4 as x; layer 4 tanh as a; layer 4 relu as b share=a; layer 4 linear tie=transpose(a); layer 2"
    + MOMENTUM,
    "several": "input 3 as p; input 4 as q; layer 5 relu from p as a; layer 5 tanh from q as b; add from a, b\n"
    "layer 3 softmax as s; layer 1 sigmoid from a as t; output s, t; loss cross_entropy from s\n"
    "loss binary_cross_entropy from t weight=0.25" + MOMENTUM,
    "frozen": "input 4; layer 6 tanh trainable=no; layer 5 relu bias=none; layer 1\n"
    "train { optimizer sgd; l2 0.5; clip_norm 0.25 }",
    "penalties": "input 4; layer 6 tanh l2=0.5; layer 5 relu l2=0; layer 1; train { l2 0.25; optimizer momentum }",
    "dropout": "input 5; layer 37 tanh; dropout 0.3; layer 40 relu; dropout 0.5; layer 2 softmax" + MOMENTUM,
    "normal": "input 5; layer 6; batchnorm; apply relu; layer 7; layernorm; apply tanh; layer 3 softmax" + MOMENTUM,
    "standard": "input 5; standardize; layer 6 tanh; layer 3 softmax; train { optimizer adam }",
    "joined": "input 5; layer 5 tanh as a; layer 5; multiply from a, _; add from a, _; concat from a, _; layer 1"
    + MOMENTUM,
    "columns": "input 5; layer 6 tops; layer 5 rest; layer 1\n"
    "define activation tops(z) = max(z) * z + min(z) / (1 + sum(z^2)) - mean(z)\n"
    "define activation rest(z) = z - log(sum(exp(z)))" + MOMENTUM,
    "of no loss": "input 3 as x; layer 4 tanh as a; layer 2 from x as b; output a, b; loss mse from b" + MOMENTUM,
    "few outputs": "input 30; layer 20 relu; layer 4 relu; layer 2 relu; layer 1" + MOMENTUM,
}


KINDS = [(2, "float32"), (1, "float64"), (0, "float32")]
"""Levels and dtypes, by turns."""


@pytest.mark.parametrize(("name", "kind"), [(name, KINDS[n % 3]) for n, name in enumerate(PROGRAMS)])
def test_programs(name: str, kind: tuple[int, str]) -> None:
    assert_same_program(name, *kind)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_at_every_level(name: str, level: int, dtype: str) -> None:
    assert_same_program(name, level, dtype)


def assert_same_program(name: str, level: int, dtype: str) -> None:
    program = dnnlang.compile(PROGRAMS[name], optimize=level)
    numpy, native = both(program, dtype)
    for m in (1, 17, 40):
        X, Y = data_for(program, m)
        assert_same_gradients(numpy, native, X, Y, dtype)
        for training in (False, True):
            expected, got = (named(n.forward(X, training=training)) for n in (numpy, native))
            assert_alike(got, expected, dtype, f"m={m}")
    assert_same_steps(numpy, native, *data_for(program, 33), dtype)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer(optimizer: str) -> None:
    for dtype in DTYPES[1:] if "(" in optimizer else DTYPES:
        text = f"input 5; layer 9 tanh; layer 3 softmax; train {{ optimizer {optimizer} }}"
        program = dnnlang.compile(text)
        assert_same_steps(*both(program, dtype), *data_for(program, 21), dtype, steps=4)


ACTIVATIONS = """linear relu leaky_relu elu selu celu gelu gelu_tanh silu swish mish softplus softsign sigmoid
hard_sigmoid hard_swish tanh hard_tanh softmax log_softmax sin""".split()
LOSSES = "binary_cross_entropy mse mae huber log_cosh hinge poisson".split()
OF_DISTRIBUTIONS = ("cross_entropy", "kl_divergence")


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_activation(dtype: str) -> None:
    lines = [f"layer 5 {a} from x as {a}_layer" for a in ACTIVATIONS]
    text = "\n".join(["input 4 as x", *lines, f"concat from {', '.join(f'{a}_layer' for a in ACTIVATIONS)}", "layer 1"])
    program = dnnlang.compile(text)
    numpy, native = both(program, dtype)
    for scale in (1, 30):  # where exponentials saturate, too
        X, Y = data_for(program, 37)
        X = {name: array * scale for name, array in X.items()}
        assert_same_gradients(numpy, native, X, Y, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_loss(dtype: str) -> None:
    lines = [f"layer 3 sigmoid from x as {a}_layer; loss {a} from {a}_layer" for a in LOSSES]
    lines += [f"layer 3 softmax from x as {a}_layer; loss {a} from {a}_layer" for a in OF_DISTRIBUTIONS]
    program = dnnlang.compile("\n".join(["input 4 as x", *lines]))
    numpy, native = both(program, dtype)
    for m in (1, 40):
        X, Y = data_for(program, m)
        assert_same_gradients(numpy, native, X, Y, dtype)
        assert native.loss(X, Y) == pytest.approx(numpy.loss(X, Y), rel=1e-6 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("share", [0, 0.5])
def test_within_a_budget(share: float) -> None:
    text = "input 8; layer 40 tanh; layer 40 gelu; layer 40 sigmoid; layer 40 relu; layer 3 softmax"
    assert_same_within_budget(dnnlang.compile(text), 64, share, "float64")


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("text", [PROGRAMS["plain"], PROGRAMS["few outputs"]], ids=["plain", "few outputs"])
def test_any_number_of_samples(text: str, dtype: str) -> None:
    """Around the width of a vector, of a tile, and of sums that are made in parts."""
    program = dnnlang.compile(text)
    numpy, native = both(program, dtype)
    for m in (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 48, 49, 63, 64, 65, 255, 256, CHUNK, CHUNK + 1, 2 * CHUNK + 77):
        X, Y = data_for(program, m)
        expected, got = (named(n.forward(X)) for n in (numpy, native))
        assert_alike(got, expected, dtype, f"m={m}")
        assert_alike(native.gradients(X, Y), numpy.gradients(X, Y), dtype, f"m={m}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", [CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_long_sums(inputs: int, dtype: str) -> None:
    program = dnnlang.compile(
        f"input {inputs}; layer 19 tanh; layer {inputs - 2} tanh; layer 7 relu; layer 1{MOMENTUM}"
    )
    numpy, native = both(program, dtype)
    for m in (1, 37):
        assert_same_steps(numpy, native, *data_for(program, m), dtype, steps=1)


@pytest.mark.parametrize("units", [1, 2, 4, 5, 7, 8, 9, 16, 17, 23, 33, 48, 65])
def test_any_number_of_units(units: int) -> None:
    program = dnnlang.compile(f"input {units}; layer {units} tanh; layer {units + 1} sigmoid; layer {units}{MOMENTUM}")
    assert_same_steps(*both(program, "float32"), *data_for(program, 19), "float32", steps=1)


# ---------------------------------------------------------------- threads


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_number_of_threads_gives_the_same_bits(threads: int, on_threads: Threads) -> None:
    on_threads(threads)
    for name in ("wide", "dropout", "normal"):
        program = dnnlang.compile(PROGRAMS[name])
        for m in (1, 100):
            X, Y = data_for(program, m)
            first, second = (loaded(program, "native", "float32", 5) for _ in range(2))
            assert everything(first, X, Y) == everything(second, X, Y), name
            assert first._runner.known(program.plan("step"), m).threads == threads


def test_who_does_the_blocks_does_not_matter(on_threads: Threads) -> None:
    """The same network, made for three threads, trained on one, two and three."""
    on_threads(3)
    text = "input 40; layer 70 relu; dropout 0.2; layer 33 gelu; layer 17 softmax\n"
    program = dnnlang.compile(text + "train { optimizer adam; clip_norm 0.1; l2 0.01 }")
    X, Y = data_for(program, 300)
    found = []
    for threads in (1, 2, 3):
        network = loaded(program, "native", "float32", 5)
        network.step(X, Y)
        network._runner.known(program.plan("step"), 300)._pace = Pace((threads,))
        losses = network.train(X, Y, 20)
        found.append((losses.tobytes(), *(W.tobytes() for W in network.parameters.values())))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("threads", "names"), [(2, tuple(PROGRAMS)), (3, ("wide", "normal", "frozen"))])
def test_threads(threads: int, names: tuple[str, ...], on_threads: Threads) -> None:
    on_threads(threads)
    for name in names:
        program = dnnlang.compile(PROGRAMS[name])
        numpy, native = both(program, "float64")
        for m in (1, 70):
            assert_same_steps(numpy, native, *data_for(program, m), "float64", steps=2)


def test_small_work_is_done_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNNLANG_THREADS", "4")
    program = dnnlang.compile("input 1000; layer 1000 relu; layer 1")
    native = program.load(backend="native")
    used = []
    for m in (1, 512):
        native.gradients(*data_for(program, m))
        used.append(native._runner.known(program.plan("gradients"), m).threads)
    assert used[0] <= used[1] <= 4
    small = dnnlang.compile(PROGRAMS["plain"])
    native = small.load(backend="native")
    native.gradients(*data_for(small, 5))
    assert native._runner.known(small.plan("gradients"), 5).threads == 1 < used[1]


# ---------------------------------------------------------------- random masks


@pytest.mark.parametrize("level", [0, 1, 2])
def test_masks_have_the_same_bits(level: int) -> None:
    """A dropped unit of a linear layer is exactly 0, of all others none is."""
    program = dnnlang.compile("input 3; layer 37; dropout 0.3", optimize=level)
    for dtype in DTYPES:
        numpy, native = both(program, dtype, seed=2**40 + 3)
        for m in (1, 41):
            X, _ = data_for(program, m)
            for steps in (0, 1, 2**31):
                numpy.steps = native.steps = steps
                expected, got = (np.equal(n.forward(X, training=True), 0) for n in (numpy, native))
                np.testing.assert_array_equal(got, expected)
                assert 0 < expected.mean() < 1


def test_the_mask_that_backward_reads_is_that_of_forward() -> None:
    program = dnnlang.compile(PROGRAMS["dropout"], optimize=0)
    masks = [i.outputs[0] for i in program.plan("gradients").forward if isinstance(i.primitive, Mask)]
    X, Y = data_for(program, 41)
    numpy, native = both(program, "float32")
    found = []
    for network in (numpy, native):
        network.gradients(X, Y)
        executable = network._runner.known(program.plan("gradients"), 41)
        found.append(bits(np.array(executable.array(mask)) for mask in masks))
    assert len(found[0]) == 2
    assert found[0] == found[1]


def test_the_extreme_seeds() -> None:
    program = dnnlang.compile("input 3; layer 37; dropout 0.5")
    X, _ = data_for(program, 9)
    for seed in (0, 2**32, 2**63 - 1):
        numpy, native = (program.load(backend=b, seed=seed) for b in ("numpy", "native"))
        np.testing.assert_array_equal(native.forward(X, training=True) == 0, numpy.forward(X, training=True) == 0)


# ---------------------------------------------------------------- arrays


def test_any_layout_of_x_gives_the_same_bits() -> None:
    program = dnnlang.compile(PROGRAMS["plain"])
    X, Y = (next(iter(d.values())).astype(np.float32) for d in data_for(program, 33))
    wide = np.zeros((5, 66), np.float32)
    wide[:, ::2] = X
    network = program.load(backend="native")
    expected = bits(network.gradients(X, Y).values())
    for other in (np.asfortranarray(X), wide[:, ::2], X[::-1].copy()[::-1], X[:, ::-1].copy()[:, ::-1]):
        before = other.copy()
        other.setflags(write=False)
        assert bits(network.gradients(other, np.asfortranarray(Y)).values()) == expected
        np.testing.assert_array_equal(other, before)


def test_outputs_are_fresh_arrays() -> None:
    network = dnnlang.compile("input 2; layer 2").load(backend="native")
    first = network.forward(np.ones((2, 3)))
    kept = first.copy()
    network.forward(np.zeros((2, 3)) - 5)
    np.testing.assert_array_equal(first, kept)
    assert first.flags.writeable


def test_one_arena_serves_all_plans_and_batch_sizes() -> None:
    program = dnnlang.compile(PROGRAMS["normal"])
    network = loaded(program, "native", "float64", 1)
    data = {m: data_for(program, m) for m in (50, 3, 20, 1)}
    alone = {m: bits(loaded(program, "native", "float64", 1).gradients(*data[m]).values()) for m in data}
    for m in (20, 3, 50, 3, 1):
        network.forward(data[50][0])
        network.loss(*data[3])
        assert bits(network.gradients(*data[m]).values()) == alone[m]


def test_many_batch_sizes_do_not_pile_up() -> None:
    network = dnnlang.compile("input 2; layer 1 sigmoid").load(backend="native")
    for m in range(1, 40):
        network.forward(np.ones((2, m)))
    assert len(network._runner._made) <= 8


def test_written_parameters_are_those_computed_with() -> None:
    network = dnnlang.compile("input 2; layer 3").load(backend="native")
    network.parameters["W[1]"] = [[1, 2], [3, 4], [5, 6]]
    network.parameters["b[1]"][1] = 0.5
    assert network.forward([[1.0], [10.0]]).tolist() == [[21], [43.5], [65]]


def test_a_network_in_evaluation_mode_can_be_trained() -> None:
    program = dnnlang.compile(PROGRAMS["dropout"])
    X, Y = data_for(program, 9)
    numpy, native = both(program, "float64")
    for network in (numpy, native):
        network.step(X, Y, training=False)
    assert_alike(native.tensors, numpy.tensors, "float64")


def test_values_after_a_run_can_be_looked_at() -> None:
    program = dnnlang.compile(PROGRAMS["plain"], optimize=0)
    numpy, native = both(program, "float64")
    X, Y = data_for(program, 7)
    plan = program.plan("gradients")
    for network in (numpy, native):
        network.gradients(X, Y)
    executables = [network._runner.known(plan, 7) for network in (numpy, native)]
    for value in plan.places:
        if value.role is Role.ACTIVATION:
            expected, got = (np.array(e.array(value)) for e in executables)
            assert_alike({value.name: got}, {value.name: expected}, "float64")
