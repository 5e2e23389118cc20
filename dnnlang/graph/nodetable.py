"""Nodes by name and by number, and what a reference to one means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import meant, replacement
from dnnlang.graph.definition_form import FAMILIES, WITH_ARTICLE
from dnnlang.graph.scope import NOUNS, NodeEntry, Scope, line_of
from dnnlang.source import Span
from dnnlang.syntax.tree import BlockStatement, Index, Name, Number

if TYPE_CHECKING:
    from dnnlang.graph.architecture import Copy
    from dnnlang.graph.definitions import Library
    from dnnlang.graph.draft import Draft

UNKNOWN_NODE = rule(
    "DNN107",
    "unknown-node",
    "A name or index that no node has, or none that can be seen from there.",
    why="`from`, `output` and `loss` join nodes by name; what is not a node cannot be joined. The body of a block sees "
    "no node outside it, so that it means the same wherever it is used.",
    wrong="layer 64 relu as stem\nlayer 64\nadd from stm, _\n",
    right="layer 64 relu as stem\nlayer 64\nadd from stem, _\n",
)
NODE_BELOW = rule(
    "DNN108",
    "node-below",
    "`from`, `share` or `tie` names a node that stands further down.",
    why="What goes into a node must stand above it. So a program cannot contain a cycle, and reads from top to bottom.",
    wrong="layer 64 relu\nadd from _, head\nlayer 64 as head\n",
    right="layer 64 relu\nlayer 64 as head\nadd from layer[1], head\n",
)
NO_NODE_ABOVE = rule(
    "DNN109",
    "no-node-above",
    "`_` is the node above, and there is none.",
    why="A statement without `from` takes what stands just before it.",
    wrong="layer 5 relu\ninput 3\nlayer 1 sigmoid\n",
    right="input 3\nlayer 5 relu\nlayer 1 sigmoid\n",
)
_MOST_SEARCHED: Final = 1_000
"""Nodes looked at for what may have been meant."""
_PREVIOUS: Final = ("previous", "prev", "last", "above", "before")
"""What somebody may take for the name of the node above."""
_USED: Final = {"loss": "loss {}", "init": "layer 5 relu init={}", "optimizer": "train {{ optimizer {} }}"}
TENSOR_LETTERS = ("A", "Z", "W", "b", "n")


@dataclass(slots=True)
class NodeTable:
    """All nodes so far, in order."""

    drafts: list[Draft] = field(default_factory=list)
    given_up: bool = False
    """Were nodes left out, because a body has mistakes or a block is unknown?"""
    _numbered: dict[tuple[str, int], Draft] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def next_number(self, kind: str) -> int:
        """The number of the next node of a kind, from 1."""
        return self._counts.get(kind, 0) + 1

    def enter(self, draft: Draft) -> None:
        kind = draft.kind.name
        self._counts[kind] = max(self._counts.get(kind, 0), draft.number)
        self._numbered[kind, draft.number] = draft
        self.drafts.append(draft)

    def enter_use(self, block: str, number: int, value: Draft) -> None:
        """The value of a block's use can be named like a node of that kind: `residual[2]`."""
        self._counts[block] = max(self._counts.get(block, 0), number)
        self._numbered[block, number] = value

    def numbered(self, kind: str, number: int) -> Draft | None:
        return self._numbered.get((kind, number))

    def count(self, kind: str) -> int:
        return self._counts.get(kind, 0)

    def kinds(self) -> list[str]:
        return [kind for kind in self._counts if kind]

    @property
    def spoiled(self) -> bool:
        """Are nodes missing, or of unknown kind? Then numbers of nodes may be other than the user meant."""
        return self.given_up or "" in self._counts


def find_node(
    reference: Name | Index,
    scope: Scope,
    table: NodeTable,
    previous: Draft | None,
    library: Library,
    found: Diagnostics,
) -> Draft | None:
    """The node that a reference means; None after a diagnostic."""
    if isinstance(reference, Index):
        if scope.block is not None:
            found.add(_numbered_in_block(reference, scope.block))
            return None
        return _indexed(reference, table, found)
    if reference.id == "_":
        if previous is None:
            found.add(no_node_above(reference, scope))
        return previous
    entry = scope.find(reference.id)
    if isinstance(entry, NodeEntry):
        if entry.draft is None:
            found.add(_not_above(reference, entry))
        return entry.draft
    single_input = table.numbered("input", 0)
    if entry is None and reference.id == "X" and single_input is not None and scope.block is None:
        return single_input
    found.add(_not_a_node(reference, scope, table, library))
    return None


