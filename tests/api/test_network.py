"""The Python API of loaded networks: arrays in and out, and complaints that say what would be right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import dnnlang
from tests.measures import relative_error

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 8))


def binary(**load: object) -> dnnlang.Network:
    return dnnlang.compile("input 3\nlayer 4 tanh\nlayer 1 sigmoid").load(**load)


def classes() -> dnnlang.Network:
    return dnnlang.compile("input 3\nlayer 4 softmax").load(dtype="float64")


def test_the_lesson_s_formulas_by_hand() -> None:
    network = binary(dtype="float64")
    p = network.parameters
    Y = RNG.integers(0, 2, (1, 8))
    A1 = np.tanh(p["W[1]"] @ X + p["b[1]"])
    A2 = 1 / (1 + np.exp(-(p["W[2]"] @ A1 + p["b[2]"])))
    assert relative_error(network.forward(X), A2) < 1e-15
    dZ2 = A2 - Y
    grads = network.gradients(X, Y)
    assert relative_error(grads["dW[2]"], dZ2 @ A1.T / 8) < 1e-14
    assert relative_error(grads["db[1]"], (p["W[2]"].T @ dZ2 * (1 - A1**2)).mean(axis=1, keepdims=True)) < 1e-14
    assert network.loss(X, Y) == pytest.approx(-np.mean(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)))


def test_seeds_decide_the_initial_weights() -> None:
    a, b, c = binary(seed=1), binary(seed=1), binary(seed=2)
    assert np.array_equal(a.parameters["W[1]"], b.parameters["W[1]"])
    assert not np.array_equal(a.parameters["W[1]"], c.parameters["W[1]"])
    assert np.array_equal(a.parameters["W[1]"], binary(seed=1, dtype="float64").parameters["W[1]"].astype("float32"))
    assert not a.parameters["b[1]"].any()
    settings = dnnlang.compile("input 3\nlayer 1\ntrain { seed 2 }")
    assert settings.load().seed == 2


def test_initializers_have_their_deviation() -> None:
    network = dnnlang.compile("input 200\nlayer 300 relu\nlayer 200 tanh\nlayer 100 init=zeros").load()
    assert abs(network.parameters["W[1]"].std() / np.sqrt(2 / 200) - 1) < 0.02
    assert abs(network.parameters["W[2]"].std() / np.sqrt(2 / 500) - 1) < 0.02
    assert not network.parameters["W[3]"].any()


def test_parameters_can_be_written_in_two_ways() -> None:
    network = binary(dtype="float64")
    array = network.parameters["W[1]"]
    network.parameters["W[1]"] = np.ones((4, 3))
    assert network.parameters["W[1]"] is array
    array[...] *= 2
    expected = 1 / (1 + np.exp(-network.parameters["W[2]"] @ np.tanh(2 * np.ones((4, 3)) @ X)))
    assert relative_error(network.forward(X), expected) < 1e-14
    with pytest.raises(dnnlang.UsageError, match=r"W\[1\] is \(4, 3\)"):
        network.parameters["W[1]"] = np.ones((3, 4))
    with pytest.raises(dnnlang.UsageError, match=r"no parameter W\[9\]"):
        network.parameters["W[9]"] = np.ones((3, 4))


def test_sgd_momentum_and_adam_by_hand() -> None:
    Y = RNG.normal(size=(2, 8))
    for name, step in (("sgd", sgd), ("momentum", momentum), ("adam", adam)):
        text = f"input 3\nlayer 2\ntrain {{ optimizer {name}; learning_rate 0.1 }}"
        network = dnnlang.compile(text).load(dtype="float64")
        w, memory = network.parameters["W[1]"].copy(), {}
        for t in range(1, 6):
            g = network.gradients(X, Y)["dW[1]"]
            network.step(X, Y)
            w = step(w, g, 0.1, t, memory)
            assert relative_error(network.parameters["W[1]"], w) < 1e-13, name
        assert network.steps == 5
        assert set(network.state) == {f"{s}/{p}" for s in memory for p in ("W[1]", "b[1]")}


def sgd(w: np.ndarray, g: np.ndarray, rate: float, t: int, memory: dict) -> np.ndarray:
    return w - rate * g


def momentum(w: np.ndarray, g: np.ndarray, rate: float, t: int, memory: dict) -> np.ndarray:
    memory["v"] = 0.9 * memory.get("v", 0) + g
    return w - rate * memory["v"]


def adam(w: np.ndarray, g: np.ndarray, rate: float, t: int, memory: dict) -> np.ndarray:
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g
    memory["s"] = 0.999 * memory.get("s", 0) + 0.001 * g**2
    return w - rate * (memory["v"] / (1 - 0.9**t)) / (np.sqrt(memory["s"] / (1 - 0.999**t)) + 1e-8)


def test_an_optimizer_of_one_s_own_with_local_names() -> None:
    text = """
