"""Reads what stands in operands, keys and settings, each as what it should be; reports what is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.errors import InternalError
from dnnlang.graph.definition_options import NO_OPTIONS
from dnnlang.graph.definitions import Library
from dnnlang.graph.names import WRONG_SORT, ArgumentNames, NumberNames, SizeNames
from dnnlang.graph.nodetable import NodeTable, find_node
from dnnlang.graph.origin import number_notes
from dnnlang.graph.scope import NOUNS, ArgumentEntry, BlockEntry, NodeEntry, ParamEntry, Scope, line_of
from dnnlang.graph.values import INEXACT, TOO_LARGE, Refusal, Value, shown, value_of
from dnnlang.graph.values import decimal as decimal
from dnnlang.graph.walk import names_in
from dnnlang.graph.walk import text_of as text_of
from dnnlang.scalar.functions import Activation, Initializer
from dnnlang.sizes import Polynomial, Size, at_least
from dnnlang.syntax.tree import Call, Expression, Index, Name, Number

if TYPE_CHECKING:
    from dnnlang.graph.draft import Draft

WRONG_VALUE = rule(
    "DNN106",
    "wrong-value",
    "An operand or a key has a value that it cannot have.",
    why="Every operand and key has one type and a range. A value outside it would be a mistake that shows only "
    "when the network trains badly, if at all.",
    wrong="layer 5 relu\ndropout 1.5\nlayer 1 sigmoid\n",
    right="layer 5 relu\ndropout 0.5\nlayer 1 sigmoid\n",
)
SIZE_BELOW_ONE = rule(
    "DNN201",
    "size-below-one",
    "A size is not a whole number of at least 1.",
    why="A layer has one unit or more, and half a unit does not exist.",
    wrong="layer 0 relu\nlayer 1 sigmoid\n",
    right="layer 5 relu\nlayer 1 sigmoid\n",
)


@dataclass(slots=True)
class Reader:
    """Reads expressions in one scope. What is wrong goes to `found`, and the answer is None."""

    scope: Scope
    library: Library
    found: Diagnostics
    nodes: NodeTable = field(default_factory=NodeTable)
    previous: Draft | None = None
    activations: dict[str, Activation | None] = field(default_factory=dict)
    _literal: dict[int, Activation | None] = field(default_factory=dict)

    def size(self, expression: Expression) -> Size | None:
        """A number of units: a whole number of at least 1, or a formula that may be one."""
        value = self._value(expression, SizeNames(self), exact=True)
        if value is None:
            return None
        if isinstance(value, Fraction) or (isinstance(value, int) and value < 1):
            self.found.add(_not_a_size(expression, value, self.scope))
            return None
        if isinstance(value, Polynomial) and at_least(0, value):
            self.found.add(_not_a_size(expression, value, self.scope))
            return None
        return value

    def number(self, expression: Expression, options: Mapping[str, str] = NO_OPTIONS) -> Fraction | None:
        """A number known now: literals and params.

        `options`: names that may have been written in its place, each with how it is used.
        """
        value = self._value(expression, NumberNames(self, options), exact=False)
        if isinstance(value, Polynomial):
            raise InternalError(f"{value} among numbers")
        return None if value is None else Fraction(value)

    def whole_number(self, expression: Expression, what: str) -> int | None:
        value = self.number(expression)
        if value is None or value.denominator == 1:
            return None if value is None else value.numerator
        self.found.add(
            WRONG_VALUE.at(
                expression.span, f"{what} is a whole number, not {decimal(value)}", help="use a whole number"
            )
        )
        return None

    def activation(self, expression: Expression) -> Activation | None:
        if not isinstance(expression, Name | Call):
            self.found.add(self._not_a_function(expression, "an activation", "`relu` or `leaky_relu(slope=0.1)`"))
            return None
        if self.scope.block is not None:
            name = expression if isinstance(expression, Name) else expression.callee
            entry = self.scope.find(name.id)
            if isinstance(entry, ArgumentEntry):
                return self._argument_activation(expression, entry)
        if isinstance(expression, Call):
            return self._activation_with_options(expression)
        if not self.library.is_activation(expression.id) and not self._could_be_activation(expression):
            return None
        if expression.id not in self.activations:
            self.activations[expression.id] = self.library.activation(expression, self.number, self.found)
            return self.activations[expression.id]
        known = self.activations[expression.id]
        # a misspelling repeated is a second place to correct
        return known if known is not None else self.library.activation(expression, self.number, self.found)

    def _could_be_activation(self, name: Name) -> bool:
        """False, after a diagnostic, for the name of something else."""
        entry = self.scope.find(name.id)
        if entry is None:
            return True
        if isinstance(entry, ParamEntry) and entry.value is None:
            return False
        advice = "write an activation such as `relu`, or leave it out"
        if isinstance(entry, BlockEntry):
            advice = f"a block is used like a kind of node, at the beginning of a line: `{name.id} …`"
        elif isinstance(entry, NodeEntry):
            advice = f"what goes in stands after `from`: `from {name.id}`"
        noun = NOUNS[type(entry)]
        self.found.add(
            WRONG_SORT.at(
                name.span,
                f"`{name.id}` is a {noun} ({line_of(entry.span)}), and an activation belongs here",
                labels=[Label(entry.span, f"the {noun}")],
                help=advice,
            )
        )
        return False

    def argument(self, expression: Expression) -> Value | Activation | None:
        """What is handed to a block: a size, a number or an activation."""
        if isinstance(expression, Call):
            return self.activation(expression)
        if not isinstance(expression, Name):
            return self._value(expression, SizeNames(self), exact=False)
        entry = self.scope.find(expression.id)
        if isinstance(entry, ArgumentEntry):
            return entry.value
        if entry is None and self.library.is_activation(expression.id):
            return self.activation(expression)
        return self._value(expression, ArgumentNames(self), exact=False)

    def _argument_activation(self, expression: Name | Call, entry: ArgumentEntry) -> Activation | None:
        """The activation that a parameter of the block stands for."""
        if isinstance(expression, Call):
            self.refuse(
                expression,
                f"`{entry.name}` is a parameter of the block, whose options are given where the block is used",
                f"write `{entry.name}` alone",
            )
            return None
        if entry.value is None or isinstance(entry.value, Activation):
            return entry.value
        self.found.add(
            WRONG_SORT.at(
                expression.span,
                f"`{entry.name}` is {shown(entry.value)} here, and an activation belongs here",
                labels=[Label(entry.expression.span, f"the value of `{entry.name}`")],
                help="hand over an activation such as `relu`",
            )
        )
        return None

    def _activation_with_options(self, expression: Call) -> Activation | None:
        """Bound once for each call that stands in the program, unless its options depend on the copy of a body."""
        if self.scope.parent is None or names_in(expression):
            return self.library.activation(expression, self.number, self.found)
        key = id(expression)  # the tree keeps it alive
        if self._literal.get(key) is None:
            self._literal[key] = self.library.activation(expression, self.number, self.found)
        return self._literal[key]

    def initializer(self, expression: Expression) -> Initializer | None:
        if isinstance(expression, Name | Call):
            return self.library.initializer(expression, self.number, self.found)
        example = "`he` or `normal`"
        if isinstance(expression, Number):
            example = f"`constant({text_of(expression)})`" if expression.value else "`zeros`"
        self.found.add(self._not_a_function(expression, "an initializer", example))
        return None

    def node(self, reference: Name | Index) -> Draft | None:
        """The node that a name, `_` or an index such as `layer[2]` stands for."""
        return find_node(reference, self.scope, self.nodes, self.previous, self.library, self.found)

    def word(self, expression: Expression, words: Iterable[str], what: str) -> str | None:
        """One of a few words, such as `none`."""
        allowed = tuple(words)
        if isinstance(expression, Name) and expression.id in allowed:
            return expression.id
        listed = " or ".join(f"`{w}`" for w in allowed)
        near = meant(expression.span, allowed) if isinstance(expression, Name) else None
        self.found.add(
            WRONG_VALUE.at(
                expression.span,
                f"{what} is {listed}, not `{text_of(expression)}`",
                help=near.help if near is not None else f"write `{allowed[0]}`",
                fix=near.fix if near is not None else None,
            )
        )
        return None

    def refuse(self, expression: Expression, message: str, advice: str) -> None:
        self.found.add(WRONG_VALUE.at(expression.span, message, help=advice))

    def _value(self, expression: Expression, names: SizeNames, *, exact: bool) -> Value | None:
        try:
            return value_of(expression, names, exact=exact)
        except Refusal as refusal:
            if refusal.diagnostic is not None:
                self.found.add(self._explained(refusal.diagnostic, expression))
            return None

    def _explained(self, diagnostic: Diagnostic, expression: Expression) -> Diagnostic:
        """With the values of the names in the expression, where its value is what is wrong."""
        if diagnostic.rule is not INEXACT and diagnostic.rule is not TOO_LARGE:
            return diagnostic
        text, advice = text_of(expression), diagnostic.help
        notes = number_notes([(expression, self.scope)])
        if diagnostic.rule is INEXACT and text.count(" / ") == 1 and advice is not None and "//" in advice:
            advice = f"`{text.replace(' / ', ' // ')}` divides and rounds down"
        return replace(diagnostic, notes=(*diagnostic.notes, *notes), help=advice)

    def _not_a_function(self, expression: Expression, what: str, example: str) -> Diagnostic:
        before, sign, after = text_of(expression).partition(" // ")
        if sign:
            advice = f"write `{before}`; if `{after}` is a comment, it begins with `#`"
            return WRONG_VALUE.at(expression.span, f"{what} belongs here, not a quotient", help=advice)
        return WRONG_VALUE.at(
            expression.span, f"{what} belongs here, not `{text_of(expression)}`", help=f"write one such as {example}"
        )


def _not_a_size(expression: Expression, value: Value, scope: Scope) -> Diagnostic:
    notes = number_notes([(expression, scope)])
    if isinstance(value, Fraction):
        message, advice = f"a size is a whole number, not {shown(value)}", f"write {max(1, round(value))}"
    else:
        message, advice = f"a size is at least 1, not {shown(value)}", "write how many units there are, 1 or more"
    if notes:
        advice = "change the formula, or the numbers that stand in it"
    return SIZE_BELOW_ONE.at(expression.span, message, notes=notes, help=advice)
