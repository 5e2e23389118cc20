"""The C of a plan as several translation units, on which compilers can be at work at once.

A function that is `static` in the whole is seen by all units here; a table is in every unit that reads it. What the
units cost is estimated, in thousandths of what all else of a program costs: it takes a compiler longer to make a sum
of twenty-four vectors than one of three, and longest to make what is the same in every program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_WORD: Final = re.compile(r"\w+")
_TILE: Final = re.compile(r"TILE_SUM\((\d+), (\d+),")
_FUNCTION: Final = re.compile(r"static void (\w+)\([^{]*\{\n")
_TABLE: Final = re.compile(r"static tile const (\w+)")
_SHARED: Final = "product("
"""What calls this stays together: it is made once in every unit that has a call of it."""

ALL_ELSE: Final = 1000
_WORTH_IT: Final = 800
"""Another unit: each reads all headers."""
_OF_SHARED: Final = 250
_OF_FUNCTION: Final = 30
_OF_LINE: Final = 4
_OF_VECTOR: Final = 6
"""For each vector of a tile."""


@dataclass(frozen=True, slots=True)
class _Group:
    functions: tuple[str, ...]
    cost: int


def divided(texts: Sequence[str], first: str, others: str, last: str, count: int) -> tuple[str, ...]:
    """Up to `count` units that hold the functions and tables in `texts`.

    The first unit begins with `first` and ends with `last`, which may use all of them; the rest begin with `others`.
    """
    functions = {_name(_FUNCTION, text): text for text in texts if _FUNCTION.match(text)}
    tables = {_name(_TABLE, text): text for text in texts if _TABLE.match(text)}
    shares = _shares(functions, count)
    units = []
    for number, share in enumerate(shares):
        ending = last if number == 0 else ""
        read = _words([*(functions[name] for name in share), ending])
        own = [text for name, text in tables.items() if name in read]
        read |= _words(own)
        declared = [_declaration(text) for name, text in functions.items() if name in read and name not in share]
        defined = [functions[name].removeprefix("static ") for name in share]
        declared += [_declaration(functions[name]) for name in share]
        parts = [others if number else first, _hidden(declared), *own, *defined, ending]
        units.append("\n\n".join(part for part in parts if part) + "\n")
    return tuple(units)


def _shares(functions: dict[str, str], count: int) -> list[list[str]]:
    """The names of the functions of each unit: the dearest ones first, each to the unit that has least to do."""
    groups = sorted(_groups(functions), key=lambda g: -g.cost)
    others = min(count - 1, sum(g.cost for g in groups) // _WORTH_IT)
    costs = [ALL_ELSE] + [0] * others
    taken: list[list[str]] = [[] for _ in costs]
    for group in groups:
        least = costs.index(min(costs))
        costs[least] += group.cost
        taken[least] += group.functions
    first, *rest = ([name for name in functions if name in set(names)] for names in taken)
    return [first, *filter(None, rest)]


def _groups(functions: dict[str, str]) -> list[_Group]:
    together = tuple(name for name, text in functions.items() if _SHARED in text)
    groups = [_Group((name,), _cost(text)) for name, text in functions.items() if name not in together]
    if together:
        groups.append(_Group(together, _OF_SHARED + sum(_cost(functions[name]) for name in together)))
    return groups


def _cost(text: str) -> int:
    tile = _TILE.search(text)
    vectors = int(tile[1]) * int(tile[2]) if tile else 0
    return _OF_FUNCTION + _OF_LINE * text.count("\n") + _OF_VECTOR * vectors


def _name(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.match(text)
    return found[1] if found else ""


def _words(texts: Iterable[str]) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text)}


def _hidden(declared: Sequence[str]) -> str:
    """Without this a compiler takes it that another library may have a function of that name."""
    return "\n".join(["#pragma GCC visibility push(hidden)", *declared, "#pragma GCC visibility pop"])


def _declaration(text: str) -> str:
    return text.partition(" {\n")[0].removeprefix("static ") + ";"
