"""What changes parameters: the clipping of gradients by their norm, and the optimizer's statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from dnnlang.errors import InternalError
from dnnlang.primitives.ends import AfterGradients
from dnnlang.primitives.primitive import Shape
from dnnlang.scalar.functions import Optimizer
from dnnlang.scalar.text import number, text


@dataclass(frozen=True, slots=True)
class Clip(AfterGradients):
    """Scales all gradients together by min(1, limit / ‖all of them‖₂). Each output overwrites its input."""

    limit: Fraction

    @property
    def operation(self) -> str:
        return "clip"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        return inputs[0]

    def overwritable(self, count: int) -> Sequence[int]:
        return range(count)

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        return f"min(1, {number(self.limit)} / ‖dW, db‖) (dW, db)"


@dataclass(frozen=True, slots=True)
class Update(AfterGradients):
    """One step of the optimizer for one parameter.

    Inputs: the parameter, its gradient, then the optimizer's state in the order of `optimizer.state`.
    Outputs: the parameter and the state, each overwriting what it was.
    """

    optimizer: Optimizer

    @property
    def operation(self) -> str:
        return "update"

    def shape(self, inputs: Sequence[Shape]) -> Shape:
        if any(s != inputs[0] for s in inputs):
            raise InternalError(f"an update of {inputs[0]} by {', '.join(map(str, inputs[1:]))}")
        return inputs[0]

    def formula(self, inputs: Sequence[str], units: str = "n") -> str:
        """The last statement that assigns the parameter; `statements` has them all."""
        return self.statements(inputs)[-1].partition(" = ")[2]

    def statements(self, inputs: Sequence[str]) -> tuple[str, ...]:
        """`v[W[1]] = 0.9 v[W[1]] + dW[1]`, `W[1] = W[1] - α v[W[1]]`."""
        parameter, *state = self.changed(inputs[0])
        names = {"w": parameter, "g": inputs[1], "rate": "α", **dict(zip(self.optimizer.state, state, strict=True))}
        return tuple(f"{names.get(n, n)} = {text(e, names)}" for n, e in self.optimizer.statements)

    def changed(self, parameter: str) -> tuple[str, ...]:
        """What `statements` calls the outputs: `W[1]`, `v[W[1]]`, …"""
        return parameter, *(f"{name}[{parameter}]" for name in self.optimizer.state)
