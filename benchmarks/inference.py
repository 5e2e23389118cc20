"""Outputs a second: this project against ONNX Runtime and PyTorch, from Python, in one run.

    python benchmarks/inference.py [--rounds 7] [--only 784-128-10] [--contestant "ours, native"]

Every contestant gets the same weights and samples, in float32, on all cores, and gives its outputs in a fresh array;
they must agree to 1e-5. Samples are columns for this project, and also tried as the transpose of a table with a row for
each; the others get that table. Contestants take turns, each for about a fifth of a second, `--rounds` times; the table
shows medians in microseconds a call. Those that are not installed are left out, with a line.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from machine import machine, versions

import dnnlang

Array = npt.NDArray[Any]
Predict = Callable[[], Array]
"""One call; its outputs, a column for each sample."""

SLICE = 0.2
"""Seconds that a contestant gets at a time."""
PAUSE = 0.1
"""Seconds between them: threads of some go on for a while, waiting for more work."""
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Task:
    """A net of relu layers with softmax at the end: layer sizes, weights (n[l], n[l-1]), samples X (n[0], m)."""

    sizes: tuple[int, ...]
    X: Array
    W: list[Array]
    b: list[Array]

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, {self.X.shape[1]}"

    def program(self) -> str:
        *hidden, last = self.sizes[1:]
        return "\n".join([f"input {self.sizes[0]}", *(f"layer {n} relu" for n in hidden), f"layer {last} softmax\n"])


SMALL, MIDDLE, LARGE = (4, 16, 16, 3), (784, 128, 10), (784, 512, 512, 10)
NETS = ((SMALL, 1), *((sizes, m) for sizes in (MIDDLE, LARGE) for m in (1, 64, 1024)))


def task_of(sizes: tuple[int, ...], m: int) -> Task:
    rng = np.random.default_rng(0)
    pairs = list(itertools.pairwise(sizes))
    W = [(rng.standard_normal((n, k)) * math.sqrt(2 / k)).astype(np.float32) for k, n in pairs]
    b = [(rng.standard_normal((n, 1)) / 10).astype(np.float32) for _, n in pairs]
    return Task(sizes, rng.standard_normal((sizes[0], m)).astype(np.float32), W, b)


# ---------------------------------------------------------------- contestants


def ours(task: Task, backend: str, X: Array) -> Predict:
    network = dnnlang.compile(task.program()).load(backend=backend)
    for l, (W, b) in enumerate(zip(task.W, task.b, strict=True), 1):  # noqa: E741
        network.parameters[f"W[{l}]"] = W
        network.parameters[f"b[{l}]"] = b

    def predict() -> Array:
        A = network.forward(X)
        assert isinstance(A, np.ndarray)
        return A

    return predict


def our_numpy(task: Task) -> Predict:
    return ours(task, "numpy", task.X)


def our_native(task: Task) -> Predict:
    return ours(task, "native", task.X)


def our_native_transposed(task: Task) -> Predict:
    return ours(task, "native", np.ascontiguousarray(task.X.T).T)


def onnx_runtime(task: Task) -> Predict:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, name = [], [], "X"
    for l, (W, b) in enumerate(zip(task.W, task.b, strict=True), 1):  # noqa: E741
        weights += [numpy_helper.from_array(W, f"W{l}"), numpy_helper.from_array(b[:, 0].copy(), f"b{l}")]
        nodes.append(helper.make_node("Gemm", [name, f"W{l}", f"b{l}"], [f"Z{l}"], transB=1))
        last = l == len(task.W)
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"Z{l}"], [f"A{l}"]))
        name = f"A{l}"
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["m", task.sizes[0]])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["m", task.sizes[-1]])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs, inputs = [name], {"X": np.ascontiguousarray(task.X.T)}

    def predict() -> Array:
        A: Array = session.run(outputs, inputs)[0]
        return A.T

    return predict


def pytorch(task: Task) -> Predict:
    import torch

    layers: list[Any] = []
    for W, b in zip(task.W, task.b, strict=True):
        linear = torch.nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b[:, 0]))
        layers += [linear, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(dim=1)).eval()
    X = torch.from_numpy(np.ascontiguousarray(task.X.T))

    def predict() -> Array:
        with torch.no_grad():
            A: Array = model(X).numpy()
        return A.T

    return predict


OURS = {
    "ours, numpy": our_numpy,
    "ours, native": our_native,
    "ours, native, X.T": our_native_transposed,
}
PEERS = {"ONNX Runtime": onnx_runtime, "PyTorch": pytorch}


# ---------------------------------------------------------------- measuring


def started(task: Task, wanted: list[str]) -> dict[str, Predict]:
    """Those that are installed, warmed up, their outputs compared."""
    found: dict[str, Predict] = {}
    reference: Array | None = None
    for name, make in {**OURS, **PEERS}.items():
        if wanted and name not in wanted:
            continue
        try:
            predict = make(task)
        except (ImportError, dnnlang.DnnError) as problem:
            print(f"  {name} is left out: {problem}")
            continue
        predict()
        A = predict()  # the first call of a shape may take another way
        reference = A if reference is None else reference
        off = float(np.abs(A - reference).max())
        if not off <= TOLERANCE:
            sys.exit(f"  {name}: outputs differ by {off:.1e}")
        found[name] = predict
    return found


def timed(predict: Predict, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        predict()
    return (time.perf_counter() - start) / calls


def measured(contestants: dict[str, Predict], rounds: int) -> dict[str, float]:
    """Medians in seconds a call; they take turns."""
    counts = {name: max(1, round(SLICE / timed(c, 20))) for name, c in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, c in contestants.items():
            time.sleep(PAUSE)
            times[name].append(timed(c, counts[name]))
    return {name: statistics.median(t) for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", action="append", default=[], help="nets whose name begins so")
    parser.add_argument("--contestant", action="append", default=[], help="only these, by name")
    arguments = parser.parse_args()
    print(machine())
    print(versions(("numpy", "onnxruntime", "torch", "dnnlang")))
    print(f"command: python benchmarks/inference.py {' '.join(sys.argv[1:])}\n")
    ratios: list[float] = []
    for sizes, m in NETS:
        task = task_of(sizes, m)
        if arguments.only and not any(task.name.startswith(name) for name in arguments.only):
            continue
        print(task.name)
        times = measured(started(task, arguments.contestant), arguments.rounds)
        mine = times.get("ours, native")
        for name, seconds in times.items():
            ratio = f"{seconds / mine:>10.2f} of ours" if mine is not None and name in PEERS else ""
            print(f"  {name:<20}{seconds * 1e6:>12.1f} us{ratio}")
        peers = [seconds for name, seconds in times.items() if name in PEERS]
        if mine is not None and peers:
            ratios.append(min(peers) / mine)
        print(flush=True)
    if ratios:
        print(f"geometric mean against the better of the others: {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
