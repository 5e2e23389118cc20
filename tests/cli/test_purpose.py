"""`dnnc compile --purpose` and `--keep-gradients`."""

from __future__ import annotations

import pytest


@pytest.fixture
def program(folder):
    (folder / "net.dnn").write_text("input 3\nlayer 5 relu\nlayer 1 sigmoid\ntrain { optimizer sgd }\n")
    return "net.dnn"


def test_the_plan_for_gradients_is_the_default(dnnc, program):
    done = dnnc("compile", program)
    assert (done.status, done.out) == (0, dnnc("compile", program, "--purpose", "gradients").out)
    assert "dW[1] = 1/m dZ[1] Xᵀ" in done.out


def test_a_step_updates_where_gradients_arise(dnnc, program):
    merged = dnnc("compile", program, "--purpose", "step").out
    assert "W[1] = W[1] - α (1/m dZ[1] Xᵀ)" in merged
    assert "\nupdate" not in merged
    kept = dnnc("compile", program, "--purpose", "step", "--keep-gradients").out
    assert "dW[1] = 1/m dZ[1] Xᵀ" in kept
    assert "W[1] = W[1] - α dW[1]" in kept.partition("\nupdate")[2]


def test_inference_stops_at_the_outputs(dnnc, program):
    done = dnnc("compile", program, "--purpose", "inference")
    assert done.status == 0
    assert "\nbackward" not in done.out


def test_json_has_every_plan(dnnc, program):
    done = dnnc("compile", program, "--purpose", "step", "--emit", "json")
    assert done.status == 2
    assert "`--purpose` is for the plan as text" in done.err
