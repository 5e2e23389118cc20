"""Did you mean …? The nearest of the words that would have fitted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from dnnlang.diagnostics.diagnostic import Edit, Fix
from dnnlang.source import Span


class Meant(NamedTuple):
    """What a word was probably meant to be. `fix` is None where another word is as close."""

    word: str
    help: str
    fix: Fix | None


def meant(span: Span, candidates: Iterable[str], *, form: str = "{}", local: bool = False) -> Meant | None:
    """What the word at `span` is most likely a misspelling of, or None if nothing is close.

    `form` is how the help shows it (`layer[{}]`). `local`: the candidates are declared in the same statement, so
    that a word that stands outside it too is rather one that the statement should have declared.
    """
    word = span.text
    known = list(dict.fromkeys(candidates))
    near = closest(word, known)
    if near is None:
        return None
    away = _distance(word, near, _reach(word, near))
    alone = all(_distance(word, c, _reach(word, c)) > away for c in known if c not in (near, word))
    certain = alone and (max(len(near), len(word)) > 2 or word.lower() == near.lower())
    if certain and (local or _occurs(near, span.source.text) == 1) and _occurs(word, span.source.text) > 1:
        certain = False  # more probably it is the one declaration that is misspelt, and not all the uses
    return Meant(near, f"did you mean `{form.format(near)}`?", replacement(span, near) if certain else None)


def _occurs(word: str, text: str) -> int:
    """How often a word stands in a text."""
    return len(re.findall(rf"\b{re.escape(word)}\b", text))


def replacement(span: Span, text: str) -> Fix:
    """The repair that writes `text` there."""
    return Fix(f"replace by `{text}`", (Edit(span, text),))


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` is most likely a misspelling of, or None if none is close.

    Of equally close candidates the first wins, so callers order them by what fits best.
    """
    best: str | None = None
    least = float("inf")
    for candidate in candidates:
        if candidate == word:
            continue
        away = _distance(word, candidate, _reach(word, candidate))
        if away < least:
            best, least = candidate, away
    return best


def _reach(word: str, candidate: str) -> float:
    """How far two words may be apart and still be taken for one another: a third of the shorter one."""
    shorter = min(len(word), len(candidate))
    return 3 if shorter > 8 else 2 if shorter > 4 else 1 if shorter > 1 else 0.5


def _distance(a: str, b: str, limit: float) -> float:
    """Insertions, deletions, substitutions and swaps of neighbours from `a` to `b`; infinite beyond `limit`.

    A difference in case alone counts half, however many letters it concerns: `ReLU` is near `relu`.
    """
    case = 0.5 if a != b else 0.0
    if a.lower() == b.lower():
        return case
    a, b = a.lower().replace("-", "_"), b.lower().replace("-", "_")
    if a.replace("_", "") == b.replace("_", ""):
        return 0.75  # `leakyrelu` for `leaky_relu`
    if abs(len(a) - len(b)) > limit:
        return float("inf")
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        earlier, before, row = before, row, [i]
        for j, other in enumerate(b, 1):
            cost = min(row[j - 1] + 1, before[j] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and other == a[i - 2]:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1] if row[-1] <= limit else float("inf")
