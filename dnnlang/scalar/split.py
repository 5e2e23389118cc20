"""The part of an update's expression that is the same for all entries, apart from the rest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from dnnlang.scalar.expression import Expr, apply, topological, variable


@lru_cache(maxsize=1024)  # all parameters have the same statements
def without_scalars(expr: Expr) -> tuple[Expr, Mapping[str, Expr]]:
    """`expr` with its largest parts in `rate` and `t` alone as variables, and what these stand for.

    The parts are computed once a step; their variables are no names that a program can have.
    """
    parts: dict[str, Expr] = {}

    def named(e: Expr) -> Expr:
        name = f"scalar {e.id}"
        parts[name] = e
        return variable(name, per_unit=False)

    entrywise: dict[Expr, Expr] = {}
    for e in topological(expr):
        if not e.per_unit:
            entrywise[e] = e
            continue
        args = [named(a) if not a.per_unit and a.op != "constant" else entrywise[a] for a in e.args]
        entrywise[e] = apply(e.op, *args) if args else e
    if not expr.per_unit and expr.op != "constant":
        return named(expr), parts
    return entrywise[expr], parts
