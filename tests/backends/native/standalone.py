"""A compiled plan as a program of its own, which sanitizers can watch: every array is an allocation by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnnlang.backends.buffers import aligned_buffer
from dnnlang.backends.native.backend import Native
from dnnlang.backends.native.execute import ALL, FORWARD, LOSS, PENALIZED, Executable
from dnnlang.backends.native.steps import Section
from dnnlang.backends.native.toolchain import Output, build
from dnnlang.network import Network
from tests.backends.native.comparing import Array, Arrays

SEED = 7
RATE = 0.05
STEPS = 3


def runs_of(purpose: str) -> tuple[tuple[Section, ...], ...]:
    """What is run of a plan, one after the other."""
    return (FORWARD, LOSS, PENALIZED) if purpose == "inference" else (ALL,)


def executable_of(network: Network, purpose: str, m: int, threads: int) -> Executable:
    """The plan, laid out in an arena of its own."""
    plan = network.program.plan(purpose, training=True, dtype=network.dtype)
    made = Native(np.dtype(network.dtype), SEED, threads).executable(plan, m, network._persistent(plan))
    made.place(aligned_buffer(made.arena_bytes()))
    return made


def losses(executable: Executable, purpose: str, X: Arrays, Y: Arrays) -> list[float]:
    """J of each step of each run, by the library."""
    found: list[float] = []
    executable._environment.rate = RATE
    for sections in runs_of(purpose):
        given = executable._sources(X, {} if sections is FORWARD else Y)
        found += [executable._run(sections, given, t) for t in range(1, STEPS + 1)]
    return found


def source_of(executable: Executable, purpose: str, X: Arrays, Y: Arrays) -> str:
    """The plan's C with a `main` that does what `losses` does, on as many threads as its argument says."""
    persistent = {name: _stored(array) for name, array in executable._persistent.items()}
    lines = [
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "static void *room(size_t size) {",
        "    void *made = 0;",
        "    if (size && posix_memalign(&made, 64, size)) abort();",
        "    return made;",
        "}",
        "int main(int argc, char **argv) {",
        "    int threads = argc > 1 ? atoi(argv[1]) : 1;",
        f"    char *arena = room({executable.arena_bytes()});",
    ]
    names = {name: f"p{n}" for n, name in enumerate(persistent)}
    for name, array in persistent.items():
        lines += _array(names[name], array)
    data = {**{f"X{n}": a for n, a in enumerate(X.values())}, **{f"Y{n}": a for n, a in enumerate(Y.values())}}
    for name, array in data.items():
        lines += _array(name, array)
    e = executable._environment
    lines += [
        "    env *e = calloc(1, sizeof *e);",
        f"    e->m = {e.m}; e->ld = {e.ld}; e->vectors = {e.vectors}; e->seed = {SEED}; e->rate = {RATE};",
        f"    e->mean = (real)(1.0 / {e.m}); e->scalars = room({executable._scalars.nbytes});",
    ]
    for sections in runs_of(purpose):
        lines += _run(executable, sections, names, X, {} if sections is FORWARD else Y)
    lines += [f"    free({name});" for name in (*names.values(), *data, "arena", "e->scalars", "e")]
    return "\n".join([executable._library.written.text, *lines, "    return 0;", "}", ""])


def _run(e: Executable, sections: Sequence[Section], names: dict[str, str], X: Arrays, Y: Arrays) -> list[str]:
    listed = e._words(tuple(sections))
    words = [str(w) if isinstance(w, int) else f"(int64_t){_place(e, e._address(w), names)}" for w in listed]
    given = []
    for letter, (values, arrays) in {"X": (e.plan.inputs, X), "Y": (e.plan.targets, Y)}.items():
        for n, (name, array) in enumerate(arrays.items()):
            to = _place(e, e._address(e._batch(values[name])), names)
            given.append(f"{{{letter}{n}, {array.shape[0]}, {array.shape[1]}, 1, (real *)({to})}}")
    return [
        "    {",
        f"        int64_t code[] = {{{', '.join(words)}}};",
        f"        source given[] = {{{', '.join(given)}}};",
        f"        double J[{STEPS}];",
        f"        for (int t = 0; t < {STEPS}; ++t) {{",
        "            e->step = t + 1;",
        f"            dnn_run(e, code, 1, threads, given, {len(given)}, 0, J + t);",
        '            printf("%.17g\\n", J[t]);',
        "        }",
        "    }",
    ]


def _place(e: Executable, address: int, names: dict[str, str]) -> str:
    kept = next((n for n, array in e._persistent.items() if array.ctypes.data == address), None)
    if kept is not None:
        return names[kept]
    assert e._arena is not None
    offset = address - e._arena.ctypes.data
    assert 0 <= offset <= e.arena_bytes()  # rooms of no bytes may lie at its end
    return f"(arena + {offset})"


def _stored(array: Array) -> Array:
    """All that was allocated for an array that outlives a run, padding included."""
    rows, columns = array.shape
    length = array.strides[1] // array.itemsize
    made = np.zeros((columns, length), array.dtype)
    made[:, :rows] = array.T
    return made


def _array(name: str, array: Array) -> list[str]:
    """An allocation of exactly the size of the array, with its numbers."""
    text = ", ".join(float(x).hex() for x in np.ascontiguousarray(array).reshape(-1))
    return [
        f"    static const real {name}_numbers[] = {{{text}}};",
        f"    real *{name} = room(sizeof {name}_numbers);",
        f"    memcpy({name}, {name}_numbers, sizeof {name}_numbers);",
    ]


def run_alone(source: str, threads: int, *, options: Sequence[str] = (), sanitize: bool = True) -> list[float]:
    """What the program prints. Fails on anything that a sanitizer finds."""
    path: Path = build(source, output=Output.PROGRAM, sanitize=sanitize, options=options)
    settings = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run(
        [str(path), str(threads)], env=os.environ | settings, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]
    assert not done.stderr
    return [float(line) for line in done.stdout.split()]
