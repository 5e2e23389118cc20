"""Whatever the text: a tree or diagnostics, never an exception, and every span lies within the text."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from dnnlang.diagnostics.render import FORMATS, render
from dnnlang.source import Span
from dnnlang.syntax.tree import NodeStatement
from tests.syntax.tools import attempt, nodes

PIECES = """layer relu 5 0.5 from as x , ( ) [ ] { } = == < + - * // ^ .. ; : _ param dim repeat block define loss train
expect import in given derivative input output f( W[ "a.dnn" " # é 1e9 12ab -> \u202e""".split()
PROGRAMS = st.lists(st.sampled_from([*PIECES, "\n", "\n    ", "\r\n", " ", "\t"]), max_size=60).flatmap(
    lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)])
)


def check(text: str) -> None:
    tree, found = attempt(text)
    again = attempt(text)[1]
    assert [(d.code, d.message) for d in found] == [(d.code, d.message) for d in again]
    spans = [node.span for node in nodes(tree)]  # type: ignore[attr-defined]
    for diagnostic in found:
        assert isinstance(diagnostic.span, Span)
        spans += [diagnostic.span, *(label.span for label in diagnostic.labels)]
        spans += [edit.span for edit in diagnostic.fix.edits] if diagnostic.fix else []
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)
    starts = [d.span.start for d in found if d.span]
    assert starts == sorted(starts)
    assert tree.complete == (not found)
    for format in FORMATS:
        render(found, format, colour=True)


@given(st.text())
def test_any_text(text: str) -> None:
    check(text)


@given(PROGRAMS)
@example("block f(k) { } layer 5")
@example("train\n{ epochs 3 }")
@example("param a = 3 in {1, f(2\nlayer 5")
def test_any_pieces_of_programs(text: str) -> None:
    check(text)


@given(st.lists(st.sampled_from(["layer 5", "layer 5 relu as", "layer é", "layer (5", "layer 5,"]), max_size=8))
def test_mistakes_are_independent(lines: list[str]) -> None:
    """Each line alone decides whether it is kept."""
    tree, found = attempt("\n".join(lines) + "\n")
    good = lines.count("layer 5")
    assert sum(isinstance(s, NodeStatement) for s in tree.statements) == good
    assert len(found) == len(lines) - good
