"""The standard definitions that a program uses, as text: a model means the same when the library has moved on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from dnnlang.diagnostics.diagnostic import Diagnostics
from dnnlang.graph.definition_form import FAMILIES
from dnnlang.graph.definitions import DEFAULT_INIT, DEFAULT_LOSS, Library
from dnnlang.source import SourceFile
from dnnlang.syntax.parser import parse
from dnnlang.syntax.tree import DefineStatement

DEFAULTS: Final = (DEFAULT_INIT, DEFAULT_LOSS, "linear", "adam")
"""What a program may use without naming it."""
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


@lru_cache(maxsize=16)
def _used(sources: tuple[SourceFile, ...]) -> tuple[tuple[str, str], ...]:
    library = Library.standard()
    own = {
        (statement.family.id, statement.name.id)
        for source in sources
        for statement in parse(source, Diagnostics()).statements
        if isinstance(statement, DefineStatement)
    }
    used: dict[str, str] = {}
    words = [*DEFAULTS, *(word for source in sources for word in _WORD.findall(source.text))]
    while words:
        word = words.pop()
        for family in FAMILIES:
            key = f"{family} {word}"
            statement = library.statement(family, word)
            if statement is None or key in used or (family, word) in own:
                continue
            used[key] = statement.span.text
            words += _WORD.findall(statement.span.text)
    return tuple(sorted(used.items()))


def standard_definitions(sources: tuple[SourceFile, ...]) -> dict[str, str]:
    """By family and name. Every word of the program counts as a use, so there may be a few too many."""
    return dict(_used(sources))


def with_definitions(text: str, stored: Mapping[str, str]) -> str:
    """The program `text`, meaning what it did when `stored` were the standard definitions.

    Where the library still says the same, that is `text` itself; else all stored ones come before it.
    """
    library = Library.standard()
    for key, definition in stored.items():
        family, _, name = key.partition(" ")
        now = library.statement(family, name)
        if now is None or now.span.text != definition:
            return "\n".join([*stored.values(), text])
    return text
