"""Numbers for people."""

from __future__ import annotations


def number(value: float) -> str:
    """Four digits that count."""
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.4g}"


def figure(name: str, value: float) -> str:
    """Accuracies as percentages, everything else as a number."""
    return f"{100 * value:.2f} %" if "accuracy" in name else number(value)


def count(amount: int, thing: str) -> str:
    """`1 row`, `2,500 rows`."""
    return f"{amount:,} {thing}" if amount == 1 else f"{amount:,} {thing}s"
