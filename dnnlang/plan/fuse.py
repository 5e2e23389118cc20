"""Fusion: a gradient's product with Wᵀ and the ∘ g' that follows are one step, which can overwrite A."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from dnnlang.plan.ir import Instruction, Plan
from dnnlang.primitives.map import UPSTREAM, Map
from dnnlang.primitives.product import Product
from dnnlang.primitives.values import Value


def fuse_slopes(plan: Plan) -> Plan:
    """dA = Wᵀ dZ, dZ' = dA ∘ g'(A) become dZ' = Wᵀ dZ ∘ g'(A) where nobody else reads dA."""
    readers = Counter(v for i in plan.backward for v in i.inputs)
    readers.update(plan.gradients.values())
    fused: list[Instruction] = []
    for instruction in plan.backward:
        previous = fused[-1] if fused else None
        if previous is not None and _fits(previous, instruction, readers):
            fused[-1] = _together(previous, instruction)
        else:
            fused.append(instruction)
    return replace(plan, backward=tuple(fused))


def _fits(first: Instruction, second: Instruction, readers: Counter[Value]) -> bool:
    product, slope = first.primitive, second.primitive
    return (
        isinstance(product, Product)
        and product.epilogue is None
        and isinstance(slope, Map)
        and slope.slope_of is not None
        and not slope.accumulate
        and slope.names[0] == UPSTREAM
        and second.inputs[0] is first.output
        and readers[first.output] == 1
    )


def _together(first: Instruction, second: Instruction) -> Instruction:
    product, slope = first.primitive, second.primitive
    assert isinstance(product, Product)  # for the type checker: _fits holds
    assert isinstance(slope, Map)
    end = len(first.inputs) - (1 if product.accumulate else 0)
    inputs = (*first.inputs[:end], *second.inputs[1:], *first.inputs[end:])
    return Instruction(_with_epilogue(product, slope), inputs, second.outputs, second.span, second.within)


@lru_cache(maxsize=1024)
def _with_epilogue(product: Product, slope: Map) -> Product:
    """One shared record for all layers alike: they are many, and whoever checks or prints them looks at each once."""
    return replace(product, epilogue=slope)
