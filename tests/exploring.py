"""How many examples a property test tries, where that is not what the profile says."""

from __future__ import annotations

from hypothesis import settings

USUAL = 40
"""Examples of the profile that everybody runs."""


def examples(usual: int) -> int:
    """`usual`; with a profile that tries more, more in the same proportion."""
    return usual * settings().max_examples // USUAL
