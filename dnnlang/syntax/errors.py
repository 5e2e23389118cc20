"""What to say about a statement that does not fit the grammar: from a table of malformed samples.

Each sample is parsed once, when the first such mistake turns up, and the place where the parser gives it
up becomes the key under which its message is found. So the table needs no knowledge of parser states, and
the tests read it too: every sample must give its own message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from string import Template
from typing import Final, NamedTuple

from dnnlang.diagnostics import Diagnostic, Edit, Fix, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.errors import InternalError
from dnnlang.source import SourceFile, Span
from dnnlang.syntax import rules
from dnnlang.syntax.automaton import END_OF_FILE, Failure, Tables
from dnnlang.syntax.borrowed import borrowed
from dnnlang.syntax.malformed import FORMS, MALFORMED, Malformed
from dnnlang.syntax.tokens import RESERVED, TOP_LEVEL, Token

UNFINISHED = rule(
    "DNN010",
    "unfinished-statement",
    "A statement ends before it is complete.",
    why="A statement ends with its line (or with `;`). To go on, put the expression in `( )`: newlines in it do "
    "not count.",
    wrong="layer 5 relu as\nlayer 1 sigmoid\n",
    right="layer 5 relu as hidden\nlayer 1 sigmoid\n",
)
RESERVED_WORD = rule(
    "DNN012",
    "reserved-word",
    "A word that the language keeps for itself is used as a name.",
    why=f"These words begin statements and clauses, and mean nothing else: {' '.join(sorted(RESERVED))}.",
    wrong="param in = 8\nlayer 1 sigmoid\n",
    right="param inner = 8\nlayer inner\nlayer 1 sigmoid\n",
)

_MANY: Final = 200
"""Mistakes in one file for which the exact message is looked up; nobody reads more, and each lookup costs 1 ms."""

CLAUSES: Final = ("from", "as")
"""Words in a node statement that are easily misspelt."""
_STATEMENTS: Final = sorted(word.lower() for word in (*TOP_LEVEL, "REPEAT"))


class _Key(NamedTuple):
    """Where a statement is given up. Several samples may share a key; then the first has it."""

    context: str | None  # what is being written; None: whatever it is
    acceptable: frozenset[str]  # what would have fitted
    terminal: str | None  # what stands there; None: whatever it is
    after: str | None  # what it stands after; None: whatever it is


class Messages:
    """The table, ready to look things up in."""

    def __init__(self, tables: Tables, first_failure: Callable[[str], Failure | None]) -> None:
        self._tables = tables
        self._by_key: dict[_Key, Malformed] = {}
        for malformed in MALFORMED:
            for sample in malformed.samples:
                failure = first_failure(sample)
                if failure is None:
                    raise InternalError(f"the malformed sample {sample!r} is well-formed")
                context, acceptable, terminal, after = self.key(failure)
                key = _Key(
                    None if malformed.anywhere else context,
                    acceptable,
                    None if malformed.whatever else terminal,
                    after if malformed.after else None,
                )
                self._by_key.setdefault(key, malformed)

    def key(self, failure: Failure) -> _Key:
        acceptable = self._tables.acceptable(failure.states)
        if "END" in acceptable:  # then a } or the end of the file may follow too, depending on where we are
            acceptable -= {END_OF_FILE, "RBRACE"}
        terminal = "END" if failure.token.type == END_OF_FILE else failure.token.type
        return _Key(_context(failure), acceptable, terminal, failure.tokens[-1].type if failure.tokens else None)

    def find(self, key: _Key) -> Malformed | None:
        """The most specific entry; one about what stands there goes before one about what is missing."""
        for terminal in (key.terminal, None):
            for context in (key.context, None):
                for after in (key.after, None):
                    malformed = self._by_key.get(_Key(context, key.acceptable, terminal, after))
                    if malformed is not None:
                        return malformed
        return None


class Report:
    """The messages about one file."""

    def __init__(self, source: SourceFile, messages: Callable[[], Messages]) -> None:
        """`messages` is called at the first mistake that needs the table."""
        self._source = source
        self._messages = messages
        self._failures = 0
        self._reserved: set[str] = set()  # reserved words given as names: their uses are no further mistakes
        self._last: Token | None = None  # of the last statement that was given up

    def of(self, failure: Failure) -> list[Diagnostic]:
        """What to say about a statement that was given up; nothing where it only repeats an earlier mistake."""
        self._failures += 1
        last, token = self._last, failure.token
        self._last = [token, *failure.tokens, *failure.skipped][-1]
        if failure.refused is not None:
            return [failure.refused]
        if token.wrong is not None:
            return [token.wrong]
        if token.type == "MISFIT":
            return [rules.misfit(Span(self._source, token.start, token.end))]
        if token.type == "LBRACE" and not failure.tokens and self._follows(last, token):
            return []  # the body of a statement that was given up, on the next line
        if self._failures > _MANY:
            return [_plain(self._source, failure)]
        foreign = borrowed(self._source, failure)
        if foreign is not None:
            return [foreign]
        key = self._messages().key(failure)
        malformed = self._messages().find(key)
        if token.text in RESERVED and "NAME" in key.acceptable and _is_name(failure, malformed):
            return self._reserved_word(failure, key.acceptable)
        if key.acceptable == {"EQUAL"} and key.after == "LOSS":  # read as a key; more probably meant as a name
            tokens = failure.tokens
            return self._reserved_word(replace(failure, tokens=tokens[:-1], token=tokens[-1]), frozenset())
        if malformed is None:
            return [_plain(self._source, failure)]
        if malformed.at_before:
            failure = replace(failure, tokens=failure.tokens[:-1], token=failure.tokens[-1])
        return [_diagnostic(self._source, failure, malformed)]

    def _follows(self, last: Token | None, token: Token) -> bool:
        return last is not None and not self._source.text[last.end : token.start].strip("\r\n\t ;")

    def _reserved_word(self, failure: Failure, acceptable: frozenset[str]) -> list[Diagnostic]:
        word = failure.token.text
        if word in self._reserved:
            return []
        if acceptable <= {"NAME", "CALLEE"}:
            self._reserved.add(word)
        if failure.token.type == "AS" and any(token.type == "AS" for token in failure.tokens):
            span = Span(self._source, failure.token.start, failure.token.end)
            message = "a second `as`: one statement has one name"
            return [rules.MISFIT.at(span, message, help="take one of the names out")]
        advice = "take another name"
        if "END" in acceptable:
            advice = "take another name; if a new statement begins here, begin a new line"
        span = Span(self._source, failure.token.start, failure.token.end)
        return [RESERVED_WORD.at(span, f"`{word}` is a word of the language and cannot be a name", help=advice)]


def _is_name(failure: Failure, malformed: Malformed | None) -> bool:
    """Whether a reserved word, where a name would have fitted, was meant as one.

    `from`, `as` and the like may as well stand there because the name is missing, if the table says that.
    """
    if malformed is None or (malformed.whatever and malformed.anywhere):
        return True
    return malformed.whatever and failure.token.type not in ("FROM", "AS", "IN", "DERIVATIVE", "GIVEN")


def _context(failure: Failure) -> str:
    """What is being written: a key of FORMS."""
    if failure.lines == "setting":
        return "SETTING"
    if failure.lines == "assignment":
        return "ASSIGNMENT"
    if not failure.tokens:
        return "START"
    first = failure.tokens[0].type
    return first if first in FORMS else "NODE"


def _plain(source: SourceFile, failure: Failure) -> Diagnostic:
    """For what no sample covers: what was being written, and its form."""
    what, form = FORMS[_context(failure)]
    message = f"{what} is not finished" if _at_end(failure.token) else f"$found does not fit here, in {what}"
    return _diagnostic(source, failure, Malformed(message, form, ()))


def _at_end(token: Token) -> bool:
    return token.type in ("END", "RBRACE", END_OF_FILE)


def _diagnostic(source: SourceFile, failure: Failure, malformed: Malformed) -> Diagnostic:
    tokens, token = failure.tokens, failure.token
    words = {
        "found": _described(token),
        "text": token.text,
        "before": token.text if malformed.at_before else tokens[-1].text if tokens else "",
        "first": tokens[0].text if tokens else "",
        "rest": _rest(source, failure),
    }
    unfinished = _at_end(token)
    if _context(failure) == "SETTING" and _is_hyphenated(tokens):
        name = Span(source, tokens[0].start, tokens[2].end)
        advice = f"write `{name.text.replace('-', '_')}`"
        return rules.MISFIT.at(name, f"`{name.text}` is no name: names have `_` where others have `-`", help=advice)
    span = Span(source, token.start, token.end)
    if unfinished and tokens:
        span = Span(source, tokens[-1].end, tokens[-1].end)
    if tokens and _context(failure) == "NODE":
        first = Span(source, tokens[0].start, tokens[0].end)
        near = meant(first, _STATEMENTS)
        if near is not None:
            message = f"`{first.text}` begins a node here, but what follows does not fit"
            return rules.MISFIT.at(first, message, help=near.help, fix=near.fix)
        clause = _misspelt_clause(source, failure)
        if clause is not None:
            return clause
    advice = Template(malformed.help).substitute(words)
    made = UNFINISHED if unfinished else rules.MISFIT
    fix = None if malformed.instead is None or unfinished else _fix(source, failure, malformed)
    return made.at(span, Template(malformed.message).substitute(words), help=advice, fix=fix)


def _rest(source: SourceFile, failure: Failure) -> str:
    """What follows the token that does not fit, to the end of the statement."""
    rest = failure.skipped[1:]
    return " ".join(source.text[rest[0].start : rest[-1].end].split()) if rest else "…"


def _is_hyphenated(tokens: Sequence[Token]) -> bool:
    """`learning-rate`, at the beginning of a setting."""
    if len(tokens) < 3 or tokens[1].text != "-":
        return False
    return tokens[0].end == tokens[1].start and tokens[1].end == tokens[2].start


def _misspelt_clause(source: SourceFile, failure: Failure) -> Diagnostic | None:
    """`add form a, b`: a word that would make sense of what follows it."""
    for token in failure.tokens[1:]:
        span = Span(source, token.start, token.end)
        near = meant(span, CLAUSES) if token.type == "NAME" and len(token.text) > 2 else None
        if near is not None:
            message = f"`{token.text}` is read as an operand here, and what follows does not fit"
            return rules.MISFIT.at(span, message, help=near.help, fix=near.fix)
    return None


def _fix(source: SourceFile, failure: Failure, malformed: Malformed) -> Fix | None:
    """The repair that the entry states."""
    token, text = failure.token, source.text
    start, end = token.start, token.end
    if malformed.and_before:
        start = failure.tokens[-1].start
    new = Template(malformed.instead or "").substitute(bare=token.text.strip('"'), text=token.text)
    if new or malformed.instead:
        usable = new.isidentifier() and new.isascii() and new not in RESERVED
        if malformed.instead == "$bare" and not usable:
            return None
        return Fix(f"write `{new}`", (Edit(Span(source, start, end), new),))
    if token.type == "COMMA" and failure.tokens[0].text != "layer":
        return None  # it may stand between nodes, whose `from` was forgotten
    while text[end : end + 1] in (" ", "\t"):
        end += 1
    if not text[start - 1 : start].isspace():
        new = " "
    return Fix(f"take the `{token.text}` out", (Edit(Span(source, start, end), new),))


def _described(token: Token) -> str:
    if token.type == END_OF_FILE:
        return "the end of the file"
    if token.type == "END" and token.text != ";":
        return "the end of the line"
    if token.type == "STRING":
        return f"the string {token.text}"
    return f"`{token.text}`"
