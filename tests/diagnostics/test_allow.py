"""Warnings: silenced on their line, or made errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnnlang.cli import main
from dnnlang.diagnostics import RULES, Diagnostics
from dnnlang.diagnostics.allow import deny, is_allowed
from dnnlang.graph.advice import BATCH_LARGER
from dnnlang.graph.build import build
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.parser import parse

WARNINGS = sorted(
    code
    for code, rule in RULES.items()
    if rule.severity == "warning" and rule.program and code not in ("DNN390", "DNN391")
)
NET = "layer 5 relu\nlayer 1 sigmoid\n"


def said(text: str) -> list[str]:
    found = Diagnostics()
    build(parse(SourceFile("test.dnn", text), found), found)
    return [d.code for d in found.in_source_order()]


@pytest.mark.parametrize("code", WARNINGS)
def test_every_warning_is_silenced_on_its_line(code: str) -> None:
    found = Diagnostics()
    build(parse(SourceFile("test.dnn", RULES[code].wrong), found), found)
    (diagnostic,) = found.found
    assert diagnostic.span is not None
    lines = RULES[code].wrong.splitlines()
    lines[diagnostic.span.line - 1] += f"  # dnnc: allow {code}"
    assert said("\n".join(lines)) == []


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("param a = 1; dim b  # dnnc: allow DNN321\n" + NET, []),
        ("param a = 1  #dnnc:allow DNN321  # to be used one day\n" + NET, []),
        ("param a = (1 +\n    2)  # dnnc: allow DNN321\n" + NET, ["DNN321", "DNN391"]),
        ("# dnnc: allow DNN321\nparam a = 1\n" + NET, ["DNN391", "DNN321"]),
        ("param a = 1  # dnnc: allow DNN321, DNN320\n" + NET, ["DNN391"]),
        ("param a = 1  # dnnc: allow DNN320 DNN321\n" + NET, ["DNN391"]),
        ("param a = 1  # dnnc: allow DNN331\n" + NET, ["DNN321", "DNN391"]),
        ("param a = 1  # dnnc: allow\n" + NET, ["DNN321", "DNN390"]),
        ("param a = 1  # dnnc: ignore DNN321\n" + NET, ["DNN321", "DNN390"]),
        ("param a = 1  # dnnc: allow DNN321x\n" + NET, ["DNN321", "DNN390"]),
        ("param a = 1  # dnnc: allow DNN321 and more\n" + NET, ["DNN390", "DNN390"]),
        ("layer 5 rellu  # dnnc: allow DNN401\nlayer 1 sigmoid\n", ["DNN401", "DNN390"]),
        ("layer 5 rellu  # dnnc: allow DNN321\nlayer 1 sigmoid\n", ["DNN401"]),  # perhaps needed once it is corrected
        ("train { batch 99 }  # dnnc: allow DNN340\n" + NET, []),  # training may need it
        ("param a = 1  # dnnc is a command\n" + NET, ["DNN321"]),
    ],
)
def test_comments(text: str, codes: list[str]) -> None:
    assert said(text) == codes


def test_warnings_found_later_are_silenced_too() -> None:
    source = SourceFile("test.dnn", "train { batch 99 }  # dnnc: allow DNN340\nlayer 1")
    assert is_allowed(BATCH_LARGER.at(Span(source, 8, 16), "m"))
    assert not is_allowed(BATCH_LARGER.at(Span(source, len(source.text) - 1, len(source.text)), "m"))
    assert not is_allowed(BATCH_LARGER.at(None, "m"))


def test_denied_warnings_are_errors() -> None:
    one, other = BATCH_LARGER.at(None, "m"), RULES["DNN321"].at(None, "n")
    assert [d.severity for d in deny([one, other], ["DNN340"])] == ["error", "warning"]
    assert [d.severity for d in deny([one, other], ["warnings"])] == ["error", "error"]
    assert [d.severity for d in deny([one, other], [])] == ["warning", "warning"]


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "net.dnn"
    path.write_text("param a = 1\nparam b = 1  # dnnc: allow DNN321\nlayer 5 relu\nlayer 1 sigmoid\n")
    return str(path)


@pytest.mark.parametrize("command", ["check", "compile"])
def test_the_option(command: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, program]) == 0
    for codes in (["--deny", "DNN321"], ["--deny", "warnings"], ["--deny", "DNN320,DNN321"]):
        capsys.readouterr()
        assert main([command, program, *codes, "--output-format", "concise"]) == 1
        written = capsys.readouterr()
        assert (written.out + written.err).count("error[DNN321]: the param `a` is never used") == 1
    assert main([command, program, "--deny", "DNN320"]) == 0


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("DNN201", "DNN201 is an error already"),
        ("DNN32", "there is no warning `DNN32`"),
        ("dnn321", "did you mean `DNN321`?"),
        ("warning", "did you mean `warnings`?"),
    ],
)
def test_what_cannot_be_denied(code: str, advice: str, program: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", program, "--deny", code]) == 2
    assert advice in capsys.readouterr().out
