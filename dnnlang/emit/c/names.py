"""What of a program may reach C: identifiers made of its names, and text that is safe within a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_NOT_IN_IDENTIFIERS: Final = re.compile(r"[^A-Za-z0-9]+")
_SAFE: Final = re.compile(r"[A-Za-z0-9 _.,:;=+()\[\]-]+")
"""No slash, backslash, question mark or quote: a comment cannot end early, no line joins the next, no trigraph."""
MOST_CHARACTERS: Final = 60


class Identifiers:
    """Distinct C identifiers for names of any text. A stem in front of each keeps them off the words of C."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}

    def of(self, stem: str, name: str = "") -> str:
        """`W[1]` behind MODEL becomes MODEL_W_1; numbers tell apart what would be the same then."""
        words = _NOT_IN_IDENTIFIERS.sub("_", name).strip("_")[:MOST_CHARACTERS].rstrip("_")
        plain = f"{stem}_{words}" if words else stem
        found, number = plain, 2
        while found.lower() in self._taken:
            found, number = f"{plain}_{number}", number + 1
        self._taken.add(found.lower())
        return found


def comment(text: str, otherwise: str = "") -> str:
    """`text` as it may stand in a comment, or `otherwise`."""
    return text if _SAFE.fullmatch(text) and len(text) <= MOST_CHARACTERS else otherwise
