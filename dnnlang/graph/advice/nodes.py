"""Nodes that compute nothing, or not what they are there for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dnnlang.diagnostics import Label, rule
from dnnlang.graph.draft import Draft
from dnnlang.graph.kinds.apply import Apply
from dnnlang.graph.kinds.batchnorm import Batchnorm
from dnnlang.graph.kinds.dropout import RATE, Dropout
from dnnlang.graph.kinds.kind import Making
from dnnlang.graph.kinds.layer import ACTIVATION, INIT, Layer, owns_bias, owns_weights
from dnnlang.graph.kinds.layernorm import Layernorm
from dnnlang.graph.located import Located
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import DRAWS, Expr, topological, variable
from dnnlang.scalar.functions import Activation, Initializer

UNREACHED = rule(
    "DNN320",
    "unreached-node",
    "A node that no output and no loss is computed from.",
    why="Its numbers go nowhere, and nothing in it is ever trained. Most often a `from` is missing or names another "
    "node than was meant.",
    wrong="input 8 as x\nlayer 8 relu as h\nlayer 1 sigmoid from x\n",
    right="input 8 as x\nlayer 8 relu as h\nlayer 1 sigmoid from h\n",
    severity="warning",
)
CONSTANT_OUTPUT = rule(
    "DNN314",
    "constant-output",
    "An activation that compares the units of a column, on a column of one unit.",
    why="It divides each unit by the sum of all, or takes a maximum over all. With one unit the result is the same "
    "whatever the network computes, so nothing can be learned. For two classes on one unit there is `sigmoid`.",
    wrong="layer 5 relu\nlayer 1 softmax\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
    severity="warning",
)
DROPOUT_AT_OUTPUT = rule(
    "DNN330",
    "dropout-at-output",
    "A `dropout` stands right before the output.",
    why="In training it sets some of the outputs themselves to 0, and the loss then compares these zeros with the "
    "targets: an error that no weight can mend. Dropout belongs between layers.",
    wrong="layer 5 relu\nlayer 3 softmax\ndropout 0.5\nloss cross_entropy\n",
    right="layer 5 relu\ndropout 0.5\nlayer 3 softmax\nloss cross_entropy\n",
    severity="warning",
)
USELESS_BIAS = rule(
    "DNN331",
    "useless-bias",
    "A layer with a bias stands right before a `batchnorm`.",
    why="`batchnorm` subtracts the mean of each unit, and the bias with it: b changes nothing and is trained for "
    "nothing. Its own beta does what b would do.",
    wrong="layer 8\nbatchnorm\napply relu\nlayer 1 sigmoid\n",
    right="layer 8 bias=none\nbatchnorm\napply relu\nlayer 1 sigmoid\n",
    severity="warning",
)
EQUAL_UNITS = rule(
    "DNN332",
    "equal-units",
    "A hidden layer starts with the same weights in every unit.",
    why="Units that start alike compute the same, get the same gradient and stay alike, so the layer is worth one "
    "unit; from zeros a relu does not even begin. Random weights make them differ.",
    wrong="layer 5 relu init=zeros\nlayer 1 sigmoid\n",
    right="layer 5 relu init=he\nlayer 1 sigmoid\n",
    severity="warning",
)

PROBES: Final = (-3.0, -0.7, 0.0, 0.4, 2.0)
"""Pre-activations that an activation is tried at."""


@dataclass(slots=True)
class Network:
    """A checked program, and who reads each node: ids of drafts."""

    drafts: Sequence[Draft]
    outputs: Sequence[Draft]
    with_loss: Sequence[Draft]
    making: Making
    readers: dict[int, list[Draft]] = field(default_factory=dict)
    ends: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ends = {id(draft) for draft in (*self.outputs, *self.with_loss)}
        for draft in self.drafts:
            for source in _sources(draft):
                self.readers.setdefault(id(source), []).append(draft)

    def units(self, draft: Draft) -> object:
        """The size of a node: an int where it is known."""
        assert draft.units is not None  # there are no errors
        return draft.units if isinstance(draft.units, int) else self.making.solver.resolve(draft.units)

    def read_only_by(self, draft: Draft, kind: str) -> bool:
        """Is it read, and only by nodes of this kind?"""
        readers = self.readers.get(id(draft), [])
        return bool(readers) and id(draft) not in self.ends and all(r.kind.name == kind for r in readers)


def check_nodes(network: Network, found: Located) -> set[int]:
    """Warn of nodes; the ids of outputs of which nothing more need be said."""
    _check_reach(network, found)
    constant: set[int] = set()
    alike: dict[int, bool] = {}
    for draft in network.drafts:
        with found.at(draft.within):
            if _is_constant(draft, network, alike):
                constant.add(id(draft))
                _report_constant(draft, found)
            _check_bias(draft, network, found)
            _check_weights(draft, network, found)
    return constant | _check_dropout(network, found)


# ---------------------------------------------------------------- reach


def _check_reach(network: Network, found: Located) -> None:
    reached: set[int] = set()
    waiting = [*network.outputs, *network.with_loss]
    while waiting:
        draft = waiting.pop()
        if id(draft) not in reached:
            reached.add(id(draft))
            waiting.extend(_sources(draft))
    live = {_place(d) for d in network.drafts if id(d) in reached}  # a body may be needed in one copy only
    for draft in network.drafts:
        if id(draft) in reached or _place(draft) in live or network.readers.get(id(draft)):
            continue
        notes = []
        if any(id(source) not in reached for source in _sources(draft)):
            notes = ["the nodes above it that only it reads are not used either"]
        outputs = " and ".join(f"`{o.name}`" for o in network.outputs[:3])
        what = "this input is" if draft.kind.name == "input" else f"`{draft.name}` is"
        with found.at(draft.within):
            found.add(
                UNREACHED.at(
                    draft.span,
                    f"{what} not used: no output is computed from it",
                    notes=[f"what comes out of the network is {outputs}", *notes],
                    help="to use it, name it after a `from` or in `output`; else take it out",
                )
            )


def _place(draft: Draft) -> tuple[int, int]:
    return id(draft.span.source), draft.span.start


def _sources(draft: Draft) -> Iterator[Draft]:
    """The nodes that go in, and those whose weights it uses."""
    yield from draft.inputs
    yield from (value for value in draft.given.values.values() if isinstance(value, Draft))


# ---------------------------------------------------------------- one unit


def _is_constant(draft: Draft, network: Network, alike: dict[int, bool]) -> bool:
    activation = draft.kind.activation(draft)
    if isinstance(draft.kind, Layernorm):
        return network.units(draft) == 1
    if activation is None or network.units(draft) != 1:
        return False
    key = id(activation.value)
    if key not in alike:
        alike[key] = _same_everywhere(activation.value, 1) and not _same_everywhere(activation.value, 2)
    return alike[key]


def _same_everywhere(value: Expr, units: int) -> bool:
    """Is it the same at every probe? `units` of the column, of which the first is tried."""
    seen = []
    for z in PROBES:
        a = evaluate(value, {"z": [z, 0.1][:units]}, units)
        seen.append(a[0] if isinstance(a, list) else a)
    return max(seen) - min(seen) < 1e-9


def _report_constant(draft: Draft, found: Located) -> None:
    activation = draft.kind.activation(draft)
    if activation is None:
        message = f"`{draft.kind.name}` of one unit always gives the same: a unit less its own mean is 0"
        found.add(CONSTANT_OUTPUT.at(draft.span, message, help="take it out, or use `batchnorm`"))
        return
    a = evaluate(activation.value, {"z": [0.0]}, 1)
    always = a[0] if isinstance(a, list) else a
    span = draft.given.span(ACTIVATION) if draft.given.has(ACTIVATION) else draft.span
    found.add(
        CONSTANT_OUTPUT.at(
            span,
            f"`{activation.label}` of one unit is always {always:g}, whatever the network computes",
            labels=[Label(draft.origin.span, "one unit")] if draft.origin is not None else [],
            help="for two classes on one unit write `sigmoid`; for k classes, a layer of k units",
        )
    )


# ---------------------------------------------------------------- dropout, bias, weights


def _check_dropout(network: Network, found: Located) -> set[int]:
    """The ids of outputs that a `dropout` stands right before."""
    at_output: set[int] = set()
    for end in dict.fromkeys((*network.outputs, *network.with_loss)):
        draft = end
        while isinstance(draft.kind, Apply):
            draft = draft.inputs[0]
        if not isinstance(draft.kind, Dropout) or not draft.given.get(RATE):
            continue
        at_output.add(id(end))
        with found.at(draft.within):
            found.add(
                DROPOUT_AT_OUTPUT.at(
                    draft.span,
                    "in training this sets outputs of the network to 0",
                    labels=[Label(end.span, "this is an output")] if end is not draft else [],
                    help="put the `dropout` before the last layer",
                )
            )
    return at_output


def _check_bias(draft: Draft, network: Network, found: Located) -> None:
    if not isinstance(draft.kind, Batchnorm):
        return
    layer = draft.inputs[0]
    if not isinstance(layer.kind, Layer) or not owns_bias(layer) or not network.read_only_by(layer, draft.kind.name):
        return
    activation = layer.given.get(ACTIVATION)
    if activation is not None and activation.value is not variable("z"):
        return
    found.add(
        USELESS_BIAS.at(
            layer.span,
            f"`batchnorm` takes b[{layer.number}] away again with the mean of each unit",
            labels=[Label(draft.span, "subtracts the mean of the batch")],
            help="leave the bias out: `bias=none` at the end of this line",
        )
    )


def _check_weights(draft: Draft, network: Network, found: Located) -> None:
    if not isinstance(draft.kind, Layer) or not owns_weights(draft) or id(draft) in network.ends:
        return
    if network.units(draft) == 1 or network.read_only_by(draft, "add"):  # zeros may start a residual branch
        return
    init = draft.given.get(INIT) or network.making.default_init(draft.given.get(ACTIVATION))
    if any(e.op in DRAWS for e in topological(init.value)):
        return
    span = draft.given.span(INIT) if draft.given.has(INIT) else draft.span
    found.add(
        EQUAL_UNITS.at(
            span,
            f"`{init.label}` draws no random numbers, so all units of this layer start alike and stay alike",
            help=_random_init(network.making, draft.given.get(ACTIVATION), init),
        )
    )


def _random_init(making: Making, activation: Activation | None, init: Initializer) -> str:
    fitting = making.default_init(activation)
    if fitting.label == init.label:
        return "write an initializer that draws, such as `init=he`"
    return f"leave `init` out, which means `{fitting.label}` here; biases start at 0 by themselves"
