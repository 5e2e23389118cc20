"""`forward` with an X like an earlier one takes a shorter way, which gives the same and complains of the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import dnnlang
from dnnlang.backends.native.toolchain import available
from dnnlang.network import Network
from tests.measures import relative_error

pytestmark = [
    pytest.mark.skipif(not available(), reason="no C compiler"),
    pytest.mark.usefixtures("compiled_in_a_hurry"),
]

Array = npt.NDArray[Any]
Threads = Callable[[int], None]

# Sums of many terms, units that fill strips of vectors and that do not, a softmax that needs all units of a sample.
PROGRAM = "input 37\nlayer 150 relu\nlayer 20 tanh\nlayer 3 softmax\n"
SAMPLES = (1, 2, 3, 4, 5, 15, 16, 17, 64, 95, 96, 97, 193, 500)


def network(text: str = PROGRAM, **options: Any) -> Network:
    return dnnlang.compile(text).load(backend="native", **options)


def samples(m: int, dtype: str = "float32", units: int = 37) -> Array:
    return np.random.default_rng(m).normal(size=(units, m)).astype(dtype)


def is_ready(made: Network, X: Array) -> bool:
    return X.shape in made._runner.ready


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 3])
def test_it_gives_what_numpy_gives_for_any_number_of_samples(dtype: str, threads: int, on_threads: Threads) -> None:
    on_threads(threads)
    made, reference = network(dtype=dtype), dnnlang.compile(PROGRAM).load(backend="numpy", dtype=dtype)
    most = {"float32": 1e-5, "float64": 1e-12}[dtype]
    for m in SAMPLES:
        X = samples(m, dtype)
        first = made.forward(X)
        assert is_ready(made, X)
        assert np.array_equal(made.forward(X), first)
        assert relative_error(first, reference.forward(X)) < most


def test_a_sample_s_outputs_do_not_depend_on_its_batch() -> None:
    made = network()
    X = samples(500)
    whole = made.forward(X)
    for m in SAMPLES:
        for _ in range(2):
            assert np.array_equal(made.forward(X[:, :m]), whole[:, :m])


@pytest.mark.parametrize("m", [1, 5, 16, 40, 300])
def test_samples_may_lie_anyhow(m: int) -> None:
    made = network()
    X = np.where(samples(m) > 0, 1, 2).astype("float32")  # finite wherever one begins to read
    expected = made.forward(X)
    laid_out = {
        "columns one behind the other": np.asfortranarray(X),
        "every second column": np.repeat(X, 2, axis=1)[:, ::2],
        "every third row": np.repeat(X, 3, axis=0)[::3],
        "backwards": X[::-1, ::-1].copy()[::-1, ::-1],
        "not at multiples of their size": unaligned(X),
        "the other byte order": X.astype(X.dtype.newbyteorder()),
        "in a subclass": X.view(Subclass),
    }
    for how, array in laid_out.items():
        array.setflags(write=False)
        assert np.array_equal(made.forward(array), expected), how
    assert np.array_equal(made.forward(X.tolist()), expected)
    same = np.broadcast_to(X[:, :1], X.shape)
    assert np.array_equal(made.forward(same), np.repeat(expected[:, :1], m, axis=1))


class Subclass(np.ndarray[Any, Any]):
    pass


def unaligned(X: Array) -> Array:
    """Numbers one byte further apart than they are wide."""
    apart = X.itemsize + 1
    array: Array = np.ndarray(X.shape, X.dtype, bytearray(X.size * apart), strides=(X.shape[1] * apart, apart))
    array[...] = X
    return array


@pytest.mark.parametrize("m", [1, 20, 100, 300])
@pytest.mark.parametrize("order", ["C", "F"])
def test_it_complains_of_the_same(m: int, order: str) -> None:
    made, X = network(), samples(m)
    numbers = [np.nan, np.inf, -np.inf]
    wrong: list[Any] = [np.asarray(replaced(X, number, at), order=order) for number in numbers for at in (0, m - 1)]
    wrong += [X.astype(float) * 1e300, X[:-1], X[:, :0], X[:, 0], X.astype(complex), X.astype(str), "text", {"Y": X}]
    before = [complaint(made, x) for x in wrong]
    expected = made.forward(X)
    assert is_ready(made, X)
    assert [complaint(made, x) for x in wrong] == before
    assert np.array_equal(made.forward(X), expected)


def replaced(X: Array, number: float, column: int) -> Array:
    changed = X.copy()
    changed[-1, column] = number
    return changed


def complaint(made: Network, X: Any) -> str:
    with pytest.raises(dnnlang.DnnError) as caught:
        made.forward(X)
    return str(caught.value)


@pytest.mark.parametrize("m", [1, 20, 300])
def test_other_dtypes_are_converted(m: int) -> None:
    made = network()
    X = np.round(samples(m) * 10)
    expected = made.forward(X)
    for dtype in ("float64", "float16", "int8", "int64"):
        assert np.array_equal(made.forward(X.astype(dtype)), expected)
    assert np.array_equal(made.forward(X > 0), made.forward((X > 0).astype("float32")))


@pytest.mark.parametrize("m", [1, 20, 300])
def test_it_follows_the_parameters(m: int) -> None:
    made, X = network(), samples(m)
    first = made.forward(X)
    made.parameters["W[2]"] *= 2
    made.parameters["b[3]"] = [[1], [2], [3]]
    again, fresh = made.forward(X), network()
    for name, array in made.parameters.items():
        fresh.parameters[name] = array
    assert not np.array_equal(again, first)
    assert np.array_equal(again, fresh.forward(X))
    made.step(X, np.zeros(m, int))
    assert not np.array_equal(made.forward(X), again)


@pytest.mark.parametrize("m", [1, 20, 300])
def test_outputs_are_fresh_and_inputs_stay(m: int) -> None:
    made, X = network(), samples(m)
    before = X.copy()
    made.forward(X)
    first, other = made.forward(X), made.forward(X + 1)
    kept = first.copy()
    assert not np.array_equal(first, other)
    first[...] = 0
    assert np.array_equal(made.forward(X), kept)
    assert np.array_equal(X, before)


def test_it_survives_a_larger_arena_and_many_batch_sizes() -> None:
    made, X = network(), samples(3)
    expected = made.forward(X)
    for m in (1000, 2000):
        made.gradients(samples(m), np.zeros(m, int))
        made.loss(samples(m), np.zeros(m, int))
        assert np.array_equal(made.forward(X), expected)
    for m in range(4, 24):
        made.forward(samples(m))
        assert np.array_equal(made.forward(X), expected)
    assert len(made._runner.ready) <= 8


def test_what_other_calls_leave_in_the_arena_does_no_harm() -> None:
    made, X = network(), samples(3)
    expected = made.forward(X)
    with np.errstate(all="ignore"):
        made.parameters["W[1]"] *= np.float32(1e30)
    made.loss(samples(40) * 1e8, np.zeros(40, int))
    fresh = network()
    for name, array in fresh.parameters.items():
        made.parameters[name] = array
    assert np.array_equal(made.forward(X), expected)


def test_dropout_is_drawn_in_training_all_the_same() -> None:
    made, X = network("input 4\nlayer 200 relu\ndropout 0.5\nlayer 2\n"), samples(3, units=4)
    first = made.forward(X)
    assert np.array_equal(made.forward(X), first)
    assert not np.array_equal(made.forward(X, training=True), first)
    assert np.array_equal(made.forward(X), first)


def test_several_inputs_come_by_name() -> None:
    text = "input 2 as left\ninput 2 as right\nadd from left, right\nlayer 3 tanh\n"
    made, reference = network(text), dnnlang.compile(text).load(backend="numpy")
    x = {"left": samples(3, units=2), "right": samples(3, units=2) + 1}
    for _ in range(2):
        assert relative_error(made.forward(x), reference.forward(x)) < 1e-5
        with pytest.raises(dnnlang.DataError):
            made.forward(x["left"])


def test_an_unfitted_network_is_refused_until_it_is_fitted() -> None:
    made, X = network("input 3\nstandardize\nlayer 2 tanh\n"), samples(5, units=3)
    for _ in range(2):
        with pytest.raises(dnnlang.UsageError):
            made.forward(X)
    made.standardize(X)
    assert np.array_equal(made.forward(X), made.forward(X))


@pytest.mark.parametrize("m", [1, 300])
def test_networks_run_side_by_side_in_threads(m: int, on_threads: Threads) -> None:
    on_threads(2)
    made = [network(seed=seed) for seed in range(4)]
    X = samples(m)
    expected = [one.forward(X) for one in made]
    wrong: list[int] = []

    def use(number: int) -> None:
        if not all(np.array_equal(made[number].forward(X), expected[number]) for _ in range(200)):
            wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(len(made))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("m", [1, 300])
def test_it_runs_in_a_forked_process(m: int, on_threads: Threads) -> None:
    on_threads(3)
    made, X = network(), samples(m)
    made.forward(X)
    expected = made.forward(X)
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = all(np.array_equal(made.forward(X), expected) for _ in range(20))
        finally:
            os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(made.forward(X), expected)
