"""Expressions on NumPy arrays: every operation, against the plain evaluation column by column."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlang.backends.buffers import aligned_buffer
from dnnlang.backends.numpy.expressions import compile_expression
from dnnlang.backends.numpy.frame import FrameBuilder
from dnnlang.backends.numpy.instructions import COMPILERS
from dnnlang.backends.numpy.operations import OPERANDS
from dnnlang.backends.numpy.operations import OPERATIONS as IMPLEMENTED
from dnnlang.backends.numpy.values import value_of
from dnnlang.primitives import PRIMITIVES
from dnnlang.scalar.evaluate import evaluate
from dnnlang.scalar.expression import COLUMNWISE, ELEMENTWISE, OPERATIONS, Expr, apply, constant, units, variable

BINARY = "add multiply divide power maximum minimum less less_equal equal not_equal logistic_loss".split()
UNARY = sorted((ELEMENTWISE & set(IMPLEMENTED)) - set(BINARY) - {"where"})
WHOLE = "sum mean max min logsumexp normalized_exp log_normalized_exp first_max first_min".split()

X = variable("x")
POINTS = [0.0, -0.0, 5e-324, 1e-8, -1e-8, 0.3, -0.7, 1.0, -1.0, 2.5, 88.0, -88.0, 700.0, 1e4, -1e4, math.inf, -math.inf]


def test_every_operation_is_implemented() -> None:
    assert set(IMPLEMENTED) | OPERANDS == OPERATIONS
    assert not set(IMPLEMENTED) & OPERANDS


def test_every_primitive_is_implemented() -> None:
    assert set(COMPILERS) == set(PRIMITIVES)


def by_columns(expr: Expr, x: np.ndarray) -> np.ndarray:
    columns = [evaluate(expr, {"x": list(x[:, j])}) for j in range(x.shape[1])]
    return np.array([c if isinstance(c, list) else [c] for c in columns]).T


def close(got: np.ndarray, expected: np.ndarray, ulps: float = 8) -> bool:
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        return bool((same | (np.abs(got - expected) <= ulps * np.spacing(np.abs(expected)))).all())


@pytest.mark.parametrize("op", UNARY)
def test_unary_operations_over_the_whole_range(op: str) -> None:
    x = np.array([POINTS])
    got = value_of(apply(op, X), {"x": x}, x.shape)
    assert close(got, by_columns(apply(op, X), x)), (got, by_columns(apply(op, X), x))


@pytest.mark.parametrize("op", UNARY)
@pytest.mark.parametrize("number", [Fraction(3, 10), Fraction(-7, 10), Fraction(1), Fraction(3, 2), Fraction(-3)])
def test_unary_operations_of_a_number(op: str, number: Fraction) -> None:
    """Its array has no axes."""
    expr = apply(op, constant(number))
    got = value_of(expr, {}, (2, 3))
    expected = evaluate(expr, {})
    assert got.shape == (1, 3)
    assert close(got, np.full(got.shape, expected))


@pytest.mark.parametrize("op", BINARY)
def test_binary_operations(op: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 5))
    if op == "power":
        x = np.abs(x)
    y[0, :2] = x[0, :2]
    got = value_of(apply(op, X, variable("y")), {"x": x, "y": y}, x.shape)
    for i, j in np.ndindex(x.shape):
        [expected] = evaluate(apply(op, X, variable("y")), {"x": [x[i, j]], "y": [y[i, j]]})
        assert got[i, j] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("op", WHOLE)
@given(data=st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=4))
def test_operations_over_a_column(op: str, data: list[list[float]]) -> None:
    x = np.array(data).T
    got, expected = value_of(apply(op, X), {"x": x}, x.shape), by_columns(apply(op, X), x)
    # A result near 0 is what is left of larger terms, and has their rounding.
    cancelled = np.abs(got - expected) <= 4 * np.spacing(np.abs(x).max() + 1)
    assert close(np.where(cancelled, expected, got), expected, ulps=64)


@pytest.mark.parametrize("op", WHOLE)
def test_operations_over_a_column_do_not_overflow(op: str) -> None:
    x = np.array([[1e4, -1e4, 3.0], [1e4 - 1, 1e4, 3.0], [-1e4, 1e4, 3.0]])
    got = value_of(apply(op, X), {"x": x}, x.shape)
    assert np.isfinite(got).all()
    assert close(got, by_columns(apply(op, X), x))


@pytest.mark.parametrize("op", [op for op in UNARY + WHOLE if not op.startswith("first")])
def test_nan_in_gives_nan_out(op: str) -> None:
    x = np.array([[1.0, np.nan], [2.0, 1.0]])
    got = value_of(apply(op, X), {"x": x}, x.shape)
    assert np.isnan(got[0, 1])
    assert not np.isnan(got[0, 0])


def test_the_first_of_equal_units_is_the_extremal_one() -> None:
    x = np.array([[1.0, 2.0], [3.0, 2.0], [3.0, 2.0]])
    assert value_of(apply("first_max", X), {"x": x}, x.shape).tolist() == [[0, 1], [1, 0], [0, 0]]
    assert value_of(apply("first_min", X), {"x": x}, x.shape).tolist() == [[1, 1], [0, 0], [0, 0]]


def test_where_takes_entries_and_ignores_the_other_branch() -> None:
    x = np.array([[1.0, 0.0, np.inf]])
    expr = apply("where", apply("less", X, constant(10)), X, constant(7))
    assert value_of(expr, {"x": x}, x.shape).tolist() == [[1, 0, 7]]


def test_reductions_of_what_the_column_shares() -> None:
    s = variable("s", per_unit=False)
    operands = {"s": np.array([[2.0, 3.0]])}
    for op, expected in (("sum", [8, 12]), ("mean", [2, 3]), ("max", [2, 3]), ("min", [2, 3])):
        assert value_of(apply(op, s), operands, (4, 2)).tolist() == [expected]
    assert value_of(apply("logsumexp", s), operands, (4, 2)) == pytest.approx(np.array([[2, 3]]) + math.log(4))
    assert value_of(apply("multiply", s, units()), operands, (4, 2)).tolist() == [[8, 12]]


@pytest.mark.parametrize("op", [*UNARY, *BINARY, "where", *sorted(COLUMNWISE)])
def test_the_output_may_be_the_operand(op: str) -> None:
    """Slots in place rely on it."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.1, 0.9, size=(3, 4))
    condition = apply("less", X, constant(0))
    expr = apply(op, *{"where": (condition, X, X)}.get(op, (X, X) if op in BINARY else (X,)))
    expected = value_of(expr, {"x": x.copy()}, x.shape)
    frame = FrameBuilder(np.float64)
    number = frame.add(x)
    steps = compile_expression(expr, {"x": number}, number, x.shape, frame)
    frame.place_workspace(aligned_buffer(frame.workspace_bytes()))
    for step in steps:
        step(frame.arrays)
    assert np.array_equal(x, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logistic_keeps_its_tails(dtype: str) -> None:
    """Down to where numbers end: 1/(1 + exp(-x)) would give 0 from -89 on in float32."""
    x = np.array([[-100.0, -50.0, 0.0, 50.0]], dtype)
    frame = FrameBuilder(dtype)
    out = np.empty_like(x)
    steps = compile_expression(apply("logistic", X), {"x": frame.add(x)}, frame.add(out), x.shape, frame)
    frame.place_workspace(aligned_buffer(frame.workspace_bytes()))
    for step in steps:
        step(frame.arrays)
    expected = np.exp(np.minimum(x.astype(float), 0)) / (1 + np.exp(-np.abs(x.astype(float))))
    assert (np.abs(out - expected) <= 2 * np.spacing(expected.astype(dtype))).all()


def test_no_warning_escapes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for op in UNARY:
            value_of(apply(op, X), {"x": np.array([POINTS])}, (1, len(POINTS)))
        value_of(constant(10**400), {}, (1, 1))


def test_temporaries_share_one_workspace() -> None:
    """Two expressions compiled one after the other need the larger of their temporaries, not the sum."""
    frame = FrameBuilder(np.float64)
    expr = apply("add", apply("exp", X), apply("sin", X))
    x, out = frame.add(np.zeros((4, 8))), frame.add(np.zeros((4, 8)))
    compile_expression(expr, {"x": x}, out, (4, 8), frame)
    once = frame.workspace_bytes()
    compile_expression(expr, {"x": x}, out, (4, 8), frame)
    assert frame.workspace_bytes() == once == 2 * 4 * 8 * 8
