"""`output` and `loss` statements, and what stands in for them where a program has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from dnnlang.diagnostics import Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.graph.architecture import LossUse
from dnnlang.graph.draft import Draft
from dnnlang.graph.elaborate import UNKNOWN_KEY
from dnnlang.graph.reader import Reader, decimal
from dnnlang.scalar.functions import Loss
from dnnlang.source import Span
from dnnlang.syntax.tree import Keyword, LossStatement, OutputStatement

OUTPUT_TWICE = rule(
    "DNN121",
    "output-twice",
    "A node is named as an output twice.",
    why="Each output is one result with one name.",
    wrong="layer 5 relu\nlayer 1 sigmoid as p\noutput p, p\n",
    right="layer 5 relu\nlayer 1 sigmoid as p\noutput p\n",
)
AMBIGUOUS_LOSS = rule(
    "DNN122",
    "ambiguous-loss",
    "A `loss` does not say which of several outputs it is of.",
    why="With several outputs, a loss compares one of them with its targets; `from` says which.",
    wrong="layer 8 relu as h\nlayer 1 sigmoid from h as p\nlayer 1 from h as q\noutput p, q\nloss mse\n",
    right="layer 8 relu as h\nlayer 1 sigmoid from h as p\nlayer 1 from h as q\noutput p, q\n"
    "loss mse from q\nloss binary_cross_entropy from p\n",
)


@dataclass(frozen=True, slots=True)
class LossDraft:
    """A loss of one node, before targets have names."""

    loss: Loss
    node: Draft
    weight: Fraction
    span: Span | None


def read_outputs(
    statements: Sequence[OutputStatement], reader: Reader, before: Mapping[int, Draft | None]
) -> list[Draft] | None:
    """The outputs, in order; by default the last node. None after an error."""
    if not statements:
        return [reader.nodes.drafts[-1]] if reader.nodes.drafts else None
    outputs: dict[int, tuple[Draft, Span]] = {}
    complete = True
    for statement in statements:
        reader.previous = before[id(statement)]
        for reference in statement.nodes:
            draft = reader.node(reference)
            if draft is None:
                complete = False
                continue
            if id(draft) in outputs:
                first = outputs[id(draft)][1]
                reader.found.add(
                    OUTPUT_TWICE.at(
                        reference.span,
                        f"`{reference.span.text}` is an output already",
                        labels=[Label(first, "named here first")],
                        help="take one out",
                    )
                )
                continue
            outputs[id(draft)] = (draft, reference.span)
    return [draft for draft, _ in outputs.values()] if complete else None


def read_losses(
    statements: Sequence[LossStatement],
    outputs: Sequence[Draft] | None,
    reader: Reader,
    before: Mapping[int, Draft | None],
) -> list[LossDraft]:
    """The losses; by default one for each output, that goes with its activation."""
    if not statements:
        default = reader.library.default_loss
        return [LossDraft(default(d.kind.activation(d)), d, Fraction(1), None) for d in outputs or ()]
    losses = []
    for statement in statements:
        reader.previous = before[id(statement)]
        loss = reader.library.loss(statement.loss, reader.number, reader.found)
        weight = _weight(statement.keys, reader)
        node = _loss_node(statement, outputs, reader)
        if loss is not None and weight is not None and node is not None:
            losses.append(LossDraft(loss, node, weight, statement.span))
    return losses


def loss_uses(losses: Sequence[LossDraft]) -> tuple[LossUse, ...]:
    """The losses with the names of their targets: `Y`, or `Y[NODE]` where losses are of several nodes."""
    several = len({id(use.node) for use in losses}) > 1
    return tuple(
        LossUse(use.loss, use.node.name, use.weight, f"Y[{use.node.name}]" if several else "Y", use.span)
        for use in losses
    )


def _loss_node(statement: LossStatement, outputs: Sequence[Draft] | None, reader: Reader) -> Draft | None:
    if statement.source is not None:
        return reader.node(statement.source)
    if outputs is None:
        return None
    if len(outputs) == 1:
        return outputs[0]
    name = statement.loss.span.text
    names = " or ".join(f"`loss {name} from {d.name}`" for d in outputs[:3])
    reader.found.add(
        AMBIGUOUS_LOSS.at(
            statement.span, f"there are {len(outputs)} outputs, and this loss could be of each", help=f"write {names}"
        )
    )
    return None


def _weight(keys: Sequence[Keyword], reader: Reader) -> Fraction | None:
    weight = Fraction(1)
    seen: set[str] = set()
    for keyword in keys:
        key = keyword.key
        if key.id != "weight":
            _unknown(keyword, reader.found)
            return None
        if key.id in seen:
            reader.found.add(UNKNOWN_KEY.at(keyword.span, "`weight` is given twice", help="take one out"))
            return None
        seen.add(key.id)
        value = reader.number(keyword.value)
        if value is None:
            return None
        if value < 0:
            reader.refuse(keyword.value, f"a weight is at least 0, not {decimal(value)}", "write a number such as 0.5")
            return None
        weight = value
    return weight


def _unknown(keyword: Keyword, found: Diagnostics) -> None:
    near = meant(keyword.key.span, ["weight"])
    advice = near.help if near is not None else "options stand in parentheses: `loss huber(delta=2)`"
    fix = near.fix if near is not None else None
    found.add(UNKNOWN_KEY.at(keyword.key.span, f"`loss` has no key `{keyword.key.id}`", help=advice, fix=fix))
