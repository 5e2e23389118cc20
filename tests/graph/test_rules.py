"""Every rule of the graph: its wrong example breaks it and nothing else, its right example breaks none."""

from __future__ import annotations

import pytest

from dnnlang.diagnostics import RULES
from tests.graph.programs import attempt, built

GRAPH = [code for code, rule in sorted(RULES.items()) if rule.program and (code.startswith(("DNN1", "DNN2", "DNN5")))]


@pytest.mark.parametrize("code", GRAPH)
def test_wrong_example_breaks_the_rule_and_no_other(code: str) -> None:
    architecture, found = attempt(RULES[code].wrong)
    assert [d.code for d in found] == [code]
    assert architecture is None
    assert all(d.span is not None and d.help for d in found)


@pytest.mark.parametrize("code", GRAPH)
def test_right_example_breaks_none(code: str) -> None:
    assert built(RULES[code].right).nodes
