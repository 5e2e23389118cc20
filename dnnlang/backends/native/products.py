"""Products with what follows entry by entry: bias, accumulator, activation, slope, while the sums are in registers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dnnlang.backends.native.entrywise import Entries, is_entrywise
from dnnlang.backends.native.operands import Operands
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
    entries = Entries(w, Operands(), "i0 + i", "j0 + j * LANES")
    entries.begin(out, _sum(first, p, entries))
    for follower in followers:
        entries.map(follower, str(constant(out.shape[0])))
    entries.finish(wanted=w.lasting((first, *followers), parts[1 + len(followers) :]))
    terms = constant(A.shape[0])
    rows = constant(out.shape[0])
    _write(w, left, A, "e->ld", terms, rows, entries)
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
    """What becomes of the sum in the tile's registers, c[i][j]."""
    text = "c[i][j]"
    if p.bias:
        text += f" + {entries.load(i.inputs[2])}"
    if p.accumulate:
        text = f"{entries.load(i.inputs[-1])} + {text}"
    return text


def _write(w: Writing, left: Left, right: Value, ldr: str, terms: int, rows: int, entries: Entries) -> None:
    o = entries.operands
    tiles = tiles_of(w, entries.lines, row_counts(rows), w.widths, rows * terms)
    sums = Work("sums", 1, rows * WIDTHS[-1] * w.lanes if terms > CHUNK else 0, for_each_thread=True)
    L, R = o.read_from(left.place), o.read_from(right)
    whole = f"product(e, {tiles}, {terms}, {L}, {left.rows}, {left.terms}, {R}, {ldr}, sums, o, 0, {rows}, v0, v1);"
    body = ["int64_t v0, v1;", "share(e->vectors, t, T, &v0, &v1);", whole]
    if left.rows == "1" and w.lanes >= ROWS and terms >= w.lanes:
        few = f"product_of_few(e, {tiles}, {terms}, {L}, {left.terms}, {R}, {ldr}, o, {rows});"
        body[-1:] = [f"if (e->m > FEW) {whole}", f"else if (v0 < v1) {few}"]
    w.call(body, o, extra=[("sums", sums)], part=Part.COLUMNS, work=rows * terms)


def row_counts(rows: int) -> tuple[int, ...]:
    """How many rows tiles have when there are `rows` in all: as many as possible, and what is left over."""
    counts = {ROWS} if rows >= ROWS else set()
    if rows % ROWS:
        counts.add(rows % ROWS)
    return tuple(sorted(counts))


def tiles_of(w: Writing, lines: Sequence[str], rows: Iterable[int], widths: Iterable[int], weights: int) -> str:
    """The name of a table of tile functions that end in `lines`, for so many rows and vectors.

    `weights` are the entries of the matrix: the operands of a large one are fetched before they are needed.
    """
    far = int(weights > FAR)
    names: dict[tuple[int, int], str] = {}
    for r in rows:
        for width in widths:
            text = "\n".join(
                [
                    "static void NAME(TILE_ARGUMENTS) {",
                    "    (void)e; (void)o; (void)i0; (void)j0;",
                    f"    TILE_SUM({r}, {width}, {far})",
                    f"    UNROLLED for (int i = 0; i < {r}; ++i)",
                    f"        UNROLLED for (int j = 0; j < {width}; ++j) {{",
                    *(f"            {line}" for line in lines),
                    "        }",
                    "}",
                ]
            )
            names[r, width] = w.source.helper(f"tile_{r}x{width}", text)
    table = ", ".join(f"[{r - 1}][{width - 1}] = {name}" for (r, width), name in names.items())
    return w.source.helper("tiles", f"static tile const NAME[ROWS][3] = {{{table}}};")
