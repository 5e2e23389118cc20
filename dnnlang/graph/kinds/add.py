"""`add from h, _`: the sum, unit by unit. A residual connection is one."""

from __future__ import annotations

from dnnlang.graph.kinds.elementwise import Elementwise


class Add(Elementwise):
    name = "add"
    sentence = "Adds two or more nodes of equal size, unit by unit."
    operation = "add"
