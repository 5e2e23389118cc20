"""Did you mean …? The nearest of the words that would have fitted."""

from __future__ import annotations

from collections.abc import Iterable


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
