"""Data files: what is read, and what is said about each way in which one can be broken."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from dnnlang.errors import DataError
from dnnlang.training.data import open_table


def write(folder: Path, text: str, name: str = "t.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


def failure(path: str, numbers: list[str] | None = None, raw: list[str] | None = None) -> list[tuple[str, str]]:
    try:
        table = open_table(path)
        table.read(list(table.columns) if numbers is None else numbers, raw or [])
    except DataError as error:
        return [(d.code, d.message) for d in error.diagnostics]
    return []


def test_numbers_and_raw_columns(tmp_path):
    table = open_table(write(tmp_path, "a,b,c\n1,x,2.5\n-3,y,4e2\n"))
    assert table.columns == ("a", "b", "c")
    block = table.read(["c", "a"], ["b"])
    assert block.numbers.tolist() == [[2.5, 1.0], [400.0, -3.0]]
    assert block.raw == {"b": ["x", "y"]}


def test_raw_column_of_numbers_is_an_array(tmp_path):
    block = open_table(write(tmp_path, "a,b\n1,3\n2,4\n")).read(["a"], ["b"])
    assert isinstance(block.raw["b"], np.ndarray)
    assert block.raw["b"].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("text", ["\ufeffa,b\r\n1,2\r\n\r\n3,4\r\n", "a,b\n1,2\n3,4", ' a ,"b"\n1," 2"\n3,4\n\n'])
def test_byte_order_marks_line_ends_blank_lines_quotes_and_spaces(tmp_path, text):
    table = open_table(write(tmp_path, text))
    assert table.columns == ("a", "b")
    assert table.read(["a", "b"], []).numbers.tolist() == [[1, 2], [3, 4]]


def test_gzip(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n2\n", mtime=0))
    assert open_table(path).read(["a"], []).numbers.tolist() == [[1], [2]]


def test_more_rows_than_a_chunk(tmp_path):
    rows = 10_000
    text = "a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(rows))
    block = open_table(write(tmp_path, text)).read(["a"], ["b"])
    assert block.rows == rows
    assert block.numbers[:, 0].tolist() == list(range(rows))


BROKEN = {
    "empty": ("", [("DNN602", "is empty")]),
    "only blank lines": ("\n\n", [("DNN602", "is empty")]),
    "no rows": ("a,b\n", [("DNN602", "no rows")]),
    "no header": ("1,2\n3,4\n", [("DNN603", "all numbers")]),
    "twice": ("a,b,a\n1,2,3\n", [("DNN603", "columns 1 and 3")]),
    "unnamed": (",b\n1,2\n", [("DNN603", "column 1 of")]),
    "other separator": ("a;b\n1;2\n", [("DNN603", "separated by `;`")]),
    "short row": ("a,b\n1,2\n3\n", [("DNN604", "row 2 has 1 cell, but the header has 2")]),
    "long row": ("a,b\n1,2,3\n3,4\n", [("DNN604", "row 1 has 3 cells, but the header has 2")]),
    "gap": ("a,b\n1,\n", [("DNN605", "row 1, column `b` is empty")]),
    "text": ("a,b\n1,2\n1,two\n", [("DNN606", "row 2, column `b` is `two`")]),
    "nan": ("a,b\n1,nan\n", [("DNN607", "row 1, column `b` is `nan`")]),
    "inf": ("a,b\n-inf,1\n", [("DNN607", "row 1, column `a` is `-inf`")]),
    "several": ("a,b\n1,x\n,2\n3\n", [("DNN606", "row 1"), ("DNN605", "row 2"), ("DNN604", "row 3")]),
    "open quote": ('a,b\n1,"2\n', [("DNN601", "cannot read")]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_csv(tmp_path, name):
    text, expected = BROKEN[name]
    found = failure(write(tmp_path, text))
    assert len(found) == len(expected)
    for (code, message), (wanted_code, wanted) in zip(found, expected, strict=True):
        assert code == wanted_code
        assert wanted in message


def test_not_utf_8(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,caf\xe9\n")
    assert failure(str(path))[0][0] == "DNN601"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.csv", None),
        ("t.xlsx", b"PK"),
        ("t.csv.gz", b"no gzip"),
        ("t.csv.gz", gzip.compress(b"a\n1\n" * 9999, mtime=0)[:60]),
        ("t.npz", b"PK\x03\x04 no archive"),
        ("t.npz", b""),
        ("missing.npz", None),
    ],
)
def test_unreadable(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    [(code, message)] = failure(str(path))
    assert code == "DNN601"
    assert name in message


def test_a_bad_cell_is_shown_in_its_line(tmp_path):
    path = write(tmp_path, 'a,"b"\n1,2\n\n"3",oops\n')
    with pytest.raises(DataError) as caught:
        open_table(path).read(["a", "b"], [])
    span = caught.value.diagnostics[0].span
    assert span is not None
    assert (span.source.name, span.line, span.column, span.text) == (path, 4, 5, "oops")
    assert span.source.line(4) == '"3",oops'
    assert span.source.line(1) == 'a,"b"'


def test_only_the_first_twenty_bad_cells_are_shown_and_the_rest_counted(tmp_path):
    path = write(tmp_path, "a\n" + "x\n" * 9000)
    with pytest.raises(DataError) as caught:
        open_table(path).read(["a"], [])
    found = caught.value.diagnostics
    assert len(found) == 20
    assert "8,980 more" in found[-1].notes[0]


def test_archive(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, X=np.arange(6).reshape(3, 2), y=np.array(["a", "b", "a"]), w=np.array([1.5, 2, 3]))
    table = open_table(path)
    assert table.columns == ("X[0]", "X[1]", "y", "w")
    assert table.groups == {"X": ("X[0]", "X[1]")}
    block = table.read(["X[0]", "X[1]"], ["y", "w"])
    assert block.numbers.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert block.raw["y"] == ["a", "b", "a"]
    assert table.read(["w", "X[1]"], []).numbers.tolist() == [[1.5, 1], [2, 3], [3, 5]]


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        ({"X": np.zeros((2, 3)), "y": np.zeros(3)}, "DNN604", "`y` has 3"),
        ({"X": np.zeros((2, 3, 4))}, "DNN601", "(2, 3, 4)"),
        ({"X": np.zeros((0, 3))}, "DNN602", "no rows"),
        ({"X": np.array([[1.0, np.nan]])}, "DNN607", "row 1, column `X[1]`"),
        ({"x": np.array(["1", "two"])}, "DNN606", "row 2, column `x`"),
        ({"x": np.array([1j])}, "DNN606", "complex"),
        ({}, "DNN602", "no columns"),
    ],
)
def test_broken_archive(tmp_path, arrays, code, words):
    path = tmp_path / "t.npz"
    np.savez(path, **arrays)
    [(found, message)] = failure(str(path))
    assert found == code
    assert words in message


def test_objects_in_an_archive_are_never_loaded(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, x=np.array([{"a": 1}], object), allow_pickle=True)
    [(code, message)] = failure(str(path))
    assert code == "DNN601"
    assert "never loaded" in message


def test_parquet_names_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "t.parquet").touch()
    with pytest.raises(DataError) as caught:
        open_table(tmp_path / "t.parquet")
    assert "dnnlang[parquet]" in (caught.value.diagnostics[0].help or "")


def test_parquet(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"a": [1, 2], "b": [0.5, 1.5], "c": ["x", "y"]}), path)
    block = open_table(path).read(["b", "a"], ["c"])
    assert block.numbers.tolist() == [[0.5, 1], [1.5, 2]]
    assert block.raw == {"c": ["x", "y"]}
    parquet.write_table(arrow.table({"a": [1, None]}), path)
    assert failure(str(path))[0][0] == "DNN605"
