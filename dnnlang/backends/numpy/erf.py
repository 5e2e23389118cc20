"""The error function and its complement, which NumPy lacks.

The rational approximations of Sun's fdlibm (s_erf.c, 1993), good to one unit in the last place of float64.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_ERX: Final = 8.45062911510467529297e-01
_SMALL: Final = (
    (
        1.28379167095512558561e-01,
        -3.25042107247001499370e-01,
        -2.84817495755985104766e-02,
        -5.77027029648944159157e-03,
        -2.37630166566501626084e-05,
    ),
    (
        1.0,
        3.97917223959155352819e-01,
        6.50222499887672944485e-02,
        5.08130628187576562776e-03,
        1.32494738004321644526e-04,
        -3.96022827877536812320e-06,
    ),
)
_AROUND_ONE: Final = (
    (
        -2.36211856075265944077e-03,
        4.14856118683748331666e-01,
        -3.72207876035701323847e-01,
        3.18346619901161753674e-01,
        -1.10894694282396677476e-01,
        3.54783043256182359371e-02,
        -2.16637559486879084300e-03,
    ),
    (
        1.0,
        1.06420880400844228286e-01,
        5.40397917702171048937e-01,
        7.18286544141962662868e-02,
        1.26171219808761642112e-01,
        1.36370839120290507362e-02,
        1.19844998467991074170e-02,
    ),
)
_MIDDLE: Final = (
    (
        -9.86494403484714822705e-03,
        -6.93858572707181764372e-01,
        -1.05586262253232909814e01,
        -6.23753324503260060396e01,
        -1.62396669462573470355e02,
        -1.84605092906711035994e02,
        -8.12874355063065934246e01,
        -9.81432934416914548592e00,
    ),
    (
        1.0,
        1.96512716674392571292e01,
        1.37657754143519042600e02,
        4.34565877475229228821e02,
        6.45387271733267880336e02,
        4.29008140027567833386e02,
        1.08635005541779435134e02,
        6.57024977031928170135e00,
        -6.04244152148580987438e-02,
    ),
)
_LARGE: Final = (
    (
        -9.86494292470009928597e-03,
        -7.99283237680523006574e-01,
        -1.77579549177547519889e01,
        -1.60636384855821916062e02,
        -6.37566443368389627722e02,
        -1.02509513161107724954e03,
        -4.83519191608651397019e02,
    ),
    (
        1.0,
        3.03380607434824582924e01,
        3.25792512996573918826e02,
        1.53672958608443695994e03,
        3.19985821950859553908e03,
        2.55305040643316442583e03,
        4.74528541206955367215e02,
        -2.24409524465858183362e01,
    ),
)


def erf(x: Array, out: Array) -> None:
    """out = erf(x), entry by entry, computed in float64; `out` may be `x`."""
    z = np.asarray(x, dtype=np.float64)
    size = np.abs(z)
    result = np.asarray(np.sign(z))  # from |x| = 6 on; NaN stays NaN. NumPy gives no array for one without axes
    tiny = size < 0.84375
    s = z[tiny] ** 2
    result[tiny] = z[tiny] + z[tiny] * _ratio(_SMALL, s)
    near_one = (size >= 0.84375) & (size < 1.25)
    result[near_one] *= _ERX + _ratio(_AROUND_ONE, size[near_one] - 1.0)
    for coefficients, low, high in ((_MIDDLE, 1.25, 1 / 0.35), (_LARGE, 1 / 0.35, 6.0)):
        region = (size >= low) & (size < high)
        result[region] *= 1.0 - _tail(size[region], coefficients)
    out[...] = result


def erfc(x: Array, out: Array) -> None:
    """out = 1 - erf(x), entry by entry, with the digits of its small values; computed in float64."""
    z = np.asarray(x, dtype=np.float64)
    size = np.abs(z)
    right = z >= 0
    result = np.where(right, 0.0, 2.0)  # far out, where the tail is below the smallest number
    result[np.isnan(z)] = np.nan
    tiny = size < 0.84375
    s = z[tiny]
    # Up to 1/4 the value is near 1 and nothing cancels; beyond, 1/2 is taken off first.
    small = s + s * _ratio(_SMALL, s**2)
    result[tiny] = np.where(s < 0.25, 1.0 - small, 0.5 - (s - 0.5 + s * _ratio(_SMALL, s**2)))
    near_one = (size >= 0.84375) & (size < 1.25)
    beyond = _ERX + _ratio(_AROUND_ONE, size[near_one] - 1.0)
    complement = 1.0 - _ERX - _ratio(_AROUND_ONE, size[near_one] - 1.0)
    result[near_one] = np.where(right[near_one], complement, 1.0 + beyond)
    for coefficients, low, high in ((_MIDDLE, 1.25, 1 / 0.35), (_LARGE, 1 / 0.35, 28.0)):
        region = (size >= low) & (size < high)
        tail = _tail(size[region], coefficients)
        result[region] = np.where(right[region], tail, 2.0 - tail)
    out[...] = result


def _tail(size: Array, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    """1 - erf for sizes from 1.25 on: exp(-x²) splits into a part that is exact and a small rest."""
    rounded = size.astype(np.float32).astype(np.float64)
    exponent = (rounded - size) * (rounded + size) + _ratio(coefficients, 1.0 / size**2)
    result: Array = np.exp(-rounded * rounded - 0.5625) * np.exp(exponent) / size
    return result


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], s: Array) -> Array:
    numerator, denominator = coefficients
    result: Array = np.polynomial.polynomial.polyval(s, numerator) / np.polynomial.polynomial.polyval(s, denominator)
    return result
