"""Sizes: integers, or canonical polynomials with integer coefficients in symbols such as `m`, `n[0]`, a user's dims.

A leaf of the import order. `Size` is what shapes are made of, `Maximum` what peaks of memory are made of.
A constant is always a plain `int`, so programs without open sizes never meet a polynomial except through `m`.
"""

from dnnlang.sizes.bounds import Maximum, at_least, maximum
from dnnlang.sizes.errors import InexactError, SizeError, TooLargeError, TooManyTermsError, UnboundError
from dnnlang.sizes.monomial import LIMIT, Opaque
from dnnlang.sizes.polynomial import (
    MAX_TERMS,
    M,
    Polynomial,
    Size,
    add,
    atoms,
    divide,
    evaluate,
    floor_divide,
    multiply,
    power,
    substitute,
    subtract,
    symbol,
    symbols,
    total,
)
from dnnlang.sizes.text import balanced, equation_text, format_terms, terms

__all__ = [
    "LIMIT",
    "MAX_TERMS",
    "InexactError",
    "M",
    "Maximum",
    "Opaque",
    "Polynomial",
    "Size",
    "SizeError",
    "TooLargeError",
    "TooManyTermsError",
    "UnboundError",
    "add",
    "at_least",
    "atoms",
    "balanced",
    "divide",
    "equation_text",
    "evaluate",
    "floor_divide",
    "format_terms",
    "maximum",
    "multiply",
    "power",
    "substitute",
    "subtract",
    "symbol",
    "symbols",
    "terms",
    "total",
]
