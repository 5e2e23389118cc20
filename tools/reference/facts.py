"""What the other modules share: the standard library, bound and asked, and small pieces of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from dnnlang.diagnostics import Diagnostics
from dnnlang.errors import InternalError
from dnnlang.graph.definition_options import Numbers, default_number
from dnnlang.graph.definitions import Library
from dnnlang.scalar.expression import Expr
from dnnlang.scalar.functions import Activation, Initializer, Loss, Optimizer
from dnnlang.scalar.text import text
from dnnlang.source import Span
from dnnlang.syntax.tree import Call, DefineStatement, Name

ROOT: Final = Path(__file__).parents[2]

NAMES: Final = {"u": "dA", "z": "Z", "a": "A", "y": "Y", "w": "W", "g": "dW", "rate": "α"}
"""Variables of formulas as the lesson writes the matrices that they stand for."""

LIBRARY: Final = Library.standard()

Function = TypeVar("Function", Activation, Loss, Initializer, Optimizer)


def statement(family: str, name: str) -> DefineStatement:
    """The definition of a name of the standard library."""
    found = LIBRARY.statement(family, name)
    if found is None:
        raise InternalError(f"the library has no {family} `{name}`")
    return found


@cache
def activations() -> Mapping[str, Activation]:
    """The standard activations by name, their options at their defaults."""
    return _all("activation", LIBRARY.activation)


@cache
def losses() -> Mapping[str, Loss]:
    return _all("loss", LIBRARY.loss)


@cache
def initializers() -> Mapping[str, Initializer]:
    return _all("init", LIBRARY.initializer)


@cache
def optimizers() -> Mapping[str, Optimizer]:
    return _all("optimizer", LIBRARY.optimizer)


def _all(family: str, use: Callable[[Name | Call, Numbers, Diagnostics], Function | None]) -> dict[str, Function]:
    made: dict[str, Function] = {}
    for name in LIBRARY.names(family):
        found = Diagnostics()
        function = use(statement(family, name).name, default_number, found)
        if function is None:
            raise InternalError(f"the {family} `{name}` is not usable: {[d.message for d in found.found]}")
        made[name] = function
    return made


def source_comment(span: Span) -> str:
    """The comment that stands right above a definition, as running text."""
    lines = span.source.text[: span.start].splitlines()
    comment: list[str] = []
    while lines and lines[-1].startswith("# ") and not lines[-1].startswith("# ==="):
        comment.insert(0, lines.pop()[2:])
    return " ".join(comment)


def formula(expr: Expr) -> str:
    """An expression as plans print it, in the lesson's letters."""
    return text(expr, {**NAMES, "units": "n"}, spellings=LIBRARY.spellings())


# ---------------------------------------------------------------- Markdown


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. A `|` in a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def code(text: str) -> str:
    """Inline code; nothing for nothing."""
    return f"`{text}`" if text else ""


def block(text: str, language: str = "dnn") -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def words(names: Iterable[str]) -> str:
    """`a`, `b`, `c`."""
    return ", ".join(code(name) for name in names)
