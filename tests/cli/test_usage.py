"""Help, versions, wrong usage, and what a command may import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cli.tools import environment, process

COMMANDS = ["check", "compile", "train", "evaluate", "predict", "gradcheck", "verify", "fmt", "explain"]
HEAVY = ["numpy", "networkx", "lark", "rich", "safetensors"]


def imported(*arguments: str) -> tuple[int, list[str]]:
    """Exit status, and which heavy packages a command leaves imported."""
    code = (
        "import sys, json\nfrom dnnlang.cli import main\n"
        f"status = main({list(arguments)!r})\n"
        f"print(json.dumps([status, [m for m in {HEAVY!r} if m in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    return status, modules


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    assert imported(option) == (0, [])


def test_the_help_of_a_command_imports_nothing_heavy():
    assert imported("train", "--help") == (0, [])


def test_check_does_not_import_numpy(folder):
    status, modules = imported("check", str(folder / "moons.dnn"))
    assert status == 0
    assert "numpy" not in modules
    assert "rich" not in modules


def test_help_names_every_command(dnnc):
    done = dnnc("--help")
    assert done.status == 0
    assert all(name in done.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(dnnc, name):
    done = dnnc(name, "--help")
    assert done.status == 0
    assert f"dnnc {name}" in done.out.split("example:")[1]


def test_version(dnnc):
    assert dnnc("--version").out.startswith("dnnc 0.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["chekc", "x.dnn"], "did you mean `dnnc check`?"),
        (["--versoin"], "--version"),
        (["model.dnn"], "dnnc compile model.dnn"),
        (["check"], "FILE"),
        (["check", "--fxi", "moons.dnn"], "did you mean `--fix`?"),
        (["check", "--fi", "moons.dnn"], "did you mean `--fix`?"),
        (["compile", "moons.dnn", "moons.dnn"], "one argument too many"),
        (["compile", "moons.dnn", "--emit", "onx"], "invalid choice"),
        (["compile", "moons.dnn", "-O", "7"], "invalid choice"),
        (["compile", "moons.dnn", "-D", "width"], "NAME=VALUE"),
        (["train", "moons.dnn", "moons.csv", "--taget", "side"], "did you mean `--target`?"),
        (["explain", "DNN40l"], "did you mean"),
        (["explain", "zzz"], "dnnc explain"),
    ],
)
def test_wrong_usage(dnnc, folder, arguments, words):
    done = dnnc(*arguments)
    assert done.status == 2
    assert done.out == ""
    assert words in done.err


def test_usage_errors_in_json(dnnc):
    done = dnnc("compile", "--output-format", "json", "--frobnicate")
    assert done.status == 2
    assert json.loads(done.err)[0]["code"] == "DNN860"


def test_module_and_exit_status(folder):
    done = process("check", "missing.dnn", cwd=folder)
    assert done.returncode == 2
    assert "missing.dnn" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_quiet(folder):
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m dnnlang explain | true"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""


def test_a_mistake_of_ours_asks_for_a_report(monkeypatch, capsys):
    from dnnlang.cli import main, run

    def broken(arguments: list[str]) -> int:
        raise RuntimeError("oops")

    monkeypatch.setattr(run, "_dispatch", broken)
    assert main(["check"]) == 70
    err = capsys.readouterr().err
    assert "report" in err
    assert "oops" in err
    assert "Traceback" not in err


def test_output_that_the_terminal_cannot_encode(folder):
    done = subprocess.run(
        [sys.executable, "-m", "dnnlang", "compile", "moons.dnn"],
        env=environment() | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0
    assert "dW[1]" in done.stdout


def test_a_path_that_is_no_text(dnnc):
    done = dnnc("check", "caf\udce9.dnn")
    assert done.status == 2
