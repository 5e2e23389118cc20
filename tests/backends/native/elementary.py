"""The functions of c/math.h, compiled by themselves, on arrays and against the C library in double."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from dnnlang.backends.native.toolchain import build

HEADERS = ("vectors.h", "coefficients.h", "math.h")
REFERENCES = {
    "exp": "exp(x)",
    "expm1": "expm1(x)",
    "log": "log(x)",
    "log1p": "log1p(x)",
    "tanh": "tanh(x)",
    "erf": "erf(x)",
    "erfc": "erfc(x)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "sqrt": "sqrt(x)",
    "logistic": "(x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)))",
    "logistic_slope": "exp(-fabs(x)) / ((1 + exp(-fabs(x))) * (1 + exp(-fabs(x))))",
    "tanh_slope": "4 * exp(-fabs(2 * x)) / ((1 + exp(-fabs(2 * x))) * (1 + exp(-fabs(2 * x))))",
    "log1pexp": "((x < 0 ? 0 : x) + log1p(exp(-fabs(x))))",
}
"""Functions of one number, with what they are in C's double."""

_ARRAYS = """
static void apply_NAME(const real *x, real *y, long n) {
    for (long i = 0; i < n; i += LANES) STORE(y + i, vNAME(LOAD(x + i)));
}
__attribute__((visibility("default"))) void array_NAME(const real *x, real *y, long n) { apply_NAME(x, y, n); }
"""
_TWO = """
__attribute__((visibility("default"))) void array_NAME(const real *a, const real *b, real *y, long n) {
    for (long i = 0; i < n; i += LANES) STORE(y + i, vNAME(LOAD(a + i), LOAD(b + i)));
}
"""
_ULPS = """
/* How far `got` is off, in units in the last place of float; 1e30 where only equality would do. */
static double ulps(float got, double wanted) {
    float nearest = (float)wanted;
    if (nearest != nearest || got != got) return nearest != nearest && got != got ? 0 : 1e30;
    if (nearest == 0 && got == 0) return signbit(nearest) == signbit(got) ? 0 : 1e30;
    if (isinf(wanted)) return got == nearest ? 0 : 1e30;
    int exponent;
    frexp(wanted, &exponent);
    if (exponent < -125) exponent = -125;
    if (isinf(got)) got = copysign(1, wanted) == copysign(1, got) ? nearest : -nearest;
    double size = isinf(nearest) && got == nearest ? 0 : fabs((double)got - wanted);
    return size / ldexp(1, exponent - 24);
}
"""
_SWEEP = """
/* Over every `step`th of all floats: the largest error in ulps, and where. */
__attribute__((visibility("default"))) double sweep_NAME(uint32_t step, uint32_t first, float *at) {
    enum { N = 1024 };
    _Alignas(64) float in[N], out[N];
    double worst = 0;
    for (uint64_t begin = first; begin < (uint64_t)1 << 32; begin += (uint64_t)N * step) {
        for (uint64_t i = 0; i < N; ++i) {
            uint32_t pattern = (uint32_t)(begin + i * step);
            memcpy(in + i, &pattern, 4);
        }
        apply_NAME(in, out, N);
        for (int i = 0; i < N; ++i) {
            double x = in[i], error = ulps(out[i], REFERENCE);
            if (error > worst) worst = error, *at = in[i];
        }
    }
    return worst;
}
"""


def headers() -> str:
    folder = files("dnnlang.backends.native") / "c"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in HEADERS)


@dataclass(frozen=True)
class Functions:
    """The functions for numbers of so many bits, in vectors of so many bytes."""

    library: ctypes.CDLL
    dtype: np.dtype[np.floating]

    def __call__(self, name: str, *operands: npt.ArrayLike) -> np.ndarray:
        arrays = [self._padded(o) for o in operands]
        out = aligned(arrays[0].size, self.dtype)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*arrays, out)]
        getattr(self.library, f"array_{name}")(*pointers, ctypes.c_long(out.size))
        return out[: np.size(operands[0])]

    def sweep(self, name: str, step: int, first: int = 0) -> tuple[float, float]:
        """The largest error in ulps over every `step`th float, and where it is."""
        function = self.library[f"sweep_{name}"]
        function.restype = ctypes.c_double
        at = ctypes.c_float()
        return function(ctypes.c_uint32(step), ctypes.c_uint32(first), ctypes.byref(at)), at.value

    def _padded(self, numbers: npt.ArrayLike) -> np.ndarray:
        given = np.asarray(numbers, self.dtype).ravel()
        array = aligned(-(-given.size // 16) * 16, self.dtype)
        array[: given.size] = given
        return array


def aligned(count: int, dtype: npt.DTypeLike) -> np.ndarray:
    """Ones, at an address that is a multiple of 64."""
    size = count * np.dtype(dtype).itemsize
    buffer = np.zeros(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    array = buffer[start : start + size].view(dtype)
    array[:] = 1
    return array


@cache
def functions(bits: int, vector_bytes: int, options: tuple[str, ...] = ()) -> Functions:
    text = [headers(), *(_ARRAYS.replace("NAME", name) for name in REFERENCES), _TWO.replace("NAME", "pow")]
    text += [_TWO.replace("NAME", "logistic_loss"), _TWO.replace("NAME", "max"), _TWO.replace("NAME", "min")]
    if bits == 32:
        text.append(_ULPS)
        text += [_SWEEP.replace("NAME", n).replace("REFERENCE", r) for n, r in REFERENCES.items()]
    path = build("\n".join(text), defines={"REAL_BITS": bits, "VECTOR_BYTES": vector_bytes}, options=options)
    return Functions(ctypes.CDLL(str(path)), np.dtype(f"f{bits // 8}"))
