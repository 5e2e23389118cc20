"""The standard library as PyTorch computes it: the numbers that tests compare with.

Run as a script where torch is installed, this rewrites `reference.json`; the tests read that file where torch
is not installed, and compute afresh where it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).with_name("reference.json")

STEPS = 20
UNITS, SAMPLES = 3, 7


def z_points() -> list[list[float]]:
    """(3, 7): a spread of pre-activations without kinks or ties."""
    return [[round(5.3 * ((0.37 * (i + 1) * (j + 2)) % 2 - 0.97), 6) for j in range(SAMPLES)] for i in range(UNITS)]


def y_points() -> dict[str, list[list[float]]]:
    """Targets by name: any numbers, probabilities, distributions (columns sum to 1), signs, counts."""
    free = [[round(((0.61 * (i + 2) * (j + 3)) % 3) - 1.4, 6) for j in range(SAMPLES)] for i in range(UNITS)]
    unit = [[round(((0.43 * (i + 1) * (j + 2)) % 0.9) + 0.05, 6) for j in range(SAMPLES)] for i in range(UNITS)]
    sums = [sum(row[j] for row in unit) for j in range(SAMPLES)]
    return {
        "free": free,
        "unit": unit,
        "distribution": [[row[j] / sums[j] for j in range(SAMPLES)] for row in unit],
        "sign": [[1.0 if v > 0 else -1.0 for v in row] for row in free],
        "count": [[float(round(abs(v) * 3)) for v in row] for row in free],
    }


def sweep() -> list[float]:
    """Pre-activations over the whole range of float32, subnormal numbers and infinities included."""
    sizes = [0.0, 1e-45, 1e-40, 1e-30, 1e-8, 1e-4, 0.1, 0.37, 0.5, 0.84, 1.1, 1.7, 2.4, 2.9, 3.1, 4.3, 5.7, 8.9]
    sizes += [12.0, 17.3, 20.0, 33.0, 40.0, 88.0, 100.0, 300.0, 709.0, 745.0, 1e3, 1e4, float("inf")]
    return [s * x for x in sizes for s in (1.0, -1.0)]


ACTIVATIONS = """linear relu leaky_relu elu selu celu gelu gelu_tanh silu swish mish softplus softsign sigmoid
hard_sigmoid hard_swish tanh hard_tanh softmax log_softmax sin exp""".split()

ELEMENTWISE = [name for name in ACTIVATIONS if name not in ("softmax", "log_softmax")]

LOGIT_TARGETS = (0.0, 1.0, 0.25)

LOSSES = {  # name: (outputs a, targets y)
    "binary_cross_entropy": ("unit", "unit"),
    "cross_entropy": ("distribution", "distribution"),
    "mse": ("free", "unit"),
    "mae": ("free", "unit"),
    "huber": ("free", "unit"),
    "log_cosh": ("free", "unit"),
    "hinge": ("free", "sign"),
    "poisson": ("unit", "count"),
    "kl_divergence": ("distribution", "distribution"),
}

NORMALIZERS = ("batchnorm", "layernorm")
SCALE, SHIFT = (1.3, 0.7, -0.4), (0.2, -0.1, 0.5)

OPTIMIZERS = "sgd momentum nesterov adagrad rmsprop adam adamw".split()
RATE = 0.05


def outputs(kind: str) -> list[list[float]]:
    """Outputs of a network to take a loss of: different from the targets of the same name."""
    return [row[::-1] for row in y_points()[kind]]


def mixing() -> list[list[float]]:
    """W (3, 3) of the layer before a normalizer."""
    return [[0.9, -0.2, 0.1], [0.3, 1.1, -0.4], [-0.5, 0.2, 0.8]]


def problem() -> tuple[list[list[float]], list[list[float]], list[list[float]]]:
    """X (3, 7), Y (2, 7) and W (2, 3) of a linear regression for the optimizers to work on."""
    return z_points(), y_points()["free"][:2], [[0.3, -0.2, 0.1], [-0.4, 0.25, 0.05]]


def batches() -> list[list[list[float]]]:
    """Three batches X, (3, 7), (3, 5) and (3, 2), for running statistics to follow."""
    x = z_points()
    return [x, [row[2:] for row in x], [row[1::4] for row in x]]


def compute() -> dict[str, Any]:
    """Everything, from the torch that is installed."""
    return {
        "activations": {name: _activation(name) for name in ACTIVATIONS},
        "losses": {name: _loss(name) for name in LOSSES},
        "optimizers": {name: _optimizer(name) for name in OPTIMIZERS},
        "normalizers": {name: _normalizer(name) for name in NORMALIZERS},
        "slopes": {dtype: {name: _slopes(name, dtype) for name in ELEMENTWISE} for dtype in ("float32", "float64")},
        "from_logits": {dtype: _from_logits(dtype) for dtype in ("float32", "float64")},
    }


def _function(name: str) -> Callable[[Any], Any]:
    import torch
    from torch.nn import functional

    functions: dict[str, Callable[[Any], Any]] = {
        "linear": lambda z: z * 1,
        "relu": functional.relu,
        "leaky_relu": functional.leaky_relu,
        "elu": functional.elu,
        "selu": functional.selu,
        "celu": functional.celu,
        "gelu": functional.gelu,
        "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
        "silu": functional.silu,
        "swish": lambda z: z * torch.sigmoid(z),
        "mish": functional.mish,
        "softplus": functional.softplus,
        "softsign": functional.softsign,
        "sigmoid": torch.sigmoid,
        "hard_sigmoid": functional.hardsigmoid,
        "hard_swish": functional.hardswish,
        "tanh": torch.tanh,
        "hard_tanh": functional.hardtanh,
        "softmax": lambda z: functional.softmax(z, dim=0),
        "log_softmax": lambda z: functional.log_softmax(z, dim=0),
        "sin": torch.sin,
        "exp": torch.exp,
    }
    return functions[name]


def _slopes(name: str, dtype: str) -> list[float]:
    """The derivative at each point of the sweep."""
    import torch

    z = torch.tensor(sweep(), dtype=getattr(torch, dtype), requires_grad=True)
    _function(name)(z).sum().backward()
    return z.grad.tolist()


def _from_logits(dtype: str) -> dict[str, list[float]]:
    """The cross entropies of a sweep of pre-activations z, with targets of 0, 1 and 1/4 (for softmax: of z and 0)."""
    import torch
    from torch.nn import functional

    z = torch.tensor([v for v in sweep() if abs(v) < 1e30], dtype=getattr(torch, dtype))
    found = {}
    for y in LOGIT_TARGETS:
        found[f"sigmoid {y}"] = functional.binary_cross_entropy_with_logits(
            z, torch.full_like(z, y), reduction="none"
        ).tolist()
        pair = torch.stack([z, torch.zeros_like(z)])
        log_a = functional.log_softmax(pair, dim=0)
        found[f"softmax {y}"] = (-(y * log_a[0] + (1 - y) * log_a[1])).tolist()
    return found


def _activation(name: str) -> dict[str, Any]:
    """Values, and the gradient of Σ w∘A for fixed weights w."""
    import torch

    z = torch.tensor(z_points(), dtype=torch.float64, requires_grad=True)
    a = _function(name)(z)
    (a * torch.tensor(y_points()["free"], dtype=torch.float64)).sum().backward()
    return {"value": a.tolist(), "gradient": z.grad.tolist()}


def _loss(name: str) -> dict[str, Any]:
    """The loss of each sample, and its gradient with respect to the output."""
    import torch
    from torch.nn import functional

    functions: dict[str, Callable[[Any, Any], Any]] = {
        "binary_cross_entropy": lambda a, y: functional.binary_cross_entropy(a, y, reduction="none").sum(0),
        "cross_entropy": lambda a, y: -(y * a.log()).sum(0),  # torch's takes logits
        "mse": lambda a, y: functional.mse_loss(a, y, reduction="none").mean(0),
        "mae": lambda a, y: functional.l1_loss(a, y, reduction="none").mean(0),
        "huber": lambda a, y: functional.huber_loss(a, y, reduction="none").mean(0),
        "log_cosh": lambda a, y: torch.log(torch.cosh(a - y)).mean(0),
        "hinge": lambda a, y: torch.clamp(1 - y * a, min=0).sum(0),
        "poisson": lambda a, y: functional.poisson_nll_loss(a, y, log_input=False, eps=0, reduction="none").sum(0),
        "kl_divergence": lambda a, y: functional.kl_div(a.log(), y, reduction="none").sum(0),
    }
    of, targets = LOSSES[name]
    a = torch.tensor(outputs(of), dtype=torch.float64, requires_grad=True)
    y = torch.tensor(y_points()[targets], dtype=torch.float64)
    value = functions[name](a, y)
    value.sum().backward()
    return {"value": value.tolist(), "gradient": a.grad.tolist()}


def _normalizer(name: str) -> dict[str, Any]:
    """Of A = normalized(W X) and the mean squared error: A and gradients on the first batch, in training; then, once
    all batches have been seen, the running statistics, and A of the first batch outside training."""
    import torch

    layer = torch.nn.BatchNorm1d(UNITS) if name == "batchnorm" else torch.nn.LayerNorm(UNITS)
    layer = layer.double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(SCALE))
        layer.bias.copy_(torch.tensor(SHIFT))
    x, y = (torch.tensor(v, dtype=torch.float64) for v in (z_points(), y_points()["free"]))
    w = torch.tensor(mixing(), dtype=torch.float64, requires_grad=True)
    a = layer((w @ x).T).T
    ((a - y) ** 2).mean().backward()
    found = {
        "value": a.tolist(),
        "dW[1]": w.grad.tolist(),
        "dgamma[n]": layer.weight.grad[:, None].tolist(),
        "dbeta[n]": layer.bias.grad[:, None].tolist(),
    }
    with torch.no_grad():
        for batch in batches()[1:]:
            layer((w @ torch.tensor(batch, dtype=torch.float64)).T)
        layer.eval()
        found["outside training"] = layer((w @ x).T).T.tolist()
    if name == "batchnorm":
        found["running_mean[n]"] = layer.running_mean[:, None].tolist()
        found["running_variance[n]"] = layer.running_var[:, None].tolist()
    return found


def _optimizer(name: str) -> list[list[float]]:
    """W after STEPS steps of linear regression with the mean squared error."""
    import torch

    makers: dict[str, Callable[[Any], Any]] = {
        "sgd": lambda p: torch.optim.SGD(p, lr=RATE),
        "momentum": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9),
        "nesterov": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.9, nesterov=True),
        "adagrad": lambda p: torch.optim.Adagrad(p, lr=RATE),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=RATE),
        "adam": lambda p: torch.optim.Adam(p, lr=RATE),
        "adamw": lambda p: torch.optim.AdamW(p, lr=RATE),
    }
    x, y, start = (torch.tensor(v, dtype=torch.float64) for v in problem())
    w = start.clone().requires_grad_()
    optimizer = makers[name]([w])
    for _ in range(STEPS):
        optimizer.zero_grad()
        ((w @ x - y) ** 2).mean().backward()
        optimizer.step()
    return w.tolist()


if __name__ == "__main__":
    REFERENCE.write_text(json.dumps(compute(), separators=(",", ":")).replace("},", "},\n") + "\n", encoding="utf-8")
