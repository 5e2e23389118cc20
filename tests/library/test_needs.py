"""What backward must keep of each standard activation: Z, the output A, or neither."""

from __future__ import annotations

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.definition_options import default_number
from dnnlang.graph.definitions import Library
from dnnlang.scalar.derive import backward
from dnnlang.scalar.expression import variables
from dnnlang.syntax.files import source_from_text
from dnnlang.syntax.parser import parse

NEEDS = {
    "linear": set(),
    **{name: {"a"} for name in "relu leaky_relu sigmoid tanh softsign exp softmax log_softmax".split()},
    # From A alone the slope of elu at z = -20 would be lost: 1 + A is 0 in float32.
    **{name: {"z"} for name in "elu selu celu".split()},
    **{name: {"z"} for name in "gelu gelu_tanh silu swish mish softplus hard_swish sin".split()},
    **{name: {"z"} for name in "hard_sigmoid hard_tanh".split()},
}


def test_every_activation_is_listed():
    assert set(NEEDS) == set(Library.standard().names("activation"))


@pytest.mark.parametrize("name", NEEDS)
def test_needs(name):
    library = Library.standard()
    activation = library.activation(library.statement("activation", name).name, lambda tree: None, Diagnostics())
    assert variables(backward(activation, from_output=True)) - {"u"} == NEEDS[name]


def test_a_leaky_relu_whose_slope_is_negative_needs_z():
    found = Diagnostics()
    use = parse(source_from_text("p.dnn", "layer 1 leaky_relu(-2)\n", found), found).statements[0].operands[1]
    activation = Library.standard().activation(use, default_number, found)
    assert variables(backward(activation, from_output=True)) - {"u"} == {"z"}
