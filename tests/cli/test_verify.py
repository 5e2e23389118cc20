"""`dnnc verify`: plans in JSON, right and corrupted, with places in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dnnlang
from dnnlang.cli import main

PROGRAM = "input 3; layer 4 relu; dropout 0.5; layer 1 sigmoid; train { optimizer momentum }"
OPEN = "layer 4 relu; layer 1 sigmoid"
Json = dict[str, Any]


def plans(optimize: int = 1, program: str = PROGRAM) -> Json:
    made: Json = json.loads(dnnlang.compile(program, optimize=optimize).to_json())
    return made


def write(path: Path, file: Json, *, indent: int | None = 2) -> str:
    path.write_text(json.dumps(file, ensure_ascii=False, indent=indent), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("optimize", [0, 1, 2])
def test_right_plans(optimize: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "plan.json", plans(optimize))
    assert main(["verify", path]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("3 plans, ")
    assert out.endswith(" instructions: nothing is wrong\n")
    assert err == ""


def test_right_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "plan.json", plans())
    assert main(["verify", path, "--numeric"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["8", "gradients"],
        ["8", "updates"],
        ["2", "losses"],
        ["2", "outputs"],
    ]
    assert all(line.endswith("  ok") for line in lines[1:])


def test_open_sizes_are_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "plan.json", plans(program=OPEN))
    assert main(["verify", path, "--numeric"]) == 0
    assert main(["verify", path, "--numeric", "-D", "n[0]=2"]) == 0
    assert main(["verify", path, "--numeric", "-D", "n[0]=two"]) == 2
    assert main(["verify", path, "--numeric", "-D", "n[9]=2"]) == 2
    assert main(["verify", path, "-D", "n[0]=2"]) == 2
    err = capsys.readouterr().err
    assert "a size is a whole number" in err
    assert "n[9] is no size that these plans leave open" in err
    assert "-D is for --numeric" in err


def test_a_wrong_operand_is_shown_where_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = plans()
    step = file["plans"][1]["instructions"][0]
    step["inputs"][0], step["inputs"][1] = step["inputs"][1], step["inputs"][0]
    path = write(tmp_path / "plan.json", file)
    assert main(["verify", path, "--output-format", "json"]) == 1
    (found, *_) = json.loads(capsys.readouterr().out)
    assert found["code"] == "DNN892"
    assert found["message"].startswith("plans[1].instructions[0]: F1 (Z[1]): X and W[1] cannot be multiplied")
    at = [n for n, line in enumerate(Path(path).read_text().splitlines(), 1) if '"label": "F1"' in line][1]
    assert found["line"] == at - 1  # the bracket before its label


def test_a_file_on_one_line_is_shown_around_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = plans()
    file["plans"][2]["instructions"].pop(1)
    path = write(tmp_path / "plan.json", file, indent=None)
    assert main(["verify", path]) == 1
    out = capsys.readouterr().out
    assert "plans[2].instructions[1].label: the label should be F2, not F3" in out
    assert max(map(len, out.splitlines())) < 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["memory"].update(peak="1 m"), "plans[1].memory.peak: this says '1 m', but it is"),
        (lambda p: p["instructions"][1].update(in_place=True), "plans[1].instructions[1].in_place: this says"),
        (lambda p: p["cache"].pop(), "plans[1].cache: this says"),
        (lambda p: p["cache"][0].update(bytes="4*m"), "plans[1].cache[0].bytes: this says"),
        (lambda p: p["slots"][-1].update(offset="7"), "offset: this says '7', but it is"),
    ],
)
def test_claims_that_are_not_so(
    change: Callable[[Json], None], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = plans(0)
    change(file["plans"][1])
    assert main(["verify", write(tmp_path / "plan.json", file), "--output-format", "concise"]) == 1
    out = capsys.readouterr().out
    assert "error[DNN893]" in out
    assert message in out


def test_a_wrong_slope_is_found_by_numbers_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The derivative of relu for negative Z."""
    file = plans(1)
    gradients = file["plans"][1]
    slope = next(i for i in gradients["instructions"] if i["attributes"].get("slope_of") == "relu")
    condition = next(n for n, e in enumerate(file["expressions"]) if e["op"] in ("less", "less_equal"))
    table = file["expressions"]
    turned = len(table)
    table.append({**table[condition], "args": table[condition]["args"][::-1]})
    root = table[slope["attributes"]["expr"]]
    table.append({**root, "args": [turned if n == condition else n for n in root["args"]]})
    slope["attributes"]["expr"] = turned + 1
    path = write(tmp_path / "plan.json", file)
    assert main(["verify", path]) == 0
    assert main(["verify", path, "--numeric", "--output-format", "concise"]) == 1
    out, err = capsys.readouterr()
    assert "2 WRONG" in err
    assert "error[DNN894]: plans[1].values[" in out
    assert "dW[1] is not the derivative of J by W[1]" in out


def test_a_step_that_drops_less_is_found_by_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = plans(1)
    step = file["plans"][2]
    mask = next(i for i in step["instructions"] if i["operation"] == "mask")
    mask["attributes"]["rate"] = "1/4"
    path = write(tmp_path / "plan.json", file)
    assert main(["verify", path]) == 0
    assert main(["verify", path, "--numeric", "--output-format", "concise"]) == 1
    assert "J is not what plans[1] computes" in capsys.readouterr().out


def test_machines_get_nothing_but_diagnostics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "plan.json", plans())
    assert main(["verify", path, "--numeric", "--output-format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "nothing is wrong" in err


def test_a_large_plan_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "plan.json", plans(program="input 3000; layer 3000 relu; layer 1 sigmoid"))
    assert main(["verify", path]) == 0
    assert main(["verify", path, "--numeric"]) == 2
    assert "this check is for small networks" in capsys.readouterr().err


def test_what_is_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    for text, status, message in (
        ("{", 1, "the file ends too early"),
        ("[]", 1, "this is no plan"),
        ('{"format": "dnnlang plan", "version": 1}', 1, "the version of this file is not 2"),
    ):
        path.write_text(text)
        assert main(["verify", str(path)]) == status
        assert message in capsys.readouterr().out
    path.write_bytes(b'{"format": "\xff"}')
    assert main(["verify", str(path)]) == 1
    assert main(["verify", str(tmp_path / "plam.json")]) == 2
    assert "plan.json" in capsys.readouterr().err
