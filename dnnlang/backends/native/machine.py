"""What the processor of this machine can do, as far as generated code depends on it."""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_X86: Final = frozenset(("x86_64", "amd64", "i386", "i686"))
_ARM: Final = frozenset(("aarch64", "arm64"))
_AVX512: Final = frozenset(("avx512f", "avx512dq", "avx512bw", "avx512vl"))
_AVX2: Final = frozenset(("avx2", "fma"))
_CPUINFO: Final = Path("/proc/cpuinfo")
_FLAG_LINES: Final = frozenset(("flags", "features"))
"""How x86 and Arm call the line of /proc/cpuinfo that lists what the processor has."""


@dataclass(frozen=True, slots=True)
class Machine:
    """`architecture` as Python names it, in small letters; `features` as the system lists them.

    `vector_bytes` is the width of a vector that is fast here; 0 where nothing is known, for plain numbers. `tuning` are
    the compiler's arguments that let it use all features.
    """

    architecture: str
    features: frozenset[str]
    vector_bytes: int
    tuning: tuple[str, ...]


@cache
def this_machine() -> Machine:
    """The machine that this runs on."""
    return describe(platform.machine().lower(), _features())


def describe(architecture: str, features: frozenset[str]) -> Machine:
    """The machine of an architecture and a list of features."""
    if architecture in _X86:
        widest = 64 if features >= _AVX512 else 32 if features >= _AVX2 else 16
        return Machine(architecture, features, widest, ("-march=native",))
    if architecture in _ARM:
        return Machine(architecture, features, 16, ("-mcpu=native",))
    return Machine(architecture, features, 0, ())


def _features() -> frozenset[str]:
    if sys.platform == "darwin":
        return frozenset(_sysctl("machdep.cpu.features") | _sysctl("machdep.cpu.leaf7_features"))
    if sys.platform == "win32":
        return frozenset((platform.processor(),))
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in _FLAG_LINES:
            return frozenset(value.split())
    return frozenset()


def _sysctl(name: str) -> set[str]:
    """The names that an Intel Mac lists, spelled as Linux does; others do not know these."""
    try:
        done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return set()
    return {f.lower().replace("avx2.0", "avx2") for f in done.stdout.split()}
