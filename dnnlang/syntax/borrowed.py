"""Forms of other languages in a statement that does not fit the grammar: comments, loops, definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dnnlang.diagnostics import Diagnostic, Edit, Fix
from dnnlang.source import SourceFile, Span
from dnnlang.syntax import rules
from dnnlang.syntax.automaton import Failure
from dnnlang.syntax.tokens import Token

_VALUES: Final = ("NAME", "NUMBER", "RPAR", "RSQB")
"""Terminals that an operand ends in."""
_FAMILIES: Final = ("activation", "init", "initializer", "optimizer", "function", "def", "fn")
"""What somebody may begin a definition with."""
_JOINS: Final = ("add", "multiply", "concat")
"""Kinds that take nodes and nothing else."""
_LOOPS: Final = ("for", "loop", "while", "times")


def borrowed(source: SourceFile, failure: Failure) -> Diagnostic | None:
    """What to say if the statement is written as in another language; None if it does not seem to be."""
    tokens = [*failure.tokens, failure.token, *failure.skipped[1:]]
    comment = _comment(source, tokens)
    if comment is not None:
        return comment
    if failure.lines in ("setting", "assignment"):
        return None
    first = tokens[0]
    span = Span(source, first.start, first.end)
    if first.text in _LOOPS and any(token.type in ("IN", "LBRACE") for token in tokens):
        message = f"`{first.text}` is not part of the language: a body is repeated by `repeat`"
        fix = Fix("write `repeat`", (Edit(span, "repeat"),)) if first.text == "for" and _counts(tokens) else None
        return rules.MISFIT.at(span, message, help="write `repeat 3 { … }` or `repeat i in 1 .. 3 { … }`", fix=fix)
    if first.text in _FAMILIES and len(tokens) > 1 and tokens[1].type == "CALLEE":
        family = "activation" if first.text in ("function", "def", "fn") else first.text.replace("initializer", "init")
        message = f"`{first.text} {tokens[1].text}(…)` is meant to define something, but `define` is missing"
        fix = Fix(f"write `define {family}`", (Edit(span, f"define {family}"),))
        return rules.MISFIT.at(span, message, help=f"write `define {family} {tokens[1].text}(…) …`", fix=fix)
    return _forgotten_from(source, failure, tokens) if failure.token.type == "COMMA" else None


def _forgotten_from(source: SourceFile, failure: Failure, tokens: Sequence[Token]) -> Diagnostic | None:
    """`add h, x as y`: nodes written like arguments, to a kind that has no operands."""
    first, *rest = tokens
    if (
        first.text not in _JOINS
        or len(failure.tokens) != 2
        or not all(token.type in ("NAME", "COMMA", "AS") for token in rest)
    ):
        return None
    after = source.text[rest[0].start : rest[-1].end]
    at = Span(source, rest[0].start, rest[0].start)
    return rules.MISFIT.at(
        Span(source, failure.token.start, failure.token.end),
        f"what goes into `{first.text}` stands after `from`",
        help=f"write `{first.text} from {after}`",
        fix=Fix("write `from`", (Edit(at, "from "),)),
    )


def _comment(source: SourceFile, tokens: Sequence[Token]) -> Diagnostic | None:
    """`layer 5 relu // the first`, `/* … */`."""
    begin = 0  # of the statement at hand, where bodies stand inside
    for at, token in enumerate(tokens):
        if token.type in ("LBRACE", "END"):
            begin = at + 1
        sign = source.text[token.start : token.start + 2]
        if sign not in ("//", "/*") or (sign == "//" and not _after_operands(tokens, begin, at)):
            continue
        span = Span(source, token.start, token.start + 2)
        end = source.text.find("\n", token.start)
        words = source.text[token.start + 2 : end if end >= 0 else None].strip(" */\r\t")
        fix = Fix("write `#`", (Edit(span, "#"),)) if sign == "//" else None
        return rules.MISFIT.at(span, f"`{sign}` does not begin a comment", help=f"write `# {words}`", fix=fix)
    return None


def _after_operands(tokens: Sequence[Token], begin: int, at: int) -> bool:
    """Whether nothing stands before, or a kind and two operands, so that nothing is left to be divided."""
    if at == begin:
        return True
    return at - begin > 2 and all(token.type in _VALUES for token in tokens[at - 2 : at])


def _counts(tokens: Sequence[Token]) -> bool:
    """`for i in 1 .. 3 {`."""
    kinds = [token.type for token in tokens[1:6]]
    return kinds[:2] == ["NAME", "IN"] and "RANGE" in kinds
