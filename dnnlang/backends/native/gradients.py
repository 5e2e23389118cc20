"""dW = 1/m dZ Aᵀ, db beside it, and what is made of them while they are in registers: decay and the update."""

from __future__ import annotations

from collections.abc import Sequence

from dnnlang.backends.native.changes import decayed, updated
from dnnlang.backends.native.entrywise import Entries
from dnnlang.backends.native.operands import Operands
from dnnlang.backends.native.products import CHUNK, WHOLE, WIDTHS, last_vector, row_counts, tiles_of
from dnnlang.backends.native.steps import Part, Work, constant
from dnnlang.backends.native.writing import Writing
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.map import MeanOverSamples
from dnnlang.primitives.penalty import Decay
from dnnlang.primitives.product import Product
from dnnlang.primitives.update import Update
from dnnlang.primitives.values import Value

FEW = 4
"""Rows of dZ up to which the entries of dW are added up along the samples: vectors of so few units are mostly empty."""
BLOCK = 4
"""Rows of A that are taken together then."""


def gradient_group(parts: Sequence[Instruction], w: Writing) -> int:
    """Writes dW, and of the instructions behind it those that go on with it. How many were written.

    dW is stored as W is, a row for each unit of A: a sum over samples, of an entry of A times a vector of dZ. So dZ is
    laid out sample by sample before. db is the same sum without A.
    """
    first = parts[0]
    mine = _members(parts)
    rest = parts[len(mine) :]
    dZ = first.inputs[0]
    few = constant(dZ.shape[0]) <= min(FEW, w.lanes)
    laid_out = None if few else _lay_out(dZ, w)
    for maker in mine:
        if not isinstance(maker.primitive, Product | MeanOverSamples):
            continue
        chain = _behind(maker, mine)
        if laid_out is None:
            _along_samples(maker, chain, rest, w)
        elif isinstance(maker.primitive, Product):
            _tiles(maker, chain, rest, laid_out, w)
        else:
            _column_sums(maker, chain, rest, laid_out, w)
    return len(mine)


def is_gradient(i: Instruction) -> bool:
    """Is it dW = 1/m dZ Aᵀ?"""
    return isinstance(i.primitive, Product) and i.primitive.transpose_right


def _members(parts: Sequence[Instruction]) -> list[Instruction]:
    """The first ones that belong together."""
    dZ = parts[0].inputs[0]
    members = [parts[0]]
    made = set(parts[0].outputs)
    for part in parts[1:]:
        p = part.primitive
        sums_dZ = isinstance(p, MeanOverSamples) and p.expr.op == "variable" and part.inputs[0] is dZ
        goes_on = (isinstance(p, Decay) and p.accumulate and part.inputs[1] in made) or (
            isinstance(p, Update) and part.inputs[1] in made
        )
        if not sums_dZ and not goes_on:
            break
        members.append(part)
        made.update(part.outputs)
    return members


def _behind(maker: Instruction, members: Sequence[Instruction]) -> list[Instruction]:
    """What is done with the sum that `maker` makes, in order."""
    values = set(maker.outputs)
    chain = []
    for member in members:
        if isinstance(member.primitive, Decay | Update) and member.inputs[1] in values:
            chain.append(member)
            values.update(member.outputs)
    return chain


def _lay_out(dZ: Value, w: Writing) -> Work:
    """dZ, a row for each sample. Two rooms take turns, so that nobody waits for those who still read the last one."""
    units = constant(dZ.shape[0])
    work = Work(f"samples {w.turn()}", 0, w.row_length(dZ), by_sample=True)
    o = Operands()
    source = o.read_from(dZ)
    body = [f"transpose(e, {source}, {units}, rows, {work.columns}, t, T);"]
    w.call(body, o, extra=[("rows", work)], part=Part.COLUMNS, work=0)
    return work


def _entries(
    maker: Instruction, chain: Sequence[Instruction], rest: Sequence[Instruction], w: Writing, at: tuple[str, str, str]
) -> Entries:
    """What becomes of a vector of a stored row of the sum. `at`: the C text of the sum, of the row and of the unit."""
    total, i, j = at
    entries = Entries(w, Operands(), i, j)
    text = f"{total} * splat(e->mean)"
    p = maker.primitive
    assert isinstance(p, Product | MeanOverSamples)
    if p.accumulate:
        text = f"{entries.load_row(maker.inputs[-1])} + {text}"
    entries.begin(maker.outputs[0], text)
    for step in chain:
        (decayed if isinstance(step.primitive, Decay) else updated)(step, entries)
    for value in w.lasting((maker, *chain), rest):
        entries.lines.append(entries.operands.store_row(w, value, i, j, entries.known[value]))
    return entries


