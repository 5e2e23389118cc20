"""Rules: their documentation, and for those of the syntax that their examples are right."""

from __future__ import annotations

import re

import pytest

from dnnlang.diagnostics import RULES, rule
from dnnlang.diagnostics.explain import explain
from tests.syntax.tools import attempt, parsed

SYNTAX = [code for code, found in sorted(RULES.items()) if re.fullmatch("DNN0..", code)]
PROGRAMS = [code for code in SYNTAX if RULES[code].program]


@pytest.mark.parametrize("code", PROGRAMS)
def test_wrong_example_breaks_the_rule_and_no_other(code: str) -> None:
    found = attempt(RULES[code].wrong)[1]
    assert [d.code for d in found] == [code]


@pytest.mark.parametrize("code", PROGRAMS)
def test_right_example_breaks_none(code: str) -> None:
    assert parsed(RULES[code].right).statements


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_rule_is_documented(code: str) -> None:
    documented = RULES[code]
    assert re.fullmatch(r"DNN\d{3}", code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", documented.name)
    assert documented.summary.endswith(".")
    assert documented.why.endswith(".")
    text = explain(documented)
    assert text.startswith(f"{code}: {documented.name}")
    assert max(map(len, text.splitlines())) <= 100
    assert "Wrong:\n\n    " in text
    assert "Right:\n\n    " in text


def test_names_of_rules_differ() -> None:
    names = [found.name for found in RULES.values()]
    assert len(set(names)) == len(names)


def test_a_code_is_given_once() -> None:
    with pytest.raises(ValueError, match="DNN001"):
        rule("DNN001", "again", "A.", why="B.", wrong="c", right="d")


def test_an_explanation() -> None:
    assert (
        explain(RULES["DNN015"])
        == """\
DNN015: underscore-declared

`_` is given as a name.

`_` always means the node just before, so nothing else can be called that.

Wrong:

    layer 5 relu as _
    layer 1 sigmoid

Right:

    layer 5 relu as hidden
    layer 1 sigmoid
"""
    )
