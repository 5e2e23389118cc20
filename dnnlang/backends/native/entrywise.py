"""Expressions of entries: what is made of one vector of numbers, all operands at the same place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from dnnlang.backends.native.expressions import COLUMN_OPERATIONS, elementwise
from dnnlang.backends.native.operands import Operands
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.map import Map
from dnnlang.primitives.values import Value
from dnnlang.scalar.expression import Expr, topological

if TYPE_CHECKING:
    from dnnlang.backends.native.writing import Writing


@lru_cache(maxsize=1024)
def is_entrywise(expr: Expr) -> bool:
    """Does an entry need nothing of the other units of its column?"""
    return not any(e.op in COLUMN_OPERATIONS for e in topological(expr))


@dataclass(slots=True)
class Entries:
    """C lines for the vector at row `i`, from column `j` on, and the variables that hold what they make."""

    w: Writing
    operands: Operands
    i: str
    j: str
    lines: list[str] = field(default_factory=list)
    known: dict[Value, str] = field(default_factory=dict)

    def load(self, value: Value) -> str:
        """The variable that holds `value`."""
        if value not in self.known:
            self.begin(value, self.operands.load(self.w, value, self.i, self.j))
        return self.known[value]

    def begin(self, value: Value, text: str) -> None:
        """`value` is what the C expression `text` gives."""
        name = self.w.fresh()
        self.lines.append(f"vec {name} = {text};")
        self.known[value] = name

    def expression(self, expr: Expr, names: dict[str, str], units: str) -> str:
        """The variable that holds an expression of variables that C variables stand for."""
        lines, result = elementwise(expr, names, self.w.fresh, self.w.bits, units)
        self.lines.extend(lines)
        return result

    def map(self, instruction: Instruction, units: str) -> None:
        """What a map makes of values that are there, or can be loaded."""
        p = instruction.primitive
        assert isinstance(p, Map)
        names = {name: self.load(v) for name, v in zip(p.names, instruction.inputs, strict=True)}
        self.known[instruction.outputs[0]] = self.expression(p.expr, names, units)

    def load_row(self, value: Value) -> str:
        """The variable that holds a vector of a stored row `i` of what has no samples."""
        if value not in self.known:
            self.begin(value, self.operands.load_row(self.w, value, self.i, self.j))
        return self.known[value]

    def finish(self, wanted: Iterable[Value]) -> None:
        """Stores what somebody reads later."""
        for value in wanted:
            self.lines.append(self.operands.store(value, self.i, self.j, self.known[value]))
