"""Choosing among equal expressions: first those that cannot overflow, then those that need less, then the shorter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from dnnlang.scalar.bound import Interval, bound_of, bounds
from dnnlang.scalar.canonical import Canon
from dnnlang.scalar.construct import rebuild
from dnnlang.scalar.expression import Expr, is_constant, topological
from dnnlang.scalar.polynomial import TooWide
from dnnlang.scalar.rewrite import expression

_COSTLY: Final = frozenset(
    "exp log expm1 log1p sqrt tanh erf erfc sin cos power logistic logistic_slope tanh_slope log1pexp logistic_loss "
    "logsumexp normalized_exp log_normalized_exp".split()
)
_COST: Final = 8
"""A transcendental function costs about as much as this many additions."""


def cost(e: Expr) -> int:
    return sum(_COST if _is_costly(node) else 1 for node in topological(e))


def _is_costly(e: Expr) -> bool:
    return e.op in _COSTLY and not (e.op == "power" and is_constant(e.args[1], 2))


def risk(e: Expr, operands: Mapping[str, Interval] | None = None) -> int:
    """What can go wrong in computing `e`: 0 nothing, 1 overflow, 2 an undefined value such as log 0."""
    return bounds(e, operands or {}).risk


def choose(
    candidates: Iterable[Expr],
    needs: Callable[[Expr], int] = lambda e: 0,
    operands: Mapping[str, Interval] | None = None,
) -> Expr:
    """The best of several equal expressions; the earlier of equally good ones."""
    return min(candidates, key=lambda e: (risk(e, operands), needs(e), cost(e)))


def stabilize(e: Expr, canon: Canon | None = None, operands: Mapping[str, Interval] | None = None) -> Expr:
    """`e`, with every part that could overflow rewritten from its canonical form where that is safer.

    From the leaves up, so that a user's own log(1 + exp(z)) deep inside a formula is found.
    """
    canon = Canon() if canon is None else canon
    domain = operands or {}
    new: dict[Expr, Expr] = {}
    found: dict[Expr, Interval] = {}
    for node in topological(e):
        made = node if all(new[a] is a for a in node.args) else rebuild(node.op, tuple(new[a] for a in node.args))
        _measure(made, found, domain)
        if found[made].risk:
            made = _rewritten(made, canon, found, domain)
        new[node] = made
    return new[e]


def _measure(e: Expr, found: dict[Expr, Interval], domain: Mapping[str, Interval]) -> None:
    if e in found:
        return
    for node in topological(e):
        if node not in found:
            found[node] = bound_of(node, [found[a] for a in node.args], domain)


def _rewritten(e: Expr, canon: Canon, found: dict[Expr, Interval], domain: Mapping[str, Interval]) -> Expr:
    try:
        other = expression(canon.form(e))
    except TooWide:
        return e
    _measure(other, found, domain)
    return other if found[other].risk < found[e].risk else e
