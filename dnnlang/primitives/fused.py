"""Several primitives as one step: what lies between them is used where it arises, and needs no room of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from dnnlang.errors import InternalError
from dnnlang.primitives.primitive import Contribution, Primitive, Shape, Wanted
from dnnlang.primitives.values import Value


@dataclass(frozen=True, slots=True)
class Member:
    """One of the merged primitives. `inputs` and `outputs` are places in (*inputs, *inner, *outputs) of the step."""

    primitive: Primitive
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fused:
    """The `members`, one after the other, on `inputs` values from outside and `inner` values that nobody else reads.

    `overwrites` says for each output of the step which inputs it may overwrite, where shapes are equal: those that
    are read only entry by entry, and by no member behind the one that writes the output.
    """

    members: tuple[Member, ...]
    inputs: int
    inner: int
    overwrites: tuple[tuple[int, ...], ...] = field(compare=False, repr=False)

    @property
    def operation(self) -> str:
        return "fused"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        """Of the first output."""
        shapes = dict(enumerate(inputs))
        for member in self.members:
            shape = member.primitive.shape([shapes[n] for n in member.inputs])
            shapes.update(dict.fromkeys(member.outputs, shape))
        return shapes[self.inputs + self.inner]

    def derivative(
        self, inputs: Sequence[Value], output: Value, upstream: Value, wanted: Wanted
    ) -> Iterator[Contribution]:
        raise InternalError("steps are merged after differentiation")

    def overwritable(self, count: int) -> Sequence[int]:
        """By the first output; `overwrites` has all."""
        return self.overwrites[0]

    def accumulating(self) -> Fused:
        raise InternalError("steps are merged after gradients are added up")

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        raise InternalError("the formulas of merged steps are those of their members")


@lru_cache(maxsize=1024)
def fused(members: tuple[Member, ...], inputs: int, inner: int) -> Fused:
    """One shared record for all layers alike: they are many, and whoever checks or prints them looks at each once."""
    return Fused(members, inputs, inner, tuple(_overwrites(members, inputs, inner)))


def _overwrites(members: Sequence[Member], inputs: int, inner: int) -> Iterator[tuple[int, ...]]:
    last = {place: at for at, member in enumerate(members) for place in member.inputs}
    whole = {place for member in members for place in _read_whole(member)}
    writer = {place: at for at, member in enumerate(members) for place in member.outputs}
    for output in range(inputs + inner, inputs + inner + len(writer) - inner):
        yield tuple(n for n in range(inputs) if n not in whole and last[n] <= writer[output])


def _read_whole(member: Member) -> Iterator[int]:
    """The operands that are not read just where the output is written."""
    free = member.primitive.overwritable(len(member.inputs))
    return (place for at, place in enumerate(member.inputs) if at not in free)
