"""The table of expressions of a plan file."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from dnnlang.plan.json_wrong import WrongError
from dnnlang.scalar.expression import COLUMNWISE, REDUCTIONS, Expr, apply, constant, units, variable

MAX_WEIGHT: Final = 10_000_000
"""Nodes of an expression that is written out; shared parts make it possible to state far larger ones."""

_OPERANDS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        "add multiply divide power maximum minimum less less_equal equal not_equal logistic_loss".split(), 2
    ),
    **dict.fromkeys("negate exp log expm1 log1p sqrt abs tanh erf erfc sin cos sign".split(), 1),
    **dict.fromkeys("logistic logistic_slope tanh_slope log1pexp".split(), 1),
    **dict.fromkeys(REDUCTIONS | COLUMNWISE, 1),
    "where": 3,
    "constant": 0,
    "variable": 0,
    "units": 0,
}
"""How many operands each operation has. Random numbers are for initializers, which no plan contains."""


def read_expressions(entries: list[Mapping[str, Any]]) -> list[Expr]:
    """The expressions of the table, which has the form of the schema. Raises WrongError."""
    made: list[Expr] = []
    for n, entry in enumerate(entries):
        made.append(_expression(n, entry, made))
        if made[n].weight > MAX_WEIGHT:
            raise WrongError(f"an expression of more than {MAX_WEIGHT:,} operations", "expressions", n)
    return made


def _expression(n: int, entry: Mapping[str, Any], made: list[Expr]) -> Expr:
    op, args = entry["op"], entry.get("args", ())
    count = _OPERANDS.get(op)
    if count is None:
        raise WrongError(f"there is no operation `{op[:40]}`", "expressions", n, "op")
    if len(args) != count:
        raise WrongError(f"{op} has {count} operands, not {len(args)}", "expressions", n)
    for k, a in enumerate(args):
        if a >= n:
            raise WrongError(
                f"operands stand before their users, but {a} is not before {n}", "expressions", n, "args", k
            )
    if ("value" in entry) != (op == "constant"):
        raise WrongError("a constant has a value, and nothing else has", "expressions", n)
    if ("name" in entry) != (op == "variable"):
        raise WrongError("a variable has a name, and nothing else has", "expressions", n)
    if op == "constant":
        return constant(Fraction(entry["value"]))
    if op == "variable":
        return variable(entry["name"], entry.get("per_unit", True))
    return units() if op == "units" else apply(op, *(made[a] for a in args))
