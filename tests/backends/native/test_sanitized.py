"""Compiled plans under AddressSanitizer and UndefinedBehaviorSanitizer: nothing is read or written beside its place."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

import dnnlang
from dnnlang.backends.native.toolchain import Output, available, build
from dnnlang.errors import InternalError
from tests.backends.native import standalone
from tests.backends.native.comparing import data_for, loaded
from tests.backends.native.test_native_backend import PROGRAMS

THREADS = ("-g", "-fsanitize=thread")


def sanitizes(options: tuple[str, ...] = ()) -> bool:
    """Does the compiler bring the sanitizers along: the usual ones, or that of the options?"""
    try:
        build("int main(void) { return 0; }", output=Output.PROGRAM, sanitize=not options, options=options)
    except InternalError:
        return False
    return True


pytestmark = [
    pytest.mark.skipif(not available(), reason="no C compiler"),
    pytest.mark.skipif(sys.platform == "win32", reason="the sanitizers are not there on Windows"),
    pytest.mark.usefixtures("compiled_in_a_hurry"),
]


@pytest.fixture(scope="module", autouse=True)
def _sanitizers() -> None:
    if not sanitizes():
        pytest.skip("the C compiler has no sanitizers")


def check(name: str, purpose: str, m: int, dtype: str, level: int) -> None:
    program = dnnlang.compile(PROGRAMS[name], optimize=level)
    network = loaded(program, "native", dtype, 0)
    X, Y = ({n: np.ascontiguousarray(a, dtype) for n, a in d.items()} for d in data_for(program, m))
    executable = standalone.executable_of(network, purpose, m, 2)
    source = standalone.source_of(executable, purpose, X, Y)
    expected = standalone.losses(executable, purpose, X, Y)
    assert purpose == "inference" or np.isfinite(expected).all()
    for threads in (1, 2):
        assert standalone.run_alone(source, threads) == pytest.approx(expected, rel=1e-5)


CASES = [
    ("wide", "step", 37, "float32", 2),
    ("dropout", "step", 33, "float64", 2),
    ("normal", "step", 17, "float32", 2),
    ("several", "inference", 7, "float32", 2),
    ("shared", "step", 1, "float32", 1),
]


@pytest.mark.parametrize(("name", "purpose", "m", "dtype", "level"), CASES)
def test_sanitizers_find_nothing(name: str, purpose: str, m: int, dtype: str, level: int) -> None:
    check(name, purpose, m, dtype, level)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_sanitizers_find_nothing_in_any_of_the_programs(name: str) -> None:
    for purpose in ("inference", "gradients", "step"):
        check(name, purpose, 35, "float32", 2)
        check(name, purpose, 2, "float64", 0)


@pytest.mark.parametrize("name", ["normal", pytest.param("wide", marks=pytest.mark.slow)])
def test_threads_do_not_race(name: str, on_threads: Callable[[int], None]) -> None:
    """ThreadSanitizer, with as many threads as the last run had, or fewer: who has no part must not look at the run."""
    if not sanitizes(THREADS):
        pytest.skip("the C compiler has no ThreadSanitizer")
    on_threads(3)
    program = dnnlang.compile(PROGRAMS[name])
    network = loaded(program, "native", "float32", 0)
    X, Y = ({n: np.ascontiguousarray(a, np.float32) for n, a in d.items()} for d in data_for(program, 150))
    executable = standalone.executable_of(network, "step", 150, 3)
    source = standalone.source_of(executable, "step", X, Y)
    once = "dnn_run(e, code, 1, threads"
    assert once in source
    source = source.replace("for (int t = 0; t < 3; ++t)", "for (int u = 0, t = 0; u < 300; ++u, t = u % 3)")
    source = source.replace(once, once.replace("threads", "threads - u % 3"))
    assert len(standalone.run_alone(source, 3, sanitize=False, options=THREADS)) == 300


@pytest.mark.parametrize("bytes_less", [1])
def test_a_room_that_is_too_small_is_found(bytes_less: int) -> None:
    """The check can fail: parameters of a few bytes less."""
    program = dnnlang.compile(PROGRAMS["plain"])
    network = loaded(program, "native", "float32", 0)
    X, Y = ({n: np.ascontiguousarray(a, np.float32) for n, a in d.items()} for d in data_for(program, 5))
    executable = standalone.executable_of(network, "step", 5, 1)
    source = standalone.source_of(executable, "step", X, Y)
    size = executable.arena_bytes()
    assert f"room({size})" in source
    with pytest.raises(AssertionError, match="AddressSanitizer"):
        standalone.run_alone(source.replace(f"room({size})", f"room({size - bytes_less})"), 1)
