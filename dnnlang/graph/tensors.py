"""Tensors as `expect` names them: `W[2]`, `dA[L - 1]`, `X`, `wide`, `dwide`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.graph.draft import Draft
from dnnlang.graph.kinds import KINDS, Making
from dnnlang.graph.nodetable import NodeTable
from dnnlang.graph.reader import Reader
from dnnlang.graph.scope import NodeEntry
from dnnlang.sizes import M, Size, multiply, total
from dnnlang.syntax.tree import Expression, Index, Name

UNKNOWN_TENSOR = rule(
    "DNN120",
    "unknown-tensor",
    "An `expect` names a tensor that the network does not have.",
    why="The tensors are those of the lesson: X, Y, and for l = 1 … L the matrices W[l], b[l], Z[l], A[l] and their "
    "gradients dW[l], db[l], dZ[l], dA[l]; and the nodes with a name.",
    wrong="layer 5 relu\nlayer 1 sigmoid\nexpect W[3] : (1, 5)\n",
    right="layer 5 relu\nlayer 1 sigmoid\nexpect W[2] : (1, 5)\n",
)

LETTERS: Final = ("W", "b", "Z", "A")

DIFFERENTIATED: Final = frozenset(letter for kind in KINDS.values() for letter in kind.letters)
OF_KINDS: Final = {
    letter: tuple(name for name, kind in KINDS.items() if letter in (*kind.letters, *kind.measured))
    for of in KINDS.values()
    for letter in (*of.letters, *of.measured)
    if letter not in LETTERS
}
"""What other kinds than `layer` have of their own, and which kinds these are."""

Indexer = Callable[[Expression], int | None]
"""Evaluates an index; None after a diagnostic."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A shape, and the nodes whose sizes its rows and columns are (None: neither, as with the one column of b).

    `because` states the shape in general.
    """

    name: str
    rows: Size
    columns: Size
    row_node: Draft | None
    column_node: Draft | None
    because: str | None


@dataclass(slots=True)
class Tensors:
    """The tensors of one program. `targets` are the nodes that losses compare with Y, each once."""

    table: NodeTable
    targets: tuple[Draft, ...]
    making: Making
    previous: Draft | None = None

    @property
    def layers(self) -> int:
        """L."""
        return self.table.count("layer")

    def parameters(self) -> Size | None:
        """How many numbers the network learns, as far as sizes are known now; None after an error."""
        if any(draft.failed for draft in self.table.drafts):
            return None
        for draft in self.table.drafts:
            draft.kind.detail(draft, self.making)
        return total(multiply(*parameter.shape) for parameter in self.making.parameters.values())

    def find(self, reference: Name | Index, index: Indexer, reader: Reader) -> Tensor | None:
        """The tensor that a reference names; None after a diagnostic, or if its node failed."""
        if isinstance(reference, Name):
            return self._named(reference, reader)
        letter, gradient = _split(reference.base.id)
        if letter not in LETTERS:
            return self._other(reference, index, reader)
        node = self.node_of(reference, index, reader)
        if node is None or node.failed:
            return None
        name = f"{reference.base.id}[{_index_text(reference, node)}]"
        shape = node.tensors().get(letter)
        if shape is None:
            if not any(source.failed for source in node.inputs):
                reader.found.add(_lacks(reference, name, letter, node))
            return None
        column_node = node.inputs[0] if letter == "W" else None
        return Tensor(name, *shape, node, column_node, _because(letter, gradient))

    def node_of(self, reference: Index, index: Indexer, reader: Reader) -> Draft | None:
        """The layer, input or named node that an index means."""
        expression = reference.index
        if isinstance(expression, Name):
            entry = reader.scope.find(expression.id)
            if isinstance(entry, NodeEntry):
                return entry.draft
            if expression.id == "X" and self.table.numbered("input", 0) is not None:
                return self.table.numbered("input", 0)
            if entry is None and expression.id not in ("m", "L", "parameters"):
                reader.found.add(_no_such_node(reference, expression, reader))
                return None
        number = index(expression)
        if number is None or self.table.spoiled:
            return None
        node = self.table.numbered("layer", number)
        if number == 0 and reference.base.id in ("A", "dA", "n"):
            node = self.table.numbered("input", 0)
        if node is None:
            reader.found.add(self._no_such_layer(reference, number))
        return node

    def not_a_size(self, reference: Index) -> Diagnostic:
        """A matrix stands where a size belongs."""
        text = "".join(reference.span.text.split())
        return UNKNOWN_TENSOR.at(
            reference.span,
            f"`{text}` is no size",
            help=f"sizes are written `n[{reference.index.span.text}]`; shapes are stated as `expect W[1] : (5, 3)`",
        )

    # ------------------------------------------------------------ kinds of reference

    def _named(self, name: Name, reader: Reader) -> Tensor | None:
        if name.id == "_":
            return _output(self.previous, "the node above")
        for wanted in (name.id, name.id.removeprefix("d")):
            entry = reader.scope.find(wanted)
            if isinstance(entry, NodeEntry):
                return _output(entry.draft, name.id)
            if wanted == "X" and self.table.numbered("input", 0) is not None:
                return _output(self.table.numbered("input", 0), name.id)
        if name.id == "Y":
            return self._target(name, reader)
        self._unknown(name, reader)
        return None

    def _target(self, name: Name, reader: Reader) -> Tensor | None:
        if len(self.targets) < 2:
            return _output(self.targets[0], "Y", "Y has as many rows as the output") if self.targets else None
        listed = ", ".join(f"`Y[{node.name}]`" for node in self.targets)
        reader.found.add(UNKNOWN_TENSOR.at(name.span, "there are several targets", help=f"they are {listed}"))
        return None

    def _other(self, reference: Index, index: Indexer, reader: Reader) -> Tensor | None:
        """`add[1]`, `dadd[1]`, `Y[head]`, and what is none of all these."""
        if reference.base.id == "Y":
            return _output(self.node_of(reference, index, reader), "".join(reference.span.text.split()))
        for kind in (reference.base.id, reference.base.id.removeprefix("d")):
            if kind in self.table.kinds():
                number = index(reference.index)
                if number is None or self.table.spoiled:
                    return None
                node = self.table.numbered(kind, number)
                if node is not None:
                    return _output(node, "".join(reference.span.text.split()))
        for letter in (reference.base.id, reference.base.id.removeprefix("d")):
            if letter in OF_KINDS and (letter == reference.base.id or letter in DIFFERENTIATED):
                return self._of_kind(reference, letter, reader)
        self._unknown(reference.base, reader)
        return None

    def _of_kind(self, reference: Index, letter: str, reader: Reader) -> Tensor | None:
        """`gamma[bn]`, `dbeta[layernorm[1]]`: what nodes of other kinds than `layer` train or measure."""
        expression, text = reference.index, "".join(reference.span.text.split())
        kinds = " and ".join(f"`{kind}`" for kind in OF_KINDS[letter])
        if not isinstance(expression, Name | Index):
            advice = f"write the name of a node between the brackets: `{letter}[{OF_KINDS[letter][0]}[1]]`"
            reader.found.add(UNKNOWN_TENSOR.at(reference.span, f"there is no {text}", help=advice))
            return None
        above = isinstance(expression, Name) and expression.id == "_"
        node = self.previous if above else reader.node(expression)
        if node is None or node.failed:
            return None
        shape = node.tensors().get(letter)
        if shape is None:
            advice = f"`{letter}` belongs to {kinds}, and `{node.name}` is {_article(node.kind.name)}"
            reader.found.add(UNKNOWN_TENSOR.at(reference.span, f"there is no {text}", help=advice))
            return None
        return Tensor(text, *shape, node, None, None)

    def _unknown(self, name: Name, reader: Reader) -> None:
        if self.table.spoiled:
            return
        letters = [*LETTERS, *(f"d{letter}" for letter in LETTERS), "X", "Y"]
        if name.id in letters:
            message = f"`{name.id}` alone is no tensor: each layer has its own"
            reader.found.add(UNKNOWN_TENSOR.at(name.span, message, help=f"say of which layer: `{name.id}[1]`"))
            return
        near = meant(name.span, [*reader.scope.names(NodeEntry), *letters, *OF_KINDS])
        advice = near.help if near is not None else f"tensors are {', '.join(letters)}, and named nodes"
        fix = near.fix if near is not None else None
        reader.found.add(UNKNOWN_TENSOR.at(name.span, f"there is no tensor `{name.id}`", help=advice, fix=fix))

    def _no_such_layer(self, reference: Index, number: int) -> Diagnostic:
        text, base = "".join(reference.span.text.split()), reference.base.id
        shown = (
            text if isinstance(reference.index, Name) or text == f"{base}[{number}]" else f"{text} = {base}[{number}]"
        )
        count = self.layers
        if number == 0 and self.table.count("input") > 1:
            advice = f"there are several inputs: write `{base}[NAME]` with the name of one"
        elif count == 0:
            advice = "the network has no layers"
        else:
            letters = "from 1" if base not in ("A", "dA", "n") else "from 0, the input,"
            advice = f"there {'is 1 layer' if count == 1 else f'are {count} layers'}: l goes {letters} to L = {count}"
        return UNKNOWN_TENSOR.at(reference.span, f"there is no {shown}", help=advice)


def _no_such_node(reference: Index, name: Name, reader: Reader) -> Diagnostic:
    near = meant(name.span, reader.scope.names(NodeEntry), form=f"{reference.base.id}[{{}}]")
    advice = near.help if near is not None else "write the number or name of a layer"
    fix = near.fix if near is not None else None
    return UNKNOWN_TENSOR.at(name.span, f"there is no layer or node `{name.id}`", help=advice, fix=fix)


def _output(node: Draft | None, name: str, because: str | None = None) -> Tensor | None:
    if node is None or node.units is None:
        return None
    return Tensor(name, node.units, M, node, None, because)


def _split(base: str) -> tuple[str, bool]:
    """`dW` → (`W`, True)."""
    return (base[1:], True) if base.startswith("d") and base[1:] in LETTERS else (base, False)


def _index_text(reference: Index, node: Draft) -> str:
    return reference.index.id if isinstance(reference.index, Name) and node.alias is not None else str(node.number)


def _because(letter: str, gradient: bool) -> str:
    shape = {"W": "(n[l], n[l-1])", "b": "(n[l], 1)", "Z": "(n[l], m)", "A": "(n[l], m)"}[letter]
    return f"d{letter}[l] is like {letter}[l]: {shape}" if gradient else f"{letter}[l] is {shape}"


def _lacks(reference: Index, name: str, letter: str, node: Draft) -> Diagnostic:
    if letter == "b":
        advice = f"the layer on line {node.span.line} has `bias=none`"
    else:
        kind = _article(node.kind.name)
        advice = f"`{node.name}` is {kind}, which has no {letter}; its output is written `{node.name}`"
    return UNKNOWN_TENSOR.at(reference.span, f"there is no {name}", help=advice)


def _article(kind: str) -> str:
    return f"an `{kind}`" if kind[0] in "aeiou" else f"a `{kind}`"