def _tiles(
    maker: Instruction, chain: Sequence[Instruction], rest: Sequence[Instruction], laid_out: Work, w: Writing
) -> None:
    dZ, A = maker.inputs[0], maker.inputs[1]
    entries = _entries(maker, chain, rest, w, ("sum", "(i0 + i)", "j0 + j * LANES"))
    vectors = -(-constant(dZ.shape[0]) // w.lanes)
    best = (vectors,) if vectors <= WIDTHS[-1] else WIDTHS[1:2] if vectors == 4 else WIDTHS
    widths = tuple(width for width in best if width in w.widths) or WIDTHS[:1]
    rows = constant(A.shape[0])
    units = constant(dZ.shape[0])
    last = last_vector(units, w.lanes, w.bits) if widths == (vectors,) else WHOLE
    tiles = tiles_of(w, entries.lines, row_counts(rows), widths, rows * units, last=last)
    o = entries.operands
    left = o.read_from(A)
    sums = Work("sums", 1, rows * WIDTHS[-1] * w.lanes, for_each_thread=True, unless=CHUNK)
    body = [
        "int64_t i0, i1;",
        f"share(({rows} + ROWS - 1) / ROWS, t, T, &i0, &i1);",
        f"i0 *= ROWS; i1 = i1 * ROWS < {rows} ? i1 * ROWS : {rows};",
        f"product(e, {tiles}, e->m, {left}, e->ld, 1, laid_out, {laid_out.columns}, sums, o, i0, i1, 0, {vectors});",
    ]
    w.call(body, o, extra=[("sums", sums)], seen=[("laid_out", laid_out)], part=Part.ROWS, work=units * rows)


def _column_sums(
    maker: Instruction, chain: Sequence[Instruction], rest: Sequence[Instruction], laid_out: Work, w: Writing
) -> None:
    """db: the sum of the rows that hold dZ by samples; the last thread does it."""
    entries = _entries(maker, chain, rest, w, ("total", "0", "v * LANES"))
    vectors = -(-constant(maker.inputs[0].shape[0]) // w.lanes)
    body = [
        "if (t != T - 1) return;",
        f"for (int64_t v = 0; v < {vectors}; ++v) {{",
        f"    vec total = column_sum(laid_out + v * LANES, {laid_out.columns}, e->m);",
        *(f"    {line}" for line in entries.lines),
        "}",
    ]
    work = vectors * w.lanes
    w.call(body, entries.operands, seen=[("laid_out", laid_out)], part=Part.ROWS, work=work)


def _along_samples(maker: Instruction, chain: Sequence[Instruction], rest: Sequence[Instruction], w: Writing) -> None:
    """Each entry a sum of its own, of products of vectors of samples."""
    dZ = maker.inputs[0]
    units = constant(dZ.shape[0])
    entries = _entries(maker, chain, rest, w, ("total", "row", "0"))
    o = entries.operands
    p = o.read_from(dZ)
    is_product = isinstance(maker.primitive, Product)
    rows = constant(maker.inputs[1].shape[0]) if is_product else 1
    q = o.read_from(maker.inputs[1]) if is_product else p
    factor = "* LOAD_FIRST(q + b * e->ld + s, n)" if is_product else ""

    def sums(count: int) -> str:
        return f"ALONG_SAMPLES({count}, {units}, c[b][i] += LOAD_FIRST(p + i * e->ld + s, n) {factor})"

    body = [
        "int64_t r0, r1;",
        f"share({rows}, t, T, &r0, &r1);",
        f"const real *const p = {p};",
        f"for (int64_t r = r0; r < r1; r += {BLOCK}) {{",
        *([f"    const real *const q = {q} + r * e->ld;"] if is_product else []),
        f"    int64_t count = r1 - r < {BLOCK} ? r1 - r : {BLOCK};",
        f"    vec c[{BLOCK}][{units}] = {{0}};",
        *(f"    if (count == {n}) {sums(n)}" for n in range(min(BLOCK, rows), 0, -1)),
        "    for (int64_t b = 0; b < count; ++b) {",
        "        int64_t row = r + b;",
        "        vec total = splat(0);",
        f"        UNROLLED for (int i = 0; i < {units}; ++i) set_lane(&total, i, sum_of_lanes(c[b][i]));",
        *(f"        {line}" for line in entries.lines),
        "    }",
        "}",
    ]
    w.call(body, o, part=Part.ROWS, work=units * rows)
