"""Rules: their documentation, and that their examples show what they say."""

from __future__ import annotations

import re

import pytest

from dnnlang.cli.explain import _import_all_rules
from dnnlang.diagnostics import RULES, Diagnostics, rule
from dnnlang.diagnostics.explain import explain
from dnnlang.graph.build import build
from dnnlang.source import SourceFile
from dnnlang.syntax.files import source_from_text
from dnnlang.syntax.parser import parse

_import_all_rules()
PROGRAMS = [code for code, found in sorted(RULES.items()) if found.program]


def said(program: str) -> list[str]:
    """The codes of all that is said about a program."""
    found = Diagnostics()
    source = source_from_text("test.dnn", program, found)
    if source is not None:
        build(parse(source, found), found)
    return [d.code for d in found.in_source_order()]


@pytest.mark.parametrize("code", PROGRAMS)
def test_wrong_example_breaks_the_rule_and_no_other(code: str) -> None:
    assert said(RULES[code].wrong) == [code]


@pytest.mark.parametrize("code", PROGRAMS)
def test_right_example_breaks_none(code: str) -> None:
    assert said(RULES[code].right) == []


@pytest.mark.parametrize("code", PROGRAMS)
def test_what_is_wrong_has_a_place_and_advice(code: str) -> None:
    found = Diagnostics()
    build(parse(SourceFile("test.dnn", RULES[code].wrong), found), found)
    (diagnostic,) = found.found
    assert diagnostic.span is not None
    assert diagnostic.help
    assert diagnostic.severity == RULES[code].severity


def test_warnings_are_numbered_apart() -> None:
    """`# dnnc: allow` is about these; two older ones stand with their kin."""
    warnings = {code for code, found in RULES.items() if found.severity == "warning"}
    assert warnings == {code for code in RULES if code.startswith("DNN3")} | {"DNN405"}


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
