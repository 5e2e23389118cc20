"""Repairs that diagnostics carry: applied, they leave one diagnostic less and bring no new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dnnlang.diagnostics import Diagnostic, Diagnostics, Edit
from dnnlang.graph.build import build
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import parse, scan
from dnnlang.syntax.tokens import Token

PROGRAMS = (
    """\
param width = 64 in {32, 64, 128}
param rate = 0.1
input 20 as features
layer width relu as stem init=he
dropout rate
layer width // 2 leaky_relu(slope=0.1) as head bias=none
layer width
add from stem, _ as joined
layer 10 softmax from joined
expect W[head] : (width // 2, width)
expect A[L] : (10, m)
output layer[4], head
loss cross_entropy from layer[4] weight=0.5
loss huber(delta=2) from head
train {
    optimizer     adam(beta1=0.9)
    learning_rate 0.01
    schedule      exponential(base=0.99)
    batch         all
    validation    0.2
    patience      5
}
""",
    """\
define activation bump(z; steep=2) = exp(-steep * z^2)  init=xavier
define loss distance(a, y) = mean(abs(a - y))
block residual(size; rate=0.1) from inside {
    layer size bump
    dropout rate
    layer size
    add from inside, _
}
param depth = 3 in 1 .. 5
dim features
input features
layer 16 tanh
repeat depth { residual 16 rate=0.2 } as trunk
repeat step in 1 .. depth { layer 16 // 2^step bump(steep=3) }
layer 1
loss distance
train { epochs 3; batch 32 }
""",
)


def said(text: str) -> list[Diagnostic]:
    found = Diagnostics()
    build(parse(SourceFile("test.dnn", text), found), found)
    return found.in_source_order()


def applied(text: str, edits: Sequence[Edit]) -> str:
    for edit in sorted(edits, key=lambda e: e.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def kinds(found: Sequence[Diagnostic]) -> Counter[tuple[str, str]]:
    return Counter((d.code, d.message) for d in found)


def check(text: str, *, fixed: bool = False, hidden: bool = False) -> None:
    """Each repair by itself takes away its own diagnostic, and adds none.

    `fixed`: there must be a repair. `hidden`: it may bring to light one mistake that the other had hidden.
    """
    before = said(text)
    repairs = [d for d in before if d.fix is not None]
    assert repairs or not fixed, [(d.code, d.message, d.help) for d in before]
    for diagnostic in repairs:
        assert diagnostic.fix is not None
        after = said(applied(text, diagnostic.fix.edits))
        rest = kinds(before) - Counter([(diagnostic.code, diagnostic.message)])
        if hidden:
            assert (diagnostic.code, diagnostic.message) not in kinds(after) - rest
            assert len(after) <= len(before)
        else:
            assert kinds(after) == rest, diagnostic.message


def test_the_programs_are_right() -> None:
    assert [said(text) for text in PROGRAMS] == [[], []]


LETTERS = "abcdefghijklmnopqrstuvwxyz"


@st.composite
def misspelt(draw: st.DrawFn, word: str) -> str:
    """The word with one slip: a letter left out, doubled, changed, or swapped with its neighbour."""
    at = draw(st.integers(0, len(word) - 1))
    slip = draw(st.sampled_from(["out", "twice", "other", "swap"]))
    if slip == "out":
        return word[:at] + word[at + 1 :]
    if slip == "twice":
        return word[:at] + word[at] + word[at:]
    if slip == "other":
        return word[:at] + draw(st.sampled_from(LETTERS)) + word[at + 1 :]
    return word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :]


@given(st.data())
def test_a_misspelt_word(data: st.DataObject) -> None:
    """Wherever a word is misspelt: no repair does harm."""
    text = data.draw(st.sampled_from(PROGRAMS))
    words = [t for t in scan(SourceFile("test.dnn", text)) if t.text[0].isalpha() and len(t.text) > 1]
    token = data.draw(st.sampled_from(words))
    slipped = data.draw(misspelt(token.text))
    assume(slipped.isidentifier())
    check(text[: token.start] + slipped + text[token.end :])


@given(st.data())
def test_a_mistake_in_each_of_two_lines(data: st.DataObject) -> None:
    """The first may hide the second: what uses a statement that cannot be read stays silent."""
    text = data.draw(st.sampled_from(PROGRAMS))
    source = SourceFile("test.dnn", text)
    words = [t for t in scan(source) if t.text[0].isalpha() and len(t.text) > 3]
    first, second = data.draw(
        st.lists(st.sampled_from(words), min_size=2, max_size=2, unique=True).map(sorted_by_place)
    )
    assume(source.position(first.start)[0] < source.position(second.start)[0])
    assume(first.text != second.text)
    slips = [data.draw(misspelt(token.text)) for token in (first, second)]
    check(text[: first.start] + slips[0] + text[first.end : second.start] + slips[1] + text[second.end :], hidden=True)


def sorted_by_place(tokens: list[Token]) -> list[Token]:
    return sorted(tokens, key=lambda t: t.start)


@given(st.data())
def test_a_closing_brace_left_out(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(PROGRAMS))
    braces = [at for at, character in enumerate(text) if character == "}"]
    at = data.draw(st.sampled_from(braces))
    check(text[:at] + text[at + 1 :])


@given(st.data())
def test_something_that_nothing_uses(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(PROGRAMS))
    declaration = data.draw(
        st.sampled_from(
            [
                "param spare = 3",
                "param spare = 3 in {3, 4}  # why",
                "dim spare",
                "define activation spare(z) = z^3",
                "define optimizer spare(w, g) {\n    w = w - rate * g\n}",
                "block spare(k) {\n    layer k\n}",
                "param spare = (3 +\n    4); param width2 = spare",
            ]
        )
    )
    lines = text.splitlines(keepends=True)
    at = data.draw(st.sampled_from([0, 1 if text is PROGRAMS[0] else 2, len(lines)]))
    lines.insert(at, declaration + "\n")
    check("".join(lines), fixed=True)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("layr 5 relu; layer 1", "layer 5 relu; layer 1"),
        ("dense 5 relu; layer 1", "layer 5 relu; layer 1"),
        ("layer 5 rleu; layer 1", "layer 5 relu; layer 1"),
        ("layer 5 leaky_relu(slop=0.1); layer 1", "layer 5 leaky_relu(slope=0.1); layer 1"),
        ("layer 5 relu intt=he; layer 1", "layer 5 relu init=he; layer 1"),
        ("layer 5 relu bias=nonne; layer 1", "layer 5 relu bias=none; layer 1"),
        ("layer 5 relu init=hee; layer 1", "layer 5 relu init=he; layer 1"),
        ("layer 5 relu as stem; add from stm, _; layer 1", "layer 5 relu as stem; add from stem, _; layer 1"),
        ("param width = 5; layer widht; layer 1", "param width = 5; layer width; layer 1"),
        ("layer 5; layer 1; loss msee", "layer 5; layer 1; loss mse"),
        ("layer 1; loss mse wieght=2", "layer 1; loss mse weight=2"),
        ("layer 1; train { optimiser sgd }", "layer 1; train { optimizer sgd }"),
        ("layer 1; train { optimizer sdg }", "layer 1; train { optimizer sgd }"),
        ("layer 1; train { lr 0.1 }", "layer 1; train { learning_rate 0.1 }"),
        ("layer 1; train { batch al }", "layer 1; train { batch all }"),
        ("layer 1; train { patience of }", "layer 1; train { patience off }"),
        ("layer 1; train { schedule cosin(warmup=1) }", "layer 1; train { schedule cosine(warmup=1) }"),
        ("layer 1; train { schedule cosine(wramup=1) }", "layer 1; train { schedule cosine(warmup=1) }"),
        ("layer 1; trian { epochs 3 }", "layer 1; train { epochs 3 }"),
        ("layer 1; train { epochs = 3 }", "layer 1; train { epochs 3 }"),
        ("layer 1; train { epochs=3 }", "layer 1; train { epochs 3 }"),
        ("layer 1; train { epochs 3", "layer 1; train { epochs 3 }"),
        ("layer 1\ntrain {\n    epochs 3", "layer 1\ntrain {\n    epochs 3\n}\n"),
        ("layer 5, relu; layer 1", "layer 5 relu; layer 1"),
        ("layer 5,relu; layer 1", "layer 5 relu; layer 1"),
        ('layer 5 "relu"; layer 1', "layer 5 relu; layer 1"),
        ("layer 2**3 relu; layer 1", "layer 2^3 relu; layer 1"),
        ("layer 5; dropout .5; layer 1", "layer 5; dropout 0.5; layer 1"),
        ("layer (2 + 3] relu; layer 1", "layer (2 + 3) relu; layer 1"),
        ("layer 5 \u2212 2 relu; layer 1", "layer 5 - 2 relu; layer 1"),
        ("param k = 3 in 5 .. 1; layer k; layer 1", "param k = 3 in 1 .. 5; layer k; layer 1"),
        ("define activaton f(z) = z^3; layer 5 f; layer 1", "define activation f(z) = z^3; layer 5 f; layer 1"),
        ("define activation f(z) = xp(z); layer 5 f; layer 1", "define activation f(z) = exp(z); layer 5 f; layer 1"),
        (
            "define activation f(z; wide=2) = wid * z; layer 5 f; layer 1",
            "define activation f(z; wide=2) = wide * z; layer 5 f; layer 1",
        ),
        ("layer 5; layer 1; expect w[1] : (5, n[0])", "layer 5; layer 1; expect W[1] : (5, n[0])"),
        ("layer 5 as stem; layer 1; expect W[stm] : (5, n[0])", "layer 5 as stem; layer 1; expect W[stem] : (5, n[0])"),
        ("layer 5; add from layr[1], _; layer 1", "layer 5; add from layer[1], _; layer 1"),
        ("param a = 3\nlayer 5; layer 1", "layer 5; layer 1"),
        ("param a = 3  # three\r\nlayer 5; layer 1", "layer 5; layer 1"),
        ("layer 5; layer 1; param a = 3", "layer 5; layer 1"),
        ("layer 5; param a = 3; layer 1", "layer 5; layer 1"),
        ("layer 5; layer 1  # dnnc: allow DNN321", "layer 5; layer 1"),
        ("param a = 1  # dnnc: allow DNN321, DNN320\nlayer 1", "param a = 1  # dnnc: allow DNN321\nlayer 1"),
        ("param a = 1  # dnnc: alow DNN321\nlayer a", "param a = 1  # dnnc: allow DNN321\nlayer a"),
    ],
)
def test_a_repair(wrong: str, right: str) -> None:
    (diagnostic,) = said(wrong)
    assert diagnostic.fix is not None
    assert applied(wrong, diagnostic.fix.edits) == right


@pytest.mark.parametrize(
    "text",
    [
        "layer 5 as h1; layer 5 as h2; add from h3, h1; layer 1",  # h1 and h2 are as close
        "layer 5 as h; layer 1 from g",
    ],
)
def test_what_is_not_certain_is_not_repaired(text: str) -> None:
    assert all(d.fix is None for d in said(text))
