"""The LALR automaton: runs the tables that Lark makes from the grammar, and goes on after a mistake.

Lark's own loop gives up at the first mistake, or asks a callback to mend its stacks. This one is the same loop
with two additions: a mistake ends only the statement that it stands in, and a rule with one child and no
method of its own costs no call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from dnnlang.diagnostics import Diagnostic
from dnnlang.errors import InternalError
from dnnlang.syntax.tokens import Token

END_OF_FILE: Final = "$END"


class Refused(Exception):
    """Raised by a method of the builder: the statement is of the right form, but cannot be meant."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class Lines(list[Any]):
    """The lines of a body so far: where the parser goes on after a mistake. `of` says lines of what."""

    __slots__ = ("of",)

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of


class Rule(NamedTuple):
    """One production. `method` None: pass the only child on. `holes`: True where a left-out [x] becomes None."""

    origin: str
    size: int
    method: str | None
    holes: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """`actions[state][terminal]` is the next state, or ~i to reduce by `rules[i]`; `gotos[state][origin]` a state.

    `defaults[state]` is the only action of a state that can do nothing else than reduce. It is taken even
    if the token does not fit, so that what is complete is not lost with the statement that the token stands in.
    """

    actions: Sequence[dict[str, int]]
    gotos: Sequence[dict[str, int]]
    defaults: Sequence[int | None]
    rules: Sequence[Rule]
    start: int
    end: int

    def advance(self, states: list[int], terminal: str) -> bool:
        """Take in one token on a stack of states alone; False, and `states` spoilt, if it does not fit there."""
        while True:
            action = self.actions[states[-1]].get(terminal, self.defaults[states[-1]])
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                return True
            rule = self.rules[~action]
            if rule.size:
                del states[-rule.size :]
            states.append(self.gotos[states[-1]][rule.origin])
            if states[-1] == self.end:
                return True

    def acceptable(self, states: Sequence[int]) -> frozenset[str]:
        """The terminals that fit next, really: not only in the table of the state on top."""
        return frozenset(t for t in self.actions[states[-1]] if t.isupper() and self.advance(list(states), t))


@dataclass(frozen=True, slots=True)
class Failure:
    """A statement that is given up: `tokens` is as much of it as was read, `token` what does not fit."""

    states: tuple[int, ...]  # the stack before `token`
    lines: str | None  # what the statement is a line of; None before the first line
    tokens: Sequence[Token]
    token: Token
    refused: Diagnostic | None
    skipped: Sequence[Token]  # `token` and what follows, to the end of the statement


class Run:
    """One text on its way through the automaton."""

    def __init__(self, tables: Tables, tokens: Sequence[Token], builder: object) -> None:
        """`tokens` end with one of type END_OF_FILE; `builder` has the methods that the rules name."""
        self._tables = tables
        self._tokens = tokens
        self._methods: list[Callable[[list[Any]], Any] | None] = [
            getattr(builder, r.method) if r.method is not None else None for r in tables.rules
        ]
        self._states = [tables.start]
        self._values: list[Any] = []
        self._position = 0

    def result(self, failed: Callable[[Failure], None]) -> Any:
        """What the method of the start rule returned. `failed` hears of every statement that is given up."""
        stuck_at = -1
        while True:
            try:
                if self._go_on():
                    return self._values[-1]
                refused = None
            except Refused as refusal:
                refused = refusal.diagnostic
            if self._position == stuck_at:
                raise InternalError(f"the parser does not get past token {stuck_at}: {self._tokens[stuck_at]}")
            failed(self._give_up(refused))
            stuck_at = self._position

    def _go_on(self) -> bool:
        """Read on to the end (True) or to a token that does not fit (False)."""
        actions, gotos, rules = self._tables.actions, self._tables.gotos, self._tables.rules
        defaults = self._tables.defaults
        end, methods = self._tables.end, self._methods
        states, values = self._states, self._values
        for position in range(self._position, len(self._tokens)):
            token = self._tokens[position]
            self._position = position
            terminal = token.type
            while True:
                action = actions[states[-1]].get(terminal)
                if action is None:
                    action = defaults[states[-1]]
                    if action is None:
                        return False
                if action >= 0:
                    states.append(action)
                    values.append(token)
                    break
                origin, size, _, holes = rules[~action]
                method = methods[~action]
                if method is None:
                    states[-1] = gotos[states[-2]][origin]
                    continue
                children: list[Any] = []
                if size:
                    children = values[-size:]
                    del values[-size:]
                    del states[-size:]
                if holes:
                    present = iter(children)
                    children = [None if hole else next(present) for hole in holes]
                values.append(method(children))
                states.append(gotos[states[-1]][origin])
                if states[-1] == end:
                    return True
        return False

    def _give_up(self, refused: Diagnostic | None) -> Failure:
        """Forget the statement at hand, skip the rest of it, and say what is forgotten.

        A method that refuses has had its children taken from the stacks already; what lies below them is intact.
        """
        states, values = self._states, self._values
        base, braces, closed = len(values) - 1, 0, 0
        while base >= 0 and (closed or not isinstance(values[base], Lines)):
            kind = values[base].type if isinstance(values[base], Token) else None
            if kind == "RBRACE":
                closed += 1
            elif kind == "LBRACE" and closed:
                closed -= 1
            elif kind == "LBRACE":
                braces += 1
            base -= 1
        lines = values[base].of if base >= 0 else None
        at = self._position
        first = self._first_token(at, braces)
        del values[base + 1 :]
        del states[base + 2 :]
        before = list(states)
        for token in self._tokens[first:at]:
            if not self._tables.advance(before, token.type):
                break
        self._position = self._last_token(at, braces)
        read, skipped = self._tokens[first:at], self._tokens[at : self._position]
        return Failure(tuple(before), lines, read, self._tokens[at], refused, skipped)

    def _first_token(self, at: int, braces: int) -> int:
        """Where the statement begins that token `at` stands in, `braces` of whose { are open."""
        inner = 0
        while at > 0:
            kind = self._tokens[at - 1].type
            if kind == "RBRACE":
                inner += 1
            elif kind == "LBRACE" and inner:
                inner -= 1
            elif kind == "LBRACE" and braces:
                braces -= 1
            elif kind == "LBRACE" or (kind == "END" and not inner):
                return at
            at -= 1
        return at

    def _last_token(self, at: int, braces: int) -> int:
        """The END, the } of the enclosing body or the end of the file that ends the statement."""
        while True:
            kind = self._tokens[at].type
            if kind == END_OF_FILE or (not braces and kind in ("END", "RBRACE")):
                return at
            if kind == "LBRACE":
                braces += 1
            elif kind == "RBRACE":
                braces -= 1
            at += 1
