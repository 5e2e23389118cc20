"""dnnc fmt: what is written, listed and left alone."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest

from tests.cli.tools import ROOT

WRITTEN = "layer  5 relu # five\nlayer 1   sigmoid\n"
FORMATTED = "layer 5 relu  # five\nlayer 1 sigmoid\n"


@pytest.fixture
def type_in(monkeypatch):
    """Give bytes to standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_formats_in_place(dnnc, folder):
    (folder / "a.dnn").write_text(WRITTEN)
    (folder / "b.dnn").write_text(FORMATTED)
    before = (folder / "b.dnn").stat().st_mtime_ns
    done = dnnc("fmt", "a.dnn", "b.dnn")
    assert (done.status, done.out, done.err) == (0, "", "1 of 2 programs formatted\n")
    assert (folder / "a.dnn").read_text() == FORMATTED
    assert (folder / "b.dnn").stat().st_mtime_ns == before
    assert sorted(p.name for p in folder.iterdir()) == ["a.dnn", "b.dnn", "moons.csv", "moons.dnn"]
    assert dnnc("fmt", "a.dnn").err == "1 program, nothing to format\n"


def test_check_lists_and_fails_and_writes_nothing(dnnc, folder):
    (folder / "a.dnn").write_text(WRITTEN)
    done = dnnc("fmt", "--check", "a.dnn", "moons.dnn")
    assert (done.status, done.out, done.err) == (1, "a.dnn\n", "1 of 2 programs would be formatted\n")
    assert (folder / "a.dnn").read_text() == WRITTEN
    assert dnnc("fmt", "--check", "moons.dnn").status == 0


@pytest.mark.parametrize(("options", "status"), [(["--diff"], 0), (["--diff", "--check"], 1)])
def test_diff(dnnc, folder, options, status):
    (folder / "a.dnn").write_text(WRITTEN.rstrip("\n"))
    done = dnnc("fmt", *options, "a.dnn")
    assert done.status == status
    assert done.out == (
        "--- a.dnn\n+++ a.dnn\n@@ -1,2 +1,2 @@\n"
        "-layer  5 relu # five\n-layer 1   sigmoid\n\\ No newline at end of file\n"
        "+layer 5 relu  # five\n+layer 1 sigmoid\n"
    )
    assert (folder / "a.dnn").read_text() == WRITTEN.rstrip("\n")


def test_a_folder_is_all_programs_in_it(dnnc, folder):
    for name in ["sub/deep/a.dnn", "sub/b.dnn", ".hidden/c.dnn", "sub/note.txt"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(WRITTEN)
    done = dnnc("fmt", "--check", ".")
    assert done.out.splitlines() == [os.path.join("sub", "b.dnn"), os.path.join("sub", "deep", "a.dnn")]
    (folder / "empty").mkdir()
    done = dnnc("fmt", "empty")
    assert done.status == 2
    assert "no program" in done.err


def test_what_the_project_ships_is_formatted(dnnc):
    assert dnnc("fmt", "--check", ROOT / "examples", ROOT / "grammar").status == 0


def test_syntax_errors_leave_the_file_alone_and_the_others_are_formatted(dnnc, folder):
    (folder / "wrong.dnn").write_text("layer  5 relu as\n")
    (folder / "right.dnn").write_text(WRITTEN)
    done = dnnc("fmt", "--output-format", "json", "wrong.dnn", "right.dnn")
    assert (done.status, done.out) == (1, "")
    assert [(d["file"], d["line"]) for d in json.loads(done.err)] == [("wrong.dnn", 1)]
    assert (folder / "wrong.dnn").read_text() == "layer  5 relu as\n"
    assert (folder / "right.dnn").read_text() == FORMATTED


def test_what_is_wrong_beyond_syntax_does_not_matter(dnnc, folder):
    (folder / "a.dnn").write_text("laier  5 relo\n")
    assert dnnc("fmt", "a.dnn").status == 0
    assert (folder / "a.dnn").read_text() == "laier 5 relo\n"


def test_missing_files_and_bytes_that_are_no_text(dnnc, folder):
    (folder / "a.dnn").write_text(WRITTEN)
    (folder / "latin.dnn").write_bytes(b"layer  5  # premi\xe8re\n")
    done = dnnc("fmt", "missing.dnn", "latin.dnn", "a.dnn")
    assert done.status == 2
    assert "missing.dnn" in done.err
    assert "DNN001" in done.err
    assert (folder / "latin.dnn").read_bytes() == b"layer  5  # premi\xe8re\n"
    assert (folder / "a.dnn").read_text() == FORMATTED


def test_line_ends_mark_links_and_permissions_stay(dnnc, folder):
    (folder / "a.dnn").write_bytes(b"\xef\xbb\xbf" + WRITTEN.replace("\n", "\r\n").encode())
    (folder / "a.dnn").chmod(0o640)
    (folder / "link.dnn").symlink_to("a.dnn")
    assert dnnc("fmt", "link.dnn").status == 0
    assert (folder / "a.dnn").read_bytes() == b"\xef\xbb\xbf" + FORMATTED.replace("\n", "\r\n").encode()
    assert (folder / "a.dnn").stat().st_mode & 0o777 == 0o640
    assert (folder / "link.dnn").is_symlink()


def test_a_write_that_fails_leaves_the_old_file(dnnc, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (folder / "a.dnn").write_text(WRITTEN)
    monkeypatch.setattr(os, "replace", full)
    done = dnnc("fmt", "a.dnn")
    assert done.status == 2
    assert "cannot write `a.dnn`" in done.err
    assert (folder / "a.dnn").read_text() == WRITTEN
    assert not list(folder.glob(".a.dnn*"))


def test_a_file_that_must_not_be_written(dnnc, folder, monkeypatch):
    (folder / "a.dnn").write_text(WRITTEN)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    done = dnnc("fmt", "a.dnn")
    assert done.status == 2
    assert "not writable" in done.err
    assert (folder / "a.dnn").read_text() == WRITTEN


def test_standard_input(dnnc, folder, type_in):
    type_in("layer  5 relu # fünf\r\n".encode())
    done = dnnc("fmt", "-")
    assert (done.status, done.out, done.err) == (0, "layer 5 relu  # fünf\r\n", "")
    type_in(b"layer  as\n")
    done = dnnc("fmt", "-")
    assert (done.status, done.out) == (1, "")
    assert "<stdin>" in done.err
    type_in(WRITTEN.encode())
    done = dnnc("fmt", "--check", "-")
    assert (done.status, done.out) == (1, "<stdin>\n")
