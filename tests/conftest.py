"""Fixtures and settings that all tests share."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.exploring import USUAL

Golden = Callable[[Path, str], None]

# `ci` is what everybody runs: the same examples each time. `explore` looks for new ones:
#     HYPOTHESIS_PROFILE=explore pytest tests/…
settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=USUAL,
    deadline=None,  # a shared machine's stalls are not failures
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("explore", parent=settings.get_profile("ci"), derandomize=False, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what the golden tests got, to be reviewed as a diff"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(path, text)`: the file at `path` holds exactly `text`; with --update-golden it is written instead."""
    update: bool = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        expected = path.read_bytes().decode("utf-8").replace("\r\n", "\n") if path.exists() else None
        if expected == text:
            return
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        if expected is None:
            pytest.fail(f"{path} does not exist; `pytest --update-golden` writes it", pytrace=False)
        lines = difflib.unified_diff(
            expected.splitlines(keepends=True), text.splitlines(keepends=True), f"{path} (expected)", "got"
        )
        diff = "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)
        pytest.fail(f"{diff}\nIf this is right: pytest --update-golden, and review the diff.", pytrace=False)

    return compare
