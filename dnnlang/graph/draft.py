"""A node while it is being checked: like the finished Node, but what failed is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnnlang.graph.given import Given
from dnnlang.sizes import Size
from dnnlang.source import Span

if TYPE_CHECKING:
    from dnnlang.graph.architecture import Copy
    from dnnlang.graph.kinds.kind import NodeKind
    from dnnlang.graph.origin import Origin


@dataclass(slots=True, eq=False)
class Draft:
    """One node of the expanded program.

    `units` is None if the node failed: the mistake has been reported, and what depends on it stays silent.
    `number` counts the nodes of its kind from 1 (for layers it is l, for inputs their position from 1).
    `places` are where its inputs are named, in operand order; the kind's name where they are not. In a copy of a
    body, `within`, `alias` is a name that only messages use, because each copy has one.
    """

    name: str
    kind: NodeKind
    number: int
    span: Span
    alias: str | None = None
    given: Given = field(default_factory=Given)
    inputs: tuple[Draft, ...] = ()
    places: tuple[Span, ...] = ()
    units: Size | None = None
    origin: Origin | None = None
    within: Copy | None = None

    @property
    def failed(self) -> bool:
        return self.units is None

    def size_name(self) -> str:
        """How messages name its size: `n[2]`, `n[head]`, `n[0]`, and `units of add[1]` for a node without a name."""
        return self.kind.size_name(self)

    def tensors(self) -> Mapping[str, tuple[Size, Size]]:
        """Shapes of its tensors by the lesson's letter (`W`, `Z`, …), gradients left out."""
        return self.kind.tensors(self) if self.units is not None else {}
