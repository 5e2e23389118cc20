"""Operands and keys of kinds: declared once as slots, read once, asked for with their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from dnnlang.source import Span
from dnnlang.syntax.tree import Expression

if TYPE_CHECKING:
    from dnnlang.graph.reader import Reader

Value_co = TypeVar("Value_co", covariant=True)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Slot(Generic[Value_co]):
    """An operand or key that a kind accepts.

    `read` turns the written expression into a value, or reports why not and returns None. `form` is how
    messages and documentation show it (`SIZE`, `init=NAME`).
    """

    name: str
    form: str
    read: Callable[[Expression, Reader], Value_co | None]
    sentence: str
    optional: bool = True


@dataclass(slots=True)
class Given:
    """What a statement gives for its kind's slots."""

    values: dict[str, object] = field(default_factory=dict)
    written: dict[str, Expression] = field(default_factory=dict)

    def get(self, slot: Slot[Value]) -> Value | None:
        """The value; None if it was not written, or was wrong."""
        return cast("Value | None", self.values.get(slot.name))

    def has(self, slot: Slot[Value]) -> bool:
        """Was it written, right or wrong?"""
        return slot.name in self.written

    def span(self, slot: Slot[Value]) -> Span:
        """Where it is written; only after `has`."""
        return self.written[slot.name].span
