"""From tokens to tokens: brackets are matched, and newlines become the ends of statements.

After this the parser sees every bracket closed by its like. What was missing or too much is reported
here, where the opening bracket is known, and mended so that the rest of the file can still be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from dnnlang.diagnostics import Diagnostic
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.automaton import END_OF_FILE
from dnnlang.syntax.brackets import Open, Place, Suspect, mismatch, unclosed_body, unclosed_bracket, unopened_bracket
from dnnlang.syntax.rules import MAX_BODIES, NESTED
from dnnlang.syntax.tokens import TOP_LEVEL, WRONG, Token

_OPENS: Final = {"RPAR": "LPAR", "RSQB": "LSQB", "RBRACE": "LBRACE"}
_RESTARTS: Final = 20
"""Unclosed parentheses for which lines are read again; beyond, any line end closes a parenthesis."""


def arrange(source: SourceFile, tokens: Sequence[Token], found: list[Diagnostic]) -> list[Token]:
    """The tokens for the parser, with the end of the file.

    Mistakes that spoil a statement become WRONG tokens, which the parser reports when it gets to them;
    `found` takes those that spoil none.
    """
    first = _Arrangement(source, tokens)
    kept = first.run()
    blamed = first.misaligned[: first.unclosed]
    if not blamed:
        found += first.found
        return kept
    second = _Arrangement(source, tokens, frozenset(blamed))
    kept = second.run()
    found += second.found
    return kept


class _Arrangement:
    """One way through the tokens. `found`: the mistakes that spoil no statement; `unclosed`: how many bodies are left
    open at the end; `misaligned`: where bodies begin whose } stands as if it closed one further out.
    """

    def __init__(self, source: SourceFile, tokens: Sequence[Token], blamed: AbstractSet[int] = frozenset()) -> None:
        """`blamed`: where bodies begin that no } is taken to close."""
        self.found: list[Diagnostic] = []
        self.misaligned: list[int] = []
        self.unclosed = 0
        self._source = source
        self._tokens = tokens
        self._blamed_bodies = blamed
        self._kept: list[Token] = []
        self._open: list[Open] = []
        self._bodies = 0
        self._indent = 0
        self._restarts = 0
        self._last_uses: dict[str, int] = {}  # where each word stands last; made when it is needed

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
        if not self._open or not self._open[-1].body:
            return
        body = self._open[-1]
        if token.type == "RBRACE":
            if self._indent < body.indent and any(o.body and o.indent == self._indent for o in self._open):
                self.misaligned.append(body.token.start)
                body.suspect = body.suspect or Suspect(len(self._kept), token, self._indent, body.inner_indent is None)
            return
        inline = self._is_inline(body)
        first = body.inner_indent is None
        if body.inner_indent is None:
            body.inner_indent = self._indent
        dedented = self._indent <= body.indent and (inline or body.indent < body.inner_indent)
        if body.suspect is None and (dedented or token.type in TOP_LEVEL):
            body.suspect = Suspect(len(self._kept), token, self._indent, first and inline)

    def _is_inline(self, body: Open) -> bool:
        """Whether the lines of a body begin behind its {."""
        return len(self._kept) > body.kept and self._kept[body.kept].type != "END"

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
            blamed.resume = at, len(self._kept), len(self.found)
        return True

    def _blamed(self) -> Open:
        """Of the brackets open in this line, the one to report: the outermost, but not a domain's { around others."""
        first = self._open[-1].outermost
        domain = self._open[first].token.type == "LBRACE" and first + 1 < len(self._open)
        return self._open[first + domain]

    def _push(self, token: Token, body: bool) -> None:
        outermost, parentheses = len(self._open), token.type == "LPAR"
        if self._inside():
            outermost = self._open[-1].outermost
            parentheses |= self._open[-1].parentheses
        repeats = body and self._first_of_statement() == "REPEAT"
        self._kept.append(token)
        self._open.append(Open(token, body, self._indent, len(self._kept), outermost, parentheses, repeats=repeats))

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
            del self.found[found:]
            self._restarts += 1
        self._spoil(blamed.token, unclosed_bracket(self._source, blamed.token))
        if domain:
            self._kept.append(Token("RBRACE", blamed.token.end, blamed.token.end, ""))
        return at

    def _brace(self, token: Token) -> None:
        body = not (self._kept and self._kept[-1].type == "IN")
        self._bodies += body
        if body and self._bodies == MAX_BODIES + 1:
            message = f"bodies are nested more than {MAX_BODIES} deep here"
            self._spoil(
                token,
                NESTED.at(Span(self._source, token.start, token.end), message, help="use a `block` for what is inside"),
            )
        self._push(token, body)

    def _first_of_statement(self) -> str:
        """The first terminal of the statement at hand."""
        at = len(self._kept)
        while at > 0 and self._kept[at - 1].type not in ("END", "LBRACE"):
            at -= 1
        return self._kept[at].type if at < len(self._kept) else ""

    def _close(self, token: Token) -> None:
        opening = _OPENS[token.type]
        while self._open and self._open[-1].token.start in self._blamed_bodies:
            self._bodies -= 1
            bracket = self._open.pop()
            self._close_body(bracket, self._place(bracket))
        depth = len(self._open) - 1
        while depth >= 0 and self._open[depth].token.type != opening and self._open[depth].token.type != "LBRACE":
            depth -= 1
        if depth < 0 or self._open[depth].token.type != opening:
            if not self._inside():
                self.found.append(unopened_bracket(self._source, token))
                return
            wrong = self._open.pop().token
            self._spoil(wrong, mismatch(self._source, wrong, token))
            return
        for forgotten in self._open[depth + 1 :]:
            self._spoil(forgotten.token, unclosed_bracket(self._source, forgotten.token))
        self._bodies -= self._open[depth].body
        del self._open[depth:]
        self._kept.append(token)

    def _spoil(self, token: Token, wrong: Diagnostic) -> None:
        self._kept.append(Token(WRONG, token.start, token.end, token.text, wrong))

    def _close_bodies(self) -> None:
        """Close what is still open at the end of the file, where the next thing outside it seems to begin."""
        self.unclosed = len(self._open)
        missing: list[tuple[Place, Open]] = []
        inner: Suspect | None = None
        for bracket in reversed(self._open):
            if bracket.suspect is None and inner is not None and inner.indent <= bracket.indent:
                bracket.suspect = inner
            inner = bracket.suspect
            missing.append((self._place(bracket), bracket))
        for place, bracket in sorted(missing, key=lambda m: -m[0].kept):
            self._close_body(bracket, place)

    def _close_body(self, bracket: Open, place: Place) -> None:
        made = [Token("RBRACE", place.at, place.at, "")]
        if place.before is None or not place.in_line:
            made.append(Token("END", place.at, place.at, ""))
        self._kept[place.kept : place.kept] = made
        self.found.append(unclosed_body(self._source, bracket, place))

    def _place(self, bracket: Open) -> Place:
        """Where a body should have been closed, from its suspect."""
        kept, suspect = self._kept, bracket.suspect
        end = len(self._source.text)
        in_line = (
            suspect.next_line if suspect is not None else bracket.inner_indent is None and self._is_inline(bracket)
        )
        after = suspect.kept if suspect is not None else len(kept)
        if not in_line:
            token = suspect.token if suspect is not None else None
            return Place(after, token.start if token is not None else end, token)
        last = after
        while kept[last - 1].type == "END":
            last -= 1
        if (
            bracket.repeats
            and last - bracket.kept > 2
            and kept[last - 2].type == "AS"
            and self._names_it(bracket, last)
        ):
            return Place(last - 2, kept[last - 2].start, kept[last - 2], in_line=True)
        return Place(after, kept[last - 1].end, in_line=True)

    def _names_it(self, bracket: Open, last: int) -> bool:
        """Whether the `as NAME` before `last` names the `repeat` rather than its last node.

        It does where it cannot stand behind the keys of a node, or where the name is used further below.
        """
        at = last - 1
        while at > bracket.kept and self._kept[at - 1].type != "END":
            at -= 1
        name = self._kept[last - 1]
        if any(token.type == "EQUAL" for token in self._kept[at:last]):
            return True
        if not self._last_uses:
            self._last_uses = {token.text: token.start for token in self._tokens}
        return self._last_uses[name.text] > name.start