define optimizer odd(w, g; k=0.5) {
    old = v
    scale = 1 / (1 + t)
    g = g * k
    v = v + g
    w = w - rate * scale * (v + old)
}
input 3
layer 2
train { optimizer odd; learning_rate 0.1 }
"""
    network = dnnlang.compile(text).load(dtype="float64")
    Y = RNG.normal(size=(2, 8))
    w, v = network.parameters["W[1]"].copy(), np.zeros((2, 3))
    for t in range(1, 5):
        g = network.gradients(X, Y)["dW[1]"] * 0.5
        old, v = v, v + g
        w = w - 0.1 / (1 + t) * (v + old)
        network.step(X, Y)
        assert relative_error(network.parameters["W[1]"], w) < 1e-13


def test_step_takes_a_learning_rate_of_its_own() -> None:
    Y = np.ones((1, 8))
    a, b = binary(dtype="float64"), binary(dtype="float64")
    a.step(X, Y, learning_rate=0.0)
    assert np.array_equal(a.parameters["W[1]"], b.parameters["W[1]"])
    b.learning_rate = 0.0
    b.step(X, Y)
    assert np.array_equal(a.parameters["W[1]"], b.parameters["W[1]"])


def test_clipping_scales_all_gradients_together() -> None:
    plain = "input 3\nlayer 4 tanh\nlayer 1\ntrain { optimizer sgd; learning_rate 1 CLIP }"
    Y = 100 * np.ones((1, 8))
    free, clipped, loose = (
        dnnlang.compile(plain.replace("CLIP", clip)).load(dtype="float64")
        for clip in ("", "; clip_norm 0.5", "; clip_norm 1e9")
    )
    before = {name: p.copy() for name, p in free.parameters.items()}
    grads = free.gradients(X, Y)
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    for network in (free, clipped, loose):
        network.step(X, Y)
    for name, old in before.items():
        assert relative_error(old - clipped.parameters[name], grads[f"d{name}"] * 0.5 / norm) < 1e-12
        assert np.array_equal(loose.parameters[name], free.parameters[name])
    assert clipped.gradients(X, Y).keys() == grads.keys()


def test_the_penalty_can_be_left_out_of_the_loss() -> None:
    network = dnnlang.compile("input 3\nlayer 1\ntrain { l2 0.5 }").load(dtype="float64")
    Y = np.zeros((1, 8))
    W = network.parameters["W[1]"]
    assert network.loss(X, Y) - network.loss(X, Y, penalty=False) == pytest.approx(0.5 / 16 * (W**2).sum())


def test_frozen_layers_do_not_move() -> None:
    network = dnnlang.compile("input 3\nlayer 4 tanh trainable=no\nlayer 1 sigmoid").load()
    before = network.parameters["W[1]"].copy()
    assert network.gradients(X, np.ones((1, 8))).keys() == {"dW[2]", "db[2]"}
    network.step(X, np.ones((1, 8)))
    assert np.array_equal(before, network.parameters["W[1]"])


def test_class_numbers_and_one_hot_columns_are_the_same() -> None:
    network = classes()
    numbers = RNG.integers(0, 4, 8)
    assert network.loss(X, numbers) == network.loss(X, np.eye(4)[:, numbers])
    assert network.loss(X, numbers.astype(float)) == network.loss(X, numbers)
    mixed = np.full((4, 8), 0.25)
    assert network.loss(X, mixed) > 0


def test_a_row_of_targets_may_be_flat() -> None:
    network = binary(dtype="float64")
    flat = RNG.integers(0, 2, 8)
    assert network.loss(X, flat) == network.loss(X, flat.reshape(1, -1))


def test_several_inputs_and_targets_are_dicts() -> None:
    text = """
