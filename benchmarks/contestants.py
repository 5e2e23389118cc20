"""Who takes part in train_step.py, and what all of them compute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

import dnnlang

Array = npt.NDArray[Any]

RATE = 0.01


@dataclass(frozen=True)
class Net:
    """Layer sizes, and m columns a step. One unit at the end: sigmoid with binary cross-entropy, else softmax."""

    sizes: tuple[int, ...]
    m: int

    @property
    def name(self) -> str:
        sizes = self.sizes
        if len(sizes) > 8:
            return f"{sizes[0]}x{len(sizes) - 2}-{sizes[-1]}, {self.m}"
        return f"{'-'.join(map(str, sizes))}, {self.m}"

    @property
    def flops(self) -> int:
        """Of the products of a step: three a layer, two for the first."""
        pairs = list(zip(self.sizes, self.sizes[1:], strict=False))
        return sum(2 * a * b * self.m * (3 if n else 2) for n, (a, b) in enumerate(pairs))

    def program(self, update: str) -> str:
        *hidden, last = self.sizes[1:]
        layers = [f"layer {n} relu" for n in hidden]
        layers.append(f"layer {last} {'sigmoid' if last == 1 else 'softmax'}")
        text = "\n".join([f"input {self.sizes[0]}", *layers])
        return f"{text}\ntrain {{\n optimizer {update}\n learning_rate {RATE}\n batch {self.m}\n}}\n"


NETS = (
    Net((2, 4, 1), 400),
    Net((20, 64, 64, 1), 32),
    Net((12288, 20, 7, 5, 1), 209),
    Net((784, 128, 64, 10), 64),
    Net((784, 512, 512, 10), 128),
    Net((1024, 1024, 1024, 10), 256),
    Net((64,) * 51 + (10,), 64),
)


@dataclass(frozen=True)
class Task:
    """What everybody computes: data with a column a sample, weights (n[l], n[l-1]), an update, batches of m columns."""

    net: Net
    X: Array
    Y: Array
    W: list[Array]
    b: list[Array]
    update: str
    batches: Array | None

    def batch(self, step: int) -> Array | None:
        return None if self.batches is None else self.batches[step % len(self.batches)]


class Contestant(Protocol):
    name: str

    def __init__(self, task: Task) -> None: ...

    def run(self, steps: int) -> None:
        """So many updates; returns when they are done."""

    def weights(self) -> list[Array]:
        """W[1], …, (n[l], n[l-1])."""


def task_of(net: Net, update: str, shuffled: bool) -> Task:
    rng = np.random.default_rng(0)
    columns = 16 * net.m if shuffled else net.m
    X = rng.standard_normal((net.sizes[0], columns)).astype(np.float32)
    last = net.sizes[-1]
    classes = rng.integers(0, max(2, last), columns)
    Y = classes[None, :].astype(np.float32) if last == 1 else np.eye(last, dtype=np.float32)[:, classes]
    W, b = [], []
    for fan_in, fan_out in zip(net.sizes, net.sizes[1:], strict=False):
        W.append((rng.standard_normal((fan_out, fan_in)) * math.sqrt(2 / fan_in)).astype(np.float32))
        b.append(np.zeros((fan_out, 1), np.float32))
    batches = None
    if shuffled:
        batches = np.concatenate([rng.permutation(columns).reshape(-1, net.m) for _ in range(8)]).astype(np.int64)
    return Task(net, X, Y, W, b, update, batches)


class Lesson:
    """NumPy as the lesson writes it."""

    name = "NumPy"

    def __init__(self, task: Task) -> None:
        self.task = task
        self.W = [w.copy() for w in task.W]
        self.b = [b.copy() for b in task.b]
        self.state = [[np.zeros_like(p), np.zeros_like(p)] for p in (*self.W, *self.b)]
        self.t = 0
        self.data = (np.ascontiguousarray(task.X.T), np.ascontiguousarray(task.Y.T))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            columns = self.task.batch(self.t)
            X, Y = self.task.X, self.task.Y
            if columns is not None:
                X, Y = self.data[0][columns].T, self.data[1][columns].T
            self._step(X, Y)

    def _step(self, X: Array, Y: Array) -> None:
        m = self.task.net.m
        A = [X]
        for l, (W, b) in enumerate(zip(self.W, self.b, strict=True), 1):  # noqa: E741
            Z = W @ A[-1] + b
            if l < len(self.W):
                A.append(np.maximum(Z, 0))
            elif Z.shape[0] == 1:
                A.append(1 / (1 + np.exp(-Z)))
            else:
                E = np.exp(Z - Z.max(axis=0))
                A.append(E / E.sum(axis=0))
        dZ = A[-1] - Y
        gradients: list[tuple[Array, Array]] = []
        for l in range(len(self.W) - 1, -1, -1):  # noqa: E741
            gradients.append((dZ @ A[l].T / m, dZ.sum(axis=1, keepdims=True) / m))
            if l:
                dZ = (self.W[l].T @ dZ) * (A[l] > 0)
        gradients.reverse()
        self.t += 1
        flat = [g for g, _ in gradients] + [g for _, g in gradients]
        for p, g, state in zip((*self.W, *self.b), flat, self.state, strict=True):
            if self.task.update == "sgd":
                p -= np.float32(RATE) * g
                continue
            v, s = state
            v *= np.float32(0.9)
            v += np.float32(0.1) * g
            s *= np.float32(0.999)
            s += np.float32(0.001) * g * g
            rate, shrunk = np.float32(RATE / (1 - 0.9**self.t)), np.float32(1 - 0.999**self.t)
            p -= rate * v / (np.sqrt(s / shrunk) + np.float32(1e-8))

    def weights(self) -> list[Array]:
        return self.W


class OurNumPy:
    """This project, NumPy backend."""

    name = "ours, numpy"
    backend = "numpy"

    def __init__(self, task: Task) -> None:
        self.task = task
        self.network = dnnlang.compile(task.net.program(task.update)).load(backend=self.backend)
        for l, (W, b) in enumerate(zip(task.W, task.b, strict=True), 1):  # noqa: E741
            self.network.parameters[f"W[{l}]"] = W
            self.network.parameters[f"b[{l}]"] = b
        # Tables come with a row a sample; then so do the columns of X here.
        self.X, self.Y = task.X, task.Y
        if task.batches is not None:
            self.X, self.Y = np.asfortranarray(task.X), np.asfortranarray(task.Y)
        self.done = 0

    def run(self, steps: int) -> None:
        if self.task.batches is None:
            self.network.train(self.X, self.Y, steps)
            return
        while steps:
            start = self.done % len(self.task.batches)
            columns = self.task.batches[start : start + steps]
            self.network.train(self.X, self.Y, len(columns), columns=columns)
            self.done += len(columns)
            steps -= len(columns)

    def weights(self) -> list[Array]:
        return [np.array(self.network.parameters[f"W[{n}]"]) for n in range(1, len(self.task.W) + 1)]


class OurNative(OurNumPy):
    """This project, native backend."""

    name = "ours, native"
    backend = "native"


class PyTorch:
    """Modules, autograd, torch.optim."""

    name = "PyTorch"
    compiled = False

    def __init__(self, task: Task) -> None:
        import torch

        self.torch, self.task = torch, task
        layers: list[Any] = []
        self.linear = []
        for n, (W, b) in enumerate(zip(task.W, task.b, strict=True)):
            linear = torch.nn.Linear(W.shape[1], W.shape[0])
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(W))
                linear.bias.copy_(torch.from_numpy(b[:, 0]))
            self.linear.append(linear)
            layers += [linear] if n == len(task.W) - 1 else [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers)
        self.parameters = list(model.parameters())
        single = task.net.sizes[-1] == 1
        criterion = torch.nn.BCEWithLogitsLoss() if single else torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD if task.update == "sgd" else torch.optim.Adam
        self.optimizer = optimizer(self.parameters, lr=RATE)
        self.X = torch.from_numpy(np.ascontiguousarray(task.X.T))
        Y = task.Y.T if single else task.Y.argmax(axis=0)
        self.Y = torch.from_numpy(np.ascontiguousarray(Y))
        self.batches = None if task.batches is None else [torch.from_numpy(b) for b in task.batches]
        self.done = 0

        def loss(x: Any, y: Any) -> Any:
            return criterion(model(x), y)

        self.loss = torch.compile(loss) if self.compiled else loss

    def run(self, steps: int) -> None:
        for _ in range(steps):
            x, y = self.X, self.Y
            if self.batches is not None:
                columns = self.batches[self.done % len(self.batches)]
                x, y = x[columns], y[columns]
            self.optimizer.zero_grad()
            self.loss(x, y).backward()
            self.optimizer.step()
            self.done += 1

    def weights(self) -> list[Array]:
        return [linear.weight.detach().numpy().copy() for linear in self.linear]


class PyTorchCompiled(PyTorch):
    """The same, through torch.compile."""

    name = "PyTorch compiled"
    compiled = True


class JaxStep:
    """jit of one step, donated parameters, a call for each."""

    name = "JAX step"
    loop = False

    def __init__(self, task: Task) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.task = jax, task
        single = task.net.sizes[-1] == 1
        X, Y = jnp.asarray(task.X), jnp.asarray(task.Y)
        rows, targets = jnp.asarray(task.X.T), jnp.asarray(task.Y.T)
        batches = None if task.batches is None else jnp.asarray(task.batches)

        def J(p: Any, x: Any, y: Any) -> Any:
            a = x
            for W, b in p[:-1]:
                a = jnp.maximum(W @ a + b, 0)
            W, b = p[-1]
            z = W @ a + b
            if single:
                return jnp.mean(jnp.logaddexp(0, z) - y * z)
            return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(z, axis=0), axis=0))

        def step(carry: Any) -> Any:
            p, state, t = carry
            x, y = X, Y
            if batches is not None:
                columns = batches[t.astype(int) % len(batches)]
                x, y = rows[columns].T, targets[columns].T
            g = jax.grad(J)(p, x, y)
            t = t + 1
            if task.update == "sgd":
                return jax.tree.map(lambda w, d: w - RATE * d, p, g), state, t
            v, s = state
            v = jax.tree.map(lambda a, d: 0.9 * a + 0.1 * d, v, g)
            s = jax.tree.map(lambda a, d: 0.999 * a + 0.001 * d * d, s, g)
            c, d = RATE / (1 - 0.9**t), 1 - 0.999**t
            p = jax.tree.map(lambda w, a, q: w - c * a / (jnp.sqrt(q / d) + 1e-8), p, v, s)
            return p, (v, s), t

        p = [(jnp.asarray(W), jnp.asarray(b)) for W, b in zip(task.W, task.b, strict=True)]
        zeros = jax.tree.map(jnp.zeros_like, p)
        self.carry = (p, (zeros, jax.tree.map(jnp.zeros_like, p)), jnp.float32(0))
        if self.loop:
            self.call = jax.jit(lambda c, n: jax.lax.fori_loop(0, n, lambda _, k: step(k), c), donate_argnums=0)
        else:
            self.call = jax.jit(step, donate_argnums=0)

    def run(self, steps: int) -> None:
        if self.loop:
            self.carry = self.call(self.carry, steps)
        else:
            for _ in range(steps):
                self.carry = self.call(self.carry)
        self.jax.block_until_ready(self.carry)

    def weights(self) -> list[Array]:
        return [np.array(W) for W, _ in self.carry[0]]


class JaxLoop(JaxStep):
    """The whole loop in fori_loop, one call."""

    name = "JAX loop"
    loop = True


class ScikitLearn:
    """MLPClassifier.partial_fit: one update a call when the batch is all it gets."""

    name = "scikit-learn"

    def __init__(self, task: Task) -> None:
        from sklearn.neural_network import MLPClassifier

        self.task = task
        self.model = MLPClassifier(
            task.net.sizes[1:-1], solver="sgd" if task.update == "sgd" else "adam", alpha=0.0, learning_rate_init=RATE,
            batch_size=task.net.m, momentum=0.0, nesterovs_momentum=False, shuffle=False,
        )  # fmt: skip
        self.X = np.ascontiguousarray(task.X.T)
        self.y = (task.Y[0] if task.net.sizes[-1] == 1 else task.Y.argmax(axis=0)).astype(int)
        classes = np.arange(max(2, task.net.sizes[-1]))
        self.model.partial_fit(self.X[: task.net.m], self.y[: task.net.m], classes=classes)
        for mine, W in zip(self.model.coefs_, task.W, strict=True):
            mine[...] = W.T
        for mine, b in zip(self.model.intercepts_, task.b, strict=True):
            mine[...] = b[:, 0]
        del self.model._optimizer
        self.model.t_ = 0
        self.model.n_iter_ = 0
        self.done = 0
        self._fresh()

    def _fresh(self) -> None:
        from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

        parameters = self.model.coefs_ + self.model.intercepts_
        if self.task.update == "adam":
            self.model._optimizer = AdamOptimizer(parameters, RATE)
        else:
            self.model._optimizer = SGDOptimizer(parameters, RATE, momentum=0.0, nesterov=False)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            columns = self.task.batch(self.done)
            x, y = (self.X, self.y) if columns is None else (self.X[columns], self.y[columns])
            self.model.partial_fit(x, y)
            self.done += 1

    def weights(self) -> list[Array]:
        return [W.T.copy() for W in self.model.coefs_]


CONTESTANTS: tuple[type[Any], ...] = (
    Lesson, PyTorch, PyTorchCompiled, JaxStep, JaxLoop, ScikitLearn, OurNumPy, OurNative,
)  # fmt: skip
OURS = frozenset((OurNumPy.name, OurNative.name))
