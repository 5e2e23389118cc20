"""What names stand for in sizes, in numbers, and in what is handed to a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.diagnostics.suggest import closest, meant
from dnnlang.graph.definition_options import BAD_OPTIONS
from dnnlang.graph.scope import (
    NUMBERS,
    ArgumentEntry,
    BlockEntry,
    DimEntry,
    Entry,
    NodeEntry,
    ParamEntry,
    line_of,
)
from dnnlang.graph.values import Refusal, Value
from dnnlang.graph.walk import text_of
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import Polynomial, symbol, symbols
from dnnlang.source import Span
from dnnlang.syntax.tree import Index, Name

if TYPE_CHECKING:
    from dnnlang.graph.reader import Reader

_MOST_SEARCHED: Final = 1_000
"""Nodes looked at for what may have been meant."""

UNKNOWN_NAME = rule(
    "DNN104",
    "unknown-name",
    "A name that nothing in the program declares.",
    why="A name stands for a node, a param or a dim. One that nothing declares is most often a misspelling.",
    wrong="param width = 64\nlayer widht relu\nlayer 1 sigmoid\n",
    right="param width = 64\nlayer width relu\nlayer 1 sigmoid\n",
)
WRONG_SORT = rule(
    "DNN105",
    "wrong-sort-of-name",
    "A name stands for one sort of thing where another belongs.",
    why="Sizes are made of numbers, params and dims; edges join nodes; settings are numbers. A dim has no value "
    "before the network is loaded.",
    wrong="layer 64 relu as h\nlayer h relu\nlayer 1 sigmoid\n",
    right="param width = 64\nlayer width relu as h\nlayer width relu\nlayer 1 sigmoid\n",
)


@dataclass(slots=True)
class SizeNames:
    """Names in a size: params, dims, and in a body counters and parameters of the block."""

    reader: Reader

    open: ClassVar[tuple[type[Entry], ...]] = (DimEntry,)
    """What may stand here besides numbers."""

    wanted: ClassVar[str] = "a size is made of numbers, params and dims"

    @property
    def nouns(self) -> str:
        """What a name could have been here."""
        return "param or dim"

    def value(self, name: Name) -> Value:
        entry = self.reader.scope.find(name.id)
        if isinstance(entry, NUMBERS):
            if entry.value is None:
                raise Refusal(None)
            if isinstance(entry.value, Polynomial | Activation):
                return self.argument(name, entry.value, entry)
            return entry.value
        if isinstance(entry, DimEntry):
            return self.dim(name)
        if isinstance(entry, BlockEntry):
            raise Refusal(self.block(name, entry))
        if isinstance(entry, NodeEntry):
            raise Refusal(self.node(name, entry))
        raise Refusal(None if name.id in self.reader.scope.refused else self.unknown(name))

    def indexed(self, index: Index) -> Value:
        raise Refusal(
            WRONG_SORT.at(
                index.span,
                f"`{text_of(index)}` cannot stand in a size or setting: it is known only when the network is built",
                help="give the size a name, such as `param width = 64`, and write `width` in both places",
            )
        )

    def dim(self, name: Name) -> Value:
        return symbol(name.id)

    def argument(self, name: Name, value: Polynomial | Activation, entry: Entry) -> Value:
        if isinstance(value, Polynomial):
            return value
        raise Refusal(_wrong_argument(name, f"the activation `{value.label}`", "a size or a number", entry))

    def block(self, name: Name, entry: BlockEntry) -> Diagnostic:
        return WRONG_SORT.at(
            name.span,
            f"`{name.id}` is a block ({line_of(entry.span)}), and {self.wanted}",
            help=f"a block is used like a kind of node, at the beginning of a line: `{name.id} …`",
        )

    def node(self, name: Name, entry: NodeEntry) -> Diagnostic:
        return WRONG_SORT.at(
            name.span,
            f"`{name.id}` is a node ({line_of(entry.span)}), and {self.wanted}",
            labels=[Label(entry.span, "the node")],
            help=f"give its size a name, such as `param width = {_units(entry)}`, and write `width` in both places",
        )

    def candidates(self, name: Name) -> list[str]:
        """The names that could stand here, those with a fitting value first."""
        scope = self.reader.scope
        return sorted(
            (n for n in scope.names(*NUMBERS, *self.open) if not _declares(scope.find(n), name)),
            key=lambda n: not self.fits(scope.find(n)),
        )

    def fits(self, entry: Entry | None) -> bool:
        """Does it stand for a size?"""
        if isinstance(entry, NUMBERS):
            return isinstance(entry.value, Polynomial) or (isinstance(entry.value, int) and entry.value > 0)
        return isinstance(entry, DimEntry)

    def unknown(self, name: Name) -> Diagnostic:
        reader = self.reader
        near = meant(name.span, self.candidates(name))
        if near is not None:
            message = f"there is no {self.nouns} `{name.id}`"
            return UNKNOWN_NAME.at(name.span, message, help=near.help, fix=near.fix)
        if reader.library.has("activation", name.id):
            return WRONG_SORT.at(
                name.span,
                f"`{name.id}` is an activation, and a size or a number belongs here",
                help=f"the size comes first: `layer 5 {name.id}`",
            )
        if name.id in ("m", "L", "X", "Y", "parameters", "_"):
            return WRONG_SORT.at(
                name.span,
                f"`{name.id}` cannot stand in a size or setting",
                help="`m`, `L` and `parameters` stand only in `expect`",
            )
        counter = _counter(reader, name.id)
        if counter is not None:
            return UNKNOWN_NAME.at(
                name.span,
                f"`{name.id}` is the counter of a `repeat`, and known in its body only",
                labels=[Label(counter, "the `repeat`")],
                help="move this line into the body, or write a number",
            )
        advice = f"declare it: `param {name.id} = 64`, or `dim {name.id}` if it is known only on loading"
        if reader.scope.block is not None:
            advice = f"hand it to the block, with a parameter `{name.id}`, or declare `param {name.id} = 64`"
        return UNKNOWN_NAME.at(name.span, f"there is no {self.nouns} `{name.id}`", help=advice)


@dataclass(slots=True)
class NumberNames(SizeNames):
    """Names in a number: those of sizes, dims left out.

    `options`: the names of the options whose value this may be, each with how it is used.
    """

    options: Mapping[str, str] = field(default_factory=dict)

    open: ClassVar[tuple[type[Entry], ...]] = ()
    wanted: ClassVar[str] = "a number belongs here"

    def fits(self, entry: Entry | None) -> bool:
        return isinstance(entry, NUMBERS) and isinstance(entry.value, int | Fraction)

    def dim(self, name: Name) -> Value:
        entry = self.reader.scope.find(name.id)
        raise Refusal(
            WRONG_SORT.at(
                name.span,
                f"`{name.id}` is a dim, not known before the network is loaded, and a number belongs here",
                labels=[Label(entry.span, "the dim")] if entry is not None else [],
                help=f"make it a param, which has a value: `param {name.id} = …`",
            )
        )

    def argument(self, name: Name, value: Polynomial | Activation, entry: Entry) -> Value:
        if isinstance(value, Polynomial):
            open_sizes = ", ".join(sorted(symbols(value)))
            what = f"{value}, which is not known before {open_sizes} is"
            raise Refusal(_wrong_argument(name, what, "a number", entry))
        return SizeNames.argument(self, name, value, entry)

    def unknown(self, name: Name) -> Diagnostic:
        diagnostic = SizeNames.unknown(self, name)
        near_option = name.id if name.id in self.options else closest(name.id, self.options)
        if near_option is not None and (near_option == name.id or closest(name.id, self.candidates(name)) is None):
            message = f"`{name.id}` is the name of an option, and its value belongs here"
            if name.id != near_option:
                message = f"there is no param `{name.id}`, and the option `{near_option}` needs a value"
            return BAD_OPTIONS.at(name.span, message, help=f"write it with its value: `{self.options[near_option]}`")
        near = closest(name.id, self.candidates(name))
        if diagnostic.rule is WRONG_SORT and self.reader.library.has("activation", name.id):
            advice = "write a number; an activation is written where it is used, or handed to a block"
            return WRONG_SORT.at(name.span, f"`{name.id}` is an activation, and a number belongs here", help=advice)
        if diagnostic.rule is not UNKNOWN_NAME or near is not None or self.reader.scope.block is not None:
            return diagnostic
        return UNKNOWN_NAME.at(
            name.span, f"there is no param `{name.id}`", help=f"declare it: `param {name.id} = 0.1`, or write a number"
        )


@dataclass(slots=True)
class ArgumentNames(SizeNames):
    """Names handed to a block: those of sizes, and activations."""

    @property
    def nouns(self) -> str:
        return "param, dim or activation"

    def node(self, name: Name, entry: NodeEntry) -> Diagnostic:
        return WRONG_SORT.at(
            name.span,
            f"`{name.id}` is a node ({line_of(entry.span)}), and a block is handed sizes, numbers and activations",
            help=f"nodes go in with `from {name.id}`",
        )

    def unknown(self, name: Name) -> Diagnostic:
        for family, noun in (("init", "an initializer"), ("loss", "a loss"), ("optimizer", "an optimizer")):
            if self.reader.library.has(family, name.id):
                return WRONG_SORT.at(
                    name.span,
                    f"`{name.id}` is {noun}, and a block is handed sizes, numbers and activations",
                    help="write it in the body of the block",
                )
        near = meant(name.span, [*self.candidates(name), *self.reader.library.names("activation")])
        if near is None:
            return SizeNames.unknown(self, name)
        return UNKNOWN_NAME.at(name.span, f"there is no {self.nouns} `{name.id}`", help=near.help, fix=near.fix)


def _units(entry: NodeEntry) -> str:
    """Its size, if that is a number; else an example of one."""
    units = entry.draft.units if entry.draft is not None else None
    return str(units) if isinstance(units, int) else "64"


def _counter(reader: Reader, name: str) -> Span | None:
    """The head of a `repeat` above that counts with this name."""
    for draft in islice(reversed(reader.nodes.drafts), _MOST_SEARCHED):
        for copy in draft.within.outwards() if draft.within is not None else ():
            if copy.expansion.counter == name:
                return copy.span
    return None


def _declares(entry: Entry | None, name: Name) -> bool:
    """Does the name stand in the declaration of the entry itself?"""
    if not isinstance(entry, ParamEntry) or entry.value is not None:
        return False
    return entry.span.source is name.span.source and entry.span.line == name.span.line


def _wrong_argument(name: Name, is_here: str, wanted: str, entry: Entry) -> Diagnostic:
    labels = []
    if isinstance(entry, ArgumentEntry):
        labels.append(Label(entry.expression.span, f"the value of `{entry.name}`"))
    return WRONG_SORT.at(
        name.span,
        f"`{name.id}` is {is_here} here, and {wanted} belongs here",
        labels=labels,
        help=f"hand over {wanted} where the block is used",
    )
