"""The garbage collector is set aside while a program is compiled, and left as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

import dnnlang
from dnnlang.collector import collector_paused


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.enable()


@pytest.mark.parametrize("program", ["layer 5 relu", "layer 5 rellu", "layer (5"])
@pytest.mark.parametrize("on", [True, False])
def test_a_compile_leaves_it_as_it_was(program: str, on: bool) -> None:
    gc.enable() if on else gc.disable()
    with suppress(dnnlang.CompileError):
        dnnlang.compile(program).plan()
    assert gc.isenabled() == on


def test_pauses_nest() -> None:
    with collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
