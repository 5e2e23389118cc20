"""What README.md shows is what the commands print: its ```console blocks are run, in order, in one folder.

A line `$ …` is a command; the lines up to the next one are its output. A line `…` stands for
any lines. Numbers that training brings forth differ from machine to machine in their last digits, and times
differ always: for those commands every decimal number is masked. `pytest --update-golden` writes the outputs anew.
The ```pycon session is a doctest, with decimal numbers masked too; it is updated by hand.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import dnnlang
from tests.project.readme import README, blocks, shell_block

ROOT = Path(__file__).parents[2]
CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
MASKED = re.compile(r"\bdnnc (train|evaluate|predict|gradcheck)\b|\bpython\b")
DECIMAL = re.compile(r"-?\d+(\.\d+)?e[-+]?\d+|-?\d+\.\d+|\d+(?= s\b)|[\d,]+(?= samples/s)")
ANY = "…"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command as shown after `$ `, and the lines shown below it."""

    command: str
    output: list[str]


def exchanges(block: str) -> list[Exchange]:
    """The commands of one block. A command ending in a backslash goes on on the next line."""
    found: list[Exchange] = []
    lines = iter(block.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            found[-1].output.append(line)
            continue
        command = line.removeprefix("$ ")
        while command.endswith("\\"):
            command += f"\n{next(lines)}"
        found.append(Exchange(command, []))
    return found


def run(command: str, folder: Path) -> list[str]:
    """What `command` prints in `folder`, where `dnnc` and `python` are those under test."""
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "120",
    }
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return [line.rstrip() for line in done.stdout.splitlines()]


def masked(line: str) -> str:
    return " ".join(DECIMAL.sub("#", line).split())


def agrees(shown: list[str], got: list[str]) -> bool:
    """Whether `got` is `shown`, where `…` stands for any lines."""
    if ANY not in shown:
        return shown == got
    before, after = shown[: shown.index(ANY)], shown[shown.index(ANY) + 1 :]
    rest = got[len(before) :]
    return got[: len(before)] == before and len(rest) >= len(after) and rest[len(rest) - len(after) :] == after


def renewed(shown: list[str], got: list[str]) -> list[str]:
    """`got`, shortened where `shown` was."""
    if ANY not in shown:
        return got
    before, after = shown.index(ANY), len(shown) - shown.index(ANY) - 1
    return [*got[:before], ANY, *got[len(got) - after :]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the examples and, in bin/, the commands that a reader has after installing."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    commands = {
        "dnnc": f'exec "{sys.executable}" -c "import sys; from dnnlang.cli import main; sys.exit(main())" "$@"\n',
        "python": f'exec "{sys.executable}" "$@"\n',
    }
    (tmp_path / "bin").mkdir()
    for name, text in commands.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


@pytest.mark.skipif(os.name == "nt", reason="the README's commands are for a POSIX shell")
def test_the_tour_shows_what_the_commands_print(folder: Path, request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    wrong: list[str] = []

    def renew(block: re.Match[str]) -> str:
        lines = []
        for shown in exchanges(block.group()):
            got = run(shown.command, folder)
            mask = masked if MASKED.search(shown.command) else str
            if not agrees([mask(line) for line in shown.output], [mask(line) for line in got]):
                wrong.append(f"$ {shown.command}\n" + "\n".join(got))
            lines += [f"$ {shown.command}", *renewed(shown.output, got)]
        return "\n".join(lines) + "\n"

    new, count = CONSOLE.subn(renew, text)
    assert count > 0
    if request.config.getoption("--update-golden"):
        README.write_text(new, encoding="utf-8", newline="\n")
        return
    assert wrong == [], "README.md shows something else (pytest --update-golden):\n" + "\n".join(wrong)


class MaskedNumbers(doctest.OutputChecker):
    """Equal but for decimal numbers and white space."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(masked(want), masked(got), optionflags)


def test_the_python_session_shows_what_python_prints(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    session = "".join(b.text for b in blocks(README.read_text(encoding="utf-8")) if b.language == "pycon")
    test = doctest.DocTestParser().get_doctest(session, {}, "README.md", str(README), 0)
    assert test.examples
    report: list[str] = []
    runner = doctest.DocTestRunner(MaskedNumbers(), verbose=False)
    assert runner.run(test, out=report.append).failed == 0, "".join(report)


def test_definitions_shown_to_contributors_compile() -> None:
    shown = [b.text for b in blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")) if b.language == "dnn"]
    assert shown
    for text in shown:
        (name,) = re.findall(r"define activation (\w+)", text)
        program = dnnlang.compile(f"{text}layer 3 {name}\nlayer 1 sigmoid")
        assert program.warnings == ()


def test_the_readme_has_the_two_commands() -> None:
    for word in ("dnnc train", "pytest"):
        command = shell_block(word)
        assert "python3 -m venv" in command
        assert "pip install" in command
