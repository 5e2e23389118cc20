"""Stacks, slices and masks: whole rows, each thread those entries that belong to its samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from dnnlang.backends.native.expressions import literal
from dnnlang.backends.native.operands import Operands, has_samples
from dnnlang.backends.native.steps import Part, constant
from dnnlang.backends.native.writing import Writing
from dnnlang.backends.philox import Stream
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.stack import Slice, Stack


def _stack(i: Instruction, w: Writing) -> None:
    o = Operands()
    out = o.write_to(i.outputs[0])
    lines, start = [], 0
    for value in i.inputs:
        rows = constant(value.shape[0])
        lines.append(f"copy_rows(e, {o.read_from(value)}, {out} + {start} * {_row(i)}, {rows}, {_span(i)});")
        start += rows
    w.call([*_share(i), *lines], o, part=Part.COLUMNS, work=0)


def _slice(i: Instruction, w: Writing) -> None:
    p = i.primitive
    assert isinstance(p, Slice)
    o = Operands()
    start, rows = constant(p.start), constant(p.rows)
    source, out = f"{o.read_from(i.inputs[0])} + {start} * {_row(i)}", o.write_to(i.outputs[0])
    line = f"copy_rows(e, {source}, {out}, {rows}, {_span(i)});"
    if p.accumulate:
        line = f"add_rows(e, {o.read_from(i.inputs[1])}, {source}, {out}, {rows}, {_span(i)});"
    w.call([*_share(i), line], o, part=Part.COLUMNS, work=0)


def _share(i: Instruction) -> list[str]:
    if has_samples(i.outputs[0]):
        return ["int64_t v0, v1;", "share(e->vectors, t, T, &v0, &v1);"]
    return ["if (t != 0) return;"]  # a column of numbers that all samples share


def _row(i: Instruction) -> str:
    return "e->ld" if has_samples(i.outputs[0]) else "1"


def _span(i: Instruction) -> str:
    """Distance of the rows, and the entries of each."""
    return "e->ld, v0 * LANES, v1 * LANES" if has_samples(i.outputs[0]) else "1, 0, 1"


def _mask(i: Instruction, w: Writing) -> None:
    """As philox.mask_words: a word of random bits for each unit of each column, four units a block."""
    p = i.primitive
    assert isinstance(p, Mask)
    o = Operands()
    value = i.outputs[0]
    kept = literal(1 / (1 - p.rate), w.bits)
    dropped = math.floor(p.rate * 2**32)
    last = (Stream.MASK << 28) | p.node
    name = "draw_bits" if value.packed else "draw_numbers"
    scale = "" if value.packed else f", {kept}"
    arguments = f"{constant(value.shape[0])}, {dropped}u, {last}u{scale}"
    body = [*_share(i), f"{name}(e, {o.write_to(value)}, v0 * LANES, v1 * LANES, {arguments});"]
    w.call(body, o, part=Part.COLUMNS, work=0)


MOVES: Final[dict[type, Callable[[Instruction, Writing], None]]] = {Stack: _stack, Slice: _slice, Mask: _mask}
