"""Processes and data for the tests of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """input 2
layer 8 tanh
layer 2 softmax
train { epochs 6; batch 8; learning_rate 0.02; validation 0.25; seed 1 }
"""


def points(count: int = 48) -> str:
    """Two classes that a line divides."""
    rows = [((i * 37 % 101) / 50 - 1, (i * 53 % 97) / 48 - 1) for i in range(count)]
    return "x,y,side\n" + "".join(f"{x:.3f},{y:.3f},{'above' if y > x else 'below'}\n" for x, y in rows)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "dnnlang", *map(str, arguments)]


def environment() -> dict[str, str]:
    """The checkout on the path, from whatever folder."""
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    return clean | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"}


def process(*arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(), capture_output=True, text=True, timeout=60, check=False, **settings
    )
