"""What the formatter lays out: the tokens of a program with every comment beside them, cut into statements.

The tree knows no comments and no line breaks, so the formatter does not start from it but from the tokens. A text
that reaches this module has been parsed without a mistake: brackets match, and statements end where they should.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dnnlang.source import SourceFile
from dnnlang.syntax.tokens import Token

OPENING: Final = frozenset({"LPAR", "LSQB", "LBRACE"})
CLOSING: Final = frozenset({"RPAR", "RSQB", "RBRACE"})
_ENDS: Final = frozenset({"NEWLINE", "SEMICOLON", "COMMENT", "RBRACE"})
"""What a statement stops at, outside brackets."""


@dataclass(slots=True)
class Piece:
    """A token. Comments `above` it have lines of their own, inside parentheses; one may stand `behind` it."""

    type: str
    text: str
    above: list[str] = field(default_factory=list)
    behind: str | None = None
    gap: str = ""  # the blanks before it, where a line does not begin with it
    rank: int = 0  # how loosely it ties what stands on its sides: see spacing.py; 0 for what is no operator


@dataclass(slots=True)
class Comment:
    """A comment on a line of its own. `continues`: it stands in the column of one at the end of a line above."""

    text: str
    blank: bool  # whether a blank line stands before it
    continues: bool


@dataclass(slots=True)
class Statement:
    """A statement, or a line of `train` or of an optimizer. With a body, `head` ends in `{`, `tail` begins with `}`."""

    head: list[Piece]
    body: Body | None
    tail: list[Piece]
    blank: bool  # whether a blank line stands before it
    joined: bool  # whether it stands on the line of what comes before

    @property
    def last(self) -> Piece:
        return self.tail[-1] if self.tail else self.head[-1]


@dataclass(slots=True)
class Body:
    """The lines between `{` and `}`, or those of a file. `one_line`: they were written on one."""

    entries: list[Statement | Comment]
    one_line: bool


def read(source: SourceFile, tokens: Sequence[Token]) -> Body:
    """The statements and comments of a file, from its tokens with newlines among them."""
    body = _Reader(source, list(_with_comments(source, tokens))).body(None)
    statements = [entry for entry in body.entries if isinstance(entry, Statement)]
    body.one_line = all(statement.joined for statement in statements[1:])
    return body


def comments(source: SourceFile, tokens: Sequence[Token]) -> list[str]:
    """All comments of a file."""
    return [token.text for token in _with_comments(source, tokens) if token.type == "COMMENT"]


def _with_comments(source: SourceFile, tokens: Sequence[Token]) -> Iterator[Token]:
    """Between two tokens stand only blanks and at most one comment, because newlines are tokens."""
    text = source.text
    end = Token("", len(text), len(text), "")
    at = 0
    for token in (*tokens, end):
        between = text[at : token.start]
        if "#" in between:
            yield Token("COMMENT", at + between.index("#"), token.start, between.strip(" \t"))
        if token is not end:
            yield token
        at = token.end


class _Reader:
    def __init__(self, source: SourceFile, tokens: list[Token]) -> None:
        self._source = source
        self._tokens = tokens
        self._at = 0

    def body(self, opening: Piece | None) -> Body:
        """Up to the `}`, or to the end of the file."""
        made = Body([], one_line=True)
        last = opening  # what a comment on this line stands behind
        newlines = 0
        above = -1  # the column of a comment at the end of the line before
        while self._at < len(self._tokens) and self._tokens[self._at].type != "RBRACE":
            token = self._tokens[self._at]
            if token.type not in _ENDS:
                statement = self._statement(newlines)
                made.entries.append(statement)
                last, newlines, above = statement.last, 0, -1
                continue
            self._at += 1
            if token.type == "NEWLINE":
                made.one_line = False
                last = None
                newlines += 1
            elif token.type == "COMMENT" and last is not None:
                last.behind = token.text
                newlines, above = 0, self._column(token)
            elif token.type == "COMMENT":
                continues = above == self._column(token)
                made.entries.append(Comment(token.text, newlines > 1, continues))
                newlines, above = 0, above if continues else -1
        return made

    def _statement(self, newlines: int) -> Statement:
        head: list[Piece] = []
        tail: list[Piece] = []
        body: Body | None = None
        pieces = head
        depth = 0
        above: list[str] = []
        fresh = False  # whether a line has begun since the last piece
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if not depth and token.type in _ENDS:
                break
            self._at += 1
            if token.type == "NEWLINE":
                fresh = True
                continue
            if token.type == "COMMENT":
                if fresh:
                    above.append(token.text)
                else:
                    pieces[-1].behind = token.text
                continue
            domain = bool(pieces) and pieces[-1].type == "IN"
            pieces.append(Piece(token.type, token.text, above))
            above, fresh = [], False
            if token.type == "LBRACE" and not domain:
                body = self.body(pieces[-1])
                closing = self._tokens[self._at]
                self._at += 1
                pieces = tail
                pieces.append(Piece(closing.type, closing.text))
            else:
                depth += (token.type in OPENING) - (token.type in CLOSING)
        return Statement(head, body, tail, blank=newlines > 1, joined=newlines == 0)

    def _column(self, token: Token) -> int:
        return self._source.position(token.start)[1]
