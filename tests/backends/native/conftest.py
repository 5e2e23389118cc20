"""Compiled code goes to a folder of the test run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dnnlang.backends.native import blocks, toolchain
from dnnlang.backends.native.execute import Executable


@pytest.fixture(autouse=True, scope="session")
def _compiled_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def compiled_in_a_hurry() -> Iterator[None]:
    """Without optimizations a compile takes a tenth of the time; what is computed is the same but for rounding."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toolchain, "_FLAGS", tuple("-O0" if flag == "-O2" else flag for flag in toolchain._FLAGS))
        patch.setattr(toolchain, "_processors", lambda: 1)  # most of the time goes to what all units read
        yield


@pytest.fixture
def on_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`on_threads(3)`: whatever is made from now on runs on three threads, worth it or not."""

    def use(threads: int) -> None:
        monkeypatch.setattr(Executable, "_threads", lambda *_: threads)
        monkeypatch.setattr(blocks, "WORTH", 1)
        monkeypatch.setenv("DNNLANG_THREADS", str(threads))

    return use
