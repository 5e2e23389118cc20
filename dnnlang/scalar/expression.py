"""Expressions over one column: what activations, losses, optimizers and initializers are made of.

An expression is evaluated for every column (sample) by itself. Its value is either one number for each
unit of the column or, after a reduction, one number for the whole column; the latter broadcasts. Nodes
are hash-consed: structurally equal expressions are the same object, so equality is identity and `id` orders
operands before their users. Passes walk `topological(e)`; nothing recurses, however deep a definition is.

Constants are exact (Fraction); a backend rounds them once, to its dtype.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from typing import Final
from weakref import WeakValueDictionary

ELEMENTWISE: Final = frozenset(
    """constant variable units add multiply divide power negate
    exp log expm1 log1p sqrt abs tanh erf erfc sin cos sign
    maximum minimum less less_equal equal not_equal where
    logistic logistic_slope tanh_slope log1pexp logistic_loss""".split()
)
"""One number a unit in, one a unit out. `units` is the number of units of the column. Comparisons give 1 or 0.
`where(c, a, b)` is a where c is not 0. `power(a, b)` is a^b. Known shapes have operations of their own, which are
computed without overflow or cancellation: `logistic(x)` is 1/(1+exp(-x)), `logistic_slope(x)` and `tanh_slope(x)` are
its derivative and that of tanh, `log1pexp(x)` is log(1+exp(x)), `logistic_loss(x, t)` is log(1+exp(x)) - t x."""

REDUCTIONS: Final = frozenset("sum mean max min logsumexp".split())
"""One number a unit in, one number a column out."""

COLUMNWISE: Final = frozenset("normalized_exp log_normalized_exp first_max first_min".split())
"""One number a unit in, one a unit out, but each depends on the whole column: `normalized_exp(x)` is
exp(x)/sum(exp(x)), `log_normalized_exp(x)` its logarithm; `first_max(x)` is 1 at the first unit that reaches the
largest value, else 0."""

DRAWS: Final = frozenset("draw_normal draw_uniform".split())
"""Random numbers, in the body of an initializer only."""

OPERATIONS: Final = ELEMENTWISE | REDUCTIONS | COLUMNWISE | DRAWS


class Expr:
    """One node of an expression. Made by the functions below, never directly."""

    __slots__ = ("__weakref__", "args", "id", "name", "op", "per_unit", "value", "weight")

    op: str
    args: tuple[Expr, ...]
    value: Fraction | None  # of a constant
    name: str | None  # of a variable
    per_unit: bool  # False where the whole column shares one number
    id: int
    weight: int  # nodes when written out, shared ones counted every time

    def __repr__(self) -> str:
        from dnnlang.scalar.text import text  # the printer knows Expr; only this convenience looks back

        return f"<{text(self)}>"

    def __reduce__(self) -> str:
        raise TypeError("expressions are not pickled")


_table: WeakValueDictionary[tuple[object, ...], Expr] = WeakValueDictionary()
_ids = count()


def _node(
    op: str,
    args: tuple[Expr, ...] = (),
    value: Fraction | None = None,
    name: str | None = None,
    per_unit: bool | None = None,
) -> Expr:
    key = (op, tuple(a.id for a in args), value, name, per_unit)
    found = _table.get(key)
    if found is not None:
        return found
    made = Expr.__new__(Expr)
    made.op = op
    made.args = args
    made.value = value
    made.name = name
    if per_unit is None:
        per_unit = op not in REDUCTIONS and any(a.per_unit for a in args)
    made.per_unit = per_unit
    made.id = next(_ids)
    made.weight = 1 + sum(a.weight for a in args)
    _table[key] = made
    return made


def constant(value: int | Fraction) -> Expr:
    """An exact number."""
    return _node("constant", value=Fraction(value), per_unit=False)


def variable(name: str, per_unit: bool = True) -> Expr:
    """A named operand: one number a unit, or with per_unit=False one for the whole column."""
    return _node("variable", name=name, per_unit=per_unit)


def units() -> Expr:
    """The number of units of the column."""
    return _node("units", per_unit=False)


def draw(op: str) -> Expr:
    """`draw_normal` or `draw_uniform`: a fresh number for every entry."""
    return _node(op, per_unit=True)


def apply(op: str, *args: Expr) -> Expr:
    """The operation `op` of OPERATIONS on `args`, as it stands: no rewriting at all."""
    return _node(op, args)


def topological(*roots: Expr) -> list[Expr]:
    """All nodes below the roots, operands before users, each once."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for a in stack.pop().args:
            if a not in seen:
                seen.add(a)
                stack.append(a)
    return sorted(seen, key=lambda e: e.id)


def variables(*roots: Expr) -> frozenset[str]:
    """The names of the variables in the expressions."""
    return frozenset(e.name for e in topological(*roots) if e.name is not None)


def size(*roots: Expr) -> int:
    """How many different nodes the expressions have together."""
    return len(topological(*roots))


def is_constant(e: Expr, value: int | Fraction | None = None) -> bool:
    return e.op == "constant" and (value is None or e.value == value)
