"""How large a formula may be."""

from __future__ import annotations

from typing import Final

TERM_LIMIT: Final = 10_000
"""Terms of a formula, counted as if every definition in it were written out."""


class TooLarge(Exception):
    """A formula has more than TERM_LIMIT terms; whoever read it knows where it stands."""
