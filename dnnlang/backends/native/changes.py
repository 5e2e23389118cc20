"""What changes parameters and what belongs to them: decay, clipping, updates, running statistics.

All these values have no samples, and lie as W does: a row for each column. Threads share the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dnnlang.backends.native.entrywise import Entries
from dnnlang.backends.native.expressions import literal
from dnnlang.backends.native.operands import Operands
from dnnlang.backends.native.scalars import scalar_text
from dnnlang.backends.native.steps import Part, constant
from dnnlang.backends.native.writing import Writing
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.penalty import Decay, Penalty
from dnnlang.primitives.running import Running
from dnnlang.primitives.update import Clip, Update
from dnnlang.primitives.values import Value
from dnnlang.scalar.split import without_scalars


def decayed(step: Instruction, entries: Entries) -> None:
    """dW + λ/m W, or λ/m W by itself."""
    p = step.primitive
    assert isinstance(p, Decay)
    text = f"splat({literal(p.rate, entries.w.bits)} * e->mean) * {entries.load_row(step.inputs[0])}"
    if p.accumulate:
        text = f"{entries.load_row(step.inputs[1])} + {text}"
    entries.begin(step.outputs[0], text)


def updated(step: Instruction, entries: Entries) -> None:
    """The optimizer's statements, in order."""
    p = step.primitive
    assert isinstance(p, Update)
    optimizer = p.optimizer
    names = {n: entries.load_row(v) for n, v in zip(("w", "g", *optimizer.state), step.inputs, strict=True)}
    for name, expr in optimizer.statements:
        entrywise, scalars = without_scalars(expr)
        known = dict(names)
        for alias, scalar in scalars.items():
            known[alias] = f"splat(e->scalars[{entries.w.source.scalar(scalar_text(scalar))}])"
        names[name] = entries.expression(entrywise, known, "1")
    for name, value in zip(("w", *optimizer.state), step.outputs, strict=True):
        entries.known[value] = names[name]


# ---------------------------------------------------------------- steps of their own


def _over_rows(value: Value, w: Writing, fill: Callable[[Entries], Sequence[Value]]) -> None:
    """A step for all entries of what is laid out as `value`; `fill` makes the lines and says what is stored."""
    entries = Entries(w, Operands(), "row", "v * LANES")
    written = fill(entries)
    for made in written:
        entries.lines.append(entries.operands.store_row(w, made, "row", "v * LANES", entries.known[made]))
    units, rows = (constant(n) for n in value.shape)
    vectors = -(-units // w.lanes)
    body = [
        "int64_t r0, r1;",
        f"share({rows}, t, T, &r0, &r1);",
        "for (int64_t row = r0; row < r1; ++row)",
        f"    for (int64_t v = 0; v < {vectors}; ++v) {{",
        *(f"        {line}" for line in entries.lines),
        "    }",
    ]
    w.call(body, entries.operands, part=Part.ROWS, work=0)


def _update(i: Instruction, w: Writing) -> None:
    def fill(entries: Entries) -> Sequence[Value]:
        updated(i, entries)
        return i.outputs

    _over_rows(i.inputs[0], w, fill)


def _decay(i: Instruction, w: Writing) -> None:
    def fill(entries: Entries) -> Sequence[Value]:
        decayed(i, entries)
        return i.outputs

    _over_rows(i.inputs[0], w, fill)


def _zeros(i: Instruction, w: Writing) -> None:
    def fill(entries: Entries) -> Sequence[Value]:
        entries.begin(i.outputs[0], "splat(0)")
        return i.outputs

    _over_rows(i.outputs[0], w, fill)


def _running(i: Instruction, w: Writing) -> None:
    p = i.primitive
    assert isinstance(p, Running)
    momentum, rest = p.momentum, 1 - p.momentum

    def fill(entries: Entries) -> Sequence[Value]:
        running, new = (entries.load_row(v) for v in i.inputs)
        share = literal(rest, 64) + (" * (double)e->m / (double)(e->m - 1)" if p.unbiased else "")
        text = f"{running} * splat({literal(momentum, w.bits)}) + splat((real)({share})) * {new}"
        if p.unbiased:
            text = f"e->m == 1 ? {running} : {text}"
        entries.begin(i.outputs[0], text)
        return i.outputs

    _over_rows(i.inputs[0], w, fill)


def _penalty(i: Instruction, w: Writing) -> None:
    p = i.primitive
    assert isinstance(p, Penalty)
    o = Operands()
    W = i.inputs[0]
    body = [
        f"double total = squares({_stored(W, o, w)}, t, T);",
        f"e->penalty[t][0] += {literal(p.rate / 2, 64)} / (double)e->m * total;",
    ]
    w.call(body, o, part=Part.ROWS, work=0)


def _clip(i: Instruction, w: Writing) -> None:
    """All add up the squares of their rows; when that is done, all scale them."""
    p = i.primitive
    assert isinstance(p, Clip)
    o = Operands()
    stored = [_stored(v, o, w) for v in i.inputs]
    body = ["e->norm[t][0] = 0;", *(f"e->norm[t][0] += squares({s}, t, T);" for s in stored)]
    w.call(body, o, part=Part.ROWS, work=0)
    limit = literal(p.limit, 64)
    o = Operands()
    stored = [_stored(v, o, w) for v in i.inputs]
    body = [
        "double total = 0;",
        "for (int b = 0; b < MAX_BLOCKS; ++b) total += e->norm[b][0];",
        "double norm = sqrt(total);",
        f"if (norm > {limit}) {{",
        f"    real factor = (real)({limit} / norm);",
        *(f"    scale({s}, factor, t, T);" for s in stored),
        "}",
    ]
    w.call(body, o, part=Part.ROWS, work=0, writes=i.inputs)


def _stored(value: Value, o: Operands, w: Writing) -> str:
    """The arguments that say where what has no samples is stored: where, rows, units, distance of the rows."""
    units, rows = (constant(n) for n in value.shape)
    return f"{o.read_from(value)}, {rows}, {units}, {w.row_length(value)}"


CHANGES: Final[dict[type, Callable[[Instruction, Writing], None]]] = {
    Update: _update,
    Decay: _decay,
    Zeros: _zeros,
    Running: _running,
    Penalty: _penalty,
    Clip: _clip,
}
