"""Reads the fenced blocks of README.md. As a script it prints the one shell block that holds a word.

python3 tests/project/readme.py pytest
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: the word after the fence (`sh`, `console`, `python`, or nothing) and its text."""

    language: str
    text: str


def blocks(text: str) -> list[Block]:
    """All fenced blocks, in order."""
    return [Block(*found.groups()) for found in _FENCE.finditer(text)]


def shell_block(word: str) -> str:
    """The text of the only ```sh block in which `word` occurs."""
    found = [b.text for b in blocks(README.read_text(encoding="utf-8")) if b.language == "sh" and word in b.text]
    if len(found) != 1:
        raise SystemExit(f"README.md has {len(found)} shell blocks with {word!r} in them; there must be one")
    return found[0]


if __name__ == "__main__":
    sys.stdout.write(shell_block(sys.argv[1]))
