"""One mistake, one error; many mistakes, one run."""

from __future__ import annotations

import pytest

from dnnlang.diagnostics.render import render
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import scan
from tests.diagnostics.test_fixes import PROGRAMS, said

SEVERAL = """\
input 4
layer 5, relu as a
layer widht relu
dropout 1.5
layer 8 sofmax as h
add from h, stm
train {
    lr 3
    epochs 0
    bach 4
}
loss mese
layer 5 relu as
param m = 4
layer 3 rlu
"""


def test_mistakes_of_every_sort_in_the_order_of_the_text() -> None:
    assert [(d.span.line, d.code) for d in said(SEVERAL) if d.span is not None] == [
        (2, "DNN011"),
        (3, "DNN104"),
        (4, "DNN106"),
        (5, "DNN401"),
        (6, "DNN107"),
        (8, "DNN501"),
        (9, "DNN503"),
        (10, "DNN501"),
        (12, "DNN401"),
        (13, "DNN010"),
        (14, "DNN102"),
        (15, "DNN401"),
    ]


def test_twenty_are_shown_and_the_rest_counted() -> None:
    text = "".join(f"dropout 1.{i}\n" for i in range(1, 26)) + "layer 1\n"
    shown = render(said(text), "full")
    assert shown.count("error[") == 20
    assert shown.endswith("… and 5 more errors\n")


@pytest.mark.parametrize("text", PROGRAMS)
def test_one_slip_anywhere_is_one_error(text: str) -> None:
    """A word misspelt or a bracket left out, one after the other. A domain or a name may also stay right."""
    several = []
    for token in scan(SourceFile("test.dnn", text)):
        slips = [token.text[1:], token.text + "x", "qqqqq"] if token.text[0].isalpha() and len(token.text) > 2 else []
        slips += [""] if token.text in "()[]{}=:,;" else []
        for slip in slips:
            found = said(text[: token.start] + slip + text[token.end :])
            if len(found) > 1:
                several.append((token.text, slip, [(d.code, d.message) for d in found]))
    # a brace left out in one line: the statement behind it does not fit into the body either
    assert [slip for slip in several if slip[0] != "}"] == []


def test_a_missing_name_is_missed_once() -> None:
    (diagnostic,) = said("layer widht relu\nlayer widht // 2 relu\nlayer widht relu\nlayer 1")
    assert [label.message for label in diagnostic.labels] == ["and here", "and here"]


def test_a_misspelling_repeated_is_repaired_everywhere() -> None:
    (diagnostic,) = said("layer 5 sigmiod\nlayer 5 sigmiod\nlayer 1")
    assert diagnostic.fix is not None
    assert [edit.text for edit in diagnostic.fix.edits] == ["sigmoid", "sigmoid"]
