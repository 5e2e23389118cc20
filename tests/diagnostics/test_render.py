"""How diagnostics look in each format."""

from __future__ import annotations

import json
import re

import pytest

from dnnlang.diagnostics import Diagnostic, Edit, Fix, Label, Rule
from dnnlang.diagnostics.display import width
from dnnlang.diagnostics.render import FORMATS, render
from dnnlang.source import SourceFile, Span

ERROR = Rule("DNN203", "unequal-inputs", "Inputs differ in size.", "why", "wrong", "right")
WARNING = Rule("DNN301", "unused-node", "A node is unused.", "why", "wrong", "right", severity="warning")


def source(text: str, name: str = "houses.dnn") -> SourceFile:
    return SourceFile(name, text)


def at(file: SourceFile, words: str) -> Span:
    start = file.text.index(words)
    return Span(file, start, start + len(words))


def full(diagnostic: Diagnostic) -> str:
    return render([diagnostic], "full")


HOUSES = source("\n" * 4 + "param width = 64\n" + "\n" * 11 + "layer width // 2 as head\n\n\n\nadd from stem, head\n")
UNEQUAL = ERROR.at(
    at(HOUSES, "add from stem, head"),
    "`add` needs inputs of equal size, but these have 64 and 32 units",
    labels=[
        Label(at(HOUSES, "stem"), "64 = width, set on line 5"),
        Label(Span(HOUSES, HOUSES.text.index("head\n", 60), HOUSES.text.index("head\n", 60) + 4), "32 = width // 2"),
    ],
    notes=["n[stem] = 64, n[head] = 32"],
    help="put a layer between them: `layer width from head as head2`",
)


def test_labels_inside_the_main_span_take_its_place() -> None:
    assert (
        full(UNEQUAL)
        == """\
error[DNN203]: `add` needs inputs of equal size, but these have 64 and 32 units
   ┌─ houses.dnn:21:1
21 │ add from stem, head
   │          ──── 64 = width, set on line 5
   │                ──── 32 = width // 2
   = n[stem] = 64, n[head] = 32
   help: put a layer between them: `layer width from head as head2`
"""
    )


def test_labels_on_other_lines_and_in_other_files() -> None:
    blocks = source("block gate(k) {\n}\n", "blocks.dnn")
    diagnostic = WARNING.at(
        at(HOUSES, "add"),
        "two\nlines",
        labels=[
            Label(at(HOUSES, "width = 64"), "set here"),
            Label(at(blocks, "gate"), "used here"),
            Label(at(HOUSES, "layer width"), "and here"),
        ],
        help="one\ntwo",
        notes=["three\nfour"],
    )
    assert (
        full(diagnostic)
        == """\
warning[DNN301]: two
lines
   ┌─ houses.dnn:21:1
 5 │ param width = 64
   │       ────────── set here
   ·
17 │ layer width // 2 as head
   │ ─────────── and here
   ·
21 │ add from stem, head
   │ ^^^
   ┌─ blocks.dnn:1:7
 1 │ block gate(k) {
   │       ──── used here
   = three
     four
   help: one
         two
"""
    )


def test_without_a_place() -> None:
    diagnostic = ERROR.at(None, "cannot read `a.dnn`: no such file", notes=["a note"], help="look again")
    assert (
        full(diagnostic)
        == """\
error[DNN203]: cannot read `a.dnn`: no such file
  = a note
  help: look again
"""
    )
    assert render([diagnostic], "concise") == "error[DNN203]: cannot read `a.dnn`: no such file\n"
    assert render([diagnostic], "github") == (
        "::error title=DNN203 unequal-inputs::cannot read `a.dnn`: no such file%0Aa note%0Ahelp: look again\n"
    )
    (written,) = json.loads(render([diagnostic], "json"))
    assert (written["file"], written["line"], written["end_column"]) == (None, None, None)


def underlined(file: SourceFile, words: str) -> tuple[str, str]:
    """The line as shown, and what stands above the carets, found by counting columns."""
    _, _, line, carets, *_ = full(ERROR.at(at(file, words), "m")).split("\n")
    before, marks = carets[: carets.index("^")], carets.count("^")
    start, cells = width(before), []
    column = 0
    for character in line:
        if start <= column < start + marks:
            cells.append(character)
        column += width(character)
    return line, "".join(cells)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layer 5 relu", "relu"),
        ("größe = relu", "relu"),
        ("层层 = relu", "relu"),
        ("layer\t5\t\trelu", "relu"),
        ("a\u0301e\u0308 = relu", "relu"),
        ("layer 5 relu\r\nlayer 6", "relu"),
        ("层 relu 层", "relu"),
        ("relu 层层", "层层"),
        ("🎉 relu", "relu"),
        ("x" * 5_000 + " relu " + "y" * 5_000, "relu"),
        ("层" * 5_000 + " relu " + "层" * 5_000, "relu"),
        ("\t" * 2_000 + "relu", "relu"),
        ("relu " + "y" * 10_000, "relu"),
    ],
)
def test_carets_stand_under_what_is_meant(text: str, words: str) -> None:
    line, above = underlined(source(text), words)
    assert above == words
    assert width(line) <= 120


