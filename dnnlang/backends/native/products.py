"""Products with what follows entry by entry: bias, accumulator, activation, slope, while the sums are in registers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dnnlang.backends.native.entrywise import Entries, is_entrywise
from dnnlang.backends.native.loops import Loop
from dnnlang.backends.native.operands import Operands, read_once
from dnnlang.backends.native.steps import Part, Place, Work, constant
from dnnlang.backends.native.writing import Writing
from dnnlang.plan.ir import Instruction
from dnnlang.primitives.map import Map
from dnnlang.primitives.product import Product
from dnnlang.primitives.values import Value

ROWS = 8
"""Of the largest tile, as in c/product.h."""
CHUNK = 2048
FAR = 2**16
"""Entries of a matrix that does not stay in the nearer caches."""
WIDTHS = (1, 2, 3)
"""Vectors that a tile may be wide."""
WHOLE = "aligned_vec"
"""The type of a whole vector; shorter ones end a row of which little is left over, as far as there are any."""
SMALL = 32
"""Products with so many entries of W need no tiles: to call one takes longer."""
FEW_TERMS = 16
"""Up to so many terms what follows the sums of a tile is unrolled, though it takes compilers long."""
SHORT = 6
"""Lines that are unrolled behind any number of terms."""

_ROW_READ: Final = re.compile(r"= LOAD\((o\d+ \+ \(+i0 \+ i\).*)\);$")
_LONG: Final = re.compile(r"\bv(?!abs|max|min|sign)\w+\(")
"""What stands for many instructions."""


@dataclass(frozen=True, slots=True)
class Left:
    """The matrix whose entries are read one by one: entry (i, k) is `place[i * rows + k * terms]`."""

    place: Place
    rows: str
    terms: str


def forward_group(parts: Sequence[Instruction], w: Writing) -> int:
    """Writes a product of parameters and values of one column a sample, with the maps after it. How many were written.

    op(W) · A: W lies transposed, so that the entries of W of one column are side by side.
    """
    first = parts[0]
    p = first.primitive
    assert isinstance(p, Product)
    followers = _followers(parts)
    W, A = first.inputs[0], first.inputs[1]
    out = first.outputs[0]
    length = str(w.row_length(W))
    left = Left(W, length, "1") if p.transpose_left else Left(W, "1", length)
    terms = constant(A.shape[0])
    rows = constant(out.shape[0])
    small = rows * terms <= SMALL
    entries = Entries(w, Operands(), *(("i", "j") if small else ("i0 + i", "j0 + j * LANES")))
    entries.begin(out, _sum(first, p, entries))
    for follower in followers:
        entries.map(follower, str(constant(out.shape[0])))
    entries.finish(wanted=w.lasting((first, *followers), parts[1 + len(followers) :]))
    (_loop if small else _write)(w, left, A, terms, rows, entries)
    return 1 + len(followers)


def _followers(parts: Sequence[Instruction]) -> list[Instruction]:
    """The maps behind a product that need only the entry of it that is being made."""
    made = {parts[0].outputs[0]}
    followers: list[Instruction] = []
    for part in parts[1:]:
        p = part.primitive
        if not isinstance(p, Map) or not is_entrywise(p.expr) or not p.per_unit:
            break
        if part.outputs[0].shape != parts[0].outputs[0].shape:
            break
        made.update(part.outputs)
        followers.append(part)
    return followers


def _sum(i: Instruction, p: Product, entries: Entries) -> str:
    """What becomes of `sum`, of the tile's registers."""
    text = "sum"
    if p.bias:
        text += f" + {entries.load(i.inputs[2])}"
    if p.accumulate:
        text = f"{entries.load(i.inputs[-1])} + {text}"
    return text


def _loop(w: Writing, left: Left, right: Value, terms: int, rows: int, entries: Entries) -> None:
    """A product of few entries is made for one vector of samples after the other, its terms in the order of tiles."""
    o = entries.operands
    L, R = o.read_from(left.place), o.read_from(right)
    body = [
        f"vec r[{terms}];",
        f"UNROLLED for (int k = 0; k < {terms}; ++k) r[k] = LOAD({R} + k * e->ld + j);",
        f"{'UNROLLED ' if _is_short(entries.lines) else ''}for (int i = 0; i < {rows}; ++i) {{",
        "    vec sum = splat(0);",
        f"    UNROLLED for (int k = 0; k < {terms}; ++k) sum += {L}[i * {left.rows} + k * {left.terms}] * r[k];",
        *(f"    {line}" for line in entries.lines),
        "}",
    ]
    w.loop(Loop(tuple(body), o, work=rows * terms))


