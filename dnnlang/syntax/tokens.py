"""From characters to tokens. Total: whatever the text, every character ends up in a token or is skipped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from dnnlang.diagnostics import Diagnostic

RESERVED = frozenset(
    """input output param dim repeat block define loss train expect import as from in derivative given""".split()
)
"""Words that cannot be names; the only keywords of the grammar."""

TOP_LEVEL = frozenset("INPUT OUTPUT PARAM DIM EXPECT LOSS TRAIN DEFINE BLOCK IMPORT".split())
"""Terminals that begin a statement which may stand only outside bodies."""

MISFIT = "MISFIT"
"""Characters that no terminal covers."""
WRONG = "WRONG"
"""A token that the parser must stumble over; `wrong` says why."""


class Token(NamedTuple):
    """The characters from `start` to `end`. `type` is the name of a terminal of the grammar, MISFIT or WRONG."""

    type: str
    start: int
    end: int
    text: str
    wrong: Diagnostic | None = None


# What no terminal covers, in pieces that a message can name: something like a number, a string without end,
# a word with letters that names do not have, else one character.
_MISFIT = r"""\.?[0-9](?:\w|\.(?!\.))*|"[^"\r\n]*|\w+|."""


class Scanner:
    """Cuts a text into tokens by the terminals of the grammar."""

    def __init__(self, terminals: Iterable[tuple[str, str]], words: Mapping[str, str], skipped: Iterable[str]) -> None:
        """`terminals` are (name, pattern), the first that matches wins; `words` are names that are keywords."""
        alternatives = [f"(?P<{name}>{pattern})" for name, pattern in terminals]
        self._pattern = re.compile("|".join([*alternatives, f"(?P<{MISFIT}>{_MISFIT})"]), re.DOTALL)
        self._words = dict(words)
        self._skipped = frozenset(skipped)

    def tokens(self, text: str) -> list[Token]:
        """The tokens of `text`, newlines among them, without blanks and comments."""
        words, skipped = self._words, self._skipped
        made = []
        for match in self._pattern.finditer(text):
            kind = match.lastgroup
            if kind is None or kind in skipped:
                continue
            start, end = match.span()
            word = match.group()
            if kind == "NAME" or kind == "CALLEE":
                kind = words.get(word, kind)
            made.append(Token(kind, start, end, word))
        return made
