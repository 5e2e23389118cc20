"""`dnnc fmt`: one layout, the same program, every comment.

tests/syntax/format/NAME.dnn is what somebody wrote, NAME.formatted what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dnnlang
from dnnlang.diagnostics import Diagnostics
from dnnlang.errors import InternalError
from dnnlang.source import SourceFile, Span
from dnnlang.syntax import format as module
from dnnlang.syntax.format import formatted
from tests.exploring import examples
from tests.programs import ProgramSpec, programs
from tests.syntax.sources import SOURCES, respelled
from tests.syntax.tools import parsed

ROOT = Path(__file__).parents[2]
GOLDENS = sorted((Path(__file__).parent / "format").glob("*.dnn"))
SHIPPED = [*sorted((ROOT / "examples").glob("*.dnn")), ROOT / "grammar" / "prelude.dnn"]
EXAMPLES = [path for path in SHIPPED if path.parent.name == "examples"]


def layout(text: str) -> str:
    """The text laid out; it must have no mistakes."""
    found = Diagnostics()
    after = formatted(SourceFile("test.dnn", text), found)
    assert after is not None, [d.message for d in found.found]
    return after


def meaning(value: object) -> object:
    """What a tree says, without places."""
    if isinstance(value, tuple):
        return [meaning(item) for item in value]
    if not is_dataclass(value):
        return value
    parts = (getattr(value, field.name) for field in fields(value))
    return [type(value).__name__, *(meaning(part) for part in parts if not isinstance(part, Span | SourceFile))]


def comments_of(text: str) -> list[str]:
    """Found by another way than the formatter's: no string of these tests has a `#` in it."""
    return [line[line.index("#") :].rstrip() for line in text.splitlines() if "#" in line]


# ---------------------------------------------------------------- the layout


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_layout(path: Path, golden: Callable[[Path, str], None]) -> None:
    text = layout(path.read_text(encoding="utf-8"))
    golden(path.with_suffix(".formatted"), text)
    assert layout(text) == text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_has_the_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert layout(text) == text


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", ""),
        ("\n  \n", ""),
        ("layer 5", "layer 5\n"),
        ("layer  5\r\n\r\n\r\nlayer 1 # é\r\n", "layer 5\r\n\r\nlayer 1  # é\r\n"),
        ("layer 5\r\nlayer 1\n", "layer 5\r\nlayer 1\r\n"),
        ("layer (5 # five\r\n)\r\n", "layer (\r\n    5  # five\r\n)\r\n"),
        ("# only this", "# only this\n"),
        ("layer 5 # \t \nlayer 1", "layer 5  #\nlayer 1\n"),
    ],
)
def test_line_ends(text: str, after: str) -> None:
    assert layout(text) == after


def test_numbers_and_redundant_parentheses_stay_as_written() -> None:
    text = 'layer ((1_000)) l2=1.50e-04\nimport "a  b.dnn"\n'
    assert layout(text) == text


@pytest.mark.parametrize("text", ["layer as", "layer 5 relu\nlayer (", "layer 5 -3 ", "repeat 2 { dim k }", "{}"])
def test_syntax_errors_are_reported_and_nothing_is_made(text: str) -> None:
    found = Diagnostics()
    assert formatted(SourceFile("test.dnn", text), found) is None
    assert found.failed


# ---------------------------------------------------------------- any program


@given(SOURCES.flatmap(respelled))
def test_any_program_keeps_its_meaning_and_its_comments(text: str) -> None:
    after = layout(text)
    assert meaning(parsed(after).statements) == meaning(parsed(text).statements)
    assert comments_of(after) == comments_of(text)


@given(SOURCES.flatmap(respelled))
def test_a_second_time_changes_nothing(text: str) -> None:
    after = layout(text)
    assert layout(after) == after


@given(st.data())
def test_blanks_and_lines_in_parentheses_do_not_matter(data: st.DataObject) -> None:
    text = data.draw(SOURCES)
    assert layout(data.draw(respelled(text, comments=False))) == layout(text)


@given(SOURCES.flatmap(respelled))
def test_what_holds_for_every_line(text: str) -> None:
    after = layout(text)
    assert after == "" or (after.endswith("\n") and not after.startswith("\n"))
    assert "\n\n\n" not in after
    for line in after.splitlines():
        code = line.partition("#")[0]
        assert line == line.rstrip()
        assert "\t" not in code
        assert (len(code) - len(code.lstrip())) % 4 == 0 or not code.strip()


@settings(max_examples=examples(15))
@given(st.data(), programs(max_nodes=4))
def test_the_plan_is_the_same(data: st.DataObject, spec: ProgramSpec) -> None:
    text = data.draw(respelled(spec.text))
    assert str(dnnlang.compile(layout(text))) == str(dnnlang.compile(text))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@settings(max_examples=examples(3))
@given(data=st.data())
def test_the_plan_of_an_example_is_the_same(path: Path, data: st.DataObject) -> None:
    text = data.draw(respelled(path.read_text(encoding="utf-8")))
    assert str(dnnlang.compile(layout(text))) == str(dnnlang.compile(text))


# ---------------------------------------------------------------- large and deep ones


@pytest.mark.parametrize(
    "text",
    [
        "layer " + "(" * 3_000 + "5" + ")" * 3_000,
        "layer " + "( # why\n" * 3_000 + "5" + ")" * 3_000,
        "layer " + "f(" * 150 + "5" + ", 1)" * 150,
        "layer (" + " + ".join(["f(1, 2)"] * 3_000) + ")",
        "repeat 2 {" * 50 + "layer 5" + "}" * 50,
    ],
    ids=["parentheses", "with comments", "calls", "sum", "bodies"],
)
def test_depth_and_length(text: str) -> None:
    after = layout(text)
    assert len(after) < 100 * len(text)
    assert layout(after) == after


# ---------------------------------------------------------------- our own mistakes are caught


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line.replace("5", "6"), "change what the program means"),
        (lambda line: line.replace("layer 5", "layer 5 (", 1), "change what the program means"),
        (lambda line: line.replace("layer 5  # b", "# b"), "change what the program means"),
        (lambda line: line.partition("#")[0], "lose a comment"),
        (lambda line: line.replace("# b", "# c"), "lose a comment"),
    ],
)
def test_a_wrong_layout_is_never_returned(
    change: Callable[[str], str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = module._written
    monkeypatch.setattr(module, "_written", lambda lines: (change(line) for line in written(lines)))
    with pytest.raises(InternalError, match=words):
        layout("layer 5  # a\nlayer 5  # b\n")