def test_a_long_line_is_shown_once_for_marks_far_apart() -> None:
    file = source("first " + "x" * 400 + " second")
    text = full(ERROR.at(at(file, "second"), "m", labels=[Label(at(file, "first"), "here")]))
    assert text.count(" 1 │") == 2
    assert "second" in text
    assert "first" in text


def test_spans_at_the_ends_of_the_text() -> None:
    for text in ("", "layer", "layer\n", "\n"):
        file = source(text)
        shown = full(ERROR.at(Span(file, len(text), len(text)), "m"))
        assert shown.count("^") == 1


def test_a_span_over_several_lines_is_underlined_on_its_first() -> None:
    file = source("train {\n  epochs 3\n}")
    lines = full(ERROR.at(Span(file, 0, len(file.text)), "m")).split("\n")
    assert lines[2:] == [" 1 │ train {", "   │ ^^^^^^^", ""]


def test_nothing_that_a_terminal_obeys_gets_through() -> None:
    file = source("layer \x1b[31m\u202e\x07 5\x00 \x7f", "a\x1b[2Jb.dnn")
    diagnostic = ERROR.at(at(file, "5"), "m \x1b[1m\u202e", labels=[Label(at(file, "layer"), "\x1b[5m")], help="\x07")
    for format in ("full", "concise"):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", render([diagnostic], format))


def test_colour_changes_only_colour() -> None:
    painted = render([UNEQUAL], "full", colour=True)
    assert "\x1b[1;31m" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == full(UNEQUAL)
    assert "\x1b" not in full(UNEQUAL)
    warning = render([WARNING.at(at(HOUSES, "add"), "m")], "full", colour=True)
    assert "\x1b[1;31m" not in warning


def test_concise() -> None:
    assert render([UNEQUAL, WARNING.at(at(HOUSES, "head"), "two\n lines")], "concise") == (
        "houses.dnn:21:1: error[DNN203]: `add` needs inputs of equal size, but these have 64 and 32 units\n"
        "houses.dnn:17:21: warning[DNN301]: two lines\n"
    )


def test_columns_are_characters() -> None:
    assert render([ERROR.at(at(source("层\t🎉 relu"), "relu"), "m")], "concise").startswith("houses.dnn:1:5: ")


def test_json_has_exactly_the_keys_of_the_contract() -> None:
    place = {"file", "line", "column", "end_line", "end_column"}
    fix = Fix("close it", (Edit(Span(HOUSES, 4, 4), "}\n"),))
    with_fix, plain = json.loads(render([ERROR.at(at(HOUSES, "64\n"), "größe", fix=fix), UNEQUAL], "json"))
    assert set(with_fix) == set(plain) == place | {"code", "severity", "message", "labels", "help", "fix"}
    assert [set(label) for label in plain["labels"]] == [place | {"message"}] * 2
    assert set(with_fix["fix"]) == {"edits"}
    assert [set(edit) for edit in with_fix["fix"]["edits"]] == [place | {"text"}]
    assert (plain["fix"], with_fix["help"], with_fix["message"]) == (None, None, "größe")
    assert (plain["line"], plain["column"], plain["end_line"], plain["end_column"]) == (21, 1, 21, 20)
    assert (with_fix["end_line"], with_fix["end_column"]) == (6, 1)
    assert json.loads(render([], "json")) == []


def test_github_escapes_what_would_end_a_field() -> None:
    file = source("layer 5", "a,b:c%.dnn")
    assert render([WARNING.at(at(file, "5"), "100 % of\nit")], "github") == (
        "::warning file=a%2Cb%3Ac%25.dnn,line=1,col=7,endLine=1,endColumn=8,title=DNN301 unused-node::100 %25 of%0Ait\n"
    )


def test_people_see_twenty_errors_and_a_count() -> None:
    errors = [ERROR.at(at(HOUSES, "add"), f"mistake {i}") for i in range(1_234)]
    warnings = [WARNING.at(at(HOUSES, "add"), f"doubt {i}") for i in range(21)]
    for format in ("full", "concise"):
        text = render([*errors, *warnings], format)
        assert text.count("error[") == 20
        assert text.count("warning[") == 20
        assert text.endswith("… and 1,214 more errors and 1 more warning\n")
        assert "more" not in render(errors[:20], format)
    assert len(json.loads(render(errors, "json"))) == 1_234
    assert render(errors, "github").count("\n") == 1_234


def test_formats() -> None:
    assert set(FORMATS) == {"full", "concise", "json", "github"}
    with pytest.raises(ValueError, match="sarif"):
        render([UNEQUAL], "sarif")
    assert [render([], format) for format in ("full", "concise", "github")] == ["", "", ""]
