"""The network as a networkx graph, for whoever wants to walk, draw or measure it.

The compiler itself goes through Architecture.nodes, which are in an order that respects the edges. Importing networkx
takes longer than checking a program, so this module is imported when the graph is first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import networkx

from dnnlang.graph.architecture import Node
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.sizes import M


def network_graph(nodes: Mapping[str, Node]) -> networkx.DiGraph:
    """The nodes and edges, with the attributes that Architecture promises."""
    graph = networkx.DiGraph()
    for name, node in nodes.items():
        attributes: dict[str, object] = {"data": node, "kind": node.kind.name, "shape": (node.units, M)}
        detail = node.detail
        if isinstance(detail, LayerDetail):
            attributes["l"] = detail.l
            attributes["W"] = (node.units, nodes[node.inputs[0]].units)
            if detail.b is not None:
                attributes["b"] = (node.units, 1)
        if node.within is not None:
            attributes["block"], attributes["copy"] = node.within.name, node.within.number
            attributes["within"] = tuple((copy.name, copy.number) for copy in node.within.outwards())[::-1]
        graph.add_node(name, **attributes)
        if len(node.inputs) == 1:
            graph.add_edge(node.inputs[0], name, operands=(0,))
            continue
        positions: dict[str, list[int]] = {}
        for position, source in enumerate(node.inputs):
            positions.setdefault(source, []).append(position)
        for source, at in positions.items():
            graph.add_edge(source, name, operands=tuple(at))
    return graph
