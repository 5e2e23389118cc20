"""The golden fixture itself: it compares, it refuses, and it writes only when told to."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TEST = """
from pathlib import Path

def test_it(golden):
    golden(Path("folder/it.txt"), {text!r})
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    return pytester


def run(project: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    project.makepyfile(TEST.format(text=text))
    return project.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_a_missing_golden_fails_and_is_not_written(project: pytest.Pytester) -> None:
    result = run(project, "one\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--update-golden*writes it*"])
    assert not (project.path / "folder").exists()


def test_update_writes_and_the_next_run_compares(project: pytest.Pytester) -> None:
    run(project, "one\ntwo ᵀ\n", "--update-golden").assert_outcomes(passed=1)
    assert (project.path / "folder/it.txt").read_bytes() == "one\ntwo ᵀ\n".encode()
    run(project, "one\ntwo ᵀ\n").assert_outcomes(passed=1)


def test_a_difference_fails_with_a_diff(project: pytest.Pytester) -> None:
    run(project, "one\ntwo\n", "--update-golden")
    result = run(project, "one\n2\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["-two", "+2"])
    assert (project.path / "folder/it.txt").read_text() == "one\ntwo\n"
