"""Programs with `repeat`, `block` and `import` on the command line."""

from __future__ import annotations

import json

import pytest

BLOCKS = "param width = 6\nblock wide(k; g=tanh) from x {\n    layer k g\n    layer k g\n    add from x, _\n}\n"
MAIN = 'import "parts/blocks.dnn"\ninput 2\nlayer width tanh\nrepeat 20 { wide width }\nlayer 2 softmax\n'


@pytest.fixture
def program(folder):
    (folder / "parts").mkdir()
    (folder / "parts" / "blocks.dnn").write_text(BLOCKS)
    (folder / "main.dnn").write_text(MAIN)
    return folder / "main.dnn"


def test_a_plan_shows_what_is_repeated_once(dnnc, program):
    short = dnnc("compile", "main.dnn")
    flat = dnnc("compile", "main.dnn", "--flat")
    assert short.status == flat.status == 0
    assert "more copies of the 3 rows above" in short.out
    assert "more copies" not in flat.out
    assert len(short.out.splitlines()) < 90
    assert sum(line.startswith(" F") for line in flat.out.splitlines()) > 60  # a step a layer


def test_values_can_be_given_for_imported_params(dnnc, program):
    assert "width" not in dnnc("check", "main.dnn", "-D", "width=9").out
    assert dnnc("compile", "main.dnn", "-D", "width=9").out.count("(9, 9)") > 2
    assert "did you mean `width`?" in dnnc("check", "main.dnn", "-D", "widht=9").out


def test_mistakes_in_imported_files_are_told_with_their_names(dnnc, program):
    (program.parent / "parts" / "blocks.dnn").write_text(BLOCKS.replace("from x, _", "from x, q"))
    done = dnnc("check", "main.dnn", "--output-format", "json")
    assert done.status == 1
    (found,) = json.loads(done.out)
    assert (found["file"], found["line"], found["column"]) == ("parts/blocks.dnn", 5, 17)
    assert [(label["file"], label["line"]) for label in found["labels"]] == [("main.dnn", 4), ("main.dnn", 4)]
    (program.parent / "main.dnn").write_text(MAIN.replace("blocks.dnn", "block.dnn"))
    done = dnnc("check", "main.dnn", "--output-format", "concise")
    assert done.out == "main.dnn:1:8: error[DNN021]: cannot import `parts/block.dnn`: there is no such file\n"


def test_json_says_where_each_step_comes_from(dnnc, program):
    made = json.loads(dnnc("compile", "main.dnn", "--emit", "json").out)
    node = next(n for n in made["nodes"] if n["name"] == "layer[4]")
    assert (node["position"]["file"], node["position"]["line"]) == ("parts/blocks.dnn", 3)
    assert [(w["name"], w["copy"], w["position"]["line"]) for w in node["within"]] == [("wide", 2, 4), ("repeat", 2, 4)]
    plan = next(p for p in made["plans"] if p["purpose"] == "gradients")
    first = next(i for i in plan["instructions"] if i["formula"].startswith("dW[4] ="))
    assert [w["copy"] for w in first["within"]] == [2, 2]
    assert made["nodes"][0]["within"] == []


def test_a_trained_model_needs_no_other_file(dnnc, program):
    trained = dnnc("train", "main.dnn", "moons.csv", "--target", "side", "-o", "m.safetensors")
    assert trained.status == 0, trained.err
    (program.parent / "parts" / "blocks.dnn").unlink()
    program.unlink()
    assert dnnc("predict", "m.safetensors", "moons.csv").status == 0
    assert "more copies" in dnnc("compile", "m.safetensors").out
