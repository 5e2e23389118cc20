"""Backward steps and losses that come out of the calculus."""

from __future__ import annotations

import math
import random

import pytest

from dnnlang.scalar.construct import ONE, put
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.derive import backward, forward, joint
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import variables
from dnnlang.scalar.text import text
from tests.scalar.formulas import ACTIVATIONS, LOSSES, SIGMOIDS, SOFTMAXES, TANHS, close

NAMES = {"z": "Z", "a": "A", "y": "Y", "u": "dA"}


def written(e):
    return text(e, NAMES)


@pytest.mark.parametrize("name", SIGMOIDS)
def test_every_spelling_of_sigmoid_with_binary_cross_entropy_gives_a_minus_y(name):
    found = joint(LOSSES["binary_cross_entropy"], ACTIVATIONS[name])
    assert written(found.gradient) == "A - Y"
    assert written(found.value) == "Σ (log1pexp(Z) - Y ∘ Z)"
    assert found.safe


@pytest.mark.parametrize("name", SOFTMAXES)
def test_every_spelling_of_softmax_with_cross_entropy_gives_a_minus_y(name):
    found = joint(LOSSES["cross_entropy"], ACTIVATIONS[name])
    assert written(found.gradient) == "A - Y"
    assert written(found.value) == "-Σ Y ∘ log_normalized_exp(Z)"
    assert found.safe


def test_without_the_given_the_sum_of_the_targets_stays():
    loss = LOSSES["cross_entropy"]
    free = type(loss)(loss.label, loss.value, (), None)
    assert "Σ Y" in written(joint(free, ACTIVATIONS["shifted"]).gradient)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", "dA"),
        ("relu", "dA ∘ (A > 0)"),
        ("relu by where", "dA ∘ (A > 0)"),
        ("leaky_relu", "dA ∘ where(A > 0, 1, 0.01)"),
        ("exp", "dA ∘ A"),
        ("log_softmax", "dA - (Σ dA) exp(A)"),
        *[(name, "dA ∘ A ∘ (1 - A)") for name in SIGMOIDS],
        *[(name, "dA ∘ (1 - A²)") for name in TANHS],
        *[(name, "A ∘ (dA - Σ dA ∘ A)") for name in SOFTMAXES],
    ],
)
def test_backward_from_the_output_alone(name, expected):
    assert written(backward(ACTIVATIONS[name], from_output=True)) == expected


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_lesson_s_backward_reads_z_and_not_a(name):
    assert "a" not in variables(backward(ACTIVATIONS[name], from_output=False))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_forward_has_the_value_of_the_definition(name):
    random.seed(name)
    for _ in range(20):
        z = [random.uniform(-5, 5) for _ in range(3)]
        assert close(evaluate(forward(ACTIVATIONS[name]), {"z": z}), evaluate(ACTIVATIONS[name].value, {"z": z}))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("from_output", [False, True])
def test_backward_has_the_value_of_the_chain_rule(name, from_output):
    random.seed(name)
    activation = ACTIVATIONS[name]
    plain = vjp(activation.value, "z", _upstream())
    for _ in range(20):
        z = [random.uniform(-5, 5) for _ in range(3)]
        u = [random.uniform(-1, 1) for _ in range(3)]
        a = evaluate(activation.value, {"z": z})
        found = evaluate(backward(activation, from_output=from_output), {"z": z, "a": a, "u": u})
        assert close(found, evaluate(plain, {"z": z, "u": u}))


def _upstream():
    from dnnlang.scalar.expression import variable

    return variable("u")


def _targets(loss, rng):
    y = [rng.uniform(0.05, 0.9) for _ in range(3)]
    return [v / sum(y) for v in y] if LOSSES[loss].given else y


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_joint_step_has_the_value_of_the_composition(name, loss):
    rng = random.Random(name + loss)
    found = joint(LOSSES[loss], ACTIVATIONS[name])
    composite = put(LOSSES[loss].value, {"a": ACTIVATIONS[name].value})
    slope = vjp(composite, "z", ONE)
    compared = 0
    for _ in range(60):
        z = [rng.uniform(-3, 3) for _ in range(3)]
        y = _targets(loss, rng)
        a = evaluate(ACTIVATIONS[name].value, {"z": z})
        here = {"z": z, "y": y, "a": a}
        expected, expected_slope = evaluate(composite, here), evaluate(slope, here)
        if not all(map(math.isfinite, [expected, *expected_slope])):
            continue  # outside the domain of the loss, as with the logarithm of a negative output
        compared += 1
        assert close(evaluate(found.value, here), expected)
        assert close(evaluate(found.gradient, here), expected_slope)
    if name in SIGMOIDS or name in SOFTMAXES or loss == "mse":
        assert compared == 60


STABLE = [
    *[(n, "binary_cross_entropy") for n in SIGMOIDS],
    *[(n, "cross_entropy") for n in SIGMOIDS],
    *[(n, "cross_entropy") for n in SOFTMAXES],
    ("exp", "cross_entropy"),
    *[(n, "mse") for n in ("linear", "relu", "softplus", "swish", "log_softmax", *SIGMOIDS, *SOFTMAXES, *TANHS)],
]


@pytest.mark.parametrize(("name", "loss"), STABLE)
def test_finite_far_out(name, loss):
    found = joint(LOSSES[loss], ACTIVATIONS[name])
    assert found.safe
    for z in ([1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4], [0.0, 1e4, 1.0]):
        a = evaluate(forward(ACTIVATIONS[name]), {"z": z})
        for y in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0]):
            here = {"z": z, "a": a, "y": y}
            assert math.isfinite(evaluate(found.value, here))
            assert all(map(math.isfinite, evaluate(found.gradient, here)))


def test_a_pair_that_can_overflow_says_so():
    assert not joint(LOSSES["binary_cross_entropy"], ACTIVATIONS["relu"]).safe


def test_an_output_that_overflows_by_itself_is_not_the_loss_s_fault():
    assert joint(LOSSES["mse"], ACTIVATIONS["exp"]).safe
    assert not joint(LOSSES["binary_cross_entropy"], ACTIVATIONS["exp"]).safe
