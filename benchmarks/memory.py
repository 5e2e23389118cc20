"""How much memory one training step really takes, beside what `network.memory()` says before it.

    python benchmarks/memory.py
    python benchmarks/memory.py --peer-python OTHER/bin/python   # where PyTorch or JAX is installed, if not here

Every line is a process of its own. It makes the network, which takes its parameters; warms up, on a small network and
with a product of matrices, so that libraries have what they keep for themselves; and notes how much is resident. Then
it makes one step of Adam on a large batch that is there already. The growth is the highest resident memory during the
step (VmHWM, reset before by /proc/self/clear_refs) less what was noted. `memory` is what the network says that it
needs besides parameters and statistics: slots, the backend's padding and temporaries, gradients, the optimizer's state.

The target is a growth within 5 % of that. PyTorch and JAX get the same step, JAX compiled ahead of it. Linux only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MOST_OFF = 0.05
MIB = 2**20
PEERS = ("torch", "jax")


@dataclass(frozen=True)
class Net:
    """Inputs, then layers: (units, activation), or ("dropout", rate), or ("batchnorm",). Softmax at the end."""

    inputs: int
    layers: tuple[tuple[Any, ...], ...]
    classes: int
    samples: int

    def program(self) -> str:
        lines = [f"input {self.inputs}"]
        for kind, *rest in self.layers:
            lines.append(f"layer {kind} {rest[0]}" if isinstance(kind, int) else " ".join(map(str, (kind, *rest))))
        return "\n".join([*lines, f"layer {self.classes} softmax", "train { optimizer adam }"])

    def smaller(self) -> Net:
        return Net(self.inputs, self.layers, self.classes, 64)


def _hidden(count: int, *each: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
    return each * count


NETS = {
    "relu": Net(256, _hidden(4, (512, "relu")), 10, 20_000),
    "tanh": Net(256, _hidden(4, (512, "tanh")), 10, 20_000),
    "gelu": Net(256, _hidden(4, (512, "gelu")), 10, 20_000),
    "dropout": Net(256, _hidden(4, (512, "relu"), ("dropout", 0.5)), 10, 20_000),
    "batchnorm": Net(256, _hidden(4, (512, "linear"), ("batchnorm",), ("apply", "relu")), 10, 20_000),
    "deep": Net(256, _hidden(40, (256, "tanh")), 10, 4_000),
    "narrow": Net(64, _hidden(2, (32, "relu")), 10, 400_000),
}


# ---------------------------------------------------------------- what is resident


def resident(what: str) -> int:
    """Bytes: `VmRSS` now, `VmHWM` at most since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {what}")


