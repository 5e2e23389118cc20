"""What the native backend makes of a plan: C functions, one for all steps that are alike, and a list of their calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import Size


class Part(StrEnum):
    """What a thread does of a step. Steps on columns need not wait for each other: a thread stays with its columns."""

    COLUMNS = "columns"  # its share of the samples
    ROWS = "rows"  # its share of the rows, which it reads and writes for all samples


class Section(StrEnum):
    """When a call is made: J, and the penalties on it, are left out where nobody asks for them."""

    FORWARD = "forward"
    LOSS = "loss"
    PENALTY = "penalty"
    BACKWARD = "backward"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Work:
    """Room that the plan does not know of: `rows` rows, of as many numbers as samples or of `columns` numbers.

    Works of one `key` are the same room, as large as the largest; if `for_each_thread`, there is one for each.
    `by_sample` is the other way round: a row for each sample, of `columns` numbers. Up to `unless` samples none is
    needed.
    """

    key: str
    rows: int
    columns: int | None = None
    by_sample: bool = False
    for_each_thread: bool = False
    unless: int = 0


Place = Value | Work
Argument = Place | int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function: its number in the source, its arguments, what it reads and writes.

    An argument is where a value begins, or a number.
    """

    function: int
    arguments: tuple[Argument, ...]
    reads: tuple[Place, ...]
    writes: tuple[Place, ...]
    part: Part
    work: int  # multiplications and additions for each sample, to decide about threads


@dataclass(slots=True)
class Source:
    """The C functions so far. Functions of the same text are one function."""

    functions: dict[str, int] = field(default_factory=dict)  # text of a body → number
    helpers: dict[str, str] = field(default_factory=dict)  # text of a helper → its name
    scalars: list[str] = field(default_factory=list)  # C expressions in rate and t, made once a step

    def function(self, lines: Sequence[str]) -> int:
        """The number of the step function with this body."""
        return self.functions.setdefault("\n".join(lines), len(self.functions))

    def helper(self, stem: str, text: str) -> str:
        """The name of a static function; NAME in its text stands for it."""
        return self.helpers.setdefault(text, f"{stem}_{len(self.helpers)}")

    def scalar(self, text: str) -> int:
        """The place of a number that is made once a step."""
        if text not in self.scalars:
            self.scalars.append(text)
        return self.scalars.index(text)


PERSISTENT = frozenset((Role.PARAMETER, Role.STATISTIC, Role.GRADIENT, Role.STATE))


def transposed(value: Value) -> bool:
    """Do its columns lie one behind the other? So do those of W, whose columns updates and products read as vectors."""
    return value.role in PERSISTENT


def constant(size: Size) -> int:
    """A size of a bound program."""
    assert isinstance(size, int)
    return size
