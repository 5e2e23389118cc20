"""Random programs within the language, as text and as a description that tests can interpret by themselves.

`programs()` is a hypothesis strategy, `random_program()` the same from any source of chance. Every program they make
must compile; sizes are small, so that each runs in a moment. Names are `n1`, `n2`, … for nodes and `x1`, … for inputs;
the description does not use the compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

SMOOTH = ("linear", "sigmoid", "tanh", "softplus")
KINKED = ("relu", "leaky_relu", "leaky_relu(slope=0.2)")
PAIRS = (("sigmoid", "binary_cross_entropy"), ("softmax", "cross_entropy"), ("linear", "mse"), ("tanh", "mse"))
EPSILONS = (Fraction(1, 10), Fraction(1, 2))  # large ones: nothing is blown up where a unit hardly varies
# Large epsilons where the step divides by the gradient's own size: rounding of a gradient that is 0 stays small.
OPTIMIZERS = (
    "sgd",
    "momentum",
    "momentum(beta=0.5)",
    "nesterov",
    "adagrad(epsilon=0.001)",
    "rmsprop(epsilon=0.001)",
    "adam(epsilon=0.001)",
    "adamw",
)


@dataclass(frozen=True)
class NodeSpec:
    """One node. `l` numbers layers from 1. `share` and `tie` are names of layers above."""

    name: str
    kind: str
    sources: tuple[str, ...]
    units: int
    activation: str = "linear"
    l: int = 0  # noqa: E741 - the lesson's name
    share: str | None = None
    tie: str | None = None
    bias: bool = True
    trainable: bool = True
    l2: Fraction | None = None
    rate: Fraction = Fraction(0)
    dropout: int = 0
    epsilon: Fraction = Fraction(0)
    momentum: Fraction = Fraction(9, 10)

    def text(self) -> str:
        words = [self.kind]
        if self.kind == "layer":
            words += [str(self.units), self.activation]
        if self.kind == "apply":
            words.append(self.activation)
        if self.kind == "dropout":
            words.append(str(float(self.rate)))
        words += ["from", ", ".join(self.sources), "as", self.name]
        if self.share is not None:
            words.append(f"share={self.share}")
        if self.tie is not None:
            words.append(f"tie=transpose({self.tie})")
        if not self.bias:
            words.append("bias=none")
        if not self.trainable:
            words.append("trainable=no")
        if self.l2 is not None:
            words.append(f"l2={float(self.l2)}")
        if self.kind in ("batchnorm", "layernorm"):
            words.append(f"epsilon={float(self.epsilon)}")
        if self.kind == "batchnorm":
            words.append(f"momentum={float(self.momentum)}")
        return " ".join(words)


@dataclass(frozen=True)
class ProgramSpec:
    """A program: what is in it, and its `text`."""

    inputs: dict[str, int]
    nodes: tuple[NodeSpec, ...]
    losses: tuple[tuple[str, str, Fraction], ...]  # loss, node, weight
    l2: Fraction = Fraction(0)
    clip_norm: Fraction | None = None
    optimizer: str = "sgd"

    @property
    def text(self) -> str:
        lines = [f"input {units} as {name}" for name, units in self.inputs.items()]
        lines += [node.text() for node in self.nodes]
        lines.append(f"output {self.nodes[-1].name}")
        lines += [f"loss {loss} from {node} weight={float(weight)}" for loss, node, weight in self.losses]
        settings = [f"optimizer {self.optimizer}", "learning_rate 0.05", f"l2 {float(self.l2)}"]
        if self.clip_norm is not None:
            settings.append(f"clip_norm {float(self.clip_norm)}")
        lines.append("train { " + "; ".join(settings) + " }")
        return "\n".join(lines) + "\n"

    def units(self, name: str) -> int:
        return self.inputs[name] if name in self.inputs else next(n.units for n in self.nodes if n.name == name)


class Chance(Protocol):
    """Where random choices come from."""

    def boolean(self) -> bool: ...
    def integer(self, least: int, most: int) -> int: ...
    def one_of(self, options: Sequence[T]) -> T: ...
    def one_or_two(self, options: Sequence[T]) -> list[T]: ...


@dataclass(frozen=True)
class Drawn:
    """Choices that hypothesis makes, and can shrink; it gives up on programs of more than some hundred."""

    draw: st.DrawFn

    def boolean(self) -> bool:
        return self.draw(st.booleans())

    def integer(self, least: int, most: int) -> int:
        return self.draw(st.integers(least, most))

    def one_of(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))

    def one_or_two(self, options: Sequence[T]) -> list[T]:
        return self.draw(st.lists(st.sampled_from(options), min_size=1, max_size=2))


@dataclass(frozen=True)
class Seeded:
    """As many choices as are wanted."""

    random: Random

    def boolean(self) -> bool:
        return self.random.random() < 0.5

    def integer(self, least: int, most: int) -> int:
        return self.random.randint(least, most)

    def one_of(self, options: Sequence[T]) -> T:
        return self.random.choice(options)

    def one_or_two(self, options: Sequence[T]) -> list[T]:
        return self.random.choices(options, k=self.integer(1, 2))


@st.composite
def programs(
    draw: st.DrawFn,
    *,
    kinks: bool = True,
    dropout: bool = True,
    min_nodes: int = 0,
    max_nodes: int = 8,
    most_units: int = 4,
) -> ProgramSpec:
    """A random program. Without `kinks` its loss is smooth in every parameter."""
    nodes = range(min_nodes, max_nodes + 1)
    return random_program(Drawn(draw), nodes, kinks=kinks, dropout=dropout, most_units=most_units)


def random_program(
    chance: Chance, nodes: range, *, kinks: bool = True, dropout: bool = True, most_units: int = 4
) -> ProgramSpec:
    """A program of that many nodes, besides its inputs, its first layer and its output layers."""
    made = _Making(chance, SMOOTH + KINKED if kinks else SMOOTH, dropout, most_units)
    for number in range(1, chance.integer(1, 3) + 1):
        made.inputs[f"x{number}"] = chance.integer(1, 4)
    made.layer()
    for _ in range(chance.integer(nodes[0], nodes[-1])):
        chance.one_of(made.choices())()
    losses = made.finish()
    return ProgramSpec(
        made.inputs,
        tuple(made.nodes),
        losses,
        l2=chance.one_of((Fraction(0), Fraction(1, 2))),
        clip_norm=chance.one_of((None, Fraction(1, 8))),
        optimizer=chance.one_of(OPTIMIZERS),
    )


class _Making:
    def __init__(self, chance: Chance, activations: tuple[str, ...], dropout: bool, most_units: int) -> None:
        self.chance = chance
        self.most_units = most_units
        self.activations = activations
        self.may_drop = dropout
        self.inputs: dict[str, int] = {}
        self.nodes: list[NodeSpec] = []
        self.layers: dict[int, NodeSpec] = {}  # by number
        self.fan_in: dict[int, int] = {}
        self.dropouts = 0

    def choices(self) -> list:
        kinds = [self.layer, self.layer, self.apply, self.add, self.multiply, self.concat, self.share, self.tie]
        kinds += [self.batchnorm, self.layernorm, self.standardize]
        return [*kinds, self.drop] if self.may_drop else kinds

    def untrained(self) -> list[str]:
        """The inputs, and the nodes that nothing trained stands above."""
        found = list(self.inputs)
        for node in self.nodes:
            if node.kind not in ("layer", "batchnorm", "layernorm") and set(found).issuperset(node.sources):
                found.append(node.name)
        return found

    def units(self, name: str) -> int:
        return self.inputs[name] if name in self.inputs else next(n.units for n in self.nodes if n.name == name)

    def any_source(self) -> str:
        """A node, the last ones more often; so the programs are deep rather than wide."""
        names = [*self.inputs, *(n.name for n in self.nodes)]
        return self.chance.one_of([*names, names[-1], names[-1]])

    def layer(self, units: int | None = None, activation: str | None = None, source: str | None = None) -> None:
        source = self.any_source() if source is None else source
        units = self.chance.integer(1, self.most_units) if units is None else units
        activation = self.chance.one_of(self.activations) if activation is None else activation
        l2 = self.chance.one_of((None, None, Fraction(0), Fraction(1, 4)))
        trainable = self.chance.one_of((True, True, True, False))
        self._add_layer(source, units, activation, bias=self.chance.boolean(), trainable=trainable, l2=l2)

    def share(self) -> None:
        number = self.chance.one_of(sorted(self.layers))
        if self.layers[number].share is not None or self.layers[number].tie is not None:
            return self.layer()
        fitting = [n for n in self._names() if self.units(n) == self.fan_in[number]]
        if not fitting:
            return self.layer()
        activation = self.chance.one_of(self.activations)
        source = self.chance.one_of(fitting)
        return self._add_layer(source, self.layers[number].units, activation, share=self.layers[number].name)

    def tie(self) -> None:
        number = self.chance.one_of(sorted(self.layers))
        if self.layers[number].share is not None or self.layers[number].tie is not None:
            return self.layer()
        fitting = [n for n in self._names() if self.units(n) == self.layers[number].units]
        activation = self.chance.one_of(self.activations)
        source = self.chance.one_of(fitting)
        return self._add_layer(source, self.fan_in[number], activation, tie=self.layers[number].name)

    def _add_layer(self, source: str, units: int, activation: str, **keys: object) -> None:
        l = len(self.layers) + 1  # noqa: E741
        node = NodeSpec(self._name(), "layer", (source,), units, activation, l, **keys)
        self.layers[l] = node
        self.fan_in[l] = self.units(source)
        self.nodes.append(node)

    def apply(self) -> None:
        source = self.any_source()
        activation = self.chance.one_of((*self.activations, "softmax"))
        self.nodes.append(NodeSpec(self._name(), "apply", (source,), self.units(source), activation))

    def add(self) -> None:
        self._elementwise("add")

    def multiply(self) -> None:
        self._elementwise("multiply")

    def _elementwise(self, kind: str) -> None:
        first = self.any_source()
        fitting = [n for n in self._names() if self.units(n) == self.units(first)]
        others = self.chance.one_or_two(fitting)
        self.nodes.append(NodeSpec(self._name(), kind, (first, *others), self.units(first)))

    def concat(self) -> None:
        sources = (self.any_source(), *self.chance.one_or_two(self._names()))
        units = sum(map(self.units, sources))
        if units > 3 * self.most_units:
            return self.layer()
        return self.nodes.append(NodeSpec(self._name(), "concat", sources, units))

    def drop(self) -> None:
        source = self.any_source()
        self.dropouts += 1
        rate = self.chance.one_of((Fraction(1, 4), Fraction(1, 2)))
        node = NodeSpec(self._name(), "dropout", (source,), self.units(source), rate=rate, dropout=self.dropouts)
        self.nodes.append(node)

    def batchnorm(self) -> None:
        source = self.any_source()
        momentum = self.chance.one_of((Fraction(1, 2), Fraction(9, 10)))
        epsilon = self.chance.one_of(EPSILONS)
        node = NodeSpec(self._name(), "batchnorm", (source,), self.units(source), epsilon=epsilon, momentum=momentum)
        self.nodes.append(node)

    def layernorm(self) -> None:
        source = self.any_source()
        epsilon = self.chance.one_of(EPSILONS)
        self.nodes.append(NodeSpec(self._name(), "layernorm", (source,), self.units(source), epsilon=epsilon))

    def standardize(self) -> None:
        source = self.chance.one_of(self.untrained())
        self.nodes.append(NodeSpec(self._name(), "standardize", (source,), self.units(source)))

    def finish(self) -> tuple[tuple[str, str, Fraction], ...]:
        """One or two output layers with their losses."""
        losses = []
        for _ in range(self.chance.integer(1, 2)):
            activation, loss = self.chance.one_of(PAIRS)
            units = self.chance.integer(2, 4) if activation == "softmax" else self.chance.integer(1, 3)
            self.layer(units, activation)
            weight = self.chance.one_of((Fraction(1), Fraction(1, 2)))
            losses.append((loss, self.nodes[-1].name, weight))
        return tuple(losses)

    def _names(self) -> list[str]:
        return [*self.inputs, *(n.name for n in self.nodes)]

    def _name(self) -> str:
        return f"n{len(self.nodes) + 1}"
