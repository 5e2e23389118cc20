"""`dnnc compile --emit c`: the folder it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

import dnnlang
from dnnlang.emit.c import FILES, c_files


def test_a_folder_is_written_and_written_again(dnnc, folder: Path):
    assert dnnc("compile", "moons.dnn", "--emit", "c", "-o", "moons").status == 0
    assert sorted(p.name for p in (folder / "moons").iterdir()) == sorted(FILES)
    first = (folder / "moons" / "model.h").read_text()
    (folder / "moons" / "mine.txt").write_text("kept")
    assert dnnc("compile", "moons.dnn", "--emit", "c", "-o", "moons", "--with-training").status == 0
    assert (folder / "moons" / "mine.txt").read_text() == "kept"
    assert "model_step" in (folder / "moons" / "model.h").read_text()
    assert "model_step" not in first
    assert "#define MODEL_SAMPLES 8 " in (folder / "moons" / "model.h").read_text()


def test_files_of_others_stay(dnnc, folder: Path):
    (folder / "src").mkdir()
    (folder / "src" / "Makefile").write_text("all:\n")
    done = dnnc("compile", "moons.dnn", "--emit", "c", "-o", "src")
    assert done.status == 2
    assert "not a file that dnnc made" in done.err
    assert [p.name for p in (folder / "src").iterdir()] == ["Makefile"]


def test_a_trained_model_brings_its_weights_and_names(dnnc, folder: Path):
    assert dnnc("train", "moons.dnn", "moons.csv", "--target", "side", "-o", "m.safetensors").status == 0
    assert dnnc("compile", "m.safetensors", "--emit", "c", "-o", "m").status == 0
    header = (folder / "m" / "model.h").read_text()
    assert "x: 2 numbers a sample\n                 x, y\n" in header
    assert "above, below" in header
    assert "trained for" in header
    weight = dnnlang.load("m.safetensors").parameters["W[1]"][0, 0]
    assert f"{weight!s}f" in (folder / "m" / "model.c").read_text()


def test_batch(dnnc, folder: Path):
    for batch, options in ((1, []), (5, ["--batch", "5"])):
        assert dnnc("compile", "moons.dnn", "--emit", "c", "-o", "m", *options).status == 0
        assert f"#define MODEL_SAMPLES {batch} " in (folder / "m" / "model.h").read_text()


@pytest.mark.parametrize(
    ("program", "arguments", "message"),
    [
        ("layer 1", ["-o", "m"], "the size n[0] is not known"),
        ("input 2; layer 1", [], "nobody said where"),
        ("input 2; layer 1", ["-o", "-"], "nobody said where"),
        ("input 2; layer 1", ["-o", "p.dnn"], "it is not a folder"),
        ("input 2; layer 1", ["-o", "no/where"], "there is no folder `no`"),
        ("input 2; layer 1; train { batch all }", ["-o", "m", "--with-training"], "trains on all samples at once"),
        ("input 2; layer 1", ["-o", "m", "--batch", "2000000000"], "more than an `int` of C counts"),
        ("input 2; standardize; layer 1", ["-o", "m"], "has not seen the training data"),
        ("input 2; layer 1", ["-o", "m", "--purpose", "step"], "is for the plan as text, not for `--emit c`"),
    ],
)
def test_what_cannot_be_emitted(dnnc, folder: Path, program: str, arguments: list[str], message: str):
    (folder / "p.dnn").write_text(program.replace("; ", "\n") + "\n")
    done = dnnc("compile", "p.dnn", "--emit", "c", *arguments)
    assert done.status == 2
    assert message in done.err
    assert not (folder / "m").exists()


def test_training_is_for_c_only(dnnc, folder: Path):
    done = dnnc("compile", "moons.dnn", "--with-training")
    assert done.status == 2
    assert "`--with-training` is for `--emit c`" in done.err


def test_weights_that_are_no_numbers_are_refused():
    network = dnnlang.compile("input 2\nlayer 1").load()
    network.parameters["W[1]"][0, 0] = float("nan")
    with pytest.raises(dnnlang.UsageError, match="W\\[1\\] has entries that are no finite numbers"):
        c_files(network)
