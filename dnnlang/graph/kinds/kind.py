"""What every node kind provides. A kind is one object in one file: operands, keys, shape rule and lowering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from dnnlang.diagnostics import Diagnostics
from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Node, Parameter, Statistic
from dnnlang.graph.definition_options import default_number
from dnnlang.graph.definitions import Library
from dnnlang.graph.equalities import Equality, reduced
from dnnlang.graph.given import Slot
from dnnlang.graph.reader import Reader
from dnnlang.graph.scope import Scope
from dnnlang.graph.solver import Solver
from dnnlang.primitives.values import Builder, Value
from dnnlang.scalar.functions import Activation, Initializer
from dnnlang.sizes import Size

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft


@dataclass(slots=True)
class Shaping:
    """What a shape rule works with: the equations it adds to, and where its messages go."""

    solver: Solver
    reader: Reader
    untrained: set[int] = field(default_factory=set)
    """Ids of drafts that nothing trained stands above, as far as somebody asked."""

    @property
    def found(self) -> Diagnostics:
        return self.reader.found

    @property
    def scope(self) -> Scope:
        """The names around the statement, for its messages."""
        return self.reader.scope


@dataclass(slots=True)
class Making:
    """What the finished nodes are made with, once every size is known as well as it will be."""

    solver: Solver
    library: Library
    parameters: dict[str, Parameter] = field(default_factory=dict)
    statistics: dict[str, Statistic] = field(default_factory=dict)
    equal: tuple[Equality, ...] = ()
    _inits: dict[str | None, Initializer] = field(default_factory=dict)
    _linear: Activation | None = None

    def default_init(self, activation: Activation | None) -> Initializer:
        """What fits the activation; found once for each name."""
        name = activation.init if activation is not None else None
        if name not in self._inits:
            self._inits[name] = self.library.default_init(activation)
        return self._inits[name]

    def linear(self) -> Activation:
        """The activation of a layer that names none."""
        if self._linear is None:
            statement, found = self.library.statement("activation", "linear"), Diagnostics()
            if statement is not None:
                self._linear = self.library.activation(statement.name, default_number, found)
        if self._linear is None:
            raise InternalError("the activation `linear` is not usable")
        return self._linear

    def size(self, size: Size | None) -> Size:
        if size is None:
            raise ValueError("a failed node is never finished")
        return size if isinstance(size, int) else reduced(self.solver.resolve(size), self.equal)


class NodeKind:
    """A kind of node. Subclasses set the class variables and write `shape` and `lower`, and what else they need."""

    name: str
    sentence: str
    notes: ClassVar[str] = ""
    """Conventions that its documentation states after the sentence."""
    operands: ClassVar[tuple[Slot[Any], ...]] = ()
    keys: ClassVar[tuple[Slot[Any], ...]] = ()
    letters: ClassVar[tuple[str, ...]] = ()
    """What `tensors` has and can be differentiated by: `gamma` and `dgamma`."""
    measured: ClassVar[tuple[str, ...]] = ()
    """What `tensors` has besides: statistics."""
    least: ClassVar[int] = 1
    """The fewest inputs it takes."""
    most: ClassVar[int | None] = 1
    """The most inputs it takes; None: as many as one likes."""

    def shape(self, draft: Draft, shaping: Shaping) -> Size | None:
        """The units of its output from those of its inputs (none of which failed), and `draft.origin` set.

        Equations between sizes go to `shaping.solver`. None after a diagnostic.
        """
        raise NotImplementedError

    def units_alone(self, draft: Draft, shaping: Shaping) -> Size | None:
        """The units of its output if an input failed: None, unless they do not depend on it."""
        return None

    def detail(self, draft: Draft, making: Making) -> object:
        """The kind's own record of the finished node; parameters go to `making`."""
        return None

    def lower(self, node: Node, build: Builder) -> Value:
        """The forward computation in primitives; returns the node's output."""
        raise NotImplementedError

    def trains(self, draft: Draft) -> bool:
        """Does training change what the node computes?"""
        return False

    def activation(self, draft: Draft) -> Activation | None:
        """The activation that its output comes from, if it is one: it decides the default loss."""
        return None

    def size_name(self, draft: Draft) -> str:
        """How messages name the size of its output."""
        return f"n[{draft.alias}]" if draft.alias is not None else f"units of {draft.name}"

    def value_name(self, draft: Draft) -> str:
        """The lesson's name for its output."""
        return draft.name

    def tensors(self, draft: Draft) -> Mapping[str, tuple[Size, Size]]:
        """Shapes of what can be written with its name as index, by letter, gradients left out."""
        return {}

    def usage(self) -> str:
        """`layer SIZE [ACTIVATION]`."""
        return " ".join([self.name, *(f"[{o.form}]" if o.optional else o.form for o in self.operands)])
