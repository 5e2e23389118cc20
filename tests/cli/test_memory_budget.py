"""`--memory-budget` on the command line."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

TRAIN = ("train", "moons.dnn", "moons.csv", "--target", "side")
DEEP = "input 2\n" + "layer 8 tanh\n" * 6 + "layer 2 softmax\ntrain { epochs 2; batch 8; validation 0.25; seed 1 }\n"


@pytest.fixture(autouse=True)
def deep(folder):
    (folder / "deep.dnn").write_text(DEEP)


def test_compile_shows_what_is_computed_again(dnnc):
    free = dnnc("compile", "deep.dnn")
    assert "recomputed" not in free.out
    done = dnnc("compile", "deep.dnn", "--memory-budget", "6kB", "--batch", "64")
    assert done.status == 2
    assert "DNN877" in done.err
    assert "the least that was found possible is" in done.err
    least = done.err.split("possible is ")[1].split(" bytes")[0].replace(",", "")
    done = dnnc("compile", "deep.dnn", "--memory-budget", least, "--batch", "64")
    assert done.status == 0
    assert "recomputed" in done.out
    line = next(line for line in done.out.splitlines() if line.startswith("budget"))
    assert f"{int(least):,} bytes at m = 64" in line
    assert line.endswith("% more work")


def test_the_batch_of_the_settings_is_the_default(dnnc):
    done = dnnc("compile", "deep.dnn", "--memory-budget", "1MiB")
    assert done.status == 0
    assert "1,048,576 bytes at m = 8" in done.out


@pytest.mark.parametrize("size", ["64Mi", "none", "0", "-5MiB", "1e6"])
def test_no_amount(dnnc, size):
    done = dnnc("compile", "deep.dnn", f"--memory-budget={size}", "--batch", "64")
    assert done.status == 2
    assert "64MiB, 1.5GiB, 512kB, or bytes" in done.err


@pytest.mark.parametrize("batch", ["0", "-1", "1.5", "all"])
def test_no_batch(dnnc, batch):
    done = dnnc("compile", "deep.dnn", "--memory-budget", "1MiB", f"--batch={batch}")
    assert done.status == 2
    assert "no number of samples" in done.err


def test_what_does_not_go_together(dnnc, folder):
    done = dnnc("compile", "deep.dnn", "--batch", "8")
    assert done.status == 2
    assert "--memory-budget" in done.err
    done = dnnc("compile", "deep.dnn", "--memory-budget", "1MiB", "-O", "0")
    assert done.status == 2
    assert "-O0" in done.err
    (folder / "open.dnn").write_text("layer 3 relu; layer 1 sigmoid")
    done = dnnc("compile", "open.dnn", "--memory-budget", "1MiB", "--batch", "8")
    assert done.status == 2
    assert "-D 'n[0]=3'" in done.err
    (folder / "no_batch.dnn").write_text("input 3; layer 1 sigmoid")
    done = dnnc("compile", "no_batch.dnn", "--memory-budget", "1MiB")
    assert done.status == 2
    assert "--batch 64" in done.err


def test_training_gives_the_same_numbers(dnnc, folder):
    train = ("train", "deep.dnn", "moons.csv", "--target", "side")
    assert dnnc(*train, "-o", "free.safetensors").status == 0
    refused = dnnc(*train, "-o", "bound.safetensors", "--memory-budget", "1kB")
    assert refused.status == 2
    assert "a step cannot do with 1,000 bytes at a batch of 8" in refused.err
    least = refused.err.split("possible is ")[1].split(" bytes")[0].replace(",", "")
    assert dnnc(*train, "-o", "bound.safetensors", "--memory-budget", least).status == 0
    free, bound = load_file(folder / "free.safetensors"), load_file(folder / "bound.safetensors")
    assert free.keys() == bound.keys()
    for name, array in free.items():
        if name != "history":
            np.testing.assert_array_equal(bound[name], array, err_msg=name)
