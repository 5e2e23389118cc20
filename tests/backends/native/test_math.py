"""Elementary functions of the native backend: at most 4 ulps from the true value, special cases as in C's math.h."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import mpmath
import numpy as np
import pytest

from dnnlang.backends.native.machine import this_machine
from dnnlang.backends.native.toolchain import available
from tests.backends.native.elementary import REFERENCES, Functions, functions

pytestmark = pytest.mark.skipif(not available(), reason="no C compiler")

LIMIT = 4.0
"""Units in the last place."""

WIDTHS = [w for w in (64, 32, 16, 0) if w <= this_machine().vector_bytes]
NOT_FUSED = ("-ffp-contract=off",)
EVERY = "DNN_EVERY_FLOAT"
"""Set it to try all floats: 2 minutes a function."""

UNARY: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "erfc": lambda x: mpmath.erfc(min(x, 40)),  # 0 in double from 28 on
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "sqrt": mpmath.sqrt,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "logistic_slope": lambda x: mpmath.exp(-abs(x)) / (1 + mpmath.exp(-abs(x))) ** 2,
    "tanh_slope": lambda x: 4 * mpmath.exp(-2 * abs(x)) / (1 + mpmath.exp(-2 * abs(x))) ** 2,
    "log1pexp": lambda x: mpmath.log1p(mpmath.exp(x)) if x < 40 else x + mpmath.exp(-x),
}
LOWEST = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0}
"""Below it, a function is not defined."""


# ---------------------------------------------------------------- float, against the C library in double


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("width", WIDTHS)
def test_floats_of_all_sizes(name: str, width: int) -> None:
    worst, at = functions(32, width).sweep(name, 65537)
    assert worst <= LIMIT, f"{worst:.2f} ulps at {at!r}"


@pytest.mark.parametrize("name", REFERENCES)
def test_floats_without_fused_sums(name: str) -> None:
    worst, at = functions(32, 16, NOT_FUSED).sweep(name, 65537, first=1)
    assert worst <= LIMIT, f"{worst:.2f} ulps at {at!r}"


@pytest.mark.slow
@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("options", [(), NOT_FUSED], ids=["fused", "not fused"])
def test_all_floats(name: str, options: tuple[str, ...]) -> None:
    """Every float there is if DNN_EVERY_FLOAT is set, else every 257th."""
    worst, at = functions(32, this_machine().vector_bytes, options).sweep(name, 1 if EVERY in os.environ else 257)
    assert worst <= LIMIT, f"{worst:.2f} ulps at {at!r}"


@pytest.mark.parametrize("width", WIDTHS)
def test_powers_of_floats(width: int) -> None:
    rng = np.random.default_rng(0)
    x, y = np.concatenate([_pairs(rng, "f4"), _special_pairs("f4")], axis=1)
    with np.errstate(all="ignore"):
        wanted = np.power(x.astype("f8"), y.astype("f8"))
    _close(functions(32, width)("pow", x, y), wanted, [f"{a!r} ** {b!r}" for a, b in zip(x, y, strict=True)])


# ---------------------------------------------------------------- double, against many digits


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("options", [(), NOT_FUSED], ids=["fused", "not fused"])
def test_doubles(name: str, options: tuple[str, ...]) -> None:
    x = np.array([v for v in _points() if v >= LOWEST.get(name, -math.inf)])
    got = functions(64, this_machine().vector_bytes if not options else 16, options)(name, x)
    _close_to_digits(got, x, UNARY[name])


@pytest.mark.parametrize("width", WIDTHS)
def test_doubles_of_all_widths(width: int) -> None:
    """Vectors of another width give the same to the rounding; the C library knows the numbers well enough."""
    x = np.array([v for v in _points() if abs(v) < 700 and v > -1])
    for name in ("exp", "expm1", "log1p", "tanh", "erf", "sin", "cos"):
        wanted = np.array([getattr(math, name)(v) for v in x])
        _close(functions(64, width)(name, x), wanted, [repr(v) for v in x], limit=LIMIT + 1)


@pytest.mark.parametrize("options", [(), NOT_FUSED], ids=["fused", "not fused"])
def test_powers_of_doubles(options: tuple[str, ...]) -> None:
    x, y = _pairs(np.random.default_rng(1), "f8", 600)
    got = functions(64, this_machine().vector_bytes if not options else 16, options)("pow", x, y)
    with mpmath.workdps(60):
        wanted = [mpmath.mpf(float(a)) ** mpmath.mpf(float(b)) for a, b in zip(x, y, strict=True)]
        for a, b, g, w in zip(x, y, got, wanted, strict=True):
            assert _ulps(float(g), w) <= LIMIT, f"{a!r} ** {b!r} is {g!r}"


def test_powers_at_the_edges_of_double() -> None:
    x, y = _special_pairs("f8")
    with np.errstate(all="ignore"):
        wanted = np.power(x, y)
    got = functions(64, this_machine().vector_bytes)("pow", x, y)
    _close(got, wanted, [f"{a!r} ** {b!r}" for a, b in zip(x, y, strict=True)])


def test_sines_near_multiples_of_a_quarter_turn() -> None:
    with mpmath.workdps(60):
        near = [float(n * mpmath.pi / 2) for n in (1, 2, 3, 11, 344, 52_174, 573_204, 636_618, 11_465_927)]
    x = np.array([s * v for v in near for s in (1, -1)])
    for name in ("sin", "cos"):
        _close_to_digits(functions(64, this_machine().vector_bytes)(name, x), x, UNARY[name], dps=60)


# ---------------------------------------------------------------- special cases


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [32, 64])
def test_special_values(bits: int, width: int) -> None:
    f = functions(bits, width)
    inf, nan = math.inf, math.nan
    table: dict[str, list[tuple[float, float]]] = {
        "exp": [(inf, inf), (-inf, 0.0), (0.0, 1.0), (-0.0, 1.0), (1e4, inf), (-1e4, 0.0)],
        "expm1": [(inf, inf), (-inf, -1.0), (-0.0, -0.0), (1e4, inf), (-1e4, -1.0)],
        "log": [(inf, inf), (0.0, -inf), (-0.0, -inf), (-1.0, nan), (-inf, nan), (1.0, 0.0)],
        "log1p": [(inf, inf), (-1.0, -inf), (-2.0, nan), (-inf, nan), (-0.0, -0.0)],
        "tanh": [(inf, 1.0), (-inf, -1.0), (-0.0, -0.0)],
        "erf": [(inf, 1.0), (-inf, -1.0), (-0.0, -0.0)],
        "erfc": [(inf, 0.0), (-inf, 2.0), (0.0, 1.0)],
        "sin": [(inf, nan), (-inf, nan), (-0.0, -0.0)],
        "cos": [(inf, nan), (-0.0, 1.0)],
        "sqrt": [(inf, inf), (-1.0, nan), (-0.0, -0.0)],
        "logistic": [(inf, 1.0), (-inf, 0.0), (0.0, 0.5)],
        "logistic_slope": [(inf, 0.0), (-inf, 0.0), (0.0, 0.25)],
        "tanh_slope": [(inf, 0.0), (-inf, 0.0), (0.0, 1.0)],
        "log1pexp": [(inf, inf), (-inf, 0.0)],
    }
    assert set(table) == set(REFERENCES)
    for name, cases in table.items():
        for x, wanted in [*cases, (nan, nan)]:
            got = float(f(name, [x])[0])
            assert repr(got) == repr(wanted), f"{name}({x!r}) is {got!r}"


@pytest.mark.parametrize("bits", [32, 64])
def test_extrema_pass_nan_on(bits: int) -> None:
    for width in WIDTHS:
        f = functions(bits, width)
        a, b = [1.0, math.nan, 1.0, -math.inf], [2.0, 1.0, math.nan, math.inf]
        assert np.array_equal(f("max", a, b), [2, math.nan, math.nan, math.inf], equal_nan=True)
        assert np.array_equal(f("min", a, b), [1, math.nan, math.nan, -math.inf], equal_nan=True)


def test_the_smallest_numbers_are_kept() -> None:
    """Nothing takes them for 0."""
    for bits in (32, 64):
        f = functions(bits, this_machine().vector_bytes)
        tiny = float(np.nextafter(f.dtype.type(0), f.dtype.type(1)))
        for name in ("expm1", "log1p", "tanh", "sin"):
            assert f(name, [tiny, -tiny, 12345 * tiny]).tolist() == [tiny, -tiny, 12345 * tiny]


# ---------------------------------------------------------------- points


def _points() -> Iterator[float]:
    rng = np.random.default_rng(0)
    for scale in (1e-12, 1e-3, 0.3, 1.0, 5.0, 30.0, 400.0):
        yield from (float(v) for v in rng.normal(scale=scale, size=120))
    patterns = rng.integers(0, 2**64, 300, np.uint64).view("f8")
    yield from (float(v) for v in patterns if math.isfinite(v))
    for edge in (
        0.0,
        1.0,
        -1.0,
        0.875,
        math.log(2) / 2,
        2 / 3,
        4 / 3,
        6.0,
        20.0,
        27.5,
        -745.0,
        709.7,
        1e6,
        5e-324,
        3e-308,
    ):
        yield from (edge, float(np.nextafter(edge, -math.inf)), float(np.nextafter(edge, math.inf)))


def _pairs(rng: np.random.Generator, dtype: str, count: int = 20_000) -> np.ndarray:
    """x and y whose power is often a number, near 1 as well as at the ends."""
    info = np.finfo(dtype)
    x = np.exp2(rng.uniform(info.minexp - info.nmant, info.maxexp, count))
    x[::2] = np.exp(rng.normal(scale=1.0, size=x[::2].size))
    x[::5] = 1 + rng.normal(scale=1e-3, size=x[::5].size)
    x = x.astype(dtype)
    size = rng.uniform(-1.02, 1.02, count) * (info.maxexp + info.nmant)
    with np.errstate(divide="ignore"):
        y = size / np.log2(x.astype("f8"))
    y[::3] = rng.normal(scale=2.0, size=y[::3].size)
    return np.array([x, np.where(np.isfinite(y), y, 1)]).astype(dtype)


def _special_pairs(dtype: str) -> np.ndarray:
    tiny = float(np.finfo(dtype).smallest_subnormal)
    xs = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, tiny, math.inf, -math.inf, math.nan, 1 + 2**-20, 1e30]
    ys = [0.0, -0.0, 1.0, -1.0, 2.0, 3.0, -3.0, 0.5, -0.5, 1e30, -1e30, 2.0**40, math.inf, -math.inf, math.nan]
    return np.array([(x, y) for x in xs for y in ys], dtype).T


def _close_to_digits(got: np.ndarray, x: np.ndarray, f: Callable[[mpmath.mpf], mpmath.mpf], dps: int = 40) -> None:
    for value, g in zip(x, got, strict=True):
        with mpmath.workdps(dps):
            try:
                wanted = f(mpmath.mpf(float(value)))
            except (ValueError, ZeroDivisionError):
                wanted = mpmath.mpf("-inf")
        assert _ulps(float(g), wanted) <= LIMIT, f"at {float(value)!r}: {float(g)!r} and not {mpmath.nstr(wanted, 20)}"


def _ulps(got: float, wanted: mpmath.mpf) -> float:
    if mpmath.isnan(wanted):
        return 0.0 if math.isnan(got) else math.inf
    if math.isnan(got):
        return math.inf
    largest = mpmath.mpf(np.finfo("f8").max)
    if abs(wanted) > largest:
        return 0.0 if math.isinf(got) or abs(got) == largest else math.inf
    if math.isinf(got):
        return float((largest - abs(wanted)) / mpmath.mpf(2) ** 971)
    spacing = mpmath.mpf(2) ** max(int(mpmath.frexp(wanted)[1]) - 53, -1074) if wanted else mpmath.mpf(2) ** -1074
    return float(abs(mpmath.mpf(got) - wanted) / spacing)


def _close(got: np.ndarray, wanted: np.ndarray, names: list[str], limit: float = LIMIT) -> None:
    dtype = got.dtype
    with np.errstate(all="ignore"):
        nearest = wanted.astype(dtype)
        same = (got == nearest) | (np.isnan(got) & np.isnan(nearest))
        spacing = np.spacing(np.abs(nearest)).astype("f8")
        off = np.where(same, 0, np.abs(got.astype("f8") - wanted) / spacing)
    off = np.where(np.isnan(off), np.inf, off)
    worst = int(np.argmax(off))
    assert off[worst] <= limit, f"{names[worst]}: {got[worst]!r} and not {wanted[worst]!r}, {off[worst]:.1f} ulps"


def test_functions_are_those_of_the_table() -> None:
    assert set(UNARY) == set(REFERENCES)
    assert isinstance(functions(32, 0), Functions)
