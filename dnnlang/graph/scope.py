"""Names of a program: nodes, params, dims and blocks share one namespace, in which each name stands for one thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import Polynomial
from dnnlang.source import Span
from dnnlang.syntax.tree import (
    BlockStatement,
    DimStatement,
    Expression,
    InputStatement,
    Name,
    NodeStatement,
    ParamStatement,
    RepeatStatement,
    Statement,
)

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

RESERVED: Final = {
    "m": "the number of samples",
    "L": "the number of layers",
    "X": "the input",
    "Y": "the targets",
    "parameters": "the number of parameters",
    "_": "the previous node",
}

DUPLICATE = rule(
    "DNN101",
    "duplicate-name",
    "Two things of a program have the same name.",
    why="Nodes, params, dims and blocks share one namespace, so that a name means one thing wherever it stands.",
    wrong="input 64 as h\nlayer 64 relu as h\nlayer 1 sigmoid\n",
    right="input 64 as x\nlayer 64 relu as h\nlayer 1 sigmoid\n",
)
RESERVED_NAME = rule(
    "DNN102",
    "reserved-name",
    "A name that the notation already uses was given to something else.",
    why="m, L, X, Y and `parameters` mean the same in every program, message and plan, and `_` is the node above.",
    wrong="param m = 64\nlayer m relu\nlayer 1 sigmoid\n",
    right="param width = 64\nlayer width relu\nlayer 1 sigmoid\n",
)


@dataclass(slots=True, eq=False)
class ParamEntry:
    """A param. `value` is None when it could not be evaluated; what uses it then stays silent."""

    name: str
    span: Span
    value: int | Fraction | None
    set_by: str | None = None  # `-D width=64`, if not by the program

    def set_where(self) -> str:
        return f"set by `{self.set_by}`" if self.set_by is not None else f"set on {line_of(self.span)}"


@dataclass(slots=True, eq=False)
class DimEntry:
    """A dim: a symbol until the network is loaded."""

    name: str
    span: Span


@dataclass(slots=True, eq=False)
class NodeEntry:
    """A node with a name. `draft` is None as long as the statement has not been reached."""

    name: str
    span: Span
    draft: Draft | None = None


@dataclass(slots=True, eq=False)
class BlockEntry:
    """A block. With `broken` a mistake in it was reported, and what uses it stays silent."""

    name: str
    span: Span
    statement: BlockStatement
    broken: bool = False


@dataclass(slots=True, eq=False)
class CounterEntry:
    """The counter of a `repeat`, in one copy of its body."""

    name: str
    span: Span
    value: int


@dataclass(slots=True, eq=False)
class ArgumentEntry:
    """What a parameter of a block stands for in one use of it; `value` is None if that is not known.

    `expression` stands where the block is used, with the names of `scope`; for a default, where the block is
    declared, and then `use` is None.
    """

    name: str
    span: Span
    value: int | Fraction | Polynomial | Activation | None
    expression: Expression
    scope: Scope
    use: Span | None


Entry = ParamEntry | DimEntry | NodeEntry | BlockEntry | CounterEntry | ArgumentEntry

NOUNS: Final = {
    ParamEntry: "param",
    DimEntry: "dim",
    NodeEntry: "node",
    BlockEntry: "block",
    CounterEntry: "counter",
    ArgumentEntry: "parameter of the block",
}
NUMBERS: Final = (ArgumentEntry, CounterEntry, ParamEntry)
"""What stands for a number (or, an argument, for something else)."""


@dataclass(slots=True, eq=False)
class Scope:
    """The names that a list of statements declares, and those around it.

    A block's body gets a scope whose parent holds params, dims and blocks only; a repeat's body one inside its
    surroundings. Names of a body are local to each copy, because each copy is elaborated in a new Scope. An inner
    name hides an outer one.
    """

    parent: Scope | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Reserved names that the program declares all the same: reported once, where they are declared."""
    block: BlockStatement | None = None
    """The block whose body this is in."""
    unseen: Scope | None = None
    """In a block's body: the scope of the program, whose nodes are out of sight."""

    def within(self, entries: dict[str, Entry]) -> Scope:
        """A scope inside this one."""
        return Scope(self, entries, block=self.block, unseen=self.unseen)

    def without_nodes(self) -> Scope:
        """What the bodies of blocks see of this scope."""
        entries: dict[str, Entry] = {n: e for n, e in self.entries.items() if not isinstance(e, NodeEntry)}
        return Scope(None, entries, self.refused, None, self)

    def find(self, name: str) -> Entry | None:
        scope: Scope | None = self
        while scope is not None:
            entry = scope.entries.get(name)
            if entry is not None:
                return entry
            scope = scope.parent
        return None

    def names(self, *classes: type[Entry]) -> Iterator[str]:
        """The names of entries of these classes, the innermost first."""
        scope: Scope | None = self
        while scope is not None:
            for name, entry in scope.entries.items():
                if isinstance(entry, classes):
                    yield name
            scope = scope.parent


def declare(statements: Iterable[Statement], scope: Scope, found: Diagnostics) -> None:
    """Enter what the statements declare into `scope`; a second declaration is reported and forgotten."""
    for statement in statements:
        name = declared_name(statement)
        if name is None:
            continue
        if is_reserved(name, found):
            scope.refused.add(name.id)
            continue
        first = scope.entries.get(name.id)
        if first is not None:
            found.add(duplicate(name, first))
            continue
        scope.entries[name.id] = _entry(statement, name)


def declared_name(statement: Statement) -> Name | None:
    """The name in the common namespace that a statement declares, if any."""
    if isinstance(statement, NodeStatement | InputStatement | RepeatStatement):
        return statement.alias
    if isinstance(statement, ParamStatement | DimStatement | BlockStatement):
        return statement.name
    return None


def is_reserved(name: Name, found: Diagnostics) -> bool:
    meaning = RESERVED.get(name.id)
    if meaning is None:
        return False
    found.add(
        RESERVED_NAME.at(
            name.span,
            f"`{name.id}` cannot be declared: it is {meaning}, in every program",
            help="choose another name" if name.id != "X" else "leave the name out, or choose another one",
        )
    )
    return True


def line_of(span: Span) -> str:
    """`line 5`, or `line 5 of blocks.dnn` where that is not the program itself."""
    return f"line {span.line} of {span.source.name}" if span.source.imported else f"line {span.line}"


def _entry(statement: Statement, name: Name) -> Entry:
    if isinstance(statement, ParamStatement):
        return ParamEntry(name.id, name.span, None)
    if isinstance(statement, DimStatement):
        return DimEntry(name.id, name.span)
    if isinstance(statement, BlockStatement):
        return BlockEntry(name.id, name.span, statement)
    return NodeEntry(name.id, name.span)


def duplicate(name: Name, first: Entry) -> Diagnostic:
    return DUPLICATE.at(
        name.span,
        f"`{name.id}` is already the name of a {NOUNS[type(first)]}",
        labels=[Label(first.span, f"`{name.id}` first stands here, on {line_of(first.span)}")],
        help="give one of them another name; nodes, params, dims and blocks share their names",
    )
