"""How compile time and memory grow with the size of a program.

    python benchmarks/compile.py            # a minute or two
    python benchmarks/compile.py --quick    # without the largest

Each size is compiled in a process of its own, to a verified plan at -O2 with its slots: for gradients, as `dnnc
compile` makes it, and the chain also for a training step with Adam (`step`).
Times are those of the processor, so that other work on the machine counts little; the best of three. Memory is what
the process holds at most, less what it held after a small program had been compiled, by instruction. A step of
the plan that `fuse` merged from several instructions counts as all of them: they were there before it was, and it holds
their primitives and operands. The slope is that of a straight line through the points, both axes logarithmic: 1 is
linear. The targets are for the chain and its step; the tower, whose layers do more, shows that nothing else grows
faster.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnnlang.plan.ir import Plan

SIZES = (100, 1_000, 10_000, 100_000)
MOST_SLOPE = 1.1
MOST_SECONDS = {"chain": 3.0, "step": 5.0}  # for 10,000 layers
MOST_BYTES = 2_000  # an instruction
MOST_SECONDS_REFUSED = 1.0

BLOCK = """\
block residual(k; rate=0.1) from x {
    layer k relu
    dropout rate
    layer k
    add from x, _
}
"""


def chain(n: int) -> str:
    """n layers, one a line; from 10,000 on by `repeat`, because nobody writes them out."""
    if n < 10_000:
        return "layer 5 relu\n" * n + "layer 1 sigmoid\n"
    return f"repeat {n} {{ layer 5 relu }}\nlayer 1 sigmoid\n"


def step(n: int) -> str:
    """The same, trained by Adam, which takes two more arrays for each parameter."""
    return f"{chain(n)}train {{ optimizer adam }}\n"


def tower(n: int) -> str:
    """n layers in residual blocks."""
    return f"{BLOCK}input 8\nrepeat {n // 2} {{ residual 8 }}\nlayer 1 sigmoid\n"


def concats(n: int) -> str:
    """n `concat`s in a row, each of which makes a formula grow by one open size."""
    lines = "".join(f"input as x{i}\n" for i in range(n + 1)) + "concat from x0, x1\n"
    return lines + "".join(f"concat from _, x{i}\n" for i in range(2, n + 1)) + "layer 1 sigmoid\n"


def same_concats(n: int) -> str:
    """n `concat`s in a row with the same open input: each size is one term."""
    return "input as x\n" + "concat from _, x\n" * n + "layer 1 sigmoid\n"


def doubling(n: int) -> str:
    """n blocks, each of which uses the one before twice."""
    lines = ["block b0 { layer 5 relu }", *(f"block b{i} {{ b{i - 1}; b{i - 1} }}" for i in range(1, n))]
    return "\n".join([*lines, f"b{n - 1}", "layer 1 sigmoid"])


def doubling_definitions(n: int) -> str:
    """n activations, each of which calls the one before twice."""
    lines = ["define activation f0(z) = tanh(z)"]
    lines += [f"define activation f{i}(z) = f{i - 1}(z) * f{i - 1}(z + {i})" for i in range(1, n)]
    return "\n".join([*lines, f"layer 5 f{n - 1}", "layer 1 sigmoid"])


PROGRAMS: dict[str, Callable[[int], str]] = {
    f.__name__: f for f in (chain, step, tower, concats, same_concats, doubling, doubling_definitions)
}


def measured(program: str, n: int) -> dict[str, float]:
    """Compiles one program in a process of its own; its seconds, bytes, instructions, and the codes of diagnostics."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", program, str(n)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(program: str, n: int) -> dict[str, object]:
    """What `measured` asks for, in this process."""
    import resource

    import dnnlang

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    text = PROGRAMS[program](n)
    dnnlang.compile(chain(10)).plan()  # tables and the standard library are made once
    dnnlang.compile(tower(10)).plan()
    before, start = peak(), time.process_time()
    try:
        compiled = dnnlang.compile(text)
        plan = compiled.plan("step" if program == "step" else "gradients")
        instructions, codes = counted(plan), [d.code for d in compiled.warnings]
    except dnnlang.CompileError as error:
        instructions, codes = 0, [d.code for d in error.diagnostics]
    seconds = time.process_time() - start
    return {"seconds": seconds, "bytes": peak() - before, "instructions": instructions, "codes": codes}


