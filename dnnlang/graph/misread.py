"""What a node statement was probably meant to say, where its kind, operands, keys or sources do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dnnlang.graph.given import Slot
from dnnlang.graph.kinds import KINDS, NodeKind
from dnnlang.graph.nodetable import TENSOR_LETTERS
from dnnlang.graph.reader import Reader, text_of
from dnnlang.graph.scope import NodeEntry
from dnnlang.graph.settings import SETTINGS
from dnnlang.source import Span
from dnnlang.syntax.tree import Expression, Index, Keyword, Name, NodeStatement, Number

STATEMENTS: Final = "param dim input output repeat block define loss train expect import".split()
"""What a statement may begin with besides kinds of nodes."""
KINDS_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("dense", "fc", "fully_connected", "linear", "hidden", "neurons"), "layer"),
    **dict.fromkeys(("sum", "plus", "residual"), "add"),
    **dict.fromkeys(("mul", "product", "times", "gate"), "multiply"),
    **dict.fromkeys(("cat", "concatenate", "stack", "merge", "join"), "concat"),
    **dict.fromkeys(("activation", "act"), "apply"),
    "drop": "dropout",
    **dict.fromkeys(("normalize", "normalise", "normalization", "scale", "zscore"), "standardize"),
    **dict.fromkeys(("bn", "batchnormalization", "batch_normalization", "batchnorm1d"), "batchnorm"),
    **dict.fromkeys(("ln", "layernormalization", "layer_normalization"), "layernorm"),
}
"""What other tools call the kinds."""
_ABSENT: Final = frozenset(
    "conv conv1d conv2d convolution convolutional pool maxpool maxpooling2d avgpool lstm gru rnn attention embedding"
    " transformer".split()
)
"""Kinds of other tools that nothing here stands for."""
_OPERANDS_ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "SIZE": ("size", "units", "width", "n", "out_features"),
    "ACTIVATION": ("activation", "act"),
    "RATE": ("rate", "p"),
}
"""What somebody may take for the key of an operand."""
_KEYS_ELSEWHERE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("initializer", "kernel_initializer", "weight_init"), "here it is written `init=he`"),
    **dict.fromkeys(("use_bias", "biases"), "a layer has a bias; `bias=none` leaves it out"),
    **dict.fromkeys(("regularization", "regularizer", "kernel_regularizer", "weight_decay"), "write `l2=0.01`"),
    **dict.fromkeys(("frozen", "freeze"), "write `trainable=no`"),
    **dict.fromkeys(("name", "id"), "a node is given a name with `as`"),
    **dict.fromkeys(("dropout", "dropout_rate"), "dropout is a node of its own: write `dropout 0.2` on the next line"),
    **dict.fromkeys(("input", "inputs", "source"), "what goes in stands after `from`"),
    **dict.fromkeys(("in_features", "input_dim", "input_shape"), "leave it out: it follows from what goes in"),
}
"""What other tools call the keys of layers, or write as keys."""


def of_kind(name: Name) -> str | None:
    """What to write for a kind that does not exist, if it is none of this language."""
    word = name.id.lower()
    if word in KINDS_ELSEWHERE:
        return f"here it is called `{KINDS_ELSEWHERE[word]}`"
    if word in _ABSENT:
        return "there are dense layers only; convolution, recurrence and attention are not part of the language"
    if word in ("flatten", "reshape"):
        return "leave it out: each sample is one column, a flat list of numbers"
    if name.id in [setting.key for setting in SETTINGS]:
        return f"it is a setting, which stands in `train {{ {name.id} … }}`"
    return None


def plain(node: Expression) -> str:
    """A node among the operands, without parentheses around it."""
    return text_of(node).strip("() ")


def of_sources(statement: NodeStatement, kind: NodeKind, reader: Reader) -> tuple[Sequence[Expression], str] | None:
    """Nodes that stand among the operands, and the line with the `from` that was forgotten."""
    own, nodes = statement.operands[: len(kind.operands)], statement.operands[len(kind.operands) :]
    if not nodes or statement.sources is not None or not all(_is_node(node, reader) for node in nodes):
        return None
    words = [kind.name, *(text_of(operand) for operand in own), "from", ", ".join(plain(node) for node in nodes)]
    words += ["as", statement.alias.id] if statement.alias is not None else []
    return nodes, " ".join(words)


def of_operand_key(keyword: Keyword, kind: NodeKind) -> Slot[Any] | None:
    """The operand that was given like a key."""
    word = keyword.key.id.lower()
    return next((slot for slot in kind.operands if word in _OPERANDS_ELSEWHERE.get(slot.form, ())), None)


def without_keys(statement: NodeStatement, kind: NodeKind) -> str:
    """The statement with operands in the place of such keys: `layer 5 relu` for `layer 5 activation=relu`."""
    given = {slot.name: k.value for k in statement.keys if (slot := of_operand_key(k, kind)) is not None}
    rest = iter(statement.operands)
    values = [given.get(slot.name) or next(rest, None) for slot in kind.operands]
    return " ".join([kind.name, *(text_of(value) for value in values if value is not None)])


def of_key(key: str, kind: str) -> str | None:
    """What to write for a key that a layer has in another tool."""
    return _KEYS_ELSEWHERE.get(key.lower()) if kind in ("layer", "input") else None


def of_operands(statement: NodeStatement, kind: NodeKind, reader: Reader) -> tuple[Span, str, str] | None:
    """Place, message and advice for operands that are too many."""
    written = statement.operands
    node = next((w for w in written[1:] if isinstance(w, Name) and w.id in KINDS), None)
    if node is not None:
        after = " ".join(text_of(word) for word in written[written.index(node) :])
        message = f"`{node.id}` is a kind of node of its own, and cannot stand behind `{kind.name}`"
        return node.span, message, f"write `{after}` on the next line"
    for at, word in enumerate(written):
        if at and isinstance(word, Name) and word.id in [slot.name for slot in kind.keys]:
            value = text_of(written[at + 1]) if at + 1 < len(written) else "…"
            end = written[at + 1] if at + 1 < len(written) else word
            message = f"`{word.id}` is a key of `{kind.name}`, and stands before its value with a `=`"
            return word.span.to(end.span), message, f"write `{word.id}={value}`"
    if not kind.operands:
        message = f"`{kind.name}` takes no operands: it has the size of what goes in"
        return written[0].span, message, f"write `{kind.name}`; nodes stand after `from`"
    if kind.operands[0].form == "ACTIVATION" and isinstance(written[0], Number):
        message = f"`{kind.name}` has no size of its own: it keeps that of what goes in"
        return written[0].span, message, f"write `{kind.name} {text_of(written[1])}`"
    if len(kind.operands) < 2 or kind.operands[1].form != "ACTIVATION":
        return None
    words = [text_of(operand) for operand in written]
    if isinstance(written[1], Number):
        message = "a layer is given the number of its own units; that of its inputs follows from what goes in"
        return written[0].span.to(written[1].span), message, f"write `{' '.join([kind.name, *words[1:3]])}`"
    if reader.library.is_activation(f"{words[1]}_{words[2]}"):
        message = f"the name of an activation is one word, and `{words[1]} {words[2]}` are two"
        return written[1].span.to(written[2].span), message, f"did you mean `{words[1]}_{words[2]}`?"
    if reader.library.is_activation(words[2]):
        message = f"a layer has one activation, and `{words[2]}` is the second"
        return written[2].span, message, f"write `apply {words[2]}` on the next line, or take one out"
    return None


def other_nodes(taken: Sequence[str], reader: Reader) -> list[str]:
    """Names of nodes above that could go in as well, the nearest first."""
    return [
        name
        for name in reversed(list(reader.scope.names(NodeEntry)))
        if name not in taken
        and isinstance(entry := reader.scope.find(name), NodeEntry)
        and entry.draft is not None
        and entry.draft is not reader.previous
    ]


def _is_node(expression: Expression, reader: Reader) -> bool:
    if isinstance(expression, Index):
        return expression.base.id not in TENSOR_LETTERS
    return isinstance(expression, Name) and (
        expression.id == "_" or isinstance(reader.scope.find(expression.id), NodeEntry)
    )
