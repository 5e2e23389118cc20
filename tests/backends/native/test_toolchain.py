"""The C compiler and its cache: found, called without a shell, kept privately, made again when in doubt."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import dnnlang
from dnnlang.backends.native import cache, toolchain
from dnnlang.backends.native.cache import Cache, UnusableFolderError
from dnnlang.backends.native.machine import describe
from dnnlang.backends.native.toolchain import Output, available, build, compiler
from dnnlang.errors import DnnWarning, InternalError, UsageError

posix = pytest.mark.skipif(os.name != "posix", reason="of POSIX")
needs_a_compiler = pytest.mark.skipif(not available(), reason="no C compiler")

EXPORTED = '__attribute__((visibility("default"))) '
ANSWER = EXPORTED + "int answer(void) { return ANSWER; }"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(toolchain, "user_folder", lambda: tmp_path / "cache ü" / "dnnlang")
    toolchain._say_once.cache_clear()
    yield
    toolchain._private.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache ü" / "dnnlang"


def answer(path: Path) -> int:
    return int(ctypes.CDLL(str(path)).answer())


def kept(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The compiler's calls from now on, without those for its version."""
    made: list[tuple[str, ...]] = []
    run = toolchain._run

    def noted(commands, folder, timeout):
        made.extend(tuple(command) for command in commands if "--version" not in command)
        return run(commands, folder, timeout)

    monkeypatch.setattr(toolchain, "_run", noted)
    return made


def script(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o700)
    return path


# ---------------------------------------------------------------- building


@needs_a_compiler
def test_a_library_is_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = calls(monkeypatch)
    first = build(ANSWER, defines={"ANSWER": 42})
    assert answer(first) == 42
    assert build(ANSWER, defines={"ANSWER": 42}) == first
    assert len(made) == 1
    assert kept(folder) == [first]


@needs_a_compiler
def test_whatever_changes_the_code_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = describe("x86_64", frozenset(("sse2",)))
    found = {
        build(ANSWER, defines={"ANSWER": 1}),
        build(ANSWER, defines={"ANSWER": 2}),
        build(ANSWER + "\n", defines={"ANSWER": 1}),
        build(ANSWER, defines={"ANSWER": 1}, options=("-O1",)),
    }
    monkeypatch.setattr(toolchain, "this_machine", lambda: machine)
    found.add(build(ANSWER, defines={"ANSWER": 1}))
    assert len({path.name.partition("-")[0] for path in found}) == 5


@posix
@needs_a_compiler
def test_a_new_version_of_the_compiler_compiles_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = compiler().command[0]
    wrapped = tmp_path / "cc of mine"
    monkeypatch.setenv("CC", str(wrapped))
    made = calls(monkeypatch)
    for version in ("one", "two"):
        script(wrapped, f'if [ "$1" = --version ]; then echo {version}; exit; fi', f'exec "{real}" "$@"')
        os.utime(wrapped, (1, len(made)))
        build(ANSWER, defines={"ANSWER": 1})
    assert len(made) == 2


@posix
@needs_a_compiler
def test_the_folder_is_private_and_left_clean(folder: Path) -> None:
    build(ANSWER, defines={"ANSWER": 1})
    assert folder.stat().st_mode & 0o777 == 0o700
    (path,) = kept(folder)
    assert path.stat().st_mode & 0o077 == 0


