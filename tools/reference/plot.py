"""A plot of an activation and its derivative: a few lines of SVG, the same on every machine.

Values come from the numpy backend in float64 and are rounded to a tenth of a pixel, so that the last digits, in
which machines differ, do not show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from dnnlang.backends.numpy.values import value_of
from dnnlang.scalar.derive import backward, forward
from dnnlang.scalar.expression import COLUMNWISE, REDUCTIONS, Expr, topological
from dnnlang.scalar.functions import Activation

UNIT: Final = 40  # pixels
LEFT, RIGHT, BOTTOM, TOP = -4, 4, -2, 3
STEPS: Final = 20
"""Points in a unit of z. Twice as many are computed as drawn where the curve is straight."""
JUMP: Final = 0.04
"""A step of the derivative between two neighbouring points, beyond what they would be apart on a slope, is a jump."""

Point = tuple[float, float]

_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>{title}</title>
<style>
.axis {{ stroke: #999 }} .grid {{ stroke: #e4e4e4 }} text {{ font: 11px sans-serif; fill: #666 }}
polyline {{ fill: none; stroke-width: 2.5; stroke-linejoin: round }}
.value {{ stroke: #1f6fb2 }} .slope {{ stroke: #d9661f; stroke-dasharray: 6 3 }}
</style>
<rect width="{width}" height="{height}" rx="6" fill="#fff"/>
"""


def plot(name: str, activation: Activation) -> str:
    """The whole SVG file: g(z) drawn solid, g'(z) dashed, z from -4 to 4.

    An activation that looks at the whole column is drawn for the first of two units, while the other is 0.
    """
    z = np.linspace(LEFT, RIGHT, (RIGHT - LEFT) * STEPS + 1)
    value, slope = values(activation, z)
    width, height = (RIGHT - LEFT) * UNIT, (TOP - BOTTOM) * UNIT
    parts = [_HEAD.format(width=width, height=height, title=f"{name} and its derivative"), *_axes(width, height)]
    parts += [_polyline("slope", piece) for piece in _pieces(z, slope, breaks=True)]
    parts += [_polyline("value", piece) for piece in _pieces(z, value, breaks=False)]
    return "".join(parts) + "</svg>\n"


def values(activation: Activation, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """g(z) and g'(z), (m,) each; of the first of two units where g looks at the whole column."""
    value = forward(activation)
    column = is_columnwise(value)
    Z = np.stack([z, np.zeros_like(z)]) if column else z[np.newaxis]
    upstream = np.zeros_like(Z)
    upstream[0] = 1.0
    a = _evaluated(value, {"z": Z})
    dz = _evaluated(backward(activation, from_output=False), {"z": Z, "u": upstream})
    return a[0], dz[0]


def is_columnwise(value: Expr) -> bool:
    """Does a unit of the output depend on other units of the column?"""
    return any(e.op in REDUCTIONS or e.op in COLUMNWISE for e in topological(value))


def _evaluated(expr: Expr, operands: dict[str, np.ndarray]) -> np.ndarray:
    shape = next(iter(operands.values())).shape
    return np.broadcast_to(value_of(expr, operands, shape), shape)


# ---------------------------------------------------------------- drawing


def _axes(width: int, height: int) -> Iterator[str]:
    for x in range(LEFT + 1, RIGHT):
        yield _line("axis" if x == 0 else "grid", _x(x), 0, _x(x), height)
    for y in range(BOTTOM + 1, TOP):
        yield _line("axis" if y == 0 else "grid", 0, _y(y), width, _y(y))
    for x in range(LEFT + 2, RIGHT, 2):
        if x:
            yield f'<text x="{_x(x) + 3:g}" y="{_y(0) + 13:g}">{x}</text>\n'
    for y in range(BOTTOM + 1, TOP):
        if y:
            yield f'<text x="{_x(0) + 4:g}" y="{_y(y) - 4:g}">{y}</text>\n'


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{style}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>\n'


def _polyline(style: str, points: Sequence[Point]) -> str:
    written = " ".join(f"{_rounded(_x(x))},{_rounded(_y(y))}" for x, y in points)
    return f'<polyline class="{style}" points="{written}"/>\n'


def _x(x: float) -> float:
    return (x - LEFT) * UNIT


def _y(y: float) -> float:
    return (TOP - y) * UNIT


def _rounded(pixels: float) -> str:
    """To a tenth; the small addend takes exact halves, which rounding errors would tip, to one side."""
    return f"{round(pixels + 1e-7, 1):g}"


def _pieces(z: np.ndarray, y: np.ndarray, *, breaks: bool) -> Iterator[list[Point]]:
    """The curve in connected pieces inside the frame, with points only where it bends."""
    piece: list[Point] = []
    points = [(float(a), float(b)) for a, b in zip(z, y, strict=True)]
    for i, point in enumerate(points):
        if breaks and piece and _jumps(points, i):
            yield from _drawn(piece)
            piece = []
        piece.append(point)
    yield from _drawn(piece)


def _jumps(points: Sequence[Point], i: int) -> bool:
    """Between points i - 1 and i more happens than on both sides of them."""
    step = abs(points[i][1] - points[i - 1][1])
    before = abs(points[i - 1][1] - points[i - 2][1]) if i > 1 else 0.0
    after = abs(points[i + 1][1] - points[i][1]) if i + 1 < len(points) else 0.0
    return step > JUMP + 2 * max(before, after)


def _drawn(piece: Sequence[Point]) -> Iterator[list[Point]]:
    inside: list[Point] = []
    for i, (x, y) in enumerate(piece):
        if BOTTOM <= y <= TOP:
            if not inside and i > 0:
                inside.append(_at_the_edge(piece[i - 1], (x, y)))
            inside.append((x, y))
        elif inside:
            yield _thinned([*inside, _at_the_edge(inside[-1], (x, y))])
            inside = []
    if len(inside) > 1:
        yield _thinned(inside)


def _at_the_edge(a: Point, b: Point) -> Point:
    """Where the line from a to b crosses the top or the bottom of the frame."""
    edge = TOP if max(a[1], b[1]) > TOP else BOTTOM
    share = (edge - a[1]) / (b[1] - a[1])
    return a[0] + share * (b[0] - a[0]), float(edge)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Without the points that lie on the line between their neighbours, to a twentieth of a pixel."""
    kept = [points[0]]
    start = 0
    for end in range(2, len(points)):
        if any(_off(points[start], points[i], points[end]) > 0.05 for i in range(start + 1, end)):
            start = end - 1
            kept.append(points[start])
    return [*kept, points[-1]]


def _off(a: Point, b: Point, c: Point) -> float:
    """How far b is from the line from a to c, in pixels."""
    across = (c[0] - a[0]) * (b[1] - a[1]) - (c[1] - a[1]) * (b[0] - a[0])
    return abs(across) * UNIT / math.hypot(c[0] - a[0], c[1] - a[1])
