"""Amounts of memory as people write them: `64MiB`, `1.5GiB`, `512kB`, or plain bytes."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

UNITS: Final = {"": 1, "B": 1} | {
    f"{prefix}{suffix}": base**power
    for base, suffix, prefixes in ((1000, "B", "kMGT"), (1024, "iB", "KMGT"))
    for power, prefix in enumerate(prefixes, 1)
}
_AMOUNT: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_SPELLINGS: Final = {unit.lower(): unit for unit in UNITS}


def read_bytes(text: str) -> int | None:
    """The bytes that `text` names, a part of a byte dropped: with k, M, G, T of 1000, or Ki, Mi, Gi, Ti of 1024.

    Capital and small letters are the same. None where it is no such amount.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or match[2].lower() not in _SPELLINGS:
        return None
    return int(Fraction(match[1]) * UNITS[_SPELLINGS[match[2].lower()]])
