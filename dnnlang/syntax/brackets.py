"""Brackets that are opened and not closed, or closed and not opened: what is known of them, and what to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dnnlang.diagnostics import Diagnostic, Edit, Fix, Label, rule
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.tokens import Token

UNCLOSED = rule(
    "DNN005",
    "unclosed-bracket",
    "A bracket is opened and never closed.",
    why="Where the closing bracket should stand is not known, so what the rest of the file belongs to is not "
    "known either. The message points at the bracket that was opened.",
    wrong="layer 5 relu\nlayer 1 sigmoid\ntrain {\n    optimizer sgd\n",
    right="layer 5 relu\nlayer 1 sigmoid\ntrain {\n    optimizer sgd\n}\n",
)
UNOPENED = rule(
    "DNN006",
    "unopened-bracket",
    "A bracket is closed that was never opened.",
    why="A closing bracket without its opening one is left over from an edit, or the opening one got lost.",
    wrong="layer 5 relu\nlayer 1 sigmoid\n}\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
)
_CLOSING: Final = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}


@dataclass(slots=True)
class Open:
    """A bracket that waits for its closing one."""

    token: Token
    body: bool  # a { around lines, not around the values of a domain
    indent: int  # columns before the line that it stands on
    kept: int  # tokens kept before what follows it
    outermost: int = 0  # among open brackets: the first one after the lines that this one stands in
    parentheses: bool = False  # it is a ( or stands in one, not counting bodies around it
    resume: tuple[int, int, int] | None = None  # the newline where it should perhaps have been closed: how many
    # tokens were read, kept, and mistakes found before it
    repeats: bool = False  # of a body: it is that of a `repeat`, which `as NAME` may follow
    inner_indent: int | None = None  # of a body: columns before its first line below the {
    suspect: Suspect | None = None  # of a body: what follows it, if it should have been closed before


@dataclass(frozen=True, slots=True)
class Suspect:
    """The first line that no longer seems to belong to a body."""

    kept: int  # tokens before it
    token: Token
    indent: int
    next_line: bool  # it stands just below the { of a body that has lines behind its {


@dataclass(frozen=True, slots=True)
class Place:
    """Where a body is closed that nobody closed."""

    kept: int  # tokens before it
    at: int  # in the text
    before: Token | None = None  # the first token behind it
    in_line: bool = False  # `before`, or the end of the line, stands on the line of the {


def unclosed_bracket(source: SourceFile, opening: Token) -> Diagnostic:
    """For one that has to be closed on its line, or ( )."""
    where = " on its line" if opening.type != "LPAR" else ""
    message = f"this `{opening.text}` is not closed{where}"
    advice = f"write the `{_CLOSING[opening.type]}` that belongs to it"
    return UNCLOSED.at(_span(source, opening), message, help=advice)


def mismatch(source: SourceFile, opening: Token, closing: Token) -> Diagnostic:
    """For `(2 + 3]`."""
    right = _CLOSING[opening.type]
    return UNCLOSED.at(
        _span(source, opening),
        f"this `{opening.text}` is closed by `{closing.text}`",
        labels=[Label(_span(source, closing), f"`{right}` belongs here")],
        help=f"write `{right}` instead",
        fix=Fix(f"write `{right}`", (Edit(_span(source, closing), right),)),
    )


def unclosed_body(source: SourceFile, bracket: Open, place: Place) -> Diagnostic:
    """For the { of a `train`, `repeat`, `block` or `define`."""
    message = "this `{` is never closed"
    span = _span(source, bracket.token)
    if place.in_line:
        return _unclosed_in_line(source, span, place)
    if place.before is None:
        text = source.text
        end = Span(source, len(text), len(text))
        fix = Fix("close it at the end", (Edit(end, "}\n" if text.endswith("\n") else "\n}\n"),))
        return UNCLOSED.at(span, message, help="write the `}` that closes it", fix=fix)
    start = source.text.rfind("\n", 0, place.before.start) + 1
    fix = Fix("close it before this line", (Edit(Span(source, start, start), f"{' ' * bracket.indent}}}\n"),))
    label = Label(_span(source, place.before), "this no longer seems to belong to it")
    line = source.position(place.before.start)[0]
    return UNCLOSED.at(span, message, labels=[label], help=f"write a `}}` before line {line}", fix=fix)


def _unclosed_in_line(source: SourceFile, opening: Span, place: Place) -> Diagnostic:
    there = Span(source, place.at, place.at)
    where, edit = "at the end of its line", " }"
    if place.before is not None:
        where, edit = f"before `{place.before.text}`", "} "
    return UNCLOSED.at(
        opening,
        "this `{` is never closed",
        labels=[Label(there, "a `}` is missing here")],
        help=f"write a `}}` {where}",
        fix=Fix(f"close it {where}", (Edit(there, edit),)),
    )


def unopened_bracket(source: SourceFile, token: Token) -> Diagnostic:
    """For one that closes nothing."""
    message = f"this `{token.text}` closes nothing"
    return UNOPENED.at(_span(source, token), message, help="take it away, or open it where it should begin")


def _span(source: SourceFile, token: Token) -> Span:
    return Span(source, token.start, token.end)
