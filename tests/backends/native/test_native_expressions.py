"""Expressions written as C give what the numpy backend computes: every operation, and random expressions of them."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import count

import numpy as np
import pytest

from dnnlang.backends.native.expressions import COLUMN_OPERATIONS, elementwise, literal
from dnnlang.backends.native.machine import this_machine
from dnnlang.backends.native.toolchain import available, build
from dnnlang.backends.numpy.expressions import compile_expression
from dnnlang.backends.numpy.frame import FrameBuilder
from dnnlang.backends.numpy.values import value_of
from dnnlang.errors import InternalError
from dnnlang.scalar.evaluate import ENTRIES
from dnnlang.scalar.expression import (
    COLUMNWISE,
    DRAWS,
    ELEMENTWISE,
    REDUCTIONS,
    Expr,
    apply,
    constant,
    draw,
    size,
    units,
    variable,
)
from tests.backends.native.elementary import aligned, headers

needs_a_compiler = pytest.mark.skipif(not available(), reason="no C compiler")

X, Y, S = variable("x"), variable("y"), variable('s; system("true") /*')
NAMES = {"x": "x", "y": "y", S.name or "": "s"}
ONE_OPERAND = sorted("negate exp log expm1 log1p sqrt abs tanh erf erfc sin cos sign".split())
ONE_OPERAND += sorted("logistic logistic_slope tanh_slope log1pexp".split())
TWO_OPERANDS = "add multiply divide power maximum minimum logistic_loss".split()
STEEP = "exp expm1 sin cos".split()
"""Of large operands, their results have none of the digits that rounding has changed."""
COMPARISONS = "less less_equal equal not_equal".split()
POINTS = [0.0, -0.0, 5e-324, 1e-40, 1e-8, -1e-8, 0.3, -0.7, 1.0, -1.0, 2.5, 88.0, -88.0, 700.0, 1e4, -1e4]
POINTS += [math.inf, -math.inf, math.nan]
COLUMNS = 64
TOLERANCE = {32: 1e-6, 64: 1e-13}
WIDTHS = sorted({0, this_machine().vector_bytes})


def test_every_operation_is_written_or_needs_a_column() -> None:
    written = {*ONE_OPERAND, *TWO_OPERANDS, *COMPARISONS, "where", "constant", "variable", "units"}
    assert written == ELEMENTWISE
    assert COLUMN_OPERATIONS == REDUCTIONS | COLUMNWISE
    for op in COLUMN_OPERATIONS | DRAWS:
        with pytest.raises(InternalError):
            lines_of(draw(op) if op in DRAWS else apply(op, X))


def lines_of(expr: Expr, bits: int = 64) -> tuple[list[str], str]:
    numbers = count()
    return elementwise(expr, NAMES, lambda: f"v{next(numbers)}", bits, "7")


def test_a_shared_part_is_computed_once() -> None:
    e = apply("exp", X)
    lines, result = lines_of(apply("add", e, apply("multiply", e, e)))
    assert lines == ["vec v0 = vexp(x);", "vec v1 = v0 * v0;", "vec v2 = v0 + v1;"]
    assert result == "v2"


def test_a_comparison_is_a_mask_and_a_number_where_needed() -> None:
    less = apply("less", constant(0), X)
    lines, _ = lines_of(apply("multiply", less, apply("where", less, X, Y)))
    assert lines == [
        "ivec v0 = less(splat(0x0.0p+0), x);",
        "vec v1 = pick(v0, x, y);",
        "vec v2 = ones(v0);",
        "vec v3 = v2 * v1;",
    ]


def test_names_of_a_program_never_reach_the_text() -> None:
    lines, result = lines_of(apply("add", S, apply("exp", S)))
    assert "system" not in "".join([*lines, result])


def test_operands_constants_and_units_alone() -> None:
    assert lines_of(X) == ([], "x")
    assert lines_of(constant(Fraction(1, 10)), 32) == (["vec v0 = splat(0x1.99999a0000000p-4f);"], "v0")
    assert lines_of(units()) == (["vec v0 = splat((real)(7));"], "v0")


def test_literals_are_rounded_once_to_the_dtype() -> None:
    for value in (Fraction(1, 3), Fraction(-7, 10), Fraction(2) ** 60 + 1, Fraction(1, 10**44), Fraction(0)):
        assert float.fromhex(literal(value, 64)) == float(value)
        assert float.fromhex(literal(value, 32).removesuffix("f")) == float(np.float32(float(value)))
    assert literal(Fraction(10) ** 400, 64) == literal(Fraction(10) ** 39, 32) == "(real)INFINITY"
    assert literal(-(Fraction(10) ** 400), 64) == "-(real)INFINITY"


# ---------------------------------------------------------------- compiled


def compiled(expressions: Sequence[Expr], bits: int, width: int) -> ctypes.CDLL:
    """All expressions in one library, function by function."""
    text = [headers()]
    for number, expr in enumerate(expressions):
        lines, result = lines_of(expr, bits)
        loads = [f"vec {c} = LOAD({c}_ + i);" for c in NAMES.values()]
        body = "\n        ".join([*loads, *lines, f"STORE(out + i, {result});"])
        text.append(
            f'__attribute__((visibility("default"))) void f{number}('
            f"const real *x_, const real *y_, const real *s_, real *out, long n) {{\n"
            f"    for (long i = 0; i < n; i += LANES) {{\n        {body}\n    }}\n}}"
        )
    path = build("\n".join(text), defines={"REAL_BITS": bits, "VECTOR_BYTES": width})
    return ctypes.CDLL(str(path))


def run(library: ctypes.CDLL, number: int, operands: Mapping[str, np.ndarray], bits: int) -> np.ndarray:
    n = operands["x"].size
    arrays = [aligned(-(-n // 16) * 16, f"f{bits // 8}") for _ in range(4)]
    for array, name in zip(arrays, NAMES, strict=False):
        array[:n] = operands[name]
    getattr(library, f"f{number}")(*(ctypes.c_void_p(a.ctypes.data) for a in arrays), ctypes.c_long(arrays[0].size))
    return arrays[3][:n]


@needs_a_compiler
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [32, 64])
def test_every_operation_at_special_points(bits: int, width: int) -> None:
    """Against the plain evaluation: the same infinities, NaN and zeros, elsewhere a few ulps."""
    pairs = np.array([(a, b) for a in POINTS for b in POINTS], f"f{bits // 8}").T
    operands = {"x": pairs[0], "y": pairs[1], S.name or "": pairs[0]}
    tests = [apply(op, X) for op in ONE_OPERAND]
    tests += [apply(op, X, Y) for op in (*TWO_OPERANDS, *COMPARISONS)]
    tests += [apply(op, X, constant(Fraction(1, 2))) for op in ("maximum", "minimum")]
    tests += [apply(op, constant(Fraction(1, 2)), X) for op in ("maximum", "minimum")]
    tests.append(apply("where", X, Y, S))
    library = compiled(tests, bits, width)
    for number, expr in enumerate(tests):
        got = run(library, number, operands, bits)
        wanted = plain(expr, operands, bits)
        zero = np.zeros_like(got)
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        with np.errstate(invalid="ignore"):
            spacing = np.spacing(np.where(np.isfinite(wanted), np.abs(wanted), zero))
            close = np.abs(got - wanted) <= 4 * spacing
            if expr.op == "logistic_loss":  # the difference of two parts has their rounding
                close |= np.abs(got - wanted) <= 4 * np.spacing(np.abs(operands["x"] * operands["y"]) + 1)
        bad = np.flatnonzero(~(same | close))
        assert bad.size == 0, [(expr, pairs[:, k], got[k], wanted[k]) for k in bad[:3]]


def plain(expr: Expr, operands: Mapping[str, np.ndarray], bits: int) -> np.ndarray:
    """By Python's own functions, in double; of logistic_loss what the numpy backend makes."""
    if expr.op == "where":
        return np.where(operands["x"] != 0, operands["y"], operands["x"])
    columns = [a.value * np.ones(operands["x"].size) if a.value is not None else operands[a.name] for a in expr.args]
    with np.errstate(all="ignore"):
        if expr.op == "power":
            return np.power(*(c.astype("f8") for c in columns)).astype(f"f{bits // 8}")
        numbers = [ENTRIES[expr.op](*map(float, entries)) for entries in zip(*columns, strict=True)]
        return np.array(numbers).astype(f"f{bits // 8}")


