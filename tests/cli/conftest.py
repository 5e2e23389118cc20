"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dnnlang.cli import main
from tests.cli.tools import PROGRAM, points


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


@pytest.fixture
def dnnc(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run a command in this process. Any exception that escapes fails the test by itself."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "internal error" not in err
        return Result(status, out, err)

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with a small program and data that it learns."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moons.dnn").write_text(PROGRAM)
    (tmp_path / "moons.csv").write_text(points())
    return tmp_path
