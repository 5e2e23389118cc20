"""All advice about one program."""

from __future__ import annotations

from collections.abc import Sequence

from dnnlang.graph.advice.losses import check_losses
from dnnlang.graph.advice.nodes import Network, check_nodes
from dnnlang.graph.advice.unused import check_unused
from dnnlang.graph.draft import Draft
from dnnlang.graph.kinds import Making
from dnnlang.graph.located import Located
from dnnlang.graph.losses import LossDraft
from dnnlang.syntax.tree import Tree


def advise(
    tree: Tree,
    drafts: Sequence[Draft],
    outputs: Sequence[Draft],
    losses: Sequence[LossDraft],
    making: Making,
    found: Located,
) -> None:
    """Add what is worth a warning; the program has no errors."""
    network = Network(drafts, outputs, tuple(use.node for use in losses), making)
    check_unused(tree, found)
    settled = check_nodes(network, found)
    check_losses(losses, settled, making.library, found)
