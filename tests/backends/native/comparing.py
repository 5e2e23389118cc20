"""One program on both backends, from the same numbers: every result of native code against that of NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import dnnlang
from dnnlang.network import Network
from dnnlang.program import Program
from tests.measures import relative_error
from tests.programs import ProgramSpec

Array = NDArray[Any]
Arrays = dict[str, Array]

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
ROUNDING = {"float32": 1e-6, "float64": 1e-14}
"""Of the largest tensor of its kind: in one that is smaller, the gradient of a bias before a batchnorm, nothing but
rounding is left of sums that are 0."""
RATE = 0.05


@dataclass(frozen=True)
class Case:
    """What is run: a program, at a level, on m samples."""

    spec: ProgramSpec
    level: int = 2
    m: int = 5
    dtype: str = "float64"
    seed: int = 0
    keep_gradients: bool = False

    @property
    def program(self) -> Program:
        """Steps of adamw are of one size however small the gradient is: rounding would be all of some in float32."""
        spec = self.spec
        if spec.optimizer == "adamw" and self.dtype == "float32":
            spec = replace(spec, optimizer="adamw(epsilon=0.001)")
        return dnnlang.compile(spec.text, optimize=self.level, keep_gradients=self.keep_gradients)

    def data(self) -> tuple[Arrays, Arrays]:
        return data_for(self.program, self.m, self.seed)


def data_for(program: Program, m: int, seed: int = 0) -> tuple[Arrays, Arrays]:
    """X and Y by name, as the losses of the program take them."""
    rng = np.random.default_rng(seed)
    a = program.architecture
    X = {name: rng.normal(size=(int(a.nodes[name].units), m)) for name in a.inputs}
    Y = {}
    for use in a.losses:
        units = int(a.nodes[use.node].units)
        if use.loss.given:
            Y[use.target] = np.eye(units)[:, rng.integers(0, units, m)]
        else:
            Y[use.target] = rng.integers(0, 2, (units, m)).astype(float)
    return X, Y


def loaded(program: Program, backend: str, dtype: str, seed: int) -> Network:
    """With random biases too, so that nothing is 0 by chance; small weights, so that nothing saturates."""
    network = program.load(backend=backend, dtype=dtype, seed=seed)
    rng = np.random.default_rng(seed)
    for array in network.parameters.values():
        array[...] = rng.normal(size=array.shape) * min(0.5, 2 / np.sqrt(array.shape[1]))
    for name, array in network.statistics.items():
        array[...] = rng.normal(size=array.shape) if "mean" in name else rng.uniform(0.5, 2, size=array.shape)
    return network


def both(program: Program, dtype: str, seed: int = 0) -> tuple[Network, Network]:
    """The network on NumPy and as native code, with the same parameters."""
    return loaded(program, "numpy", dtype, seed), loaded(program, "native", dtype, seed)


def assert_alike(got: Mapping[str, Array], expected: Mapping[str, Array], dtype: str, what: str = "") -> None:
    """Each tensor, relative to itself; or nothing but rounding of the largest one is between them."""
    assert got.keys() == expected.keys(), what
    size = max([1.0, *(float(np.linalg.norm(array)) for array in expected.values())])
    for name, array in expected.items():
        error = relative_error(got[name], array)
        if error < TOLERANCE[dtype]:
            continue
        assert np.linalg.norm(np.subtract(got[name], array, dtype=float)) < ROUNDING[dtype] * size, (
            f"{what} {name}: {error:.1e}"
        )


def assert_numbers(got: float, expected: float, dtype: str, what: str = "") -> None:
    assert abs(got - expected) <= TOLERANCE[dtype] * (1 + abs(expected)), f"{what}: {got}, not {expected}"


def named(outputs: Array | Arrays) -> Arrays:
    return outputs if isinstance(outputs, dict) else {"A": outputs}


def assert_same(case: Case) -> None:
    """Everything that a network can be asked for."""
    program = case.program
    X, Y = case.data()
    numpy, native = both(program, case.dtype, case.seed)
    for training in (False, True):
        expected, got = (named(n.forward(X, training=training)) for n in (numpy, native))
        assert_alike(got, expected, case.dtype, f"forward, training={training}")
        for penalty in (False, True):
            J, K = (n.loss(X, Y, training=training, penalty=penalty) for n in (numpy, native))
            assert_numbers(K, J, case.dtype, f"J, training={training}, penalty={penalty}")
    assert_same_gradients(numpy, native, X, Y, case.dtype)
    assert_same_steps(numpy, native, X, Y, case.dtype)


def assert_same_gradients(numpy: Network, native: Network, X: Arrays, Y: Arrays, dtype: str) -> None:
    for training in (True, False):
        expected, got = (n.gradients(X, Y, training=training) for n in (numpy, native))
        assert_alike(got, expected, dtype, f"gradients, training={training}")
    assert_alike(dict(native.statistics), dict(numpy.statistics), dtype, "statistics")


def assert_same_steps(numpy: Network, native: Network, X: Arrays, Y: Arrays, dtype: str, steps: int = 3) -> None:
    """Each step from the same numbers: what rounding becomes in many steps is no matter of the backend."""
    for t in range(1, steps + 1):
        copy(numpy, native)
        J, K = (n.step(X, Y, learning_rate=RATE) for n in (numpy, native))
        assert_numbers(K, J, dtype, f"J of step {t}")
        assert_alike(dict(native.tensors), dict(numpy.tensors), dtype, f"step {t}")
        assert_alike(native.state, numpy.state, dtype, f"state after step {t}")


def copy(of: Network, to: Network) -> None:
    """Gives `to` the parameters, statistics and state of `of`."""
    for name, array in (*of.tensors.items(), *of.state.items()):
        (to.tensors if name in to.tensors else to.state)[name][...] = array
    to.steps = of.steps


def bits(arrays: Iterable[Array]) -> list[bytes]:
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


def everything(network: Network, X: Arrays, Y: Arrays) -> list[bytes]:
    """All results of a forward pass, a loss, gradients and two steps, bit by bit."""
    run: list[Callable[[], Iterable[Array]]] = [
        lambda: named(network.forward(X, training=True)).values(),
        lambda: [np.array(network.loss(X, Y))],
        lambda: network.gradients(X, Y).values(),
        lambda: [np.array([network.step(X, Y), network.step(X, Y)])],
        lambda: network.tensors.values(),
        lambda: network.state.values(),
    ]
    return [each for made in run for each in bits(made())]
