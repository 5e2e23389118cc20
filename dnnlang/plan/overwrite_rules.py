"""Which operands an output may be written over, whoever says so in the plan. Part of the verifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dnnlang.plan.ir import Instruction
from dnnlang.primitives.fused import Fused, Member
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.penalty import Decay
from dnnlang.primitives.primitive import Primitive
from dnnlang.primitives.product import Product
from dnnlang.primitives.stack import Slice


def entrywise(instruction: Instruction, number: int) -> range | tuple[int, ...]:
    """The inputs that are read entry by entry at the place where output `number` is written, and not after that."""
    primitive, count = instruction.primitive, len(instruction.inputs)
    if isinstance(primitive, Fused):
        return tuple(_entrywise_in_all(primitive.members, count, count + len(instruction.inner) + number))
    return _read_entrywise(primitive, count)


def _entrywise_in_all(members: Sequence[Member], count: int, output: int) -> Iterator[int]:
    """The inputs that no member reads in another way, and none behind the one that writes `output` reads at all."""
    writer = next((at for at, member in enumerate(members) if output in member.outputs), -1)
    otherwise: set[int] = set()
    for at, member in enumerate(members):
        free = _read_entrywise(member.primitive, len(member.inputs))
        otherwise.update(n for position, n in enumerate(member.inputs) if at > writer or position not in free)
    return (n for n in range(count) if n not in otherwise)


def _read_entrywise(primitive: Primitive, count: int) -> range | tuple[int, ...]:
    """The inputs of a primitive that are read entry by entry at the place where its output is written."""
    if isinstance(primitive, Map):
        return range(count)
    if isinstance(primitive, Product):
        return range(2 + primitive.bias, count)
    if isinstance(primitive, Slice | MeanOverSamples | Decay) and primitive.accumulate:
        return (count - 1,)
    return ()