def growth(step: Callable[[], object]) -> int:
    """Bytes that are resident during `step` at most, beyond those before it."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark goes back to what is resident now
    before = resident("VmRSS")
    step()
    return resident("VmHWM") - before


# ---------------------------------------------------------------- the same step, three times


def data(net: Net) -> tuple[Any, Any]:
    """X with a sample in each column, and the class of each."""
    import numpy as np

    random = np.random.default_rng(0)
    X = random.standard_normal((net.inputs, net.samples), dtype=np.float32)
    return X, random.integers(net.classes, size=net.samples)


def ours(net: Net) -> dict[str, float]:
    import numpy as np

    import dnnlang

    X, labels = data(net)
    Y = np.zeros((net.classes, net.samples), np.float32)
    Y[labels, np.arange(net.samples)] = 1
    warm = dnnlang.compile(net.smaller().program()).load()
    warm.step(X[:, :64], Y[:, :64])
    wide = np.ones((512, 4096), np.float32)
    wide @ wide.T
    network = dnnlang.compile(net.program()).load()
    needs = network.program.memory(net.samples, purpose="step")
    plan = needs.peak - needs.parameters - needs.statistics
    grown = growth(lambda: network.step(X, Y))
    said = network.memory(net.samples)
    return {"growth": grown, "plan": plan, "memory": said.peak - said.parameters - said.statistics}


def torch(net: Net) -> dict[str, float]:
    import torch
    from torch import nn

    functions = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "linear": nn.Identity}

    def made() -> tuple[nn.Sequential, torch.optim.Optimizer]:
        modules: list[nn.Module] = []
        width = net.inputs
        for kind, *rest in net.layers:
            if isinstance(kind, int):
                modules.append(nn.Linear(width, kind))
                width = kind
            if kind == "dropout":
                modules.append(nn.Dropout(rest[0]))
            elif kind == "batchnorm":
                modules.append(nn.BatchNorm1d(width))
            elif rest[0] != "linear":
                modules.append(functions[rest[0]]())
        model = nn.Sequential(*modules, nn.Linear(width, net.classes))
        return model, torch.optim.Adam(model.parameters())

    def step(model: nn.Sequential, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    X, labels = data(net)
    x, y = torch.from_numpy(X.T.copy()), torch.from_numpy(labels)
    del X
    step(*made(), x[:64], y[:64])
    wide = torch.ones(512, 4096)
    wide @ wide.T
    model, optimizer = made()
    return {"growth": growth(lambda: step(model, optimizer, x, y)), "version": torch.__version__}


def jax(net: Net) -> dict[str, float]:
    import jax
    import jax.numpy as jnp

    functions = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda z: z}
    functions["gelu"] = lambda z: jax.nn.gelu(z, approximate=False)

    def start() -> list[Any]:
        key, width, parameters = jax.random.PRNGKey(0), net.inputs, []
        for kind, *_ in (*net.layers, (net.classes,)):
            key, own = jax.random.split(key)
            if isinstance(kind, int):
                parameters.append((jax.random.normal(own, (width, kind)) / width**0.5, jnp.zeros(kind)))
                width = kind
            elif kind == "batchnorm":
                parameters.append((jnp.ones(width), jnp.zeros(width)))
        return parameters

    def loss(parameters: list[Any], x: Any, y: Any, key: Any) -> Any:
        rest = iter(parameters)
        for kind, *options in net.layers:
            if isinstance(kind, int):
                W, b = next(rest)
                x = functions[options[0]](x @ W + b)
            elif kind == "dropout":
                key, own = jax.random.split(key)
                x = jnp.where(jax.random.bernoulli(own, 1 - options[0], x.shape), x / (1 - options[0]), 0)
            elif kind == "batchnorm":
                gamma, beta = next(rest)
                x = (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5) * gamma + beta
            else:
                x = functions[options[0]](x)
        W, b = next(rest)
        return -jnp.take_along_axis(jax.nn.log_softmax(x @ W + b), y[:, None], 1).mean()

    def step(parameters: Any, v: Any, s: Any, x: Any, y: Any, key: Any) -> Any:
        gradients = jax.grad(loss)(parameters, x, y, key)
        each = jax.tree_util.tree_map
        v = each(lambda a, g: 0.9 * a + 0.1 * g, v, gradients)
        s = each(lambda a, g: 0.999 * a + 0.001 * g * g, s, gradients)
        return each(lambda w, a, c: w - 0.001 * a / (jnp.sqrt(c) + 1e-8), parameters, v, s), v, s

    X, labels = data(net)
    x, y, key = jnp.asarray(X.T.copy()), jnp.asarray(labels), jax.random.PRNGKey(1)
    del X
    parameters = start()
    v, s = (jax.tree_util.tree_map(jnp.zeros_like, parameters) for _ in range(2))
    compiled = jax.jit(step, donate_argnums=(0, 1, 2)).lower(parameters, v, s, x, y, key).compile()
    wide = jnp.ones((512, 4096))
    jax.block_until_ready(wide @ wide.T)

    def run() -> None:
        jax.block_until_ready(compiled(parameters, v, s, x, y, key))

    # Adam's state is part of the step's growth for the others.
    state = sum(2 * a.nbytes for pair in parameters for a in pair)
    return {"growth": growth(run) + state, "version": jax.__version__}


MEASURED: dict[str, Callable[[Net], dict[str, Any]]] = {"ours": ours, "torch": torch, "jax": jax}


# ---------------------------------------------------------------- the table


def measure(python: str, who: str, name: str) -> dict[str, Any] | None:
    """One line, in a process of its own; None where the library is not there."""
    done = subprocess.run([python, __file__, "--one", who, name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{who} {name} failed:\n{done.stderr}")
    found: dict[str, Any] | None = json.loads(done.stdout.splitlines()[-1])
    return found


def one(who: str, name: str) -> dict[str, Any] | None:
    if who in PEERS and find_spec(who) is None:
        return None
    return MEASURED[who](NETS[name])


def table(names: Sequence[str], python: str) -> list[str]:
    """Prints a line a network; what missed its target."""
    missed: list[str] = []
    missing: set[str] = set()
    print(f"{'':12}{'plan':>9}{'memory':>9}{'growth':>9}{'off':>8}{'torch':>10}{'jax':>10}     MiB beyond parameters")
    for name in names:
        found = measure(sys.executable, "ours", name) or {}
        off = found["growth"] / found["memory"] - 1
        shown = [f"{found[key] / MIB:9.1f}" for key in ("plan", "memory", "growth")] + [f"{off:+8.1%}"]
        for peer in PEERS:
            theirs = None if peer in missing else measure(python, peer, name)
            if theirs is None:
                missing.add(peer)
            shown.append(f"{'–':>10}" if theirs is None else f"{theirs['growth'] / MIB:10.1f}")
        print(f"{name:12}{''.join(shown)}", flush=True)
        if abs(off) > MOST_OFF:
            missed.append(f"{name}: {off:+.1%} off what memory() says, and {MOST_OFF:.0%} are the target")
    for peer in sorted(missing):
        print(f"{peer} is not installed for {python}: left out (--peer-python names another)")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NET", help=f"of {', '.join(NETS)}; by default all")
    parser.add_argument("--peer-python", default=sys.executable, metavar="PATH", help="runs PyTorch and JAX")
    parser.add_argument("--one", nargs=2, metavar=("WHO", "NET"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not Path("/proc/self/clear_refs").exists():
        print("this needs /proc/self/clear_refs, which only Linux has")
        return 0
    if arguments.one:
        print(json.dumps(one(*arguments.one)))
        return 0
    unknown = [name for name in arguments.names if name not in NETS]
    if unknown:
        parser.error(f"there is no network {unknown[0]}; there are {', '.join(NETS)}")
    missed = table(arguments.names or list(NETS), arguments.peer_python)
    print("\n".join(missed) if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
