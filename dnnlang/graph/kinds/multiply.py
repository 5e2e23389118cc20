"""`multiply from h, gate`: the product, unit by unit. A gate is one."""

from __future__ import annotations

from dnnlang.graph.kinds.elementwise import Elementwise


class Multiply(Elementwise):
    name = "multiply"
    sentence = "Multiplies two or more nodes of equal size, unit by unit."
    operation = "multiply"
