"""The node kinds. A new one is a file here and a line below."""

from dnnlang.graph.kinds.add import Add
from dnnlang.graph.kinds.apply import Apply
from dnnlang.graph.kinds.batchnorm import Batchnorm
from dnnlang.graph.kinds.concat import Concat
from dnnlang.graph.kinds.dropout import Dropout
from dnnlang.graph.kinds.input import INPUT
from dnnlang.graph.kinds.kind import Making, NodeKind, Shaping
from dnnlang.graph.kinds.layer import Layer
from dnnlang.graph.kinds.layernorm import Layernorm
from dnnlang.graph.kinds.multiply import Multiply
from dnnlang.graph.kinds.standardize import Standardize

KINDS: dict[str, NodeKind] = {
    kind.name: kind
    for kind in (
        Layer(),
        Apply(),
        Add(),
        Multiply(),
        Concat(),
        Dropout(),
        Batchnorm(),
        Layernorm(),
        Standardize(),
    )
}
"""Every kind by the name that programs use."""

__all__ = ["INPUT", "KINDS", "Making", "NodeKind", "Shaping"]