def _not_above(reference: Name, entry: NodeEntry) -> Diagnostic:
    between = reference.span.source.text[reference.span.end : entry.span.start]
    if reference.span.source is entry.span.source and between and not set(between) & set(";\n"):
        return NODE_BELOW.at(
            reference.span,
            f"`{entry.name}` is this node itself, and nodes take in what is above them",
            labels=[Label(entry.span, "named here")],
            help="name a node above this line, or give this one another name",
        )
    return NODE_BELOW.at(
        reference.span,
        f"`{entry.name}` stands further down, on {line_of(entry.span)}; nodes take in what is above them",
        labels=[Label(entry.span, f"`{entry.name}` stands here")],
        help=f"move `{entry.name}` above this line",
    )


def nodes_above(scope: Scope) -> list[str]:
    """The names of nodes that can go in where we are, the innermost first."""
    return [name for name in scope.names(NodeEntry) if (e := scope.find(name)) and getattr(e, "draft", None)]


def no_node_above(name: Name, scope: Scope) -> Diagnostic:
    if scope.block is not None:
        inputs = [n.id for n in scope.block.inputs]
        return NO_NODE_ABOVE.at(
            name.span,
            f"`{scope.block.name.id}` has {len(inputs)} inputs, so this does not say which one goes in",
            labels=[Label(scope.block.head, f"the inputs are {' and '.join(f'`{n}`' for n in inputs)}")],
            help=f"name it: `from {inputs[0]}`",
        )
    return NO_NODE_ABOVE.at(
        name.span, "there is no node above this one to take in", help="put the `input` above it, or leave `input` out"
    )


def _not_a_node(name: Name, scope: Scope, table: NodeTable, library: Library) -> Diagnostic:
    entry = scope.find(name.id)
    if entry is not None:
        return UNKNOWN_NODE.at(
            name.span,
            f"`{name.id}` is a {NOUNS[type(entry)]} ({line_of(entry.span)}), and the name of a node belongs here",
            labels=[Label(entry.span, f"the {NOUNS[type(entry)]}")],
            help=f"name a node: {_named(scope)}, or `_` for the one above",
        )
    unseen = scope.unseen.entries.get(name.id) if scope.unseen is not None else None
    if scope.block is not None and (unseen is not None or name.id == "X"):
        return _outside(name, scope.block, unseen.span if unseen is not None else None)
    near = meant(name.span, nodes_above(scope))
    if near is not None:
        return UNKNOWN_NODE.at(
            name.span,
            f"there is no node `{name.id}`",
            help=near.help,
            fix=near.fix,
        )
    family = next((f for f in FAMILIES if library.has(f, name.id)), None)
    if family is not None:
        return _definition_instead(name, family, scope)
    if name.id in table.kinds():
        message = f"`{name.id}` is a kind of node, and the name of one node belongs here"
        there = f"{name.id}[{table.count(name.id)}]"
        return UNKNOWN_NODE.at(name.span, message, help=f"write which one: `{there}`, or a name that `as` gave it")
    if scope.block is not None and not scope.block.inputs and name.id.lower() not in _PREVIOUS:
        return _no_input(name, scope.block)
    if name.id.lower() in _PREVIOUS:
        message = f"there is no node `{name.id}`"
        return UNKNOWN_NODE.at(
            name.span, message, help="the node just above is called `_`", fix=replacement(name.span, "_")
        )
    if name.id == "X":
        return UNKNOWN_NODE.at(name.span, "`X` is not one node: there are several inputs", help="use an input's name")
    inside = next((d for d in table.drafts[-_MOST_SEARCHED:] if d.alias == name.id and d.within is not None), None)
    if inside is not None and inside.within is not None:
        return _local(name, inside, inside.within)
    advice = f"write `as {name.id}` behind the node that you mean, above this one"
    if nodes_above(scope):
        advice = f"there {'are' if len(nodes_above(scope)) > 1 else 'is'} {_named(scope)}; or {advice}"
    return UNKNOWN_NODE.at(name.span, f"there is no node `{name.id}`", help=advice)


