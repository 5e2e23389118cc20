"""The forward part for a batch like an earlier one: everything but its numbers is prepared, and one call runs it.

A small network takes less time than Python takes to convert one argument. So the call has one, made beforehand, and X
is copied to where the first step reads it. Whether its numbers are finite is found out by the call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dnnlang.backends.runner import Ready

Array = npt.NDArray[Any]
Call = Callable[[Any], int]

COPIED: Final = 512
"""Numbers of X up to which NumPy copies them faster than it says where they lie."""
SHORT: Final = 500_000
"""Multiplications, of some 20 µs, during which other Python threads can wait."""
BLOCK: Final = 6
"""Vectors of samples that a thread takes at once where there are many: what they need stays in the near caches."""


class SourceOfData(ctypes.Structure):
    """`source` of c/run.h."""

    _fields_ = (
        ("from_", ctypes.c_void_p),
        ("units", ctypes.c_int64),
        ("unit_stride", ctypes.c_int64),
        ("sample_stride", ctypes.c_int64),
        ("to", ctypes.c_void_p),
    )


class _Forward(ctypes.Structure):
    """`forward` of c/forward.h."""

    _fields_ = (
        ("e", ctypes.c_void_p),
        ("code", ctypes.c_void_p),
        ("threads", ctypes.c_int64),
        ("from_", ctypes.c_void_p),
    )


class _Block(ctypes.Structure):
    """`block` of c/forward.h."""

    _fields_ = (("of", _Forward), ("output", ctypes.c_void_p))


class _Many(ctypes.Structure):
    """`many` of c/forward.h."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("threads", ctypes.c_int64),
        ("samples", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("from_", ctypes.c_void_p),
        ("unit_stride", ctypes.c_int64),
        ("sample_stride", ctypes.c_int64),
        ("to", ctypes.c_void_p),
        ("outputs", ctypes.c_int64),
    )


@dataclass(frozen=True, slots=True)
class Forward:
    """Functions of a loaded library: `dnn_forward`, while which other Python threads run; the same, quicker to call,
    while which they wait; `dnn_forward_many`."""

    any: Call
    quick: Call
    many: Call


@dataclass(frozen=True, slots=True)
class Block:
    """Room for few samples, and the steps in it. `kept` is what `c` points to."""

    c: _Block
    kept: tuple[Any, ...]


def prepared(
    functions: Forward,
    environment: ctypes.Structure,
    code: Array,
    source: SourceOfData,
    threads: int,
    X: Array,
    A: Array,
    work: int,
) -> Ready:
    """One call for the steps in `code`, of `work` multiplications, that make A (units, m) of X (units, m) in place."""
    told = _Forward(ctypes.addressof(environment), code.ctypes.data, threads, ctypes.addressof(source))
    kept = environment, code, source
    run = functions.quick if work <= SHORT else functions.any
    return _of_copied(run, told, kept, X, A) if X.size <= COPIED else _of_any(run, told, kept, X, A)


def _of_copied(run: Call, told: _Forward, kept: tuple[Any, ...], X: Array, A: Array) -> Ready:
    dtype, at, copy = X.dtype, ctypes.byref(told), A.copy

    def ready(given: Array) -> Array | None:
        if given.dtype is not dtype:
            return None
        X[...] = given
        return copy() if run(at) else None

    return _keeping(ready, kept)


def _of_any(run: Call, told: _Forward, kept: tuple[Any, ...], X: Array, A: Array) -> Ready:
    dtype, at, copy, item = X.dtype, ctypes.byref(told), A.copy, X.itemsize
    source: SourceOfData = kept[-1]

    def ready(given: Array) -> Array | None:
        if given.dtype is not dtype or not given.flags.aligned:
            return None
        by_unit, by_sample = given.strides
        source.from_, source.unit_stride, source.sample_stride = given.ctypes.data, by_unit // item, by_sample // item
        return copy() if run(at) else None

    return _keeping(ready, kept)


def block(environment: ctypes.Structure, code: Array, source: SourceOfData, A: Array) -> Block:
    """The steps in `code` for few samples, that make A (units, m)."""
    told = _Forward(ctypes.addressof(environment), code.ctypes.data, 1, ctypes.addressof(source))
    return Block(_Block(told, A.ctypes.data), (environment, code, source))


def in_blocks(functions: Forward, blocks: Sequence[Block], at_once: int, X: Array, A: Array) -> Ready:
    """One call for X (units, m) and A (units, m), in blocks of at most `at_once` samples, each thread at one of them.

    There are as many blocks for each thread, so that none has nothing to do at the end.
    """
    listed = (_Block * len(blocks))(*(b.c for b in blocks))
    outputs, m = A.shape
    count = len(blocks) * -(-m // (at_once * len(blocks)))
    told = _Many(ctypes.addressof(listed), len(blocks), m, count, outputs=outputs)
    dtype, at, run, item = X.dtype, ctypes.byref(told), functions.many, X.itemsize

    def ready(given: Array) -> Array | None:
        if given.dtype is not dtype or not given.flags.aligned:
            return None
        made = np.empty((outputs, m), dtype)
        by_unit, by_sample = given.strides
        told.from_, told.unit_stride, told.sample_stride = given.ctypes.data, by_unit // item, by_sample // item
        told.to = made.ctypes.data
        return made if run(at) else None

    return _keeping(ready, (listed, *blocks))


def _keeping(ready: Any, kept: tuple[Any, ...]) -> Ready:
    """What C holds pointers to lives as long as the function."""
    ready.kept = kept
    return ready  # type: ignore[no-any-return]