def _write(w: Writing, left: Left, right: Value, terms: int, rows: int, entries: Entries) -> None:
    o = entries.operands
    tiles = tiles_of(w, entries.lines, row_counts(rows), w.widths, rows * terms, unrolled=terms <= FEW_TERMS)
    sums = Work("sums", 1, rows * WIDTHS[-1] * w.lanes if terms > CHUNK else 0, for_each_thread=True)
    L, R = o.read_from(left.place), o.read_from(right)
    whole = f"product(e, {tiles}, {terms}, {L}, {left.rows}, {left.terms}, {R}, e->ld, sums, o, 0, {rows}, v0, v1);"
    body = ["int64_t v0, v1;", "share(e->vectors, t, T, &v0, &v1);", whole]
    if left.rows == "1" and w.lanes >= ROWS and terms >= w.lanes:
        few = f"product_of_few(e, {tiles}, {terms}, {L}, {left.terms}, {R}, e->ld, o, {rows});"
        body[-1:] = [f"if (e->m > FEW) {whole}", f"else if (v0 < v1) {few}"]
    w.call(body, o, extra=[("sums", sums)], part=Part.COLUMNS, work=rows * terms)


def last_vector(units: int, lanes: int, bits: int) -> str:
    """The type of the last vector of so many units."""
    over = units % lanes
    if 0 < over <= lanes // 4 and lanes * bits == 512:
        return "quarter_vec"
    return "half_vec" if 0 < over <= lanes // 2 and lanes * bits >= 256 else WHOLE


def row_counts(rows: int) -> tuple[int, ...]:
    """How many rows tiles have when there are `rows` in all: as many as possible, and what is left over."""
    counts = {ROWS} if rows >= ROWS else set()
    if rows % ROWS:
        counts.add(rows % ROWS)
    return tuple(sorted(counts))


def tiles_of(
    w: Writing,
    lines: Sequence[str],
    rows: Iterable[int],
    widths: Iterable[int],
    weights: int,
    *,
    unrolled: bool = False,
    last: str = WHOLE,
) -> str:
    """The name of a table of tile functions that end in `lines`, which begin with `sum`, for so many rows and vectors.

    `weights` are the entries of the matrix: the operands of a large one are fetched before they are needed. `last` is
    the type of the last vector of a row.
    """
    far = int(weights > FAR)
    names = {(r, width): _tile(w, lines, (r, width), (far, last), unrolled) for r in rows for width in widths}
    table = ", ".join(f"[{r - 1}][{width - 1}] = {name}" for (r, width), name in names.items())
    return w.source.helper("tiles", f"static tile const NAME[ROWS][3] = {{{table}}};")


def _tile(w: Writing, lines: Sequence[str], size: tuple[int, int], kind: tuple[int, str], unrolled: bool) -> str:
    rows, width = size
    declared, behind = read_once(lines)
    each = [f"for (int i = 0; i < {rows}; ++i)", f"    UNROLLED for (int j = 0; j < {width}; ++j)"]
    head, total = "UNROLLED ", "c[i][j]"
    kept: list[str] = []
    if not unrolled and not _is_short(behind):
        kept = [f"vec kept[{rows}][{width}];", f"UNROLLED {each[0]}", f"{each[1]} kept[i][j] = c[i][j];"]
        head, total = "", "kept[i][j]"
    body = [
        "(void)e; (void)o; (void)soon; (void)i0; (void)j0;",
        *declared,
        *(_fetched(behind, rows, width) if kind[0] else ()),
        f"TILE_SUM({rows}, {width}, {kind[0]}, {kind[1]}, widened_{kind[1]})",
        *kept,
        f"{head}{each[0]}",
        f"{each[1]} {{",
        f"        vec sum = {total};",
        *(f"        {line}" for line in behind),
        "    }",
    ]
    indented = "\n".join(f"    {line}" for line in body)
    return w.source.helper(f"tile_{rows}x{width}", f"static void NAME(TILE_ARGUMENTS) {{\n{indented}\n}}")


def _fetched(lines: Sequence[str], rows: int, width: int) -> list[str]:
    """Lines to begin with, for what is read entry by entry behind the sums: it is far away, and wanted then."""
    read = [found[1] for line in lines if (found := _ROW_READ.search(line))]
    each = f"UNROLLED for (int i = 0; i < {rows}; ++i) UNROLLED for (int j = 0; j < {width}; ++j)"
    return [f"{each} SOON({address});" for address in read]


def _is_short(lines: Sequence[str]) -> bool:
    return len(lines) <= SHORT and not any(_LONG.search(line) for line in lines)
