"""The backward step of every pair of a loss and an output activation."""

from __future__ import annotations

from typing import Final

from dnnlang.scalar.derive import Joint, joint
from dnnlang.scalar.expression import size
from dnnlang.scalar.functions import Loss
from tools.reference.facts import activations, code, formula, losses, table
from tools.reference.library import kept

LONGEST: Final = 90
"""Characters of a formula; longer ones are told in words."""


def pair_sections() -> str:
    return "\n".join(_section(name, loss) for name, loss in losses().items())


def pair_summary() -> str:
    """How many pairs there are, and how many are safe."""
    found = [joint(loss, activation) for loss in losses().values() for activation in activations().values()]
    safe = sum(each.safe for each in found)
    return (
        f"There are {len(found)} pairs of a standard loss and a standard activation. {safe} of them are safe:\n"
        f"computed in a form that adds no overflow. In the other {len(found) - safe} a logarithm or a quotient can "
        "meet a 0, and the\ncompiler warns of them.\n"
    )


def _section(name: str, loss: Loss) -> str:
    rows = [_row(label, joint(loss, activation)) for label, activation in activations().items()]
    return f"### {name}\n\n" + table(("output", "loss of one sample", "dZ", "reads", "safe"), rows)


def _row(label: str, found: Joint) -> tuple[str, str, str, str, str]:
    written, gradient = formula(found.value), formula(found.gradient)
    return (
        f"[`{label}`](library.md#{label})",
        code(written) if len(written) <= LONGEST else "that of A",
        code(gradient) if len(gradient) <= LONGEST else f"the chain rule, in {size(found.gradient)} operations",
        kept(found.gradient),
        "yes" if found.safe else "no",
    )