def counted(plan: Plan) -> int:
    """The instructions of a plan, those counted one by one that were merged."""
    from dnnlang.primitives.fused import Fused

    primitives = [i.primitive for i in plan.instructions]
    return sum(len(p.members) if isinstance(p, Fused) else 1 for p in primitives)


def slope(points: list[tuple[float, float]]) -> float:
    """Of the straight line through (log x, log y), by least squares."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    x0, y0 = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    return sum((x - x0) * (y - y0) for x, y in logs) / sum((x - x0) ** 2 for x, _ in logs)


def best(program: str, n: int) -> dict[str, float]:
    return min((measured(program, n) for _ in range(1 if n > 10_000 else 3)), key=lambda found: found["seconds"])


def growth(program: str, sizes: tuple[int, ...]) -> list[str]:
    """Prints a line a size; what missed its target."""
    missed, points = [], []
    for n in sizes:
        found = best(program, n)
        per = found["bytes"] / found["instructions"] if n >= 1_000 else math.nan
        shown = f"{per:7,.0f}" if n >= 1_000 else "      –"  # below, the interpreter's own pages are more
        print(f"{program:22}{n:9,}{found['instructions']:13,}{found['seconds']:10.3f} s{shown}", flush=True)
        points.append((n, found["seconds"]))
        if n == 10_000 and found["seconds"] > MOST_SECONDS.get(program, math.inf):
            missed.append(f"{program} of {n:,}: {found['seconds']:.2f} s, and {MOST_SECONDS[program]} s are the target")
        if per > MOST_BYTES:
            missed.append(f"{program} of {n:,}: {per:,.0f} bytes an instruction, and {MOST_BYTES:,} are the target")
    grown = slope(points)
    print(f"{program:22}{'slope':>9}{grown:24.2f}")
    if program in MOST_SECONDS and grown > MOST_SLOPE:
        missed.append(f"{program}: slope {grown:.2f}, and {MOST_SLOPE} is the target")
    return missed


def refusals() -> list[str]:
    """What doubles is refused at once; formulas that grow are reported."""
    missed = []
    for program, n, code in (("doubling", 60, "DNN208"), ("doubling_definitions", 60, "DNN409")):
        found = best(program, n)
        print(f"{program:22}{n:9,}{'refused':>13}{found['seconds']:10.3f} s  {found['codes']}")
        if found["seconds"] > MOST_SECONDS_REFUSED or code not in found["codes"]:  # type: ignore[operator]
            missed.append(f"{program}: not refused as {code} within {MOST_SECONDS_REFUSED} s")
    found = best("concats", 1_000)
    print(f"{'concats':22}{1_000:9,}{found['instructions']:13,}{found['seconds']:10.3f} s  {found['codes']}")
    if "DNN305" not in found["codes"]:  # type: ignore[operator]
        missed.append("concats: 1,000 in a row are neither linear nor reported")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the largest")
    parser.add_argument("--one", nargs=2, metavar=("PROGRAM", "N"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        program, n = arguments.one
        print(json.dumps(measure(program, int(n))))
        return 0
    print("instructions that are merged to one step are counted one by one")
    print(f"{'program':22}{'n':>9}{'instructions':>13}{'compile':>12}{'bytes':>7} an instruction")
    sizes = SIZES[:-1] if arguments.quick else SIZES
    missed = [line for program in ("chain", "step", "tower") for line in growth(program, sizes)]
    missed += [*growth("same_concats", (100, 1_000)), *refusals()]
    print("\n".join(missed) if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