@needs_a_compiler
@pytest.mark.parametrize("damage", ["cut short", "another's", "empty"])
def test_a_broken_library_is_made_again(damage: str, folder: Path) -> None:
    path = build(ANSWER, defines={"ANSWER": 5})
    whole = path.read_bytes()
    other = build(ANSWER, defines={"ANSWER": 6}).read_bytes()
    path.write_bytes({"cut short": whole[: len(whole) // 2], "another's": other, "empty": b""}[damage])
    again = build(ANSWER, defines={"ANSWER": 5})
    assert answer(again) == 5
    assert len(kept(folder)) == 2


@posix
@needs_a_compiler
def test_a_link_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    path = build(ANSWER, defines={"ANSWER": 5})
    elsewhere = shutil.move(path, tmp_path / "elsewhere.so")
    path.symlink_to(elsewhere)
    assert not build(ANSWER, defines={"ANSWER": 5}).is_symlink()


@needs_a_compiler
def test_our_mistake_is_an_internal_error(folder: Path) -> None:
    with pytest.raises(InternalError, match=r"does not take our C:[\s\S]*undeclared"):
        build("int f(void) { return undeclared; }")
    assert kept(folder) == []


@needs_a_compiler
def test_a_program_is_built_too_and_a_sanitizer_stops_it() -> None:
    source = "int main(int c, char **v) { volatile int a[2] = {1, 2}; return a[c - 1 + N] == -77 || !v; }"
    sound = build(source, defines={"N": 0}, output=Output.PROGRAM)
    assert subprocess.run([sound], check=False).returncode == 0
    try:
        broken = build(source, defines={"N": 7}, output=Output.PROGRAM, sanitize=True)
    except InternalError as e:
        if "san" in str(e):
            pytest.skip("this compiler has no sanitizers")
        raise
    done = subprocess.run([broken], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "runtime error" in done.stderr or "AddressSanitizer" in done.stderr


@needs_a_compiler
def test_two_processes_at_once(folder: Path) -> None:
    code = (
        "import sys, ctypes; from pathlib import Path; from dnnlang.backends.native import toolchain;"
        "toolchain.user_folder = lambda: Path(sys.argv[1]);"
        "p = toolchain.build(sys.argv[2], defines={'ANSWER': 8}); print(ctypes.CDLL(str(p)).answer())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(folder), ANSWER], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [p.communicate()[0].strip() for p in running] == ["8"] * 3
    assert len({path.name.partition("-")[0] for path in kept(folder)}) == 1


# ---------------------------------------------------------------- in several units

HALVES = ("int half(void); " + EXPORTED + "int answer(void) { return 2 * half(); }", "int half(void) { return HALF; }")
WHOLE = EXPORTED + "int answer(void) { return 2 * HALF; }"


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda count: monkeypatch.setattr(toolchain, "_processors", lambda: count)


@needs_a_compiler
def test_units_are_compiled_each_and_linked(processors, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processors(64)
    asked: list[int] = []
    made = calls(monkeypatch)
    path = build(WHOLE, units=lambda count: asked.append(count) or HALVES, defines={"HALF": 21})
    assert answer(path) == 42
    assert asked == [4]
    assert ["-c" in command for command in made] == [True, True, False]
    assert kept(folder) == [path]
    assert build(WHOLE, defines={"HALF": 21}) == path  # however it is made, it is the same


@needs_a_compiler
def test_one_unit_is_the_whole(processors, monkeypatch: pytest.MonkeyPatch) -> None:
    processors(1)
    made = calls(monkeypatch)
    assert answer(build(WHOLE, units=lambda count: HALVES[:count], defines={"HALF": 4})) == 8
    assert len(made) == 1


@needs_a_compiler
def test_a_mistake_in_any_unit_is_ours(processors, folder: Path) -> None:
    processors(2)
    with pytest.raises(InternalError, match=r"does not take our C:[\s\S]*undeclared"):
        build(WHOLE, units=lambda _: (HALVES[0], "int half(void) { return undeclared; }"))
    assert kept(folder) == []


@needs_a_compiler
def test_a_program_with_sanitizers_in_units(processors) -> None:
    processors(2)
    units = (
        "int at(int); int main(int c, char **v) { return at(c + 6) == -77 || !v; }",
        "int at(int i) { volatile int a[2] = {1, 2}; return a[i]; }",
    )
    try:
        broken = build("", units=lambda _: units, output=Output.PROGRAM, sanitize=True)
    except InternalError as e:
        if "san" in str(e):
            pytest.skip("this compiler has no sanitizers")
        raise
    done = subprocess.run([broken], capture_output=True, text=True, check=False)
    assert "runtime error" in done.stderr or "AddressSanitizer" in done.stderr


@posix
@pytest.mark.parametrize("ended_by", ["time", "an interrupt"])
def test_what_ends_a_build_ends_all_compilers(
    ended_by: str, processors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And what these have started themselves."""
    processors(2)
    note = 'sleep 60 & echo $! >> "$NOTES"; echo $$ >> "$NOTES"; wait'
    slow = script(tmp_path / "cc", f'if [ "$1" != --version ]; then {note}; fi')
    monkeypatch.setenv("CC", str(slow))
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    compiler()

    def running() -> list[int]:
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    def interrupted(process, timeout):
        while len(running()) < 4:
            time.sleep(0.01)
        raise KeyboardInterrupt if ended_by == "an interrupt" else subprocess.TimeoutExpired("cc", timeout)

    monkeypatch.setattr(toolchain.subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt if ended_by == "an interrupt" else UsageError):
        build(WHOLE, units=lambda _: HALVES)
    ended = time.monotonic() + 30
    while any(_runs(process) for process in running()) and time.monotonic() < ended:
        time.sleep(0.01)
    assert not any(_runs(process) for process in running())


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


# ---------------------------------------------------------------- no compiler, or a bad one


def test_no_compiler_is_said_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    assert not available()
    with pytest.raises(UsageError, match=r"there is no C compiler[\s\S]*dnnlang\[native\]"):
        build(ANSWER)


def test_a_package_brings_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: object() if name == "ziglang" else None)
    monkeypatch.setattr(toolchain, "version", lambda name: "0.1")
    assert compiler().command == (sys.executable, "-m", "ziglang", "cc")


def test_what_that_compiler_makes_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ziglang")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    program = dnnlang.compile("input 3\nlayer 5 tanh\ndropout 0.2\nlayer 1 sigmoid")
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((3, 37)).astype(np.float32), rng.integers(0, 2, (1, 37)).astype(np.float32)
    losses = []
    for backend in ("native", "numpy"):
        network = program.load(backend=backend)
        losses.append([network.step(X, Y) for _ in range(3)])
    assert "ziglang" in compiler().identity
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("given", ["no-such-compiler -m64", "'unbalanced"])
def test_cc_that_is_no_program(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", given)
    assert not available()
    with pytest.raises(UsageError, match=re.escape(f"CC is `{given}`, which is no program")):
        build(ANSWER)


@posix
@needs_a_compiler
def test_cc_is_arguments_and_no_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = compiler().command[0]
    monkeypatch.setenv("CC", f"{real} -DANSWER=3 '-DX=$(touch {tmp_path}/shell)' -DY=;")
    assert answer(build(ANSWER)) == 3
    assert not (tmp_path / "shell").exists()


@posix
def test_a_compiler_that_fails_at_everything_is_not_our_mistake(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = script(tmp_path / "cc", 'if [ "$1" != --version ]; then echo no headers here; exit 1; fi')
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(UsageError, match=r"does not work; it says: no headers here"):
        build(ANSWER)
    monkeypatch.setenv("CC", str(script(tmp_path / "dd", "exit 3")))
    with pytest.raises(UsageError, match="does not work; it says: nothing"):
        build(ANSWER)


@posix
def test_a_compiler_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = script(tmp_path / "cc", 'if [ "$1" != --version ]; then exec sleep 60; fi')
    monkeypatch.setenv("CC", str(slow))
    begin = time.monotonic()
    with pytest.raises(UsageError, match=r"nothing, for 0\.2 seconds"):
        build(ANSWER, timeout=0.2)
    assert time.monotonic() - begin < 30


@needs_a_compiler
def test_asking_whether_there_is_one_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(toolchain, "_run", never)
    assert available()


# ---------------------------------------------------------------- folders that cannot be used


@posix
@needs_a_compiler
@pytest.mark.parametrize("why", ["others may write to it", "it is not a folder", "it cannot be written", "no home"])
def test_an_unusable_folder_is_said_once(why: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.mkdir(parents=True)
    if why == "others may write to it":
        folder.mkdir()
        folder.chmod(0o777)
    elif why == "it is not a folder":
        folder.write_text("")
    elif why == "it cannot be written":
        folder.parent.rmdir()
        folder.parent.write_text("")
    else:

        def homeless() -> Path:
            raise UnusableFolderError("the user has no home folder")

        monkeypatch.setattr(toolchain, "user_folder", homeless)
    made = calls(monkeypatch)
    with pytest.warns(DnnWarning, match="home" if why == "no home" else why):
        path = build(ANSWER, defines={"ANSWER": 4})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build(ANSWER, defines={"ANSWER": 4}) == path
    assert answer(path) == 4
    assert len(made) == 1
    assert folder not in path.parents
    assert path.parent.stat().st_mode & 0o777 == 0o700


@posix
@needs_a_compiler
def test_code_of_another_user_is_not_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(ANSWER, defines={"ANSWER": 4})
    user = os.geteuid()
    monkeypatch.setattr(cache.os, "geteuid", lambda: user + 1)
    with pytest.raises(UnusableFolderError, match="another user"):
        Cache(folder).find("0" * 64)


@needs_a_compiler
def test_a_read_only_folder_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(ANSWER, defines={"ANSWER": 4})
    make, touch = tempfile.mkdtemp, os.utime

    def refused(prefix: str = "", dir: Path | None = None, **others: object) -> str:
        if dir == folder:
            raise OSError(errno.EROFS, "read-only file system")
        return make(prefix=prefix, dir=dir)

    def not_touched(file: Path, *times: object) -> None:
        if folder in Path(file).parents:
            raise OSError(errno.EROFS, "read-only file system")
        touch(file)

    monkeypatch.setattr(cache.tempfile, "mkdtemp", refused)
    monkeypatch.setattr(cache.os, "utime", not_touched)
    assert build(ANSWER, defines={"ANSWER": 4}) == path
    with pytest.warns(DnnWarning, match="read-only file system"):
        assert answer(build(ANSWER, defines={"ANSWER": 5})) == 5


def test_where_each_system_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/u"))
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.setattr(cache.sys, "platform", "linux")
    assert cache.user_folder() == Path("/somewhere/dnnlang")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.user_folder() == Path("/home/u/.cache/dnnlang")
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache.user_folder() == Path("/home/u/Library/Caches/dnnlang")
    monkeypatch.setattr(cache.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache.user_folder() == Path("/local/dnnlang/cache")


# ---------------------------------------------------------------- the cache by itself


def stored(c: Cache, number: int, size: int, age: float) -> Path:
    with c.workshop() as folder:
        made = folder / "made"
        made.write_bytes(bytes([number]) * size)
        path = c.store(f"{number:x}" * 64, made, ".so")
    if path.exists():
        os.utime(path, (time.time() - age,) * 2)
    return path


def test_the_least_recently_used_go(tmp_path: Path) -> None:
    c = Cache(tmp_path / "cache", limit=2500)
    old, new = stored(c, 1, 1000, 200), stored(c, 2, 1000, 100)
    os.utime(old)
    newest = stored(c, 3, 1000, 0)
    assert sorted(tmp_path.glob("cache/*")) == sorted([old, newest])
    assert not new.exists()


def test_a_library_larger_than_the_limit_is_kept_as_long_as_it_is_the_newest(tmp_path: Path) -> None:
    c = Cache(tmp_path / "cache", limit=10)
    first, second = stored(c, 1, 100, 10), stored(c, 2, 100, 0)
    assert second.exists()
    assert not first.exists()


def test_what_an_interrupted_compile_left_goes(tmp_path: Path) -> None:
    c = Cache(tmp_path / "cache")
    stored(c, 1, 1, 0)
    left, going_on = tmp_path / "cache" / "building-left", tmp_path / "cache" / "building-now"
    left.mkdir()
    going_on.mkdir()
    os.utime(left, (1, 1))
    stored(c, 2, 1, 0)
    assert not left.exists()
    assert going_on.exists()


def test_use_counts(tmp_path: Path) -> None:
    c = Cache(tmp_path / "cache")
    key = "ab" * 32
    with c.workshop() as folder:
        (folder / "made").write_bytes(b"x")
        path = c.store(key, folder / "made", ".so")
    os.utime(path, (1, 1))
    assert c.find(key) == path
    assert path.stat().st_mtime > 1


def test_a_key_is_a_hash(tmp_path: Path) -> None:
    c = Cache(tmp_path / "cache")
    stored(c, 1, 1, 0)
    for key in ("", "../../../../etc/passwd", "*" * 64):
        with pytest.raises(InternalError):
            c.find(key)


# ---------------------------------------------------------------- machines


def test_the_widest_vectors_that_are_fast() -> None:
    avx2 = frozenset(("sse2", "avx2", "fma"))
    avx512 = avx2 | {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
    assert describe("x86_64", avx512).vector_bytes == 64
    assert describe("amd64", avx512 - {"avx512dq"}).vector_bytes == 32
    assert describe("x86_64", avx2).vector_bytes == 32
    assert describe("x86_64", frozenset(("sse2",))).vector_bytes == 16
    assert describe("arm64", frozenset()).vector_bytes == 16
    assert describe("aarch64", frozenset()).tuning == ("-mcpu=native",)
    assert describe("riscv64", frozenset()).vector_bytes == 0
