"""The corpus as a whole: every rule is shown by a program, and every message says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from dnnlang.cli.explain import _import_all_rules
from dnnlang.diagnostics import RULES

HERE = Path(__file__).parent
GOLDEN = sorted(HERE.glob("*/*.txt"))
HEAD = re.compile(r"^(?:error|warning)\[(DNN\d{3})\]: ", re.MULTILINE)

NOT_SHOWN: Final = {
    "DNN009": "takes a sum of 10,000 terms; tests/syntax has one",
    "DNN305": "takes a network of 100 inputs; the example of the rule is one",
}
"""Rules about programs that no program here breaks, and why not."""

_import_all_rules()


def test_there_are_enough() -> None:
    assert len(GOLDEN) >= 150


@pytest.mark.parametrize("code", sorted(code for code, rule in RULES.items() if rule.program))
def test_every_rule_is_shown(code: str) -> None:
    shown = [path for path in GOLDEN if code in HEAD.findall(path.read_text(encoding="utf-8"))]
    assert bool(shown) != (code in NOT_SHOWN)


@pytest.mark.parametrize("path", GOLDEN, ids=[str(p.relative_to(HERE).with_suffix("")) for p in GOLDEN])
def test_every_message_says_what_to_do(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    _, *messages = re.split(r"^(?=(?:error|warning)\[)", text, flags=re.MULTILINE)
    assert messages or "usage: " in text
    for message in messages:
        assert re.search(r"^ +help: \S", message, re.MULTILINE), message


def test_every_golden_output_has_what_it_is_about() -> None:
    sources = {p.with_suffix("") for ending in ("dnn", "case", "py") for p in HERE.glob(f"*/*.{ending}")}
    assert {p.with_suffix("") for p in GOLDEN} == sources


def test_nothing_in_it_depends_on_the_machine() -> None:
    for path in GOLDEN:
        assert not re.search(r"/(?:tmp|work|usr|var)/|\d s\b", path.read_text(encoding="utf-8")), path
