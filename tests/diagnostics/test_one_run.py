"""One mistake, one error; many mistakes, one run."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dnnlang.diagnostics import Diagnostic
from dnnlang.diagnostics.render import render
from dnnlang.graph.definitions import Library
from dnnlang.graph.kinds import KINDS
from dnnlang.graph.settings import SETTINGS
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import scan
from dnnlang.syntax.tokens import RESERVED
from tests.diagnostics.test_fixes import PROGRAMS, applied, said

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


class Slip(NamedTuple):
    """A word misspelt, or a sign left out: what stands from `start` to `end` becomes `text`."""

    start: int
    end: int
    text: str
    found: list[Diagnostic]


@cache
def slips(text: str, other: str) -> list[Slip]:
    """All in a program. `other` is a word that it does not have."""
    made: list[Slip] = []
    for token in scan(SourceFile("test.dnn", text)):
        words = [token.text[1:], token.text + "x", other] if token.text[0].isalpha() and len(token.text) > 2 else []
        words += [""] if token.text in "()[]{}=:,;" else []
        before, after = text[: token.start], text[token.end :]
        made += [Slip(token.start, token.end, word, said(before + word + after)) for word in words]
    return made


@pytest.mark.parametrize("text", PROGRAMS)
def test_one_slip_anywhere_is_one_error(text: str) -> None:
    """A domain or a name may also stay right."""
    several = [slip for slip in slips(text, "qqqqq") if len(slip.found) > 1]
    assert [(text[s.start : s.end], s.text, [(d.code, d.message) for d in s.found]) for s in several] == []


SHARED = {*RESERVED, *KINDS, *(s.key for s in SETTINGS), "layer"}.union(
    *(Library.standard().names(family) for family in ("activation", "loss", "init", "optimizer"))
)
"""Words that two statements may both have although nothing in one depends on the other."""


def statement(text: str, at: int) -> tuple[int, int]:
    """From the first line of a statement at the top level to its last."""
    lines = [m.start() for m in re.finditer(r"^(?![ }])", text, re.MULTILINE)]
    after = [line for line in lines if line > at]
    return max(line for line in lines if line <= at), min(after, default=len(text))


def independent(text: str, one: Slip, other: Slip) -> bool:
    """Are they in statements that have no name in common, and do not count nodes?"""
    places = [statement(text, slip.start) for slip in (one, other)]
    first, second = (text[start:end] for start, end in places)
    if places[0] == places[1] or "[" in first + second or "{" in first + second:
        return False
    return not (set(re.findall(r"[A-Za-z_]\w*", first)) & set(re.findall(r"[A-Za-z_]\w*", second)) - SHARED)


def is_local(slip: Slip) -> bool:
    """One error, that points at nothing outside its line, so that it says the same whatever stands elsewhere."""
    if len(slip.found) != 1 or slip.found[0].span is None or slip.found[0].severity != "error":
        return False
    spans = [slip.found[0].span, *(label.span for label in slip.found[0].labels)]
    return len({span.line for span in spans}) == 1


@given(st.data())
def test_two_independent_slips_are_two_errors_in_the_order_of_the_text(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(PROGRAMS))
    pair = [data.draw(st.sampled_from(slips(text, other))) for other in ("qqqqq", "vvvvv")]
    one, other = sorted(pair, key=lambda slip: slip.start)
    assume(is_local(one) and is_local(other) and independent(text, one, other))
    assume(one.text != other.text or not one.text)  # a word that is missing twice is one error
    both = text[: one.start] + one.text + text[one.end : other.start] + other.text + text[other.end :]
    errors = sorted([*one.found, *other.found], key=lambda d: d.span.line if d.span is not None else 0)
    expected = [(d.code, d.message) for d in errors]
    assert [(d.code, d.message) for d in said(both)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "repeat 3 { layer 5 relu; layer 4 }\nlayer 3\nlayer 1",
        "repeat 3 { layer 5 relu; layer 4 }  # why\nlayer 1\ntrain { epochs 3 }",
        "repeat 3 { layer 5; layer 4 as x }\n\nlayer 3\nlayer 1",
        "layer 5\nrepeat 3 { layer 5 }",
        "input 3 as q\nrepeat 3 { layer 5; layer 3 } as x\nadd from q, x\nlayer 1",
        "repeat 3 { dropout 0.2; layer 5 bias=none } as x\nlayer 1",
        "repeat i in 1 .. 3 { layer 5 * i }\nparam k = 3\nlayer k",
        "repeat 2 { repeat 3 { layer 5 } }\nlayer 1",
        "repeat 2 {\n    repeat 3 { layer 5 }\n    layer 1\n}\nlayer 4",
        "block b(k) {\n    layer 5\n    repeat 3 { layer k }\n}\nb 3\nlayer 4",
        "block b(k) from x { layer k from x; layer k as y; add from x, y }\ninput 4\nlayer 3\nb 3",
        "layer 5\ntrain { epochs 3; batch 32 }\nlayer 1",
        "define optimizer o(w, g) { v = 0.9 * v + g; w = w - rate * v }\nlayer 1\ntrain { optimizer o }",
    ],
)
def test_the_brace_of_a_one_line_body(text: str) -> None:
    """Left out, it is one error that points at the opening one, and whose repair gives the program back."""
    assert said(text) == []
    closing = [at for at, character in enumerate(text) if character == "}"]
    for at in closing[:-1] if text.count("{") > 1 and "\n}" in text else closing:
        start = at - 1 if text[at - 1] == " " else at
        (diagnostic,) = said(text[:start] + text[at + 1 :])
        assert diagnostic.code == "DNN005"
        assert diagnostic.span is not None
        assert text[diagnostic.span.start] == "{"
        assert diagnostic.fix is not None
        assert applied(text[:start] + text[at + 1 :], diagnostic.fix.edits) == text


def test_an_odd_indentation_is_no_error() -> None:
    assert said("repeat 2 {\n    repeat 3 { layer 5\n    layer 1\n}\n}\nlayer 4") == []
    assert said("repeat 3 { layer 5 as t\n} as h\nlayer 1 from h") == []


def test_a_missing_name_is_missed_once() -> None:
    (diagnostic,) = said("layer widht relu\nlayer widht // 2 relu\nlayer widht relu\nlayer 1")
    assert [label.message for label in diagnostic.labels] == ["and here", "and here"]


def test_a_misspelling_repeated_is_repaired_everywhere() -> None:
    (diagnostic,) = said("layer 5 sigmiod\nlayer 5 sigmiod\nlayer 1")
    assert diagnostic.fix is not None
    assert [edit.text for edit in diagnostic.fix.edits] == ["sigmoid", "sigmoid"]


@pytest.mark.parametrize(
    "text", ["layer 5)] relu\n", ")(][}{\n", "layer 5 )) relu; layer 1\n", "layer 5 } relu }\nlayer 1\n"]
)
def test_brackets_on_one_line_do_not_excuse_each_other(text: str) -> None:
    assert [d.severity for d in said(text)] == ["error"]
