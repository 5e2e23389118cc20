"""Losses that do not go with the output they are of.

Nothing here knows the name of a loss or an activation: what is wrong is tried out on a few columns, so it is found in
a user's own definitions too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

from dnnlang.diagnostics import Diagnostic, Label, rule
from dnnlang.graph.definitions import Library
from dnnlang.graph.located import Located
from dnnlang.graph.losses import LossDraft
from dnnlang.scalar.construct import ONE, total
from dnnlang.scalar.derivative import vjp
from dnnlang.scalar.derive import joint
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import Expr, variable
from dnnlang.scalar.functions import Activation, Loss
from dnnlang.scalar.text import text

MAY_OVERFLOW = rule(
    "DNN310",
    "loss-may-overflow",
    "No form of a loss was found that stays finite for every output of the network.",
    why="A logarithm of an output that can be 0 or negative, or a quotient by one, becomes infinite or NaN in the "
    "middle of training. Where loss and activation go together the compiler derives a form from Z that never does.",
    wrong="layer 5 relu\nlayer 1 relu\nloss binary_cross_entropy\n",
    right="layer 5 relu\nlayer 1 sigmoid\nloss binary_cross_entropy\n",
    severity="warning",
)
UNBALANCED = rule(
    "DNN311",
    "outputs-not-balanced",
    "A loss counts on outputs that sum to 1, as its targets do, and these outputs do not.",
    why="Such a loss only ever rewards larger outputs: -y log(a) falls as a grows. With softmax one unit can grow only "
    "at the cost of the others. Units that know nothing of each other all grow to 1, and the network says yes to "
    "every class.",
    wrong="layer 5 relu\nlayer 3 sigmoid\nloss cross_entropy\n",
    right="layer 5 relu\nlayer 3 softmax\nloss cross_entropy\n",
    severity="warning",
)
FLAT = rule(
    "DNN312",
    "loss-goes-flat",
    "A loss of softmax-like outputs gives no gradient where the network is sure of the wrong class.",
    why="Where one output is close to 1, softmax hardly moves with Z. A loss without a logarithm does not make up for "
    "that: dZ is almost 0 although everything is wrong, and training stands still. With cross_entropy dZ = A - Y.",
    wrong="layer 5 relu\nlayer 3 softmax\nloss mse\n",
    right="layer 5 relu\nlayer 3 softmax\nloss cross_entropy\n",
    severity="warning",
)

COLUMNS: Final = ((0.3, -1.2, 0.9), (2.0, 0.1, -0.4), (-3.0, -2.0, -2.5))
"""Pre-activations of three units to try an output at."""
TARGETS: Final = ((0.2, 0.3, 0.5), (0.6, 0.3, 0.1))
SURE: Final = 40.0
"""A pre-activation at which float32 knows no doubt any more."""
_Z, _Y = variable("z"), variable("y")


def check_losses(losses: Sequence[LossDraft], settled: Collection[int], library: Library, found: Located) -> None:
    """At most one warning a loss; none of outputs that were found wrong by themselves (`settled`, ids of drafts)."""
    for use in losses:
        if id(use.node) in settled:
            continue
        activation = use.node.kind.activation(use.node)
        with found.at(use.node.within):
            for diagnostic in _doubts(use, activation, library):
                found.add(diagnostic)
                break


def _doubts(use: LossDraft, activation: Activation | None, library: Library) -> Iterator[Diagnostic]:
    loss, node = use.loss, use.node
    label = activation.label if activation is not None else node.kind.name
    if node.kind.name == "layer" and activation is None:
        label = "linear"
    fitting = library.default_loss(activation).label
    span = use.span if use.span is not None else node.span
    labels = [Label(node.span, f"this output is `{label}`")] if use.span is not None else []
    if not joint(loss, activation).safe:
        example = _not_finite(loss, activation, label)
        other = f"`{label}` goes with `loss {fitting}`"
        if fitting == loss.label or activation is None or activation.loss is None:
            other = f"give this output an activation that goes with it{_examples(loss, library)}"
        yield MAY_OVERFLOW.at(
            span,
            f"`{loss.label}` of `{label}` outputs can become infinite or NaN",
            labels=labels,
            notes=[example] if example is not None else [],
            help=other,
        )
    lack = _unbalanced(loss, activation)
    if lack is not None:
        given, amount = lack
        yield UNBALANCED.at(
            span,
            f"`{loss.label}` counts on outputs {given}, and those of `{label}` do not",
            labels=labels,
            notes=[
                f"for Z = {_column(COLUMNS[0])} it is {amount:.3g}",
                "so the loss can push all outputs up, right and wrong ones",
            ],
            help="for one class out of several make the activation `softmax`; if each unit answers a question of its "
            "own, write `loss binary_cross_entropy` for `sigmoid` outputs",
        )
    if activation is not None and _goes_flat(loss, activation):
        yield FLAT.at(
            span,
            f"`{loss.label}` of `{label}` outputs hardly has a gradient where the network is sure and wrong",
            labels=labels,
            help=f"`{label}` goes with `loss {fitting}`"
            if activation.loss not in (None, loss.label)
            else "take a loss with a logarithm, such as `cross_entropy`",
        )


def _examples(loss: Loss, library: Library) -> str:
    """`: sigmoid` — the standard activations whose default is this loss."""
    names = [n for n in library.names("activation") if _default_loss(library, n) == loss.label]
    return f": {' or '.join(f'`{n}`' for n in names)}" if names else ""


def _default_loss(library: Library, name: str) -> str | None:
    statement = library.statement("activation", name)
    keys = statement.keys if statement is not None else ()
    return next((k.value.id for k in keys if k.key.id == "loss" and hasattr(k.value, "id")), None)


# ---------------------------------------------------------------- tried out


def _output(activation: Activation | None) -> Expr:
    return _Z if activation is None else activation.value


@lru_cache(maxsize=256)
def _not_finite(loss: Loss, activation: Activation | None, label: str) -> str | None:
    """A column of one unit for which the loss, as it is written, is no number; in words."""
    for z, y in product((-1.0, 0.0, 1.0, 2.0, -20.0, 20.0, -200.0, 200.0), (1.0, 0.0)):
        a = _first(evaluate(_output(activation), {"z": [z]}, 1))
        if not math.isfinite(a):
            continue
        J = _first(evaluate(loss.value, {"a": [a], "y": [y]}, 1))
        if not math.isfinite(J):
            what = "infinite" if math.isinf(J) else "no number"
            return f"for Z = {z:g} the output is {a:.4g}, and the loss of that is {what} (y = {y:g})"
    return None


@lru_cache(maxsize=256)
def _unbalanced(loss: Loss, activation: Activation | None) -> tuple[str, float] | None:
    """What is given of targets and does not hold of outputs, though the loss counts on it; and what it is instead.

    The loss counts on it if, where output and target agree, its gradient is a multiple of that of what is given, and
    not 0: it would like to leave, in the one direction that what is given forbids (a Lagrange multiplier).
    """
    output = _output(activation)
    for left, number in loss.given:
        if not _counts_on(loss, left, float(number)):
            continue
        for z in COLUMNS:
            a = evaluate(output, {"z": list(z)}, len(z))
            amount = _first(evaluate(left, {"y": a}, len(z)))
            if math.isfinite(amount) and abs(amount - number) > 1e-3:
                shown = _first(evaluate(left, {"y": evaluate(output, {"z": list(COLUMNS[0])}, 3)}, 3))
                if left is total(_Y):
                    return f"that sum to {float(number):g}", shown
                return f"with {_given_text(left)} = {float(number):g}", shown
    return None


def _counts_on(loss: Loss, left: Expr, number: float) -> bool:
    slope, normal = vjp(loss.value, "a", ONE), vjp(left, "y", ONE)
    for y in TARGETS:
        column = list(y)
        if abs(_first(evaluate(left, {"y": column}, len(y))) - number) > 1e-9:
            return False
        direction = evaluate(normal, {"y": column}, len(y))
        push = evaluate(slope, {"a": column, "y": column}, len(y))
        pairs = list(zip(_column_of(push, len(y)), _column_of(direction, len(y)), strict=True))
        if any(d == 0 for _, d in pairs):
            return False
        factors = [p / d for p, d in pairs]
        if not all(abs(f - factors[0]) < 1e-6 for f in factors) or abs(factors[0]) < 1e-6:
            return False
    return True


@lru_cache(maxsize=256)
def _goes_flat(loss: Loss, activation: Activation) -> bool:
    """Do the outputs always share a sum, and is dZ all but 0 for an output that is sure and wrong?"""
    sums = []
    for z in COLUMNS:
        a = evaluate(activation.value, {"z": list(z)}, len(z))
        if not isinstance(a, list) or min(a) < 0:
            return False
        sums.append(sum(a))
    if not math.isfinite(sums[0]) or any(abs(s - sums[0]) > 1e-6 for s in sums):
        return False
    Z, Y = [SURE, -SURE, 0.0], [0.0, 1.0, 0.0]
    A = evaluate(activation.value, {"z": Z}, len(Z))
    dZ = evaluate(joint(loss, activation).gradient, {"z": Z, "a": A, "y": Y}, len(Z))
    return max(abs(d) for d in _column_of(dZ, len(Z))) < 1e-6


def _given_text(left: Expr) -> str:
    return text(left, {"y": "a"})


def _column(values: Sequence[float]) -> str:
    return f"({', '.join(f'{v:g}' for v in values)})"


def _column_of(value: float | list[float], units: int) -> list[float]:
    return value if isinstance(value, list) else [value] * units


def _first(value: float | list[float]) -> float:
    return value[0] if isinstance(value, list) else value
