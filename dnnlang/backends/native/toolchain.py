"""The C compiler of this machine: which one, how it is called, and the libraries that it has made already.

It is called with a list of arguments, never through a shell, and with nothing that a program of the user holds: the
source is in a file of a fixed name, in a folder of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from dnnlang.backends.native.cache import Cache, UnusableFolderError, user_folder
from dnnlang.backends.native.machine import this_machine
from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.errors import DnnWarning, InternalError, UsageError

NO_COMPILER = rule(
    "DNN881",
    "no-c-compiler",
    "The native backend is asked for, and there is no C compiler.",
    why="The native backend writes the network as C and compiles it on this machine. It takes the compiler that `CC` "
    "names, else cc, gcc or clang, else the one in the Python package ziglang.",
    wrong='program.load(backend="native")     # on a machine without a C compiler',
    right="pip install 'dnnlang[native]'      # brings one along; or install gcc or clang",
    program=False,
)
COMPILER_FAILS = rule(
    "DNN882",
    "c-compiler-fails",
    "The C compiler that was found does not work.",
    why="It cannot compile even a small program, cannot be started, or does not finish. Then nothing can run on the "
    "native backend, whatever the network.",
    wrong="CC=/bin/false dnnc train model.dnn data.csv --backend native",
    right="CC=gcc dnnc train model.dnn data.csv --backend native",
    program=False,
)
CACHE_UNUSABLE = rule(
    "DNN350",
    "compiled-code-not-kept",
    "Compiled code cannot be kept for the next run.",
    why="Code of the native backend is kept in the user's cache folder, where only the user may write. Where that "
    "folder cannot be used, each run compiles anew; the results are the same.",
    wrong="chmod a+w ~/.cache/dnnlang",
    right="chmod go-w ~/.cache/dnnlang",
    severity="warning",
    program=False,
)

NAMES: Final = ("cc", "gcc", "clang")
_ZIG: Final = ("-m", "ziglang", "cc")
"""The compiler in a Python package, as arguments of Python."""

TIMEOUT: Final = 120.0
"""Seconds that a compile may take; it takes less than two where nothing is wrong."""

_FLAGS: Final = (
    "-std=gnu11",
    "-O2",
    "-ffp-contract=fast",  # a * b + c in one instruction; the functions of c/math.h are right either way
    "-fno-math-errno",  # a root is one instruction
    "-fno-trapping-math",  # nobody reads the floating-point exceptions
    "-w",
)
_SANITIZED: Final = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
_PROBE: Final = "#include <math.h>\n#include <stdint.h>\nint dnn_probe(int x) { return x; }\n"
_AT_ONCE: Final = 4
"""Compilers at work at once; more would each spend most of their time on what all of them read."""

_SHOWN: Final = 4000
"""Characters of a compiler's message that are passed on."""


class Output(StrEnum):
    """What is built: a shared library to load, or a program to start."""

    LIBRARY = "library"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class Compiler:
    """`command` begins every call; `identity` tells it from others and from its own older versions."""

    command: tuple[str, ...]
    identity: str


Units = Callable[[int], Sequence[str]]
"""Up to so many sources that make the same when they are linked."""


@dataclass(frozen=True, slots=True)
class _Job:
    source: str
    arguments: tuple[str, ...]
    suffix: str
    timeout: float
    units: Units | None = None
    libraries: tuple[str, ...] = field(default=("-lm", "-pthread"))


def available() -> bool:
    """Is there a C compiler? Starts no process, so it may be one that does not work."""
    return _command() is not None


def compiler() -> Compiler:
    """The C compiler. Raises UsageError where there is none, or it cannot be started."""
    command = _command()
    if command is None:
        raise UsageError(_no_compiler())
    return _identified(command, _stamp(command[0]))


