"""Write dnnlang/backends/native/c/coefficients.h: `python -m tools.minimax`. Takes about half a minute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mpmath
from mpmath import mp

from tools.minimax.fit import Fit, Function, Number, fit

HEADER: Final = Path(__file__).parents[2] / "dnnlang" / "backends" / "native" / "c" / "coefficients.h"
DIGITS: Final = 150
ALMOST_ZERO: Final = 1e-9
"""Where a quotient that has a limit at 0 is begun."""

ERFC_SCALE: Final = 2
"""erfc(x) is exp(-x²) g(t) / (x + 2) with t = (x - 2) / (x + 2), so that x from 7/8 to 27.5 is t from -0.4 to 0.87."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """What to approximate from `low` on, up to where and with how many coefficients: for float, and for double."""

    name: str
    says: str
    f: Function
    low: Number
    highs: tuple[Number, Number]
    counts: tuple[int, int]
    weight: Function


def polynomials() -> Iterator[Polynomial]:
    half_step = mp.log(2) / 2 * mpmath.mpf("1.001")
    third = mpmath.mpf("0.0401")  # ((4/3 - 1)/(4/3 + 1))² and ((2/3 - 1)/(2/3 + 1))² at most
    quarter_turn = (mp.pi / 4 * mpmath.mpf("1.001")) ** 2
    yield Polynomial(
        "exp_rest",
        "(exp(r) - 1 - r) / r^2 for |r| up to half of log 2",
        lambda r: (mp.exp(r) - 1 - r) / r**2,
        -half_step,
        (half_step, half_step),
        (5, 10),
        lambda r: r * r / mp.exp(r),
    )
    yield Polynomial(
        "log_rest",
        "(log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| up to 1/5",
        _of_square(_log_of_ratio),
        ALMOST_ZERO,
        (third, third),
        (3, 7),
        lambda z: z / 2,
    )
    yield Polynomial(
        "log1p_rest",
        "(log((1 + s) / (1 - s)) - 2 s) / s^3 in z = s^2, for |s| up to 1/3",
        _of_square(_log_of_ratio),
        ALMOST_ZERO,
        (mpmath.mpf("0.11112"), mpmath.mpf("0.11112")),
        (4, 10),
        lambda z: z / 2,
    )
    yield Polynomial(
        "power_rest",
        "(3/2 log((1 + s) / (1 - s)) - 3 s - s^3) / s^5 in z = s^2, for |s| up to 1/5",
        _of_square(lambda s: (3 * mp.atanh(s) - 3 * s - s**3) / s**5),
        ALMOST_ZERO,
        (third, third),
        (3, 7),
        lambda z: z**2 / 3 * 64,
    )
    yield Polynomial(
        "erf_rest",
        "erf(x) / x - 1 in z = x^2, for x up to 1",
        _of_square(lambda x: mp.erf(x) / x - 1),
        ALMOST_ZERO,
        (1, 1),
        (7, 12),
        lambda z: mpmath.mpf(1),
    )
    yield Polynomial(
        "erfc_rest",
        f"exp(x^2) erfc(x) (x + {ERFC_SCALE}) in t = (x - {ERFC_SCALE}) / (x + {ERFC_SCALE}), for x from 7/8 on",
        _scaled_erfc,
        _erfc_variable(mpmath.mpf("0.875")),
        (_erfc_variable(mpmath.mpf("10.5")), _erfc_variable(mpmath.mpf("27.5"))),
        (9, 22),
        lambda t: 1 / _scaled_erfc(t),
    )
    yield Polynomial(
        "sin_rest",
        "(sin(r) - r) / r^3 in z = r^2, for r up to a quarter of pi",
        _of_square(lambda r: (mp.sin(r) - r) / r**3),
        ALMOST_ZERO,
        (quarter_turn, quarter_turn),
        (3, 6),
        lambda z: z,
    )
    yield Polynomial(
        "cos_rest",
        "(cos(r) - 1 + r^2/2) / r^4 in z = r^2, for r up to a quarter of pi",
        _of_square(lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4),
        ALMOST_ZERO,
        (quarter_turn, quarter_turn),
        (3, 6),
        lambda z: z * z / mp.cos(mp.sqrt(z)),
    )


def _log_of_ratio(s: Number) -> Number:
    """log((1 + s) / (1 - s)) behind its first term, 2 s, divided by s^3."""
    return (2 * mp.atanh(s) - 2 * s) / s**3


def _of_square(f: Function) -> Function:
    return lambda z: f(mp.sqrt(z))


def _erfc_variable(x: Number) -> Number:
    return (x - ERFC_SCALE) / (x + ERFC_SCALE)


def _scaled_erfc(t: Number) -> Number:
    x = ERFC_SCALE * (1 + t) / (1 - t)
    return mp.exp(x * x) * mp.erfc(x) * (x + ERFC_SCALE)


def parts(value: Number, bits: list[int]) -> list[float]:
    """`value` as a sum of numbers of so many bits each."""
    found = []
    for b in bits:
        scale = mpmath.mpf(2) ** (b - 1 - int(mp.floor(mp.log(abs(value), 2))))
        part = mp.nint(value * scale) / scale
        found.append(float(part))
        value -= part
    return found


def constants(bits: int) -> Iterator[tuple[str, float]]:
    """Numbers in parts: a product of the first parts with a small whole number is exact."""
    log_bits, turn_bits = (16, 15) if bits == 24 else (42, 33)
    yield "LOG2_E", parts(1 / mp.log(2), [bits])[0]
    yield from zip(("LN2_HI", "LN2_LO"), parts(mp.log(2), [log_bits, bits]), strict=True)
    yield "TWO_OVER_PI", parts(2 / mp.pi, [bits])[0]
    names = ("HALF_PI_1", "HALF_PI_2", "HALF_PI_3", "HALF_PI_4")
    yield from zip(names, parts(mp.pi / 2, [turn_bits] * 3 + [bits]), strict=True)
    half = 12 if bits == 24 else 26
    yield from zip(("LOG_UNIT_HI", "LOG_UNIT_LO"), parts(2 / (3 * mp.log(2)), [half, bits]), strict=True)
    yield "LN2", parts(mp.log(2), [bits])[0]


def section(bits: int, fits: list[tuple[Polynomial, Fit]]) -> Iterator[str]:
    suffix = "f" if bits == 24 else ""
    for name, value in constants(bits):
        yield f"#define {name} {value.hex()}{suffix}"
    for polynomial, found in fits:
        yield f"/* {polynomial.says}; error {found.error * 2**bits:.2g} half ulps */"
        yield f"INLINE vec {polynomial.name}(vec x) {{"
        *rest, last = (f"{c.hex()}{suffix}" for c in found.coefficients)
        yield f"    vec p = splat({last});"
        yield from (f"    p = p * x + {c};" for c in reversed(rest))
        yield "    return p;"
        yield "}"


def header(say: Callable[[str], object]) -> str:
    lines = [
        "/* Coefficients of math.h, made by `python -m tools.minimax`: near-minimax fits (least squares whose",
        " * weights follow the error, after Lawson), the coefficients rounded one by one. Errors are relative. */",
        "#ifndef DNN_COEFFICIENTS_H",
        "#define DNN_COEFFICIENTS_H",
    ]
    for number, (line, bits) in enumerate((("#if REAL_BITS == 32", 24), ("#else", 53))):
        fits = []
        for p in polynomials():
            found = fit(p.f, p.low, p.highs[number], p.counts[number], p.weight, bits)
            say(f"{p.name:12} {bits} bits, {p.counts[number]:2} coefficients: {found.error * 2**bits:.2g} half ulps")
            fits.append((p, found))
        lines += [line, *section(bits, fits)]
    return "\n".join([*lines, "#endif", "#endif", ""])


def main() -> int:
    with mp.workdps(DIGITS):
        HEADER.write_text(header(print), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
