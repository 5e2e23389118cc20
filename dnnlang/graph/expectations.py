"""`expect` lines: shapes and relations that must hold. They fix open sizes, and contradict wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.graph.architecture import Requirement
from dnnlang.graph.draft import Draft
from dnnlang.graph.names import SizeNames
from dnnlang.graph.origin import Open, Origin, SameAs, Written, number_notes, param_notes, told, trail_labels
from dnnlang.graph.reader import Reader, decimal, text_of
from dnnlang.graph.scope import line_of
from dnnlang.graph.solver import Equation, Solver
from dnnlang.graph.tensors import Tensor, Tensors
from dnnlang.graph.values import Refusal, Value, value_of
from dnnlang.graph.walk import expressions
from dnnlang.sizes import M, Polynomial, Size, at_least, multiply, subtract, symbols
from dnnlang.syntax.tree import ExpectRelation, ExpectShape, Expression, Index, Name, Number

if TYPE_CHECKING:
    from fractions import Fraction

FALSE_SHAPE = rule(
    "DNN205",
    "unexpected-shape",
    "An `expect` states a shape that the tensor does not have.",
    why="`expect` lines are the check of dimensions that finds most bugs: one that is false means that the program "
    "and what you had in mind differ.",
    wrong="input 3\nlayer 5 relu\nlayer 1 sigmoid\nexpect W[2] : (1, 6)\n",
    right="input 3\nlayer 5 relu\nlayer 1 sigmoid\nexpect W[2] : (1, 5)\n",
)
FALSE_RELATION = rule(
    "DNN206",
    "false-expectation",
    "An `expect` states a relation between sizes that does not hold.",
    why="`expect` lines are checked, so a false one means that the program and what you had in mind differ.",
    wrong="input 3\nlayer 5 relu\nlayer 1 sigmoid\nexpect parameters == 27\n",
    right="input 3\nlayer 5 relu\nlayer 1 sigmoid\nexpect parameters == 26\n",
)

_MOST_COUNTED: Final = 6
"""Parameters listed where their number is not the one expected."""
_HOLDS: Final[dict[str, Callable[[Fraction | int, Fraction | int], bool]]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(slots=True)
class Expectations:
    """Checks the `expect` lines of one program. `requirements` are the relations that wait for open sizes."""

    reader: Reader
    solver: Solver
    tensors: Tensors
    requirements: list[Requirement]

    def shape(self, statement: ExpectShape) -> None:
        """`expect W[2] : (7, 20)`."""
        tensor = self._tensor(statement.tensor)
        rows = self._size(statement.rows)
        columns = self._size(statement.columns)
        if tensor is None or rows is None or columns is None:
            return
        for stated, actual, expression in (
            (rows, tensor.rows, statement.rows),
            (columns, tensor.columns, statement.columns),
        ):
            if not self._same(stated, actual, statement, tensor, expression):
                return

    def relation(self, statement: ExpectRelation) -> None:
        """`expect n[2] == 7`, `expect parameters <= 5_000`."""
        relation = statement.relation
        left, right = self._value(relation.left), self._value(relation.right)
        if left is None or right is None:
            return
        if not isinstance(left, Polynomial) and not isinstance(right, Polynomial):
            if not _HOLDS[relation.operator](left, right):
                self.reader.found.add(self._false(statement, left, right))
            return
        if not isinstance(left, int | Polynomial) or not isinstance(right, int | Polynomial):
            self.reader.found.add(self._false(statement, left, right))  # a size is never a fraction
            return
        if relation.operator == "==":
            reason = f"`{text_of(relation)}` on line {statement.span.line}"
            self.solver.equate(Equation(left, right, statement.span, reason, lambda a, b: self._false(statement, a, b)))
            return
        certain = decided(left, relation.operator, right)
        if certain is None:
            self.requirements.append(Requirement(left, relation.operator, right, statement.span))
        elif not certain:
            self.reader.found.add(self._false(statement, left, right))

    def waits_for_parameters(self, statement: ExpectShape | ExpectRelation) -> bool:
        """Does it count parameters? Then it is best read when all other sizes are known."""
        if isinstance(statement, ExpectShape):
            return False
        return any(isinstance(e, Name) and e.id == "parameters" for e in expressions(statement.relation))

    # ------------------------------------------------------------ reading

    def _tensor(self, reference: Name | Index) -> Tensor | None:
        return self.tensors.find(reference, self._index, self.reader)

    def _index(self, expression: Expression) -> int | None:
        value = self._value(expression)
        if value is None or isinstance(value, int):
            return value
        shown = str(value) if isinstance(value, Polynomial) else decimal(value)
        self.reader.refuse(expression, f"an index is a whole number, not {shown}", "write the number of a layer")
        return None

    def _size(self, expression: Expression) -> Size | None:
        value = self._value(expression)
        if value is None or isinstance(value, int | Polynomial):
            return value
        self.reader.refuse(expression, f"a shape is made of whole numbers, not {decimal(value)}", "use a whole number")
        return None

    def _value(self, expression: Expression) -> Value | None:
        try:
            value = value_of(expression, ExpectNames(self.reader, self.tensors, self._index), exact=True)
        except Refusal as refusal:
            if refusal.diagnostic is not None:
                self.reader.found.add(refusal.diagnostic)
            return None
        return self.solver.resolve(value) if isinstance(value, Polynomial) else value

    # ------------------------------------------------------------ comparing

    def _same(self, stated: Size, actual: Size, statement: ExpectShape, tensor: Tensor, expression: Expression) -> bool:
        def conflict(_stated: Size, _actual: Size) -> Diagnostic:
            return self._unexpected(statement, tensor, expression)

        if stated == actual:
            return True
        if isinstance(stated, int) and stated < 1:
            self.reader.found.add(conflict(stated, actual))
            return False
        reason = f"`expect {tensor.name} : {_shape_text(statement)}` on line {statement.span.line}"
        return self.solver.equate(Equation(stated, actual, expression.span, reason, conflict))

    def _unexpected(self, statement: ExpectShape, tensor: Tensor, expression: Expression) -> Diagnostic:
        resolve = self.solver.resolve
        rows, columns = resolve(tensor.rows), resolve(tensor.columns)
        stated_rows, stated_columns = self._size(statement.rows), self._size(statement.columns)
        is_rows = expression is statement.rows
        actual, stated = (rows, stated_rows) if is_rows else (columns, stated_columns)
        owner = tensor.row_node if is_rows else tensor.column_node
        labels = [Label(expression.span, f"expected {stated}, found {actual}")]
        notes = [tensor.because] if tensor.because is not None else []
        if owner is not None and owner.units is not None:
            place = owner.origin.span if owner.origin is not None else owner.span
            labels.append(Label(place, told(owner, self.solver)))
            notes.extend(param_notes([owner.origin], self.solver, [owner.units]))
        notes.extend(number_notes([(expression, self.reader.scope)], self.solver))
        labels.extend(trail_labels(self.solver, [tensor.rows, tensor.columns]))
        if (stated_rows, stated_columns) == (columns, rows):
            advice = "rows and columns are the other way round"
            if M in (rows, columns):
                advice += "; each sample is a column"
        elif not is_rows and actual == M:
            advice = "there are as many columns as samples, and their number m stays open"
        else:
            advice = None
        line = f"write `expect {' '.join(statement.tensor.span.text.split())} : ({rows}, {columns})`"
        advice = f"{line}{self._or_change(owner)}" if advice is None else f"{advice}: {line}"
        return FALSE_SHAPE.at(
            statement.span,
            f"{tensor.name} has shape ({rows}, {columns}), not ({stated_rows}, {stated_columns})",
            labels=labels,
            notes=notes,
            help=advice,
        )

    def _false(self, statement: ExpectRelation, left: Value, right: Value) -> Diagnostic:
        relation = statement.relation
        labels = [
            Label(side.span, f"this is {_shown(value)}")
            for side, value in ((relation.left, left), (relation.right, right))
            if text_of(side).replace("_", "") != _shown(value)
        ]
        sizes: list[Size] = []
        origins: list[Origin | None] = []
        for expression in expressions(relation):
            node = self._named(expression)
            if node is None or node.units is None:
                continue
            sizes.append(node.units)
            origins.append(node.origin)
            place = node.origin.span if node.origin is not None else node.span
            labels.append(Label(place, told(node, self.solver)))
        labels.extend(trail_labels(self.solver, sizes))
        advice = "change this line, or the sizes that it contradicts"
        if any(isinstance(value, Polynomial) and "m" in symbols(value) for value in (left, right)):
            advice = "the number of samples m stays open; state what sizes are"
        if relation.operator == "==" and not isinstance(right, Polynomial):
            if text_of(relation.left) == "parameters":
                advice = f"write `expect parameters == {_shown(left)}`, or change the network"
            elif isinstance(relation.left, Index) and isinstance(relation.right, Number):
                advice = f"write `expect {text_of(relation.left)} == {_shown(left)}`"
                advice += self._or_change(self._named(relation.left))
        return FALSE_RELATION.at(
            statement.span,
            f"`{text_of(relation)}` does not hold: {_shown(left)} {relation.operator} {_shown(right)} is false",
            labels=labels,
            notes=dict.fromkeys(
                [
                    *(self._counted() if self.waits_for_parameters(statement) else ()),
                    *param_notes(origins, self.solver, sizes),
                    *number_notes([(relation, self.reader.scope)], self.solver),
                ]
            ),
            help=advice,
        )

    def _or_change(self, owner: Draft | None) -> str:
        """Where the size of this node could be changed instead."""
        origin = owner.origin if owner is not None else None
        while isinstance(origin, SameAs):
            origin = origin.node.origin
        if isinstance(origin, Open):
            binding = self.solver.bindings.get(origin.symbol)
            span = binding.equation.span if binding is not None else None
            return f", or correct {line_of(span)}" if span is not None else ""
        if isinstance(origin, Written) and isinstance(origin.expression, Name):
            return f", or change `{origin.expression.id}`"
        return f", or change the size on {line_of(origin.span)}" if origin is not None else ""

    def _counted(self) -> list[str]:
        """Which parameters there are, and how many numbers each has; of many the largest."""
        parameters = list(self.tensors.making.parameters.values())
        shapes = {p.name: multiply(*(self.solver.resolve(side) for side in p.shape)) for p in parameters}
        most = sorted(shapes, key=lambda name: -size if isinstance(size := shapes[name], int) else 0)[:_MOST_COUNTED]
        counted = [f"{name} {shapes[name]}" for name in shapes if name in most]
        return [f"{', '.join(counted)}{', …' if len(shapes) > len(most) else ''}"]

    def _named(self, expression: Expression) -> Draft | None:
        """The node whose size `n[…]` is."""
        if not isinstance(expression, Index) or expression.base.id != "n":
            return None
        return self.tensors.node_of(expression, self._index, self.reader)


@dataclass(slots=True)
class ExpectNames(SizeNames):
    """Names in an `expect`: those of sizes, and `m`, `L`, `parameters`, `n[l]`."""

    tensors: Tensors
    index: Callable[[Expression], int | None]

    def value(self, name: Name) -> Value:
        if name.id == "m":
            return M
        if name.id == "L":
            if self.tensors.table.spoiled:
                raise Refusal(None)
            return self.tensors.layers
        if name.id == "parameters":
            count = self.tensors.parameters()
            if count is None:
                raise Refusal(None)
            return count
        return SizeNames.value(self, name)

    def indexed(self, index: Index) -> Value:
        if index.base.id != "n":
            raise Refusal(self.tensors.not_a_size(index))
        node = self.tensors.node_of(index, self.index, self.reader)
        if node is None or node.units is None:
            raise Refusal(None)
        return node.units


def decided(left: Size, relation: str, right: Size) -> bool | None:
    """Does `left relation right` hold for all sizes (True), for none (False), or does it depend (None)?"""
    if relation in (">", ">="):
        left, right, relation = right, left, relation.replace(">", "<")
    if isinstance(subtract(left, right), int):
        return _HOLDS[relation](left - right, 0)  # type: ignore[arg-type]
    below, above = at_least(right, left + 1), at_least(left, right + 1)
    if relation == "<":
        return True if below else False if at_least(left, right) else None
    if relation == "<=":
        return True if at_least(right, left) else False if above else None
    never_equal = below or above
    return {"!=": True, "==": False}[relation] if never_equal else None


def _shape_text(statement: ExpectShape) -> str:
    return f"({text_of(statement.rows)}, {text_of(statement.columns)})"


def _shown(value: Value) -> str:
    return str(value) if isinstance(value, Polynomial) else decimal(value)
