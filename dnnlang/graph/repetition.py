"""How many copies a `repeat` makes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from dnnlang.diagnostics import rule
from dnnlang.graph.origin import number_notes
from dnnlang.graph.reader import Reader, decimal, text_of
from dnnlang.syntax.tree import Call, Expression, RepeatStatement

WRONG_REPETITION = rule(
    "DNN128",
    "wrong-repetition",
    "A `repeat` whose count is no whole number of at least 0, or that counts backwards.",
    why="A body stands in the network once, twice, or any whole number of times; 0 leaves it out. A range goes up by "
    "1; one that ends below its start is most often the two ends swapped.",
    wrong="repeat i in 3 .. 1 { layer 2^i relu }\nlayer 1 sigmoid\n",
    right="repeat i in 1 .. 3 { layer 2^(4 - i) relu }\nlayer 1 sigmoid\n",
)


@dataclass(frozen=True, slots=True)
class Copies:
    """The values of the counter, from `first` to `last`."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


def copies_of(statement: RepeatStatement, reader: Reader) -> Copies | None:
    """The copies that a `repeat` makes; None after a diagnostic."""
    first = _whole(statement.first, reader) if statement.first is not None else 1
    last = _whole(statement.last, reader)
    if first is None or last is None:
        return None
    if last >= first - 1:
        return Copies(first, last)
    if statement.first is None:
        _refuse(statement.last, reader, f"a body is repeated 0 times or more, not {last}", "write a number from 0")
        return None
    message = f"this counts from {first} to {last}, which is backwards"
    counter = statement.variable.id if statement.variable is not None else "i"
    range_text = f"{last} .. {first}"
    advice = f"write `{range_text}`; in the body `{first + last} - {counter}` counts down from {first} to {last}"
    _refuse(statement.last, reader, message, advice)
    return None


def _whole(expression: Expression, reader: Reader) -> int | None:
    if isinstance(expression, Call) and expression.callee.id == "range":
        ends = [text_of(argument) for argument in expression.arguments]
        written = f"{ends[0] if len(ends) > 1 else 1} .. {ends[-1] if ends else 3}"
        message = "a range is written with two points between its ends, both of which count"
        reader.found.add(WRONG_REPETITION.at(expression.span, message, help=f"write `repeat i in {written} {{ … }}`"))
        return None
    value = reader.number(expression)
    if value is None or value.denominator == 1:
        return None if value is None else value.numerator
    message = f"a body is repeated a whole number of times, not {decimal(Fraction(value))}"
    advice = "`//` divides and rounds down" if "/" in expression.span.text else "write a whole number"
    _refuse(expression, reader, message, advice)
    return None


def _refuse(expression: Expression, reader: Reader, message: str, advice: str) -> None:
    notes = number_notes([(expression, reader.scope)])
    reader.found.add(WRONG_REPETITION.at(expression.span, message, notes=notes, help=advice))
