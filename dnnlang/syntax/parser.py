"""From source text to the frozen tree. The only module that imports Lark, which makes the LALR tables."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import lark

from dnnlang.collector import collector_paused
from dnnlang.diagnostics import Diagnostic, Diagnostics
from dnnlang.errors import InternalError
from dnnlang.source import SourceFile, Span
from dnnlang.syntax import rules
from dnnlang.syntax.actions import Actions
from dnnlang.syntax.automaton import Failure, Rule, Run, Tables
from dnnlang.syntax.consequences import without_consequences
from dnnlang.syntax.errors import Messages, Report
from dnnlang.syntax.files import grammar_text
from dnnlang.syntax.foreign import foreign
from dnnlang.syntax.layout import arrange
from dnnlang.syntax.tokens import RESERVED, Scanner, Token
from dnnlang.syntax.tree import Tree

_FORBIDDEN: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)


@collector_paused()
def parse(source: SourceFile, found: Diagnostics) -> Tree:
    """The tree of a program; `found` takes the mistakes, in the order of the text.

    A statement with a mistake is left out of the tree, and the rest of the file is read as usual.
    """
    mistakes: list[Diagnostic] = []
    text = _without_forbidden(source, mistakes)
    tree = Tree(source, (), complete=False) if text is None else _parse(source, text, mistakes)
    other = foreign(source) if mistakes else None
    if other is not None:
        found.add(other)
        return Tree(source, (), complete=False)
    for mistake in sorted(mistakes, key=lambda d: d.span.start if d.span is not None else -1):
        found.add(mistake)
    return tree


def scan(source: SourceFile) -> list[Token]:
    """The tokens of a program as they stand there: with newlines, without blanks and comments."""
    return _scanner().tokens(source.text)


def _parse(source: SourceFile, text: str, mistakes: list[Diagnostic]) -> Tree:
    tokens = arrange(source, _scanner().tokens(text), mistakes)
    actions = Actions(source, mistakes)
    lost = actions.lost
    report = Report(source, _messages)

    def failed(failure: Failure) -> None:
        mistakes.extend(report.of(failure))
        lost.update(t.text for t in (*failure.tokens, *failure.skipped) if t.type in ("NAME", "CALLEE"))

    statements = Run(_tables(), tokens, actions).result(failed)
    without_consequences(mistakes, lost)
    complete = not any(d.severity == "error" for d in mistakes)
    return Tree(source, statements, complete, frozenset(lost))


def _without_forbidden(source: SourceFile, mistakes: list[Diagnostic]) -> str | None:
    """The text with blanks for characters that may not stand in it. None where it cannot be a program at all."""
    text = source.text
    if _FORBIDDEN.search(text) is None:
        return text
    seen: dict[str, int] = {}
    for match in _FORBIDDEN.finditer(text):
        seen.setdefault(match.group(), match.start())
    for character, at in seen.items():
        mistakes.append(rules.forbidden_character(Span(source, at, at + 1), text.count(character) - 1))
    return None if "\0" in seen else _FORBIDDEN.sub(" ", text)


# ---------------------------------------------------------------- what Lark makes of the grammar


@cache
def _lark() -> lark.Lark:
    """Made at the first parse of the process; about 0.1 s."""
    return lark.Lark(
        grammar_text("dnn.lark"), parser="lalr", lexer="basic", maybe_placeholders=True, keep_all_tokens=True
    )


@cache
def _scanner() -> Scanner:
    """The terminals, in the order in which Lark's own lexer would try them."""
    made = _lark()
    words = {t.pattern.value: t.name for t in made.terminals if t.pattern.value in RESERVED}
    if words.keys() != RESERVED:
        raise InternalError(f"grammar and tokens.py disagree about {sorted(words.keys() ^ RESERVED)}")
    terminals = [t for t in made.terminals if t.name not in words.values()]
    terminals.sort(key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value), t.name))
    # Newlines mean nothing to the grammar, but to the layout.
    skipped = set(made.ignore_tokens) - {"NEWLINE"}
    return Scanner([(t.name, t.pattern.to_regexp()) for t in terminals], words, skipped)


@cache
def _tables() -> Tables:
    conf = _lark().parse_interactive("").parser_state.parse_conf
    numbers: dict[Any, int] = {}
    made: list[Rule] = []
    actions: list[dict[str, int]] = [{} for _ in conf.states]
    gotos: list[dict[str, int]] = [{} for _ in conf.states]
    for state, row in conf.states.items():
        for symbol, (action, argument) in row.items():
            if action is not lark.parsers.lalr_analysis.Reduce:
                (actions if symbol.isupper() else gotos)[state][symbol] = argument
                continue
            if argument not in numbers:
                numbers[argument] = len(made)
                made.append(_rule(argument))
            actions[state][symbol] = ~numbers[argument]
    defaults = [_only(row) for row in actions]
    return Tables(actions, gotos, defaults, made, conf.start_state, conf.end_state)


def _only(row: dict[str, int]) -> int | None:
    """The reduction that is all that a state can do; None if there is a choice."""
    actions = set(row.values())
    return actions.pop() if len(actions) == 1 and max(actions) < 0 else None


def _rule(rule: Any) -> Rule:
    method = rule.alias or rule.options.template_source or str(rule.origin.name)
    size = len(rule.expansion)
    if not hasattr(Actions, method):
        if rule.alias is not None or size != 1:
            raise InternalError(f"grammar rule `{rule}` has no method in actions.py")
        method = None
    return Rule(str(rule.origin.name), size, method, tuple(rule.options.empty_indices))


@cache
def _messages() -> Messages:
    return Messages(_tables(), first_failure)


def first_failure(text: str) -> Failure | None:
    """The first statement of `text` that the automaton gives up: how the samples of errors.py are understood."""
    source = SourceFile("sample", text)
    mistakes: list[Diagnostic] = []
    failures: list[Failure] = []
    tokens = arrange(source, _scanner().tokens(text), mistakes)
    Run(_tables(), tokens, Actions(source, mistakes)).result(failures.append)
    return failures[0] if failures else None
