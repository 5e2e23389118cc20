"""Whatever people feed it: a diagnostic with advice, exit 1 or 2, no traceback, no half-written file."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

PROGRAMS = {
    "empty file": "",
    "only a comment": "# nothing\n",
    "unknown kind": "lair 5 relu; layer 1 sigmoid",
    "unknown activation": "layer 5 rellu; layer 1 sigmoid",
    "unknown key": "layer 5 relu bais=none; layer 1 sigmoid",
    "unknown setting": "layer 1 sigmoid\ntrain { learning_rat 0.1 }",
    "sizes that differ": "input 3\nlayer 4 relu as a\nlayer 5 relu as b\nadd from a, b",
    "false expectation": "input 3\nlayer 4 relu\nexpect W[1] : (4, 5)",
    "no units": "layer 0",
    "negative units": "layer -3",
    "half a unit": "layer 2.5",
    "power tower": "layer 9^9^9",
    "long number": "layer " + "7" * 5000,
    "deep parentheses": "layer " + "(" * 1000 + "5" + ")" * 1000 + " relu nonsense",
    "open brace": "layer 1\ntrain { epochs 3",
    "control character": "layer 5\x07 relu",
    "NUL": "layer 5\0 relu",
    "bidi": "layer 5 # \u202e relu",
    "markup": "<html><body>",
    "unknown loss": "layer 1\nloss mee",
    "patience alone": "layer 1\ntrain { patience 3 }",
    "epochs and iterations": "layer 1\ntrain { epochs 3; iterations 4 }",
}


@pytest.mark.parametrize("command", ["check", "compile", "train", "gradcheck"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_broken_programs(dnnc, folder, name, command):
    (folder / "bad.dnn").write_bytes(PROGRAMS[name].encode())
    more = ["moons.csv", "--target", "side"] if command == "train" else []
    before = sorted(os.listdir(folder))
    done = dnnc(command, "bad.dnn", *more)
    assert done.status == 1
    text = done.out if command == "check" else done.err
    assert "error[DNN" in text
    assert command == "check" or done.out == ""
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize("content", [b"\xff\xfel\0a\0", b"layer 5 \xe9", b"\x80\x81" * 500])
def test_programs_that_are_not_utf_8(dnnc, folder, content):
    (folder / "bad.dnn").write_bytes(content)
    assert dnnc("check", "bad.dnn").status == 1
    assert dnnc("compile", "bad.dnn").status == 1


@pytest.mark.parametrize("path", ["missing.dnn", ".", "moons.dnn/x"])
def test_programs_that_cannot_be_read(dnnc, folder, path):
    for command in (["check"], ["compile"], ["gradcheck"], ["train", "moons.csv", "--target", "side"]):
        done = dnnc(command[0], path, *command[1:])
        assert done.status == 2
        assert path in done.out + done.err


def test_a_layer_larger_than_any_machine_is_refused_before_allocation(dnnc, folder):
    (folder / "big.dnn").write_text("input 2\nlayer 10^12 relu; layer 2 softmax")
    for done in (dnnc("train", "big.dnn", "moons.csv", "--target", "side"), dnnc("gradcheck", "big.dnn")):
        assert done.status in (1, 2)
        assert "TiB" in done.err


# ---------------------------------------------------------------- data

TABLES = {
    "nan": ("x,y,side\n1,nan,above\n2,3,below\n", "row 1, column `y` is `nan`"),
    "infinity": ("x,y,side\n1,1,above\n2,inf,below\n", "row 2, column `y` is `inf`"),
    "too large for float32": ("x,y,side\n1,1,above\n2,1e300,below\n", "too large for float32"),
    "ragged": ("x,y,side\n1,1,above\n2,below\n", "row 2 has 2 cells"),
    "text": ("x,y,side\n1,one,above\n2,2,below\n", "`one`, which is not a number"),
    "empty cell": ("x,y,side\n1,,above\n2,2,below\n", "row 1, column `y` is empty"),
    "empty class": ("x,y,side\n1,2,\n2,2,below\n", "row 1, column `side` is empty"),
    "empty": ("", "is empty"),
    "header only": ("x,y,side\n", "no rows"),
    "no target": ("x,y,sied\n1,1,above\n2,2,below\n", "did you mean `sied`?"),
    "one class": ("x,y,side\n1,1,above\n2,2,above\n", "nothing to tell apart"),
    "three classes": ("x,y,side\n1,1,a\n2,2,b\n1,2,c\n", "layer 3 softmax"),
    "too many columns": ("x,y,z,side\n1,1,1,a\n2,2,2,b\n", "input 3"),
    "too few rows": ("x,y,side\n1,1,a\n2,2,b\n", "nothing to validate on"),
}


@pytest.mark.parametrize("name", TABLES)
def test_broken_tables(dnnc, folder, name):
    text, words = TABLES[name]
    if name == "too few rows":
        program = (folder / "moons.dnn").read_text()
        (folder / "moons.dnn").write_text(program.replace("validation 0.25", "validation 0.1"))
    (folder / "bad.csv").write_text(text)
    before = sorted(os.listdir(folder))
    done = dnnc("train", "moons.dnn", "bad.csv", "--target", "side")
    assert done.status in (1, 2)
    assert words in done.err
    assert done.out == ""
    assert sorted(os.listdir(folder)) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--target"),
        (["--target", "sid"], "did you mean `side`?"),
        (["--target", "side,side"], "listed twice"),
        (["--target", "side", "--target", "x"], "given twice"),
        (["--target", "x,y"], "1 column of `moons.csv` goes there"),
        (["--target", "side", "--input", "x"], "2 units"),
        (["--target", "side", "--input", "q=x,y"], "no column"),
        (["--target", "side", "--backend", "cuda"], "backend"),
        (["--target", "side", "-o", "no/such/m.safetensors"], "no folder"),
        (["--target", "side", "-o", "moons.csv"], "over the file that is read"),
        (["--target", "side", "--history", "no/such/h"], "no folder"),
        (["--target", "side", "--report", "."], "folder"),
        (["--target", "side", "--resume", "none.safetensors"], "no such file"),
        (["--target", "side", "-D", "depth=3"], "depth"),
    ],
)
def test_wrong_options_of_train(dnnc, folder, arguments, words):
    before = sorted(os.listdir(folder))
    done = dnnc("train", "moons.dnn", "moons.csv", *arguments)
    assert done.status in (1, 2)
    assert words in done.err
    assert sorted(os.listdir(folder)) == before


def test_a_folder_that_is_not_writable(dnnc, folder):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (folder / "closed").mkdir(mode=0o500)
    done = dnnc("train", "moons.dnn", "moons.csv", "--target", "side", "-o", "closed/m.safetensors")
    assert done.status == 2
    assert "not writable" in done.err


# ---------------------------------------------------------------- models


@pytest.fixture
def model(dnnc, folder):
    assert dnnc("train", "moons.dnn", "moons.csv", "--target", "side").status == 0
    return folder / "moons.safetensors"


def test_columns_and_classes_the_model_does_not_know(dnnc, folder, model):
    for name in ("moons.dnn", "moons.csv"):  # a name that is long enough to be misspelt
        (folder / name).write_text((folder / name).read_text().replace("x,y,", "x,height,"))
    assert dnnc("train", "moons.dnn", "moons.csv", "--target", "side").status == 0
    (folder / "a.csv").write_text("x,hieght,side\n1,2,above\n")
    done = dnnc("predict", model, "a.csv", "-o", "p.csv")
    assert done.status == 1
    assert "did you mean `hieght`?" in done.err
    assert not (folder / "p.csv").exists()
    (folder / "b.csv").write_text("side,height,x\nabove,2,1\nabvoe,2,1\n")
    done = dnnc("evaluate", model, "b.csv")
    assert done.status == 1
    assert "b.csv:3:1" in done.err
    assert "did you mean `above`?" in done.err
    assert "`above`, `below`" in done.err
    assert dnnc("predict", model, "b.csv").status == 0
    (folder / "c.csv").write_text("x,height\n1,2\n")
    assert "side" in dnnc("evaluate", model, "c.csv").err


def broken_models(path):
    """Name, and what to make of a good model's bytes."""
    good = path.read_bytes()
    header = struct.unpack("<Q", good[:8])[0]
    return {
        "truncated": good[:-1],
        "cut in the header": good[: header // 2],
        "header only": good[: 8 + header],
        "empty": b"",
        "text": b"layer 5 relu",
        "huge header": struct.pack("<Q", 2**62) + good[8:],
        "longer": good + b"\0" * 8,
        "wrong size in the header": good.replace(b"[8,2]", b"[8,9]", 1),
        "vast tensor": good.replace(b"[8,2]", b"[1000000000000,2]", 1),
        "damaged JSON": good.replace(b"format", b"for\\u00"[:6], 1),
    }


@pytest.mark.parametrize(
    "name",
    [
        "truncated",
        "cut in the header",
        "header only",
        "empty",
        "text",
        "huge header",
        "longer",
        "wrong size in the header",
        "vast tensor",
        "damaged JSON",
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "predict", "compile", "resume"])
def test_damaged_models(dnnc, folder, model, name, command):
    bad = folder / "bad.safetensors"
    bad.write_bytes(broken_models(model)[name])
    if command == "resume":
        done = dnnc("train", "moons.dnn", "moons.csv", "--target", "side", "--resume", bad)
    else:
        done = dnnc(command, bad, *([] if command == "compile" else ["moons.csv"]))
    assert done.status == 2
    assert "DNN70" in done.err
    assert "bad.safetensors" in done.err


def retouched(model, change):
    """The model with its tensors or metadata changed by somebody else."""
    import json

    from safetensors import safe_open

    with safe_open(model, framework="numpy") as file:
        metadata = json.loads(file.metadata()["dnnlang"])
    tensors = load_file(model)
    change(tensors, metadata)
    bad = model.with_name("bad.safetensors")
    save_file(tensors, bad, {"dnnlang": json.dumps(metadata)})
    return bad


def lacking(tensors, metadata):
    del tensors["W[1]"]


def renamed(tensors, metadata):
    tensors["weight"] = tensors.pop("W[1]")


def added(tensors, metadata):
    tensors["W[9]"] = np.zeros((2, 2), np.float32)


def reshaped(tensors, metadata):
    tensors["W[1]"] = np.ascontiguousarray(tensors["W[1]"].T)


def of_integers(tensors, metadata):
    tensors["b[1]"] = tensors["b[1]"].astype(np.int32)


def without_state(tensors, metadata):
    for name in [name for name in tensors if name.startswith("optimizer/")]:
        del tensors[name]


def other_program(tensors, metadata):
    metadata["source"]["text"] = "input 2\nlayer 8 tanh\nlayer 3 softmax\n"


def broken_program(tensors, metadata):
    metadata["source"]["text"] = "lair 5"


def vast_program(tensors, metadata):
    metadata["source"]["text"] = "input 2\nlayer 10^12 tanh\nlayer 2 softmax\n"


def newer(tensors, metadata):
    metadata["format"] = 99


def no_source(tensors, metadata):
    del metadata["source"]


def odd_types(tensors, metadata):
    metadata["layout"] = {"inputs": 3}


def odd_dtype(tensors, metadata):
    metadata["dtype"] = "object"


def odd_sizes(tensors, metadata):
    metadata["sizes"] = {"n[0]": "many"}


@pytest.mark.parametrize(
    "change",
    [
        lacking,
        renamed,
        added,
        reshaped,
        of_integers,
        without_state,
        other_program,
        broken_program,
        vast_program,
        newer,
        no_source,
        odd_types,
        odd_dtype,
        odd_sizes,
    ],
)
def test_retouched_models(dnnc, folder, model, change):
    bad = retouched(model, change)
    done = dnnc("predict", bad, "moons.csv", "-o", "p.csv")
    assert done.status == 2
    assert "DNN70" in done.err
    assert not (folder / "p.csv").exists()


def test_a_safetensors_file_of_somebody_else(dnnc, folder):
    save_file({"weight": np.zeros((2, 2))}, folder / "w.safetensors", {"format": "pt"})
    done = dnnc("predict", "w.safetensors", "moons.csv")
    assert done.status == 2
    assert "not one that dnnlang wrote" in done.err


def test_nothing_in_a_model_is_executed(dnnc, folder, model):
    """Paths in the program's name and text are text."""

    def change(tensors, metadata):
        metadata["source"]["name"] = "../../etc/passwd"
        metadata["source"]["text"] += '\nimport "../secret.dnn"\n'

    assert dnnc("predict", retouched(model, change), "moons.csv").status == 2


@pytest.mark.parametrize("path", ["none.safetensors", ".", "moons.csv"])
def test_models_that_cannot_be_read(dnnc, folder, path):
    for command in ("evaluate", "predict"):
        done = dnnc(command, path, "moons.csv")
        assert done.status == 2
        assert "DNN701" in done.err
