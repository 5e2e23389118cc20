"""The checked network: a graph whose every size is known as a number or a formula, and what it is trained by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.functions import Initializer, Loss, Optimizer
from dnnlang.sizes import Size
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.format import on_one_line

if TYPE_CHECKING:
    import networkx


class Kind(Protocol):
    """What a checked node needs of its kind. The rest of the protocol is in graph/kinds."""

    name: str

    def lower(self, node: Node, build: Builder) -> Value:
        """The node's forward computation in primitives; returns the node's output."""


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """Why a body stands in the program: a use of a block, at `span`, or a `repeat`, whose head is `span`.

    `name` is the block's, or `repeat`. A repeat makes `count` copies, of which copy 1 has the counter `counter`
    (None without one) at `first`; a block used once is one copy, and its `count` is None.
    """

    name: str
    span: Span
    count: int | None = None
    counter: str | None = None
    first: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """One copy of a body. All nodes in it share this record; `outer` is the copy that it stands in.

    `number` counts the copies of a repeat, or the uses of a block in the program, from 1.
    """

    expansion: Expansion
    number: int
    outer: Copy | None

    @property
    def name(self) -> str:
        return self.expansion.name

    @property
    def span(self) -> Span:
        """Where the block is used, or the head of the repeat."""
        return self.expansion.span

    def outwards(self) -> Iterator[Copy]:
        """This copy, the one around it, and so on."""
        copy: Copy | None = self
        while copy is not None:
            yield copy
            copy = copy.outer


@dataclass(frozen=True, slots=True)
class Node:
    """One node. `inputs` are node names in operand order (a name may stand twice).

    `name` is the `as` name, else `layer[3]`, `add[1]`, …; the only unnamed input is `X`. Names inside a body are
    local to each copy, so a node there goes by its number. `value` is the name of its output in the lesson's
    notation: `A[3]` for layer 3, `X` for a single input, otherwise `name`. `detail` is the kind's own frozen record
    (for a layer: l, activation, parameter keys, …). `within` is the copy of a body that it stands in, None outside.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    units: Size
    value: str
    detail: object
    span: Span
    within: Copy | None = None

    @property
    def statement(self) -> str:
        """The node as the program declares it, in the formatter's layout; empty if it does not."""
        return on_one_line(self.span)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A trained matrix, under its key (`W[1]`); shared by every node that uses that key."""

    name: str
    shape: tuple[Size, Size]
    init: Initializer | None  # None: zeros
    fan: tuple[Size, Size]  # fan_in, fan_out
    l2: Fraction | None  # None: the training settings' l2 where `penalized`, else nothing
    penalized: bool  # weights yes, biases no
    trainable: bool
    span: Span
    within: Copy | None = None


@dataclass(frozen=True, slots=True)
class Statistic:
    """Numbers that a node measures instead of training them, (k, 1), under their key (`running_mean[bn]`).

    `initial` is what every entry is at first; None where the training data must be seen before anything can be
    computed with it (`standardize`).
    """

    name: str
    shape: tuple[Size, Size]
    initial: Fraction | None
    span: Span
    within: Copy | None = None


@dataclass(frozen=True, slots=True)
class LossUse:
    """One `loss` statement, or the default loss. `target` is `Y`, or `Y[NODE]` when there are several."""

    loss: Loss
    node: str
    weight: Fraction
    target: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning rate over epochs: `name` is constant, step, exponential, inverse or cosine, with its numbers."""

    name: str
    options: tuple[tuple[str, Fraction], ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """`train { … }`, defaults filled in. Exactly one of epochs and iterations is not None; batch None is `all`."""

    optimizer: Optimizer
    learning_rate: Fraction
    schedule: Schedule
    epochs: int | None
    iterations: int | None
    batch: int | None
    l2: Fraction
    clip_norm: Fraction | None
    validation: Fraction
    patience: int | None
    seed: int
    places: Mapping[str, Span] = field(default_factory=dict, compare=False)
    """Where the program makes a setting, by its key."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What is left to hold once sizes are bound: `left relation right`, and who asks for it."""

    left: Size
    relation: str
    right: Size
    span: Span


@dataclass(frozen=True, slots=True)
class Architecture:
    """A program that passed every check.

    `graph` has a node for each name in `nodes`, with attributes `data` (the Node), `kind`, `shape`
    and, for layers, `l`, `W`, `b` (shapes); edges carry `operands`, the positions at which they enter. A node
    in a body has `block` (the block's name, or `repeat`) and `copy` (its number), and `within`, these pairs from the
    outermost body to the innermost.
    `params` are the values used; `symbols` the size symbols that are still open, in order of appearance.
    `solved` are dims and input sizes that inference found out, as formulas in the open ones.
    """

    source: SourceFile
    sources: tuple[SourceFile, ...]  # the file itself, then its imports
    nodes: Mapping[str, Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    losses: tuple[LossUse, ...]
    settings: Settings
    params: Mapping[str, Fraction]
    symbols: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    aliases: Mapping[str, str]  # other spellings of parameter and tensor indices: {"head": "4"}
    solved: Mapping[str, Size] = field(default_factory=dict)
    imports: Mapping[str, SourceFile] = field(default_factory=dict)  # by path from the program's folder
    statistics: Mapping[str, Statistic] = field(default_factory=dict)
    _graph: list[networkx.DiGraph] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def graph(self) -> networkx.DiGraph:
        """The nodes and edges; made when first asked for: importing networkx takes longer than a check."""
        if not self._graph:
            from dnnlang.graph.network_graph import network_graph

            self._graph.append(network_graph(self.nodes))
        return self._graph[0]
