"""Whatever a plan can hold has C: a new primitive or operation that has none fails here."""

from __future__ import annotations

import numpy as np
import pytest

import dnnlang
from dnnlang.backends.native.expressions import COLUMN_OPERATIONS, elementwise
from dnnlang.backends.native.reductions import _in_plain_reductions, _levels
from dnnlang.backends.native.scalars import scalar_text
from dnnlang.backends.native.source import WRITERS
from dnnlang.backends.native.toolchain import available
from dnnlang.errors import InternalError
from dnnlang.plan.ir import parts
from dnnlang.primitives import PRIMITIVES, Fused, Product
from dnnlang.scalar.expression import COLUMNWISE, ELEMENTWISE, REDUCTIONS, Expr, apply, constant, topological, variable
from tests.backends.native.comparing import assert_alike, both, data_for
from tests.backends.native.test_native_backend import PROGRAMS

needs_a_compiler = pytest.mark.skipif(not available(), reason="no C compiler")

IN_GROUPS = {Product, Fused}
"""Written together with what goes on with them, and part by part."""
OPERANDS = {"where": 3, "constant": 0, "variable": 0, "units": 0, **dict.fromkeys(COLUMNWISE | REDUCTIONS, 1)}
OPERANDS |= dict.fromkeys("add multiply divide power maximum minimum logistic_loss".split(), 2)
OPERANDS |= dict.fromkeys("less less_equal equal not_equal".split(), 2)


def test_every_primitive_has_a_writer() -> None:
    assert set(WRITERS) | IN_GROUPS == set(PRIMITIVES)
    assert not set(WRITERS) & IN_GROUPS


def example(op: str, *names: str) -> Expr:
    """The operation, of variables with these names by turns."""
    if op == "constant":
        return constant(2)
    if op in ("variable", "units"):
        return variable(names[0]) if op == "variable" else apply("units")
    return apply(op, *(variable(names[n % len(names)]) for n in range(OPERANDS.get(op, 1))))


@pytest.mark.parametrize("op", sorted(ELEMENTWISE))
def test_every_operation_of_entries_has_c(op: str) -> None:
    names = iter(f"x{n}" for n in range(100))
    _, result = elementwise(example(op, "a", "b"), {"a": "a", "b": "b"}, lambda: next(names), 32)
    assert result


@pytest.mark.parametrize("op", sorted(COLUMN_OPERATIONS))
def test_every_operation_of_columns_is_made_of_loops(op: str) -> None:
    plain = _in_plain_reductions(example(op, "a"))
    left = {e.op for e in topological(plain)} & COLUMN_OPERATIONS
    assert left
    assert left == {e.op for level in _levels(plain) for e in level}


@pytest.mark.parametrize("op", sorted(ELEMENTWISE))
def test_every_operation_of_rate_and_t_has_c(op: str) -> None:
    assert scalar_text(example(op, "rate", "t"))


def test_what_has_no_c_is_our_mistake() -> None:
    with pytest.raises(InternalError, match="not implemented by the native backend"):
        scalar_text(example("max", "rate"))


def test_every_primitive_is_compared() -> None:
    """The programs that are compared with NumPy have all of them."""
    found = set()
    for text in PROGRAMS.values():
        for level in (0, 2):
            program = dnnlang.compile(text, optimize=level)
            for purpose in ("inference", "gradients", "step"):
                plan = program.plan(purpose)
                found |= {type(part.primitive) for i in plan.instructions for part in parts(i)}
                found |= {type(i.primitive) for i in plan.instructions}
    assert found == set(PRIMITIVES)


@needs_a_compiler
@pytest.mark.usefixtures("compiled_in_a_hurry")
def test_schedules_within_an_optimizer() -> None:
    """Every function of rate and t alone, which is computed once a step."""
    text = """input 3; layer 4 tanh; layer 2
    define optimizer odd(w, g) {
        c = sqrt(t) + exp(-t) + log(t + 1) + tanh(t) + sin(t) + cos(t) + abs(1 - t) + erf(t) + 1 / (1 + exp(-t))
        d = where(t > 1, max(t, 2), min(t, rate)) + log(1 + exp(t)) + t^rate
        w = w - rate * g * c / (1 + d)
    }
    train { optimizer odd }"""
    program = dnnlang.compile(text)
    X, Y = data_for(program, 5)
    numpy, native = both(program, "float64")
    for _ in range(3):
        J, K = numpy.step(X, Y), native.step(X, Y)
        assert np.isclose(J, K, rtol=1e-12)
    assert_alike(native.tensors, numpy.tensors, "float64")
