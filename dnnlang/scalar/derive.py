"""What a plan needs of an activation and a loss: stable values, and backward steps with the least they must keep.

Nothing here knows the name of any function. Every form is derived from the definition, and where several
equal forms exist the best is chosen (see stable.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dnnlang.scalar.bound import Interval, bounds
from dnnlang.scalar.canonical import Canon
from dnnlang.scalar.construct import ONE, put, times
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.expression import COLUMNWISE, REDUCTIONS, Expr, topological, variable, variables
from dnnlang.scalar.functions import Activation, Loss
from dnnlang.scalar.output import in_output, signs_of_output
from dnnlang.scalar.polynomial import TooWide
from dnnlang.scalar.rewrite import expression
from dnnlang.scalar.stable import choose, risk, stabilize

Z: Final = variable("z")
A: Final = variable("a")
Y: Final = variable("y")
U: Final = variable("u")


@dataclass(frozen=True, slots=True)
class Joint:
    """A loss with the activation before it, as one step.

    `value` is the loss of one sample (one number a column), `gradient` is dZ of that sample; both in
    `z`, `a` and `y`, whichever they need. `note` says where the gradient comes from. `safe` is False where
    no form was found that stays finite for every Z within ±1e4, though the output itself does.
    """

    value: Expr
    gradient: Expr
    note: str
    safe: bool


@lru_cache(maxsize=256)
def forward(activation: Activation) -> Expr:
    """A = g(Z), in `z`, in a form that does not overflow where one is found."""
    return stabilize(activation.value)


@lru_cache(maxsize=256)
def backward(activation: Activation, *, from_output: bool) -> Expr:
    """dZ from dA (`u`).

    With `from_output` False in `z` alone: the chain rule as the lesson writes it. Otherwise in `a` alone
    where a safe form in `a` exists, so that Z need not be kept.
    """
    value = forward(activation)
    if activation.derivative is not None:
        plain = times(U, put(activation.derivative, {"a": value}))
    elif _entry_by_entry(value):
        plain = times(U, _best(Canon(), vjp(value, "z", ONE), {}))
    else:
        plain = stabilize(vjp(value, "z", U))
    if not from_output:
        return plain
    domain = _output_domain(value)
    candidates = [plain, *_in_output(activation, value, plain)]
    return choose(candidates, _needs_z, domain)


def _in_output(activation: Activation, value: Expr, plain: Expr) -> Iterator[Expr]:
    if activation.derivative is not None:
        yield times(U, activation.derivative)
    yield signs_of_output(value, plain)
    yield from _solved(Canon(), value, plain)


def _solved(canon: Canon, value: Expr, target: Expr) -> Iterator[Expr]:
    try:
        q = in_output(canon, value, target)
    except TooWide:
        return
    if q is not None:
        yield expression(q)


def _entry_by_entry(e: Expr) -> bool:
    """Whether each unit of the value depends on that unit of z alone."""
    return not any(node.op in REDUCTIONS or node.op in COLUMNWISE for node in topological(e))


def _needs_z(e: Expr) -> int:
    names = variables(e)
    return 2 * ("z" in names) + ("z" in names and "a" in names)


def _output_domain(value: Expr) -> dict[str, Interval]:
    return {"a": bounds(value, {})}


@lru_cache(maxsize=256)
def joint(loss: Loss, activation: Activation | None) -> Joint:
    """The loss of one sample and its gradient through the activation, derived together.

    The loss is that of `a` if this is safe, else one in `z`: J of sigmoid and cross entropy is computed from Z.
    """
    if activation is None or activation.value is Z:
        return _plain(loss)
    value = forward(activation)
    domain = _output_domain(value)
    canon = Canon(loss.given)
    composite = put(loss.value, {"a": value})
    chosen_value = choose(_forms(loss.value, composite, canon, domain), _needs_z, domain)
    upstream = _best(canon, vjp(loss.value, "a", ONE), domain)
    gradient = vjp(composite, "z", ONE)
    candidates = [
        *_solved(canon, value, gradient),
        stabilize(put(backward(activation, from_output=True), {"u": upstream}), canon, domain),
        *_canonical(canon, gradient),
        stabilize(gradient, canon, domain),
    ]
    chosen = choose(candidates, _needs_z, domain)
    safe = max(risk(chosen_value, domain), risk(chosen, domain)) <= risk(value)
    return Joint(chosen_value, chosen, f"derived from loss and {activation.label}", safe)


def _plain(loss: Loss) -> Joint:
    """The loss of an output without an activation: everything in `a`."""
    canon = Canon(loss.given)
    value = stabilize(loss.value, canon)
    chosen = _best(canon, vjp(value, "a", ONE), {})
    return Joint(value, chosen, "derived from loss", not risk(value) and not risk(chosen))


def _forms(in_output_form: Expr, composite: Expr, canon: Canon, domain: dict[str, Interval]) -> Iterator[Expr]:
    yield in_output_form
    yield stabilize(in_output_form, canon, domain)
    yield from _canonical(canon, composite)
    yield stabilize(composite, canon, domain)


def _best(canon: Canon, e: Expr, domain: dict[str, Interval]) -> Expr:
    """`e` as it stands but stable, or from its canonical form."""
    return choose([stabilize(e, canon, domain), *_canonical(canon, e)], operands=domain)


def _canonical(canon: Canon, e: Expr) -> Iterator[Expr]:
    try:
        yield expression(canon.form(e))
    except TooWide:
        return
