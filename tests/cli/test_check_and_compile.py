"""check, compile, gradcheck and explain."""

from __future__ import annotations

import json
import re

import pytest

import dnnlang

BAD = "layer 5 rellu\nlayer 0\nlayer 1 sigmoid\n"


def test_check_is_quiet_about_what_is_right(dnnc, folder):
    done = dnnc("check", "moons.dnn", "moons.dnn")
    assert (done.status, done.out) == (0, "")
    assert "2 programs" in done.err


def test_check_prints_to_stdout_in_every_format(dnnc, folder):
    (folder / "bad.dnn").write_text(BAD)
    concise = dnnc("check", "bad.dnn", "--output-format", "concise")
    assert concise.status == 1
    assert re.match(r"bad\.dnn:1:9: error\[DNN\d+\]: ", concise.out)
    found = json.loads(dnnc("check", "bad.dnn", "--output-format", "json").out)
    assert [(d["line"], d["column"]) for d in found] == [(1, 9), (2, 7)]
    assert dnnc("check", "bad.dnn", "--output-format=github").out.startswith("::error file=bad.dnn,line=1,")
    full = dnnc("check", "bad.dnn").out
    assert "layer 5 rellu" in full
    assert "\x1b" not in full
    assert json.loads(dnnc("check", "moons.dnn", "--output-format", "json").out) == []


def test_several_files_and_one_that_is_missing(dnnc, folder):
    (folder / "bad.dnn").write_text(BAD)
    done = dnnc("check", "bad.dnn", "none.dnn", "moons.dnn", "--output-format", "concise")
    assert done.status == 2
    assert "bad.dnn:1" in done.out
    assert "none.dnn" in done.out


def test_warnings_do_not_fail(dnnc, folder):
    (folder / "w.dnn").write_text(
        "define activation relu(z) = max(z, z / 10)\ninput 2\nlayer 2 relu\nlayer 2 softmax\n"
    )
    done = dnnc("check", "w.dnn")
    assert done.status == 0
    assert "warning[" in done.out
    done = dnnc("compile", "w.dnn")
    assert done.status == 0
    assert "warning[" in done.err
    assert "warning[" not in done.out


def test_fix_repairs_what_is_certain_and_keeps_the_rest(dnnc, folder):
    path = folder / "f.dnn"
    path.write_bytes(b"\xef\xbb\xbflayer 5 relu  # keep me\r\nlayer 1 sigmoid\r\ntrain { learning_rat 0.1 }\r\n")
    before = json.loads(dnnc("check", "f.dnn", "--output-format", "json").out)
    if before[0]["fix"] is None:
        pytest.skip("no fix is offered for this mistake yet")
    done = dnnc("check", "--fix", "f.dnn")
    assert done.status == 0
    assert path.read_bytes() == (
        b"\xef\xbb\xbflayer 5 relu  # keep me\r\nlayer 1 sigmoid\r\ntrain { learning_rate 0.1 }\r\n"
    )


def test_fix_leaves_files_without_fixes_alone(dnnc, folder):
    path = folder / "f.dnn"
    path.write_text("layer 0\n")
    before = path.stat().st_mtime_ns
    assert dnnc("check", "--fix", "f.dnn").status == 1
    assert path.stat().st_mtime_ns == before


def test_definitions_of_params_and_sizes(dnnc, folder):
    (folder / "p.dnn").write_text("param width = 4 in {4, 8}\nlayer width relu\nlayer 1 sigmoid\n")
    assert dnnc("check", "p.dnn", "-D", "width=8", "-D", "n[0]=3").status == 0
    assert dnnc("check", "p.dnn", "-D", "width=0").status == 1
    done = dnnc("check", "p.dnn", "-D", "widht=8")
    assert done.status == 1
    assert "width" in done.out


def test_compile_prints_the_plan(dnnc, folder):
    done = dnnc("compile", "moons.dnn", "-O0")
    assert done.status == 0
    assert done.out == str(dnnlang.compile_file("moons.dnn", optimize=0)) + "\n"
    assert done.err == ""


def test_compile_writes_artefacts(dnnc, folder):
    done = dnnc("compile", "moons.dnn", "--emit", "json", "-o", "plan.json")
    assert (done.status, done.out) == (0, "")
    assert json.loads((folder / "plan.json").read_text())
    assert json.loads(dnnc("compile", "moons.dnn", "--emit", "json").out) == json.loads(
        (folder / "plan.json").read_text()
    )
    done = dnnc("compile", "moons.dnn", "-o", "no/such/plan")
    assert done.status == 2
    assert "no/such/plan" in done.err


def test_compile_does_not_write_over_its_own_input(dnnc, folder):
    before = (folder / "moons.dnn").read_text()
    assert dnnc("compile", "moons.dnn", "-o", "moons.dnn").status == 2
    assert (folder / "moons.dnn").read_text() == before


def test_gradcheck(dnnc, folder):
    done = dnnc("gradcheck", "moons.dnn")
    assert done.status == 0
    assert re.search(r"^dW\[1\] +\(8, 2\) +16 +\S+ +ok$", done.out, re.M)
    assert "all 4 gradients agree" in done.out
    assert dnnc("gradcheck", "moons.dnn", "--seed", "5").out != done.out


def test_gradcheck_fails_where_gradients_are_wrong(dnnc, folder, monkeypatch):
    from dnnlang.network import Network

    gradients = Network.gradients

    def wrong(self, X, Y, **options):
        return {name: array * 1.01 for name, array in gradients(self, X, Y, **options).items()}

    monkeypatch.setattr(Network, "gradients", wrong)
    done = dnnc("gradcheck", "moons.dnn")
    assert done.status == 1
    assert "WRONG" in done.out


def test_explain(dnnc):
    done = dnnc("explain", "dnn606")
    assert done.status == 0
    assert "cell-not-a-number" in done.out
    assert dnnc("explain", "cell-not-a-number").out == done.out


def test_explain_lists_every_rule(dnnc):
    from dnnlang.diagnostics import RULES

    lines = dnnc("explain").out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(RULES)
    assert len(lines) > 50
