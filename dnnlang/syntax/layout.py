"""From tokens to tokens: brackets are matched, and newlines become the ends of statements.

After this the parser sees every bracket closed by its like. What was missing or too much is reported
here, where the opening bracket is known, and mended so that the rest of the file can still be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dnnlang.diagnostics import Diagnostic, Edit, Fix, Label, rule
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.automaton import END_OF_FILE
from dnnlang.syntax.rules import MAX_BODIES, NESTED
from dnnlang.syntax.tokens import TOP_LEVEL, WRONG, Token

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
_OPENS: Final = {"RPAR": "LPAR", "RSQB": "LSQB", "RBRACE": "LBRACE"}
_CLOSING: Final = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}
_RESTARTS: Final = 20
"""Unclosed parentheses for which lines are read again; beyond, any line end closes a parenthesis."""


@dataclass(slots=True)
class _Open:
    """A bracket that waits for its closing one."""

    token: Token
    body: bool  # a { around lines, not around the values of a domain
    indent: int  # columns before the line that it stands on
    outermost: int = 0  # among open brackets: the first one after the lines that this one stands in
    parentheses: bool = False  # it is a ( or stands in one, not counting bodies around it
    resume: tuple[int, int, int] | None = None  # the newline where it should perhaps have been closed: how many
    # tokens were read, kept, and mistakes found before it
    inner_indent: int | None = None  # of a body: columns before its first line
    suspect: tuple[int, Token, int] | None = None  # of a body: where it should perhaps have been closed: among
    # kept tokens, the token there, and the columns before it


def arrange(source: SourceFile, tokens: Sequence[Token], found: list[Diagnostic]) -> list[Token]:
    """The tokens for the parser, with the end of the file.

    Mistakes that spoil a statement become WRONG tokens, which the parser reports when it gets to them;
    `found` takes those that spoil none.
    """
    return _Arrangement(source, tokens, found).run()


class _Arrangement:
    def __init__(self, source: SourceFile, tokens: Sequence[Token], found: list[Diagnostic]) -> None:
        self._source = source
        self._tokens = tokens
        self._found = found
        self._kept: list[Token] = []
        self._open: list[_Open] = []
        self._bodies = 0
        self._indent = 0
        self._restarts = 0

    def run(self) -> list[Token]:
        tokens, kept = self._tokens, self._kept
        at = 0
        line_start = True
        while at < len(tokens) or self._inside():
            if at == len(tokens):
                at = self._unclosed(at)
                continue
            token = tokens[at]
            kind = token.type
            if line_start and kind != "NEWLINE":
                self._begin_line(token)
            if self._in_parentheses() and self._cannot_be_inside(at, line_start):
                at = self._unclosed(at)
                line_start = False
                continue
            line_start = kind == "NEWLINE"
            if kind == "NEWLINE" and self._inside() and not self._newline_vanishes(at):
                at = self._unclosed(at)
                continue
            if kind == "NEWLINE":
                if not self._inside():
                    kept.append(token._replace(type="END"))
            elif kind == "SEMICOLON":
                kept.append(token if self._inside() else token._replace(type="END"))
            elif kind == "LPAR" or kind == "LSQB":
                self._push(token, False)
            elif kind == "LBRACE":
                self._brace(token)
            elif kind in _OPENS:
                self._close(token)
            else:
                kept.append(token)
            at += 1
        self._close_bodies()
        kept.append(Token(END_OF_FILE, len(self._source.text), len(self._source.text), ""))
        return kept

    # ------------------------------------------------------------ where we are

    def _inside(self) -> bool:
        """In ( ), in [ ], or among the values of a domain: not among lines."""
        return bool(self._open) and not self._open[-1].body

    def _in_parentheses(self) -> bool:
        return bool(self._open) and self._open[-1].token.type != "LBRACE"

    def _begin_line(self, token: Token) -> None:
        self._indent = self._column(token)
        if not self._open or not self._open[-1].body or token.type == "RBRACE":
            return
        body = self._open[-1]
        if body.inner_indent is None:
            body.inner_indent = self._indent
        dedented = self._indent <= body.indent < body.inner_indent
        if body.suspect is None and (dedented or token.type in TOP_LEVEL):
            body.suspect = len(self._kept), token, self._indent

    def _column(self, token: Token) -> int:
        return token.start - self._source.text.rfind("\n", 0, token.start) - 1

    def _cannot_be_inside(self, at: int, line_start: bool) -> bool:
        """Whether token `at` shows that the parentheses around it should have been closed before."""
        kind = self._tokens[at].type
        if kind == "LBRACE" or kind == "RBRACE":
            return True
        is_key = at + 1 < len(self._tokens) and self._tokens[at + 1].type == "EQUAL"
        return line_start and kind in TOP_LEVEL and not is_key

    # ------------------------------------------------------------ brackets

    def _newline_vanishes(self, at: int) -> bool:
        """Whether the newline `at` stands in ( ); if so, it may be where we come back to."""
        if not self._open[-1].parentheses or self._restarts >= _RESTARTS:
            return False
        following = self._tokens[at + 1] if at + 1 < len(self._tokens) else None
        blamed = self._blamed()
        indented = following is not None and (following.type == "NEWLINE" or self._column(following) > blamed.indent)
        if blamed.resume is None and not indented:
            blamed.resume = at, len(self._kept), len(self._found)
        return True

    def _blamed(self) -> _Open:
        """Of the brackets open in this line, the one to report: the outermost, but not a domain's { around others."""
        first = self._open[-1].outermost
        domain = self._open[first].token.type == "LBRACE" and first + 1 < len(self._open)
        return self._open[first + domain]

    def _push(self, token: Token, body: bool) -> None:
        outermost, parentheses = len(self._open), token.type == "LPAR"
        if self._inside():
            outermost = self._open[-1].outermost
            parentheses |= self._open[-1].parentheses
        self._open.append(_Open(token, body, self._indent, outermost, parentheses))
        self._kept.append(token)

    def _unclosed(self, at: int) -> int:
        """Report the outermost bracket that is open among lines, and close all of them. The next token to read.

        If lines have been taken into it that do not seem to belong there, they are read again.
        """
        blamed = self._blamed()
        domain = self._open[self._open[-1].outermost].token.type == "LBRACE"
        del self._open[self._open[-1].outermost :]
        if blamed.resume is None and at > 0 and self._tokens[at - 1].type == "NEWLINE":
            at -= 1  # the newline has vanished: let it end the statement
        if blamed.resume is not None:
            at, kept, found = blamed.resume
            del self._kept[kept:]
            del self._found[found:]
            self._restarts += 1
        self._spoil(blamed.token, self._unclosed_bracket(blamed.token))
        if domain:
            self._kept.append(Token("RBRACE", blamed.token.end, blamed.token.end, ""))
        return at

    def _brace(self, token: Token) -> None:
        body = not (self._kept and self._kept[-1].type == "IN")
        self._bodies += body
        if body and self._bodies == MAX_BODIES + 1:
            message = f"bodies are nested more than {MAX_BODIES} deep here"
            self._spoil(token, NESTED.at(self._span(token), message, help="use a `block` for what is inside"))
        self._push(token, body)

    def _close(self, token: Token) -> None:
        opening = _OPENS[token.type]
        depth = len(self._open) - 1
        while depth >= 0 and self._open[depth].token.type != opening and self._open[depth].token.type != "LBRACE":
            depth -= 1
        if depth < 0 or self._open[depth].token.type != opening:
            if not self._inside():
                self._found.append(self._unopened_bracket(token))
                return
            wrong = self._open.pop().token
            self._spoil(wrong, self._mismatch(wrong, token))
            return
        for forgotten in self._open[depth + 1 :]:
            self._spoil(forgotten.token, self._unclosed_bracket(forgotten.token))
        self._bodies -= self._open[depth].body
        del self._open[depth:]
        self._kept.append(token)

    def _spoil(self, token: Token, wrong: Diagnostic) -> None:
        self._kept.append(Token(WRONG, token.start, token.end, token.text, wrong))

    def _close_bodies(self) -> None:
        """Close what is still open at the end of the file, where the next thing outside it seems to begin."""
        missing: list[tuple[int, _Open]] = []
        inner: tuple[int, Token, int] | None = None
        for bracket in reversed(self._open):
            if bracket.suspect is None and inner is not None and inner[2] <= bracket.indent:
                bracket.suspect = inner
            inner = bracket.suspect
            missing.append((len(self._kept) if inner is None else inner[0], bracket))
        for kept, bracket in sorted(missing, key=lambda m: -m[0]):
            place = bracket.suspect[1].start if bracket.suspect is not None else len(self._source.text)
            self._kept[kept:kept] = [Token("RBRACE", place, place, ""), Token("END", place, place, "")]
            self._found.append(self._unclosed_body(bracket))

    # ------------------------------------------------------------ messages

    def _span(self, token: Token) -> Span:
        return Span(self._source, token.start, token.end)

    def _unclosed_bracket(self, opening: Token) -> Diagnostic:
        closing = _CLOSING[opening.type]
        where = " on its line" if opening.type != "LPAR" else ""
        message = f"this `{opening.text}` is not closed{where}"
        return UNCLOSED.at(self._span(opening), message, help=f"write the `{closing}` that belongs to it")

    def _mismatch(self, opening: Token, closing: Token) -> Diagnostic:
        message = f"this `{opening.text}` is closed by `{closing.text}`"
        right = _CLOSING[opening.type]
        return UNCLOSED.at(
            self._span(opening),
            message,
            labels=[Label(self._span(closing), f"`{right}` belongs here")],
            help=f"write `{right}` instead",
            fix=Fix(f"write `{right}`", (Edit(self._span(closing), right),)),
        )

    def _unclosed_body(self, bracket: _Open) -> Diagnostic:
        message = "this `{` is never closed"
        span = self._span(bracket.token)
        if bracket.suspect is None:
            text = self._source.text
            end = Span(self._source, len(text), len(text))
            fix = Fix("close it at the end", (Edit(end, "}\n" if text.endswith("\n") else "\n}\n"),))
            return UNCLOSED.at(span, message, help="write the `}` that closes it", fix=fix)
        token = bracket.suspect[1]
        start = token.start - bracket.suspect[2]
        indent = " " * bracket.indent
        fix = Fix("close it before this line", (Edit(Span(self._source, start, start), f"{indent}}}\n"),))
        label = Label(self._span(token), "this no longer seems to belong to it")
        line = self._source.position(token.start)[0]
        return UNCLOSED.at(span, message, labels=[label], help=f"write a `}}` before line {line}", fix=fix)

    def _unopened_bracket(self, token: Token) -> Diagnostic:
        message = f"this `{token.text}` closes nothing"
        return UNOPENED.at(self._span(token), message, help="take it away, or open it where it should begin")