def _definition_instead(name: Name, family: str, scope: Scope) -> Diagnostic:
    """For `add from relu`."""
    example = f"`layer 5 {name.id}`"
    if family != "activation":
        example = f"`{_USED[family].format(name.id)}`"
    nodes = f"{_named(scope)}, or `_` for the one above" if nodes_above(scope) else "`_` is the one above"
    return UNKNOWN_NODE.at(
        name.span,
        f"`{name.id}` is {WITH_ARTICLE[family]}, and the name of a node belongs here",
        help=f"name a node: {nodes}; {WITH_ARTICLE[family]} is used as in {example}",
    )


def _named(scope: Scope) -> str:
    """Some names of nodes above, or an example of one."""
    return ", ".join(f"`{n}`" for n in nodes_above(scope)[:5]) or "`layer[1]`"


def _local(name: Name, inside: Draft, within: Copy) -> Diagnostic:
    """The name is one in the body of a `repeat` or block."""
    made = within.expansion
    body, form = "a `repeat`", "repeat … { … }"
    if made.count is None:
        use = within.span.text.partition(" as ")[0]
        body, form = f"the block `{made.name}`", use if "\n" not in use else made.name
    return UNKNOWN_NODE.at(
        name.span,
        f"`{name.id}` is a name in the body of {body}, and not known outside it",
        labels=[Label(inside.span, "the node in the body"), Label(within.span, "the body is put in place here")],
        help=f"the value of a body is its last node: name that with `{form} as {name.id}`",
    )


def _no_input(name: Name, block: BlockStatement) -> Diagnostic:
    """In the body of a block whose head has no `from`."""
    head = " ".join(block.head.text.split())
    return UNKNOWN_NODE.at(
        name.span,
        f"there is no node `{name.id}` in this block: its head does not say what goes in",
        labels=[Label(block.head, f"no `from {name.id}` here")],
        help=f"write `{head} from {name.id} {{ … }}`, and the body can use `{name.id}`",
    )


def _outside(name: Name, block: BlockStatement, declared: Span | None) -> Diagnostic:
    where = f" on {line_of(declared)}" if declared is not None else ""
    inputs = ", ".join(n.id for n in block.inputs) or "x"
    before = ", ".join("_" if len(block.inputs) < 2 else n.id for n in block.inputs) or "_"
    return UNKNOWN_NODE.at(
        name.span,
        f"`{name.id}` stands outside the block{where}, and a block's body sees no node outside it",
        labels=[Label(block.head, "the block")],
        help=f"take it in with the head, `block {block.name.id}(…) from {inputs}, {name.id}`, "
        f"and hand it over in the use: `{block.name.id} … from {before}, {name.id}`",
    )


def _numbered_in_block(reference: Index, block: BlockStatement) -> Diagnostic:
    text = "".join(reference.span.text.split())
    return UNKNOWN_NODE.at(
        reference.span,
        f"`{text}` counts the nodes of the whole program, and a block's body sees no node outside it",
        labels=[Label(block.head, "the block")],
        help="give the node a name with `as`, and use the name; each copy of the body has its own",
    )


def _indexed(reference: Index, table: NodeTable, found: Diagnostics) -> Draft | None:
    kind, text = reference.base.id, "".join(reference.span.text.split())
    number, fix = reference.index, None
    if isinstance(number, Number) and number.value.denominator == 1:
        draft = table.numbered(kind, number.value.numerator)
        if draft is not None or table.spoiled:
            return draft
    if kind in TENSOR_LETTERS:
        advice = f"the node is written `layer[{reference.index.span.text}]`"
        message = f"`{text}` is a matrix or a number, and a node belongs here"
    elif kind in table.kinds():
        count = table.count(kind)
        advice = f"so far there {'is' if count == 1 else 'are'} {count} of kind `{kind}`, numbered from 1"
        message = f"there is no node `{text}` above this line"
    else:
        near = meant(reference.base.span, table.kinds(), form="{}[…]")
        advice = near.help if near is not None else "a node without a name is written like `layer[1]`"
        fix = near.fix if near is not None else None
        message = f"there is no node `{text}`"
    found.add(UNKNOWN_NODE.at(reference.span, message, help=advice, fix=fix))
    return None
