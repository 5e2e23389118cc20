"""Characters that a program may hold, files that hold others, and where the files are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.errors import CompileError, UsageError
from dnnlang.syntax.files import grammar_text, read_source, source_from_text
from dnnlang.syntax.parser import parse
from tests.syntax.tools import attempt, mistake, parsed


@pytest.mark.parametrize(
    "character", ["\0", "\x01", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066"]
)
@pytest.mark.parametrize("text", ["layer 5{} relu", "layer 5 # a {} comment", 'import "{}"', "layer {}5"])
def test_invisible_characters_are_refused_everywhere(character: str, text: str) -> None:
    found = mistake(text.format(character))
    assert found.code == "DNN002"
    assert f"U+{ord(character):04X}" in found.message


def test_a_lone_carriage_return_is_refused() -> None:
    assert mistake("layer 5\rlayer 6").code == "DNN002"
    assert len(parsed("layer 5\r\nlayer 6\r\n").statements) == 2


def test_the_same_character_is_reported_once() -> None:
    found = mistake("layer 5 \x01\x01\nlayer \x01 6")
    assert found.notes == ("and 2 more of them below",)


def test_a_binary_file_is_one_mistake() -> None:
    tree, found = attempt("\x7fELF\0\0é }{ (\n" * 50)
    assert tree.statements == ()
    assert {d.code for d in found} == {"DNN002"}
    assert len(found) == 2


@pytest.mark.parametrize("text", ["größe", "W₁", "层", "β"])
def test_names_are_ascii(text: str) -> None:
    found = mistake(f"layer {text}")
    assert found.code == "DNN003"
    assert found.span is not None
    assert found.span.text == text


def test_comments_may_hold_every_letter() -> None:
    assert len(parsed("layer 5  # größe, 层, ∂J/∂W, “quoted” – and 🎉\n").statements) == 1


@pytest.mark.parametrize(("sign", "instead"), [("−", "-"), ("×", "*"), ("“", '"'), ("≤", "<="), ("\u00a0", " ")])
def test_signs_that_editors_make_are_explained(sign: str, instead: str) -> None:
    found = mistake(f"layer 5 {sign} 3")
    assert found.code == "DNN003"
    assert found.fix is not None
    assert found.fix.edits[0].text == instead


@pytest.mark.parametrize("sign", list("%&|!@?\\$~`'"))
def test_signs_without_meaning(sign: str) -> None:
    found = mistake(f"layer 5 {sign}")
    assert found.code == "DNN003"
    assert found.span is not None
    assert found.span.text == sign


def test_an_unclosed_string() -> None:
    assert mistake('import "blocks.dnn\nlayer 5').code == "DNN008"


# ---------------------------------------------------------------- files


def test_byte_order_mark_and_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "net.dnn"
    path.write_bytes(b"\xef\xbb\xbflayer 5\r\nlayer 6\r\n")
    source = read_source(path)
    found = Diagnostics()
    tree = parse(source, found)
    assert (source.name, source.text) == (str(path), "layer 5\r\nlayer 6\r\n")
    assert [s.span.column for s in tree.statements] == [1, 1]
    assert not found.found


@pytest.mark.parametrize(
    ("data", "byte", "line"),
    [
        (b"layer 5\n# caf\xe9\n", 13, 2),
        (b"\xef\xbb\xbf# \xc3\xa9\n\xff", 8, 2),
        (b"\xff\xfel\0a\0", 0, 1),
        (b"\xc3", 0, 1),
    ],
)
def test_bytes_that_are_not_utf_8(tmp_path: Path, data: bytes, byte: int, line: int) -> None:
    path = tmp_path / "net.dnn"
    path.write_bytes(data)
    with pytest.raises(CompileError) as raised:
        read_source(path)
    (found,) = raised.value.diagnostics
    assert found.code == "DNN001"
    assert found.span is not None
    assert f"byte {byte} " in found.message
    assert f"line {line}," in found.message
    assert found.span.line == line


@pytest.mark.parametrize("name", ["missing.dnn", ".", "a\0b"])
def test_files_that_cannot_be_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as raised:
        read_source(name)
    assert [d.code for d in raised.value.diagnostics] == ["DNN020"]


def test_a_file_too_large_to_be_a_program(tmp_path: Path) -> None:
    path = tmp_path / "net.dnn"
    with path.open("wb") as file:
        file.truncate(64 * 2**20 + 1)  # sparse
    with pytest.raises(UsageError, match="larger than 64 MiB"):
        read_source(path)


def test_text_from_a_string() -> None:
    found = Diagnostics()
    source = source_from_text("here", "\ufefflayer 5", found)
    assert source is not None
    assert source.text == "layer 5"
    assert source_from_text("here", "layer \ud800", found) is None
    assert [d.code for d in found.found] == ["DNN001"]


def test_the_grammar_is_found() -> None:
    assert "start:" in grammar_text("dnn.lark")
    assert "define activation" in grammar_text("prelude.dnn")
