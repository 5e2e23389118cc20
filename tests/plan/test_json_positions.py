"""JSON is read as Python reads it, and every part of it is found again where it stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.plan.json_positions import MAX_DEPTH, Document, NotJsonError, Path, path_text
from dnnlang.source import SourceFile

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def paths(value: Any, at: Path = ()) -> list[tuple[Path, Any]]:
    found = [(at, value)]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in children:
        found += paths(each, (*at, name))
    return found


@given(VALUES, st.sampled_from((None, 0, 2)), st.booleans())
def test_every_part_is_found_where_it_stands(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    document = Document(SourceFile("p.json", f" \n{text}\n"))
    assert document.value == value
    for path, each in paths(value):
        span = document.span(path)
        if span.text in ("{", "["):
            assert isinstance(each, dict | list)
        else:
            assert json.loads(span.text) == each
        if path and isinstance(path[-1], str):
            assert json.loads(document.span(path, key=True).text) == path[-1]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('{"a": 1,}', "1:9", "property name"),
        ('{\n  "a": 1\n  "b": 2\n}', "3:3", "',' delimiter"),
        ('{"a": [1, 2', "1:12", "the file ends too early"),
        ('{"a": 1} x', "1:10", "extra data"),
        ("", None, "is empty"),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "1:24", '"b" stands twice'),
        ('{"a": 1, "\\u0061": 2}', "1:10", '"a" stands twice'),
        ('{"NaN": "NaN", "b": NaN}', "1:21", "NaN is no number of JSON"),
        ('["-Infinity", -Infinity]', "1:15", "-Infinity is no number of JSON"),
        ('{"a": ' + "9" * 5000 + "}", "1:7", "too many digits"),
        ("[" * 100_000, f"1:{MAX_DEPTH + 1}", "inside one another"),
    ],
)
def test_what_is_no_json_is_said_where_it_is_not(text: str, place: str | None, message: str) -> None:
    with pytest.raises(NotJsonError, match=message.replace("[", r"\[")) as raised:
        Document(SourceFile("p.json", text))
    span = raised.value.diagnostic.span
    assert (f"{span.line}:{span.column}" if span is not None else None) == place


@given(st.text(alphabet='{}[]",:0123456789.eE-+ntrufalse \\\n', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = Document(SourceFile("p.json", text)).value
    except NotJsonError:
        return
    for path, _ in paths(value):
        Document(SourceFile("p.json", text)).span(path)


def test_paths_read_as_people_write_them() -> None:
    assert path_text(("plans", 1, "instructions", 4, "inputs", 0)) == "plans[1].instructions[4].inputs[0]"
    assert path_text(("plans", 0, "outputs", "layer[3]")) == 'plans[0].outputs["layer[3]"]'
    assert path_text(()) == "the file"
