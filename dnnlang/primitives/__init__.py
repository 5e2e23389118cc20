"""The narrow waist: the few operations that every network is lowered to and every backend implements."""

from dnnlang.primitives.fill import Zeros
from dnnlang.primitives.fused import Fused, Member
from dnnlang.primitives.loss import Loss
from dnnlang.primitives.map import Map, MeanOverSamples
from dnnlang.primitives.mask import Mask
from dnnlang.primitives.penalty import Decay, Penalty
from dnnlang.primitives.primitive import Contribution, Primitive, Shape
from dnnlang.primitives.product import Product
from dnnlang.primitives.running import Running
from dnnlang.primitives.stack import Slice, Stack
from dnnlang.primitives.update import Clip, Update

PRIMITIVES: tuple[type[Primitive], ...] = (
    Product,
    Map,
    MeanOverSamples,
    Loss,
    Penalty,
    Decay,
    Stack,
    Slice,
    Mask,
    Zeros,
    Running,
    Clip,
    Update,
    Fused,
)
"""All of them; a test asserts that each backend implements each."""

__all__ = [
    "PRIMITIVES",
    "Clip",
    "Contribution",
    "Decay",
    "Fused",
    "Loss",
    "Map",
    "Mask",
    "MeanOverSamples",
    "Member",
    "Penalty",
    "Primitive",
    "Product",
    "Running",
    "Shape",
    "Slice",
    "Stack",
    "Update",
    "Zeros",
]
