"""What names stand for in sizes, in numbers, and in what is handed to a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnnlang.diagnostics import Diagnostic, Edit, Fix, Label, rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.graph.scope import (
    NUMBERS,
    ArgumentEntry,
    BlockEntry,
    DimEntry,
    Entry,
    NodeEntry,
    line_of,
)
from dnnlang.graph.values import Refusal, Value
from dnnlang.graph.walk import text_of
from dnnlang.scalar.functions import Activation
from dnnlang.sizes import Polynomial, symbol, symbols
from dnnlang.syntax.tree import Index, Name

if TYPE_CHECKING:
    from dnnlang.graph.reader import Reader

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
                help="give the size a name with `param`, and use the name in both places",
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
            f"`{name.id}` is a block ({line_of(entry.span)}), and a size is made of numbers, params and dims",
            help=f"a block is used like a kind of node, at the beginning of a line: `{name.id} …`",
        )

    def node(self, name: Name, entry: NodeEntry) -> Diagnostic:
        return WRONG_SORT.at(
            name.span,
            f"`{name.id}` is a node ({line_of(entry.span)}), and a size is made of numbers, params and dims",
            help="give the size a name with `param`, and use it in both places",
        )

    def unknown(self, name: Name) -> Diagnostic:
        reader = self.reader
        near = closest(name.id, list(reader.scope.names(*NUMBERS, DimEntry)))
        if near is not None:
            return UNKNOWN_NAME.at(
                name.span,
                f"there is no {self.nouns} `{name.id}`",
                help=f"did you mean `{near}`?",
                fix=Fix(f"replace by `{near}`", (Edit(name.span, near),)),
            )
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
        advice = f"declare it: `param {name.id} = 64`, or `dim {name.id}` if it is known only on loading"
        if reader.scope.block is not None:
            advice = f"hand it to the block, with a parameter `{name.id}`, or declare `param {name.id} = 64`"
        return UNKNOWN_NAME.at(name.span, f"there is no {self.nouns} `{name.id}`", help=advice)


@dataclass(slots=True)
class NumberNames(SizeNames):
    """Names in a number: those of sizes, dims left out."""

    def dim(self, name: Name) -> Value:
        raise Refusal(
            WRONG_SORT.at(
                name.span,
                f"`{name.id}` is a dim, not known before the network is loaded, and a number belongs here",
                help=f"make it a param: `param {name.id} = 64`",
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
        if diagnostic.rule is not UNKNOWN_NAME or diagnostic.fix is not None or self.reader.scope.block is not None:
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
        near = closest(name.id, self.reader.library.names("activation"))
        closer = closest(name.id, list(self.reader.scope.names(*NUMBERS, DimEntry)))
        if near is None or closer is not None:
            return SizeNames.unknown(self, name)
        return UNKNOWN_NAME.at(
            name.span,
            f"there is no {self.nouns} `{name.id}`",
            help=f"did you mean `{near}`?",
            fix=Fix(f"replace by `{near}`", (Edit(name.span, near),)),
        )


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