@needs_a_compiler
@pytest.mark.parametrize("bits", [32, 64])
def test_constant_powers(bits: int) -> None:
    exponents = (
        [Fraction(n) for n in (2, 3, 4, -2, -3, -4, 5, -7)] + [Fraction(n, 2) for n in (1, -1, 3)] + [Fraction(1, 3)]
    )
    tests = [apply("power", X, constant(n)) for n in exponents]
    library = compiled(tests, bits, this_machine().vector_bytes)
    x = np.array([0.0, 1.0, 2.0, 0.3, 1.7, 1e-3, 123.0, math.inf, math.nan, -2.0, -0.5, -math.inf], f"f{bits // 8}")
    for number, (expr, n) in enumerate(zip(tests, exponents, strict=True)):
        got = run(library, number, {"x": x, "y": x, S.name or "": x}, bits)
        with np.errstate(all="ignore"):
            exponent = float(np.dtype(x.dtype).type(float(n)))
            wanted = np.power(x.astype("f8"), exponent)
        assert np.allclose(got, wanted, rtol=4 * np.finfo(x.dtype).eps, atol=0, equal_nan=True), (expr, got, wanted)


@needs_a_compiler
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [32, 64])
def test_random_expressions_agree_with_the_numpy_backend(bits: int, width: int) -> None:
    rng = np.random.default_rng(bits + width)
    expressions = [random_expression(rng, int(rng.integers(2, 5))) for _ in range(40)]
    assert max(map(size, expressions)) > 12
    library = compiled(expressions, bits, width)
    operands = {name: rng.uniform(-3, 3, COLUMNS).astype(f"f{bits // 8}") for name in NAMES}
    for number, expr in enumerate(expressions):
        got = run(library, number, operands, bits)
        rows = {name: column[np.newaxis].astype("f8") for name, column in operands.items()}
        # 7 units, all alike: only `units` notices.
        units_alike = {n: np.repeat(r, 7, axis=0) for n, r in rows.items()}
        wanted = value_of(expr, units_alike, (7, COLUMNS))[0]
        assert np.array_equal(np.isnan(got), np.isnan(wanted)), expr
        # Where rounding has much weight, the numpy backend is off as well.
        allowed = TOLERANCE[bits] if bits == 64 else max(TOLERANCE[bits], 3 * off(in_float(expr, units_alike), wanted))
        assert off(got, wanted) <= allowed, (expr, off(got, wanted))


