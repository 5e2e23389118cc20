"""A second implementation, straight from the lesson's formulas, sharing nothing with the compiler.

Forward node by node; backward node by node in reverse: dZ = dA ∘ g'(Z), dW = 1/m dZ Aᵀ, db = 1/m Σ dZ, dA = Wᵀ dZ.
Losses are differentiated by A as they stand. `batchnorm` and `layernorm` go back as their papers sum it up: with
x = (A - mu) / s and g = gamma ∘ dY, dA = (g - mean g - x ∘ mean(g ∘ x)) / s. Float64 throughout; slow, and fine for
small programs.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from tests.programs import NodeSpec, ProgramSpec

Array = NDArray[np.float64]
Arrays = dict[str, Array]


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


ACTIVATIONS = {
    "linear": (lambda z: z, lambda z: np.ones_like(z)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "softplus": (lambda z: np.log(1 + np.exp(z)), lambda z: 1 / (1 + np.exp(-z))),
    "relu": (lambda z: np.where(z > 0, z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "leaky_relu(slope=0.2)": (lambda z: np.where(z > 0, z, 0.2 * z), lambda z: np.where(z > 0, 1.0, 0.2)),
}
"""g and g'. softmax is not entry by entry and stands by itself."""


class Naive:
    """One pass forward and backward. `parameters` and `statistics` by the compiler's names, which are the lesson's."""

    def __init__(
        self,
        spec: ProgramSpec,
        parameters: Arrays,
        statistics: Arrays,
        *,
        seed: int = 0,
        step: int = 1,
        training: bool = True,
    ) -> None:
        self.spec = spec
        self.parameters = parameters
        self.statistics = statistics
        self.seed, self.step, self.training = seed, step, training
        self.values: Arrays = {}
        self.before: Arrays = {}  # Z of layers and of apply
        self.masks: Arrays = {}
        self.normal: Arrays = {}  # x of the papers, and s
        self.deviation: Arrays = {}
        self.by_name = {n.name: n for n in spec.nodes}

    def forward(self, X: Arrays) -> Array:
        self.values = dict(X)
        for node in self.spec.nodes:
            self.values[node.name] = self._node(node)
        return self.values[self.spec.nodes[-1].name]

    def loss(self, X: Arrays, Y: Arrays) -> float:
        self.forward(X)
        m = next(iter(X.values())).shape[1]
        total = 0.0
        for loss, node, weight in self.spec.losses:
            total += float(weight) / m * LOSSES[loss][0](self.values[node], Y[node]).sum()
        for node in self._penalized():
            total += self._rate(node) / (2 * m) * (self.parameters[f"W[{node.l}]"] ** 2).sum()
        return total

    def gradients(self, X: Arrays, Y: Arrays) -> Arrays:
        self.loss(X, Y)
        m = next(iter(X.values())).shape[1]
        d: dict[str, Array] = defaultdict(float)
        grads: dict[str, Array] = {f"d{name}": np.zeros_like(p) for name, p in self.parameters.items()}
        for loss, node, weight in self.spec.losses:
            d[node] = d[node] + float(weight) * LOSSES[loss][1](self.values[node], Y[node])
        for node in reversed(self.spec.nodes):
            if node.name in d:
                self._backward(node, d, grads, m)
        for node in self._penalized():
            W = f"W[{node.l}]"
            grads[f"d{W}"] = grads[f"d{W}"] + self._rate(node) / m * self.parameters[W]
        for node in self.spec.nodes:
            if node.kind == "layer" and not node.trainable:
                for letter in "Wb":
                    grads.pop(f"d{letter}[{node.l}]", None)
        return grads

    def stepped(self, X: Arrays, Y: Arrays, state: dict[str, Array], rate: float) -> Arrays:
        """The parameters after one step. `state` is the optimizer's, 0 where it does not say; it is changed."""
        gradients = self.gradients(X, Y)
        norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        limit = self.spec.clip_norm
        scale = 1.0 if limit is None or norm <= float(limit) else float(limit) / norm
        name, _, given = self.spec.optimizer.rstrip(")").partition("(")
        options = {key: float(value) for key, value in (item.split("=") for item in given.split(", ") if item)}
        made = {parameter: w.copy() for parameter, w in self.parameters.items()}
        for gradient, g in gradients.items():
            w = gradient[1:]
            kept = tuple(state.get(f"{part}/{w}", np.zeros_like(g)) for part in "vs")
            made[w], (state[f"v/{w}"], state[f"s/{w}"]) = OPTIMIZERS[name](
                made[w], scale * g, *kept, rate, self.step, **options
            )
        return made

    def _penalized(self) -> list[NodeSpec]:
        """The layers with a W of their own that is trained."""
        layers = (n for n in self.spec.nodes if n.kind == "layer")
        return [n for n in layers if n.share is None and n.tie is None and n.trainable]

    def _rate(self, node: NodeSpec) -> float:
        return float(self.spec.l2 if node.l2 is None else node.l2)

    # ------------------------------------------------------------ forward

    def _node(self, node: NodeSpec) -> Array:
        inputs = [self.values[s] for s in node.sources]
        if node.kind == "layer":
            W, b, transposed = self._weights(node)
            Z = (self.parameters[W].T if transposed else self.parameters[W]) @ inputs[0]
            self.before[node.name] = Z + (self.parameters[b] if b is not None else 0)
            return activate(node.activation, self.before[node.name])
        if node.kind == "apply":
            self.before[node.name] = inputs[0]
            return activate(node.activation, inputs[0])
        if node.kind == "add":
            return np.sum(inputs, axis=0)
        if node.kind == "multiply":
            return np.prod(inputs, axis=0)
        if node.kind == "concat":
            return np.concatenate(inputs)
        if node.kind == "standardize":
            mean, deviation = (self.statistics[f"{what}[{node.name}]"] for what in ("mean", "deviation"))
            return (inputs[0] - mean) / deviation
        if node.kind in ("batchnorm", "layernorm"):
            return self._normalized(node, inputs[0])
        self.masks[node.name] = self._mask(node, *inputs[0].shape)
        return inputs[0] * self.masks[node.name]

    def _normalized(self, node: NodeSpec, A: Array) -> Array:
        axis = 0 if node.kind == "layernorm" else 1
        mu, var = A.mean(axis, keepdims=True), A.var(axis, keepdims=True)
        if node.kind == "batchnorm" and not self.training:
            mu, var = (self.statistics[f"running_{what}[{node.name}]"] for what in ("mean", "variance"))
        self.deviation[node.name] = np.sqrt(var + float(node.epsilon))
        self.normal[node.name] = (A - mu) / self.deviation[node.name]
        gamma, beta = (self.parameters[f"{what}[{node.name}]"] for what in ("gamma", "beta"))
        return gamma * self.normal[node.name] + beta

    def followed(self) -> Arrays:
        """The statistics after a pass in training."""
        made = dict(self.statistics)
        for node in self.spec.nodes:
            if node.kind == "batchnorm":
                A, keep = self.values[node.sources[0]], float(node.momentum)
                for what, new in (("mean", A.mean(1)), ("variance", A.var(1, ddof=1))):
                    name = f"running_{what}[{node.name}]"
                    made[name] = keep * made[name] + (1 - keep) * new[:, None]
        return made

    def _weights(self, node: NodeSpec) -> tuple[str, str | None, bool]:
        """Names of W and b, and whether W is transposed."""
        if node.share is not None:
            return self._weights(self.by_name[node.share])
        b = f"b[{node.l}]" if node.bias else None
        if node.tie is not None:
            return f"W[{self.by_name[node.tie].l}]", b, True
        return f"W[{node.l}]", b, False

    def _mask(self, node: NodeSpec, rows: int, columns: int) -> Array:
        if not self.training:
            return np.ones((rows, columns))
        mask = np.empty((rows, columns))
        keep = 1 - float(node.rate)
        for i in range(rows):
            for j in range(columns):
                words = philox((i // 4, j, self.step, node.dropout), (self.seed, 0))
                mask[i, j] = 0 if words[i % 4] < float(node.rate) * 2**32 else 1 / keep
        return mask

    # ------------------------------------------------------------ backward

    def _backward(self, node: NodeSpec, d: dict[str, Array], grads: Arrays, m: int) -> None:
        dA = d[node.name]
        inputs = [self.values[s] for s in node.sources]
        if node.kind == "layer":
            W, b, transposed = self._weights(node)
            dZ = slope(node.activation, self.before[node.name], dA)
            dW = dZ @ inputs[0].T / m
            grads[f"d{W}"] = grads[f"d{W}"] + (dW.T if transposed else dW)
            if b is not None:
                grads[f"d{b}"] = grads[f"d{b}"] + dZ.sum(axis=1, keepdims=True) / m
            back = self.parameters[W] if transposed else self.parameters[W].T
            d[node.sources[0]] = d[node.sources[0]] + back @ dZ
        elif node.kind == "apply":
            d[node.sources[0]] = d[node.sources[0]] + slope(node.activation, self.before[node.name], dA)
        elif node.kind == "add":
            for source in node.sources:
                d[source] = d[source] + dA
        elif node.kind == "multiply":
            for i, source in enumerate(node.sources):
                others = [a for j, a in enumerate(inputs) if j != i]
                d[source] = d[source] + dA * np.prod(others, axis=0)
        elif node.kind == "concat":
            start = 0
            for source, a in zip(node.sources, inputs, strict=True):
                d[source] = d[source] + dA[start : start + len(a)]
                start += len(a)
        elif node.kind == "standardize":
            d[node.sources[0]] = d[node.sources[0]] + dA / self.statistics[f"deviation[{node.name}]"]
        elif node.kind in ("batchnorm", "layernorm"):
            d[node.sources[0]] = d[node.sources[0]] + self._normalized_backward(node, dA, grads)
        else:
            d[node.sources[0]] = d[node.sources[0]] + dA * self.masks[node.name]

    def _normalized_backward(self, node: NodeSpec, dY: Array, grads: Arrays) -> Array:
        x, s = self.normal[node.name], self.deviation[node.name]
        grads[f"dgamma[{node.name}]"] = (dY * x).mean(1, keepdims=True)
        grads[f"dbeta[{node.name}]"] = dY.mean(1, keepdims=True)
        g = self.parameters[f"gamma[{node.name}]"] * dY
        if node.kind == "batchnorm" and not self.training:
            return g / s
        axis = 0 if node.kind == "layernorm" else 1
        return (g - g.mean(axis, keepdims=True) - x * (g * x).mean(axis, keepdims=True)) / s


def activate(name: str, z: Array) -> Array:
    return softmax(z) if name == "softmax" else ACTIVATIONS[name][0](z)


def slope(name: str, z: Array, dA: Array) -> Array:
    """dZ from dA. Of softmax: a_i (dA_i - Σ_k dA_k a_k)."""
    if name != "softmax":
        return dA * ACTIVATIONS[name][1](z)
    a = softmax(z)
    return a * (dA - (dA * a).sum(axis=0))


LOSSES = {
    "binary_cross_entropy": (
        lambda a, y: -(y * np.log(a) + (1 - y) * np.log(1 - a)),
        lambda a, y: -(y / a - (1 - y) / (1 - a)),
    ),
    "cross_entropy": (lambda a, y: -(y * np.log(a)), lambda a, y: -y / a),
    "mse": (lambda a, y: (a - y) ** 2 / len(a), lambda a, y: 2 * (a - y) / len(a)),
}
"""The loss of every entry, which are added up, and its derivative by a."""


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10 on Python integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & 0xFFFFFFFF, (p0 >> 32) ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def sgd(w, g, v, s, rate, t):
    return w - rate * g, (v, s)


def momentum(w, g, v, s, rate, t, beta=0.9):
    v = beta * v + g
    return w - rate * v, (v, s)


def nesterov(w, g, v, s, rate, t, beta=0.9):
    v = beta * v + g
    return w - rate * (g + beta * v), (v, s)


def adagrad(w, g, v, s, rate, t, epsilon=1e-10):
    s = s + g**2
    return w - rate * g / (np.sqrt(s) + epsilon), (v, s)


def rmsprop(w, g, v, s, rate, t, decay=0.99, epsilon=1e-8):
    s = decay * s + (1 - decay) * g**2
    return w - rate * g / (np.sqrt(s) + epsilon), (v, s)


def adam(w, g, v, s, rate, t, beta1=0.9, beta2=0.999, epsilon=1e-8):
    v, s = beta1 * v + (1 - beta1) * g, beta2 * s + (1 - beta2) * g**2
    return w - rate * (v / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + epsilon), (v, s)


def adamw(w, g, v, s, rate, t, decay=0.01):
    return adam(w - rate * decay * w, g, v, s, rate, t)


OPTIMIZERS = {f.__name__: f for f in (sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw)}
"""One step of each, as its paper has it: the new w and the new state (v, s)."""
