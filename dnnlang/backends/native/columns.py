"""Maps, losses and means: expressions of each column, one vector of samples after the other.

A reduction over the units of a column is a loop over its rows, before the loop that uses it. Reductions that do not
need each other share a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dnnlang.backends.native.entrywise import Entries, is_entrywise
from dnnlang.backends.native.expressions import literal
from dnnlang.backends.native.loops import Loop
from dnnlang.backends.native.operands import Operands, has_samples
from dnnlang.backends.native.reductions import ColumnLoops
from dnnlang.backends.native.steps import Part, Work, constant
from dnnlang.backends.native.writing import Writing
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples

SOME: Final = 32
"""Vectors of losses that are added as they are, before they are added in doubles, which takes longer."""


def _units(i: Instruction) -> int:
    """The units of the columns that an expression works on; some operands may be one number a column."""
    return max(constant(v.shape[0]) for v in (*i.inputs, *i.outputs))


def _map(i: Instruction, w: Writing) -> None:
    """A column of numbers that all samples share is computed like a vector of samples that are all alike."""
    p = i.primitive
    assert isinstance(p, Map)
    out = i.outputs[0]
    o = Operands()
    loops = ColumnLoops(p.expr, dict(zip(p.names, i.inputs, strict=True)), w, o, _units(i))
    rows = constant(out.shape[0])
    if rows == 1 and not p.expr.per_unit:
        result = loops.shared()
        lines = [*loops.lines, o.store(out, "0", "j", result)]
    else:
        lines = [*loops.lines, *loops.over_units(lambda result: [o.store(out, "i", "j", result)], rows)]
    if has_samples(out):
        w.loop(Loop(tuple(lines), o))
        return
    w.call(["if (t != 0) return;", "const int64_t j = 0; (void)j;", *lines], o, part=Part.ROWS, work=0)


def _loss(i: Instruction, w: Writing) -> None:
    """Each thread adds up its samples, in double."""
    p = i.primitive
    assert isinstance(p, Loss)
    o = Operands()
    loops = ColumnLoops(p.expr, dict(zip(p.names, i.inputs, strict=False)), w, o, _units(i))
    if p.expr.per_unit:
        added = loops.over_units(lambda result: [f"column += {result};"], _units(i))
        lines, result = [*loops.lines, "vec column = splat(0);", *added], "column"
    else:
        result = loops.shared()
        lines = list(loops.lines)
    lines += [
        f"some += first_numbers({result}, e->m - j);",
        f"if (j / LANES % {SOME} == {SOME} - 1) {{",
        "    total += sum_in_double(some);",
        "    some = splat(0);",
        "}",
    ]
    before = ("double total = 0;", "vec some = splat(0);")
    summed = f"e->J[t][0] += {literal(p.weight, 64)} / (double)e->m * (total + sum_in_double(some));"
    w.loop(Loop(tuple(lines), o, before, (summed,)))


def _mean(i: Instruction, w: Writing) -> None:
    """1/m Σ over the samples of each unit; threads share the units, or one takes all if units need each other."""
    p = i.primitive
    assert isinstance(p, MeanOverSamples)
    inputs = dict(zip(p.names, i.inputs, strict=False))
    out = i.outputs[0]
    rows = constant(out.shape[0])
    o = Operands()
    if is_entrywise(p.expr) and (p.expr.per_unit or rows == 1):
        entries = Entries(w, o, "row", "j")
        names = {name: entries.load(v) for name, v in inputs.items()}
        result = entries.expression(p.expr, names, str(_units(i)))
        body = [
            "int64_t r0, r1;",
            f"share({rows}, t, T, &r0, &r1);",
            "for (int64_t row = r0; row < r1; ++row) {",
            "    vec total = splat(0);",
            "    for (int64_t j = 0; j < e->m; j += LANES) {",
            *(f"        {line}" for line in entries.lines),
            f"        total += first_numbers({result}, e->m - j);",
            "    }",
            f"    {_mean_stored(p, i, w, o, 'row', 'sum_of_lanes(total)')}",
            "}",
        ]
        w.call(body, o, part=Part.ROWS, work=0)
        return
    totals = Work("totals", rows, w.lanes)
    loops = ColumnLoops(p.expr, inputs, w, o, _units(i))
    per_unit = p.expr.per_unit or rows > 1
    added = loops.over_units(lambda r: [_added("i", r)], rows) if per_unit else [_added("0", loops.shared())]
    body = [
        "if (t != 0) return;",
        f"for (int64_t i = 0; i < {rows}; ++i) STORE(totals + i * LANES, splat(0));",
        "for (int64_t j = 0; j < e->m; j += LANES) {",
        *(f"    {line}" for line in [*loops.lines, *added]),
        "}",
        f"for (int64_t row = 0; row < {rows}; ++row) {{",
        f"    {_mean_stored(p, i, w, o, 'row', 'sum_of_lanes(LOAD(totals + row * LANES))')}",
        "}",
    ]
    w.call(body, o, extra=[("totals", totals)], part=Part.ROWS, work=0)


def _added(row: str, result: str) -> str:
    at = f"totals + {row} * LANES"
    return f"STORE({at}, LOAD({at}) + first_numbers({result}, e->m - j));"


def _mean_stored(p: MeanOverSamples, i: Instruction, w: Writing, o: Operands, row: str, total: str) -> str:
    out = i.outputs[0]
    text = f"e->mean * {total}"
    if p.accumulate:
        text = f"{o.read_from(i.inputs[-1])}[{row}] + {text}"
    del w
    return f"{o.write_to(out)}[{row}] = {text};"


COLUMNS: Final[dict[type, Callable[[Instruction, Writing], None]]] = {Map: _map, Loss: _loss, MeanOverSamples: _mean}