def build(
    source: str,
    *,
    units: Units | None = None,
    defines: Mapping[str, str | int] | None = None,
    options: Sequence[str] = (),
    output: Output = Output.LIBRARY,
    sanitize: bool = False,
    timeout: float = TIMEOUT,
) -> Path:
    """The compiled `source`: from the cache, or made now, from its `units` where some can be compiled at once.

    `defines` are macros, `options` more arguments of the compiler, all of them ours. With `sanitize`, errors of memory
    and undefined behaviour end the run; build a program then. Only what needs no function but those of the C library,
    mathematics and threads can be built.

    Raises UsageError where there is no compiler or it does not work, InternalError where it does not take `source`.
    """
    kind = ("-shared", "-fPIC", "-fvisibility=hidden") if output is Output.LIBRARY else ()
    macros = tuple(f"-D{name}={value}" for name, value in (defines or {}).items())
    flags = (*_FLAGS, *this_machine().tuning, *kind, *(_SANITIZED if sanitize else ()), *macros, *options)
    used = compiler()
    job = _Job(source, flags, _suffix(output), timeout, units)
    key = _key(job, used)
    for cache_ in _caches():
        try:
            found = cache_.find(key)
            if found is None:
                with cache_.workshop() as folder:
                    found = cache_.store(key, _compile(job, used, folder), job.suffix)
        except UnusableFolderError as e:
            _say_once(cache_.folder, str(e))
            continue
        return found
    raise InternalError("not even a fresh temporary folder can be used to compile in")


# ---------------------------------------------------------------- finding the compiler


def _command() -> tuple[str, ...] | None:
    given = os.environ.get("CC", "").strip()
    if given:
        words = _words(given)
        path = shutil.which(words[0]) if words else None
        return (os.path.abspath(path), *words[1:]) if path is not None else None
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return (os.path.abspath(path),)
    if importlib.util.find_spec("ziglang") is not None:
        return (sys.executable, *_ZIG)
    return None


def _words(given: str) -> list[str]:
    """`CC` as a list; a path with blanks in it needs no quotes."""
    if os.path.isfile(given):
        return [given]
    try:
        return shlex.split(given, posix=os.name == "posix")
    except ValueError:
        return []


