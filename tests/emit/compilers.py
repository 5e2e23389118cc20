"""The C compilers of this machine, and how the tests build and run what is emitted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from dnnlang.emit.c import c_files
from dnnlang.network import Network

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = tuple(name for name in ("gcc", "clang") if shutil.which(name))


def write(network: Network, folder: Path, *, training: bool = False, samples: int | None = None) -> Path:
    """The emitted files, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in c_files(network, training=training, samples=samples).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def build(folder: Path, compiler: str, *flags: str) -> None:
    """Compiles the test in `folder`, without a warning."""
    done = run([compiler, *STRICT, *flags, "-o", "model_test", "test.c", "model.c", "-lm"], folder)
    assert done.returncode == 0, done.stderr


def passes(folder: Path) -> None:
    """Runs what was built: all its numbers are the expected ones."""
    done = run([str(folder / "model_test")], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("passed\n")


def run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def links(compiler: str, *flags: str, folder: Path) -> bool:
    """Can it build a program with these flags? Clang's sanitizers are a package of their own."""
    (folder / "nothing.c").write_text("int main(void) { return 0; }\n")
    return run([compiler, *flags, "-o", "nothing", "nothing.c"], folder).returncode == 0