def off(got: np.ndarray, wanted: np.ndarray) -> float:
    """The relative error of a tensor."""
    finite = np.isfinite(wanted) & (np.abs(wanted) < 1e30)
    a, b = got[finite].astype("f8"), wanted[finite]
    scale = np.linalg.norm(a) + np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / scale) if scale else 0.0


def in_float(expr: Expr, operands: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the numpy backend makes in float32."""
    frame = FrameBuilder(np.float32)
    shape = next(iter(operands.values())).shape
    out = np.empty(shape, np.float32)
    numbers = {name: frame.add(array.astype(np.float32)) for name, array in operands.items()}
    steps = compile_expression(expr, numbers, frame.add(out), shape, frame)
    frame.place_workspace(aligned(frame.workspace_bytes(), "u1"))
    with np.errstate(all="ignore"):
        for step in steps:
            step(frame.arrays)
    return out[0]


def random_expression(rng: np.random.Generator, depth: int) -> Expr:
    """Operations within each other. Comparisons are between operands, so that no rounding decides one."""
    if depth == 0:
        return (X, Y, S)[int(rng.integers(3))]
    kind = rng.random()
    if kind < 0.45:
        op = str(rng.choice([op for op in ONE_OPERAND if op not in (*STEEP, "sign")]))
        return apply(op, random_expression(rng, depth - 1))
    if kind < 0.5:
        return apply(str(rng.choice(STEEP)), apply("tanh", random_expression(rng, depth - 1)))
    if kind < 0.6:
        condition = apply(str(rng.choice(COMPARISONS)), leaf(rng), leaf(rng))
        return apply("where", condition, random_expression(rng, depth - 1), random_expression(rng, depth - 1))
    if kind < 0.65:
        return apply("multiply", apply(str(rng.choice(COMPARISONS)), leaf(rng), leaf(rng)), random_expression(rng, 0))
    op = str(rng.choice([op for op in TWO_OPERANDS if op != "power"]))
    a, b = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    if op in ("add", "multiply", "maximum", "minimum") and rng.random() < 0.4:
        return apply(op, a, leaf(rng))
    return apply(op, a, a if op == "multiply" and rng.random() < 0.3 else b)


def leaf(rng: np.random.Generator) -> Expr:
    if rng.random() < 0.75:
        return random_expression(rng, 0)
    return units() if rng.random() < 0.2 else constant(Fraction(int(rng.integers(-30, 30)), 16))


def test_the_text_has_only_numbered_names() -> None:
    rng = np.random.default_rng(3)
    lines, _ = lines_of(random_expression(rng, 5))
    for line in lines:
        assert re.fullmatch(r"i?vec v\d+ = [\w\s().,*/+<>-]+;", line), line