def _stamp(path: str) -> tuple[int, int]:
    """Changes when the program is another one."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@cache
def _identified(command: tuple[str, ...], stamp: tuple[int, int]) -> Compiler:
    if command[1:] == _ZIG:  # the slowest to start, and its version is known without
        return Compiler(command, f"ziglang {version('ziglang')}")
    (done,) = _run([(*command, "--version")], None, 30)
    if done.returncode != 0:
        raise UsageError(_fails(command, done.says))
    return Compiler(command, f"{shlex.join(command)} {stamp} {done.says}")


def _no_compiler() -> Diagnostic:
    given = os.environ.get("CC", "").strip()
    message, advice = "there is no C compiler", "install gcc or clang, or `pip install 'dnnlang[native]'`"
    if given:
        message, advice = f"CC is `{given}`, which is no program", "set CC to a C compiler, or unset it"
    return NO_COMPILER.at(None, message, help=f"{advice}; the backend numpy needs none")


def _fails(command: Sequence[str], says: str) -> Diagnostic:
    said = says.strip()[:_SHOWN] or "nothing"
    return COMPILER_FAILS.at(
        None,
        f"the C compiler `{shlex.join(command)}` does not work; it says: {said}",
        help="set CC to another C compiler, or use the backend numpy",
    )


# ---------------------------------------------------------------- calling it


def _suffix(output: Output) -> str:
    windows = sys.platform == "win32"
    if output is Output.PROGRAM:
        return ".exe" if windows else ".program"
    return ".dll" if windows else ".so"


def _key(job: _Job, used: Compiler) -> str:
    machine = this_machine()
    parts = (used.identity, *job.arguments, machine.architecture, *sorted(machine.features), job.suffix, job.source)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _compile(job: _Job, used: Compiler, folder: Path) -> Path:
    """The file that the compiler makes in `folder`."""
    done = _compiled(job, used, folder)
    made = folder / f"made{job.suffix}"
    if done.returncode == 0 and made.is_file():
        return made
    probe = _Job(_PROBE, ("-shared", "-fPIC", *this_machine().tuning), job.suffix, job.timeout)
    tried = _compiled(probe, used, folder)
    if tried.returncode != 0:
        raise UsageError(_fails(used.command, tried.says))
    says = done.says.strip()[:_SHOWN]
    raise InternalError(f"the C compiler `{shlex.join(used.command)}` does not take our C:\n{says}")


def _compiled(job: _Job, used: Compiler, folder: Path) -> _Done:
    units = () if job.units is None else job.units(min(_processors(), _AT_ONCE))
    if len(units) < 2:
        units = (job.source,)
    sources = [f"source{n}.c" for n in range(len(units))]
    for name, text in zip(sources, units, strict=True):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    linked = sources
    if len(sources) > 1:
        linked = [f"{name}.o" for name in sources]
        arguments = [a for a in job.arguments if a != "-shared"]
        commands = [(*used.command, *arguments, "-c", c, "-o", o) for c, o in zip(sources, linked, strict=True)]
        failed = [done for done in _run(commands, folder, job.timeout) if done.returncode != 0]
        if failed:
            return failed[0]
    command = (*used.command, *job.arguments, *linked, "-o", f"made{job.suffix}", *job.libraries)
    return _run([command], folder, job.timeout)[0]


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class _Done:
    returncode: int
    says: str


def _run(commands: Sequence[Sequence[str]], folder: Path | None, timeout: float) -> list[_Done]:
    """Calls that are made at once. Raises UsageError where one cannot start, or they are not over in `timeout` seconds.

    Whatever ends this ends all of them.
    """
    until = time.monotonic() + timeout
    started: list[subprocess.Popen[str]] = []
    done: list[_Done] = []
    try:
        for command in commands:
            process = _start(command, folder)
            started.append(process)
        for process in started:
            says, _ = process.communicate(timeout=max(0.0, until - time.monotonic()))
            done.append(_Done(process.returncode, says))
        return done
    except subprocess.TimeoutExpired:
        raise UsageError(_fails(commands[len(done)], f"nothing, for {timeout:g} seconds")) from None
    except OSError as e:
        raise UsageError(_fails(commands[len(started)], f"{e.strerror or e}")) from None
    finally:
        for process in started:
            _end(process)


def _start(command: Sequence[str], folder: Path | None) -> subprocess.Popen[str]:
    """What it writes goes together in its `stdout`; files on the way from C to a library go where they are removed."""
    private = {} if folder is None else {"TMPDIR": str(folder)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **private, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **_IN_A_GROUP,
    )


_IN_A_GROUP: Final[dict[str, Any]] = {} if sys.platform == "win32" else {"process_group": 0}
"""A compiler starts others, which are ended with it."""


def _end(process: subprocess.Popen[str]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


# ---------------------------------------------------------------- where it is kept


def _caches() -> list[Cache]:
    """The user's, then one that only this process has."""
    try:
        return [Cache(user_folder()), _private()]
    except UnusableFolderError as e:
        _say_once(None, str(e))
        return [_private()]


@cache
def _private() -> Cache:
    temporary = tempfile.TemporaryDirectory(prefix="dnnlang-", ignore_cleanup_errors=True)
    _kept.append(temporary)
    return Cache(Path(temporary.name))


_kept: Final[list[tempfile.TemporaryDirectory[str]]] = []
"""Removed when Python ends."""


@cache
def _say_once(folder: Path | None, reason: str) -> None:
    where = f"the cache folder {folder}" if folder is not None else "a cache folder"
    message = f"{where} cannot be used, because {reason}"
    advice = "compiled code is in a temporary folder, for this run only"
    warnings.warn(DnnWarning(CACHE_UNUSABLE.at(None, message, help=advice)), stacklevel=3)
