"""Training steps a second: this project against NumPy by hand, PyTorch, JAX and scikit-learn, in one run.

    python benchmarks/train_step.py [--rounds 5] [--only 20-64-64-1] [--update sgd|adam] [--batches fixed|shuffled]

Every contestant gets the same data, the same initial weights and the same update, in float32, on all cores; after 20
steps their parameters must agree to 1e-4. They take turns in an order that is drawn anew each time, each for about a
fifth of a second, `--rounds` times, with a rest before each turn, because the threads of the one before may spin for a
tenth of a second; the table shows medians in microseconds a step, the bound (all products at the best
rate measured on this machine) and the fraction of it that the native backend reaches. Those that are not installed are
left out, with a line.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from contestants import CONTESTANTS, NETS, OURS, Array, OurNative, Task, task_of
from machine import machine, versions

import dnnlang

SLICE = 0.2
"""Seconds that a contestant gets at a time."""
REST = 0.15
"""Seconds before a turn: OpenBLAS lets its threads wait for work that long, on the processors that others need."""
CHECKED_STEPS = 20
TOLERANCE = 1e-4


def peak_rate() -> float:
    """Floating-point operations a second of the best product of NumPy's BLAS here, all cores."""
    best = 0.0
    for n in (512, 1024, 2048):
        A, B = (np.random.default_rng(0).standard_normal((n, n)).astype(np.float32) for _ in range(2))
        out = np.empty((n, n), np.float32)
        for _ in range(8):
            start = time.perf_counter()
            np.matmul(A, B, out=out)
            best = max(best, 2 * n**3 / (time.perf_counter() - start))
    return best


def started(task: Task, wanted: list[str]) -> list[Any]:
    """Those that are installed, warmed up; they agree on the weights after CHECKED_STEPS steps."""
    found: list[Any] = []
    reference: list[Array] | None = None
    for kind in CONTESTANTS:
        if wanted and kind.name not in wanted:
            continue
        try:
            contestant = kind(task)
        except ImportError as problem:
            print(f"  {kind.name} is left out: {problem}")
            continue
        except dnnlang.DnnError as problem:
            print(f"  {kind.name} is left out: {problem}")
            continue
        try:
            contestant.run(CHECKED_STEPS)
        except Exception as problem:  # a peer that fails here is reported, not hidden
            print(f"  {kind.name} failed: {type(problem).__name__}: {str(problem)[:200]}")
            continue
        weights = contestant.weights()
        if reference is None:
            reference = weights
        off = max(difference(a, b) for a, b in zip(weights, reference, strict=True))
        if off > TOLERANCE:
            print(f"  {kind.name}: weights differ by {off:.1e} after {CHECKED_STEPS} steps")
        found.append(contestant)
    return found


def difference(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b) / (np.linalg.norm(a) + np.linalg.norm(b)))


def timed(run: Callable[[int], None], steps: int) -> float:
    start = time.perf_counter()
    run(steps)
    return (time.perf_counter() - start) / steps


def measured(contestants: list[Any], rounds: int) -> dict[str, float]:
    """Medians in seconds a step; they take turns."""
    counts = {c.name: max(1, round(SLICE / max(1e-7, timed(c.run, 5)))) for c in contestants}
    counts = {c.name: max(1, round(SLICE / max(1e-7, timed(c.run, max(1, counts[c.name] // 10))))) for c in contestants}
    times: dict[str, list[float]] = {c.name: [] for c in contestants}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for n in rng.permutation(len(contestants)):
            name, run = contestants[n].name, contestants[n].run
            time.sleep(REST)
            run(max(1, counts[name] // 10))
            times[name].append(timed(run, counts[name]))
    return {name: statistics.median(t) for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", default=[], help="nets whose name begins so")
    parser.add_argument("--contestant", action="append", default=[], help="only these, by name")
    parser.add_argument("--update", choices=("sgd", "adam"), default="sgd")
    parser.add_argument("--batches", choices=("fixed", "shuffled"), default="fixed")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    print(machine())
    print(versions(("numpy", "torch", "jax", "scikit-learn", "dnnlang")))
    print(f"command: python benchmarks/train_step.py {' '.join(sys.argv[1:])}\n")
    rate = peak_rate()
    print(f"best rate of a product here: {rate / 1e9:.0f} GFLOP/s\n")
    ratios: list[float] = []
    for net in NETS:
        if arguments.only and not any(net.name.startswith(name) for name in arguments.only):
            continue
        task = task_of(net, arguments.update, arguments.batches == "shuffled")
        print(net.name)
        times = measured(started(task, arguments.contestant), arguments.rounds)
        for name, seconds in times.items():
            print(f"  {name:<18}{seconds * 1e6:>12.1f} us")
        bound = net.flops / rate
        print(f"  {'bound':<18}{bound * 1e6:>12.1f} us")
        peers = {name: t for name, t in times.items() if name not in OURS}
        ours = times.get(OurNative.name)
        if ours is not None and peers:
            best = min(peers, key=lambda name: peers[name])
            ratios.append(peers[best] / ours)
            print(f"  {ratios[-1]:.2f} times as fast as {best}; {bound / ours:.0%} of the bound")
        print(flush=True)
    if ratios:
        print(f"geometric mean against the best of the others: {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