input 3 as left
input 2 as right
layer 4 tanh from left as h
concat from h, right
layer 1 sigmoid as yes
layer 2 from h as size
output yes, size
loss binary_cross_entropy from yes
loss mse from size weight=0.5
"""
    network = dnnlang.compile(text).load(dtype="float64")
    x = {"left": X, "right": RNG.normal(size=(2, 8))}
    y = {"yes": np.ones((1, 8)), "size": np.zeros((2, 8))}
    A = network.forward(x)
    assert {name: a.shape for name, a in A.items()} == {"yes": (1, 8), "size": (2, 8)}
    expected = -np.log(A["yes"]).mean() + 0.5 * (A["size"] ** 2).mean()
    assert network.loss(x, y) == pytest.approx(expected, rel=1e-14)
    assert network.loss(x, {f"Y[{name}]": a for name, a in y.items()}) == network.loss(x, y)
    for data, message in (
        ({"left": X}, "the input right is missing"),
        ({**x, "middle": X}, "there is no input middle"),
        (X, "the program has 2 inputs, left, right, but one array was passed"),
        ({**x, "right": x["right"][:, :5]}, r"X\[right\] has 5 samples"),
    ):
        with pytest.raises(dnnlang.DataError, match=message):
            network.forward(data)
    with pytest.raises(dnnlang.DataError, match="the target size is missing"):
        network.loss(x, {"yes": y["yes"]})


WRONG: list[tuple[Callable[[], object], str, str | None]] = [
    (lambda: binary().forward(X.T), r"X is \(8, 3\), expected \(3, m\).*the wrong way round", "pass X.T"),
    (lambda: binary().forward(X[:2]), r"X is \(2, 8\), expected \(3, m\)", None),
    (lambda: binary().forward(X[:, 0]), r"X is \(3,\), expected \(3, m\)", "X.reshape(-1, 1)"),
    (lambda: binary().forward(X[:, :0]), "holds no samples", None),
    (lambda: binary().forward([[1, 2], [3]]), "rows have different lengths", None),
    (lambda: binary().forward(X.astype(str)), "X holds text, not real numbers", "astype"),
    (lambda: binary().forward(X + 1j), "X holds complex numbers", "astype"),
    (lambda: binary().forward(X.astype(object)), "X holds Python objects", "astype"),
    (lambda: binary().forward(np.where(X[1, 2] == X, np.nan, X)), r"X\[1, 2\] is nan", None),
    (lambda: binary().forward(np.where(X[2, 0] == X, -np.inf, X)), r"X\[2, 0\] is -inf", None),
    (lambda: binary().forward(X * 1e300), r"too large for float32", None),
    (lambda: binary().loss(X, np.ones((1, 7))), "Y has 7 samples, but X has 8", None),
    (lambda: binary().loss(X, np.ones((8, 1))), "the wrong way round", "pass Y.T"),
    (lambda: binary().loss(X, np.full((1, 8), np.nan)), r"Y\[0, 0\] is nan", None),
    (lambda: classes().loss(X, np.full(8, 4)), "names class 4, but there are 4: 0 to 3", "from 0"),
    (lambda: classes().loss(X, np.full(8, -1)), "names class -1", "from 0"),
    (lambda: classes().loss(X, np.full(8, 0.5)), "not whole", None),
    (lambda: classes().loss(X, np.ones((4, 8))), r"column 0 of Y does not obey .*= 1`", "one-hot"),
    (lambda: classes().loss(X, np.zeros(5, int)), "Y has 5 samples, but X has 8", None),
]


@pytest.mark.parametrize(("call", "message", "help"), WRONG)
def test_wrong_arrays_are_refused_with_advice(call: Callable[[], object], message: str, help: str | None) -> None:
    with pytest.raises(dnnlang.DataError, match=message) as caught:
        call()
    [diagnostic] = caught.value.diagnostics
    if help is not None:
        assert help in (diagnostic.help or "")


def test_nearly_distributions_pass() -> None:
    Y = np.full((4, 8), 0.25)
    Y[0] += 5e-6
    classes().loss(X, Y)
    Y[0] += 1e-5
    with pytest.raises(dnnlang.DataError):
        classes().loss(X, Y)


def test_lists_and_integers_are_arrays_too() -> None:
    network = binary()
    assert network.forward([[1], [2], [3]]).shape == (1, 1)
    assert network.forward(np.ones((3, 2), bool)).dtype == np.float32


def test_a_network_saved_and_loaded_computes_the_same(tmp_path: object) -> None:
    network = dnnlang.compile("input 3\nlayer 4 relu\nlayer 1 sigmoid").load()
    network.step(X, np.ones((1, 8)))
    network.save(f"{tmp_path}/net.safetensors")
    again = dnnlang.load(f"{tmp_path}/net.safetensors")
    assert np.array_equal(again.forward(X), network.forward(X))
    assert again.steps == 1
    network.step(X, np.ones((1, 8)))
    again.step(X, np.ones((1, 8)))
    assert np.array_equal(again.parameters["W[1]"], network.parameters["W[1]"])


def test_fit_trains() -> None:
    network = dnnlang.compile("input 3\nlayer 8 tanh\nlayer 1 sigmoid\ntrain { epochs 30; learning_rate 0.05 }").load()
    data = RNG.normal(size=(3, 200))
    Y = (data[:1] * data[1:2] > 0).astype(float)
    before = network.loss(data, Y)
    history = network.fit(data, Y)
    assert len(history) == 30
    assert network.loss(data, Y) < before / 2
