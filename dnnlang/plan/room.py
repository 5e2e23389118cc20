"""How much room a value takes in its slot."""

from __future__ import annotations

from dnnlang.primitives.values import Value
from dnnlang.sizes import Size

Room = tuple[Size, bool]
"""Rows of numbers, and whether there are as many for each sample or once."""


def room(value: Value) -> Room:
    """The room that `value` takes: that of its shape, but for packed masks."""
    rows, columns = value.stored
    return rows, columns != 1
