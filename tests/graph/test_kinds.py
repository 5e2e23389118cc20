"""Every node kind: operands, keys, sizes, parameters, and what it lowers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import pytest

from dnnlang.graph.architecture import Architecture
from dnnlang.graph.kinds import KINDS
from dnnlang.graph.kinds.apply import ApplyDetail
from dnnlang.graph.kinds.dropout import DropoutDetail
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.primitives.values import Role, Value
from dnnlang.scalar.expression import Expr, variables
from dnnlang.scalar.functions import Activation
from dnnlang.source import Span
from tests.graph.programs import built, mistake, sizes


@dataclass
class Recorder:
    """A Builder that writes down what it is asked for."""

    training: bool = True
    lines: list[str] = field(default_factory=list)
    values: dict[str, Value] = field(default_factory=dict)

    def output_of(self, node: str) -> Value:
        return self.values[node]

    def parameter(self, name: str) -> Value:
        return Value(name, (1, 1), Role.PARAMETER)

    def _write(self, name: str, line: str) -> Value:
        self.lines.append(f"{name} = {line}")
        return Value(name, (1, 1), Role.ACTIVATION)

    def product(
        self, name: str, weights: Value, right: Value, bias: Value | None, span: Span, *, transpose: bool = False
    ) -> Value:
        matrix = f"{weights.name}ᵀ" if transpose else weights.name
        return self._write(name, f"{matrix} {right.name}" + (f" + {bias.name}" if bias is not None else ""))

    def activate(self, name: str, activation: Activation, z: Value, span: Span) -> Value:
        return self._write(name, f"{activation.label}({z.name})")

    def map(self, name: str, expr: Expr, operands: Mapping[str, Value], span: Span, *, label: str) -> Value:
        assert variables(expr) <= operands.keys()
        shown = ", ".join(v.name for v in operands.values())
        return self._write(name, f"{label or expr.op}({shown})")

    def stack(self, name: str, parts: Sequence[Value], span: Span) -> Value:
        return self._write(name, f"stack({', '.join(p.name for p in parts)})")

    def mask(self, name: str, like: Value, rate: Fraction, node: int, span: Span) -> Value:
        return self._write(name, f"mask({like.name}, {rate}, {node})")


def lowered(program: str, *, training: bool = True) -> list[str]:
    architecture = built(program)
    build = Recorder(training)
    for name, node in architecture.nodes.items():
        if node.kind.name == "input":
            build.values[name] = Value(node.value, (node.units, 1), Role.INPUT)
        else:
            build.values[name] = node.kind.lower(node, build)
    return build.lines


def layer(architecture: Architecture, name: str) -> LayerDetail:
    detail = architecture.nodes[name].detail
    assert isinstance(detail, LayerDetail)
    return detail


def shapes(architecture: Architecture) -> dict[str, tuple[object, object]]:
    return {name: parameter.shape for name, parameter in architecture.parameters.items()}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_documented(name: str) -> None:
    kind = KINDS[name]
    assert kind.name == name
    assert kind.sentence.endswith(".")
    assert kind.usage().startswith(name)
    assert all(slot.sentence and slot.form for slot in (*kind.operands, *kind.keys))


# ---------------------------------------------------------------- layer


def test_layer_is_the_lessons() -> None:
    assert lowered("input 3\nlayer 5 relu\nlayer 1 sigmoid") == [
        "Z[1] = W[1] X + b[1]",
        "A[1] = relu(Z[1])",
        "Z[2] = W[2] A[1] + b[2]",
        "A[2] = sigmoid(Z[2])",
    ]


def test_layer_without_activation_is_linear() -> None:
    assert lowered("input 3\nlayer 5") == ["Z[1] = W[1] X + b[1]", "A[1] = linear(Z[1])"]


def test_layer_parameters() -> None:
    architecture = built("input 3\nlayer 5 relu\nlayer 1 sigmoid as head")
    assert shapes(architecture) == {"W[1]": (5, 3), "b[1]": (5, 1), "W[2]": (1, 5), "b[2]": (1, 1)}
    W, b = architecture.parameters["W[1]"], architecture.parameters["b[1]"]
    assert W.init is not None
    assert (W.init.label, W.fan, W.penalized, W.trainable, W.l2) == ("he", (3, 5), True, True, None)
    assert (b.init, b.penalized, b.trainable) == (None, False, True)
    head = architecture.parameters["W[2]"].init
    assert head is not None
    assert head.label == "xavier"
    assert architecture.aliases == {"head": "2"}


def test_layer_keys() -> None:
    architecture = built("input 3\nparam lam = 0.01\nlayer 5 relu init=normal bias=none l2=lam/2 trainable=no")
    assert list(architecture.parameters) == ["W[1]"]
    W = architecture.parameters["W[1]"]
    assert W.init is not None
    assert (W.init.label, W.l2, W.trainable) == ("normal", Fraction(1, 200), False)
    assert layer(architecture, "layer[1]").b is None
    assert lowered("input 3\nlayer 5 relu bias=none")[0] == "Z[1] = W[1] X"


def test_trainable_no_keeps_the_bias_too() -> None:
    architecture = built("input 3\nlayer 5 trainable=no")
    assert [p.trainable for p in architecture.parameters.values()] == [False, False]
    assert built("input 3\nlayer 5 trainable=yes").parameters["b[1]"].trainable


def test_share_uses_the_same_matrix_and_bias() -> None:
    program = "input 4 as x\ninput 4 as y\nlayer 8 relu from x as a\nlayer 8 relu from y share=a\nconcat from a, _"
    architecture = built(program)
    assert shapes(architecture) == {"W[1]": (8, 4), "b[1]": (8, 1)}
    assert layer(architecture, "layer[2]") == LayerDetail(2, layer(architecture, "a").activation, "W[1]", "b[1]", False)
    assert lowered(program)[2] == "Z[2] = W[1] y + b[1]"


def test_tie_uses_the_transpose_and_has_its_own_bias() -> None:
    program = "input 64\nlayer 16 relu as code\nlayer 64 sigmoid tie=transpose(code)\nloss mse"
    architecture = built(program)
    assert shapes(architecture) == {"W[1]": (16, 64), "b[1]": (16, 1), "b[2]": (64, 1)}
    assert lowered(program)[2] == "Z[2] = W[1]ᵀ A[1] + b[2]"


def test_sharing_goes_on_to_the_layer_that_owns() -> None:
    program = """\
input 4 as x
layer 8 from x as a
layer 8 from x as b share=a
layer 4 from b as c tie=transpose(b)
layer 8 from x as e tie=transpose(c)
layer 8 from x as f share=e
"""
    architecture = built(program)
    assert list(architecture.parameters) == ["W[1]", "b[1]", "b[3]", "b[4]"]
    used = {
        name: (layer(architecture, name).W, layer(architecture, name).b, layer(architecture, name).transpose)
        for name in "bcef"
    }
    assert used == {
        "b": ("W[1]", "b[1]", False),
        "c": ("W[1]", "b[3]", True),
        "e": ("W[1]", "b[4]", False),
        "f": ("W[1]", "b[4]", False),
    }


def test_a_shared_parameter_is_counted_once() -> None:
    built("input 4 as x\nlayer 4 as a\nlayer 4 share=a\nexpect parameters == 20")


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("share=a init=he", "DNN112"),
        ("share=a bias=none", "DNN112"),
        ("share=a l2=1", "DNN112"),
        ("share=a trainable=no", "DNN112"),
        ("share=a tie=transpose(a)", "DNN112"),
        ("tie=transpose(a) init=he", "DNN112"),
        ("tie=a", "DNN106"),
        ("tie=transpose(a, a)", "DNN106"),
        ("tie=transpose(3)", "DNN106"),
        ("share=transpose(a)", "DNN106"),
        ("share=3", "DNN106"),
        ("share=x", "DNN106"),
        ("share=aa", "DNN107"),
        ("share=later", "DNN108"),
        ("bias=no", "DNN106"),
        ("l2=-1", "DNN106"),
        ("l2=lots", "DNN104"),
        ("trainable=maybe", "DNN106"),
        ("init=3", "DNN106"),
        ("init=hee", "DNN401"),
        ("units=3", "DNN118"),
        ("bias=none bias=none", "DNN118"),
    ],
)
def test_wrong_keys(keys: str, code: str) -> None:
    assert mistake(f"input 4 as x\nlayer 4 as a\nlayer 4 {keys}\nlayer 4 as later").code == code


def test_tied_layers_may_leave_out_or_freeze_their_own_bias() -> None:
    architecture = built("input 4\nlayer 8 as a\nlayer 4 tie=transpose(a) bias=none")
    assert layer(architecture, "layer[2]").b is None
    assert not built("input 4\nlayer 8 as a\nlayer 4 tie=transpose(a) trainable=no").parameters["b[2]"].trainable


def test_a_matrix_of_another_shape_cannot_be_shared() -> None:
    found = mistake("input 64\nlayer 16 relu as code\nlayer 60 tie=transpose(code)")
    assert found.code == "DNN207"
    assert "(60, 16)" in found.message
    assert [(label.span.line, label.message) for label in found.labels] == [
        (3, "n[2] = 60, from `layer 60` on line 3"),
        (1, "n[0] = 64, from `input 64` on line 1"),
    ]
    assert found.help == "give this layer 64 units"
    wide = mistake("input 64\nlayer 16 as a\nlayer 16 share=a")
    assert wide.help == "put a layer of 64 units in front of this one: `layer 64`"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("layer", "DNN111"),
        ("layer relu", "DNN105"),
        ("layer relu 5", "DNN105"),
        ("layer 5 relu 5", "DNN111"),
        ("layer 5 6", "DNN106"),
        ("layer 5 rellu", "DNN401"),
        ("layer 0", "DNN201"),
        ("layer -3", "DNN201"),
        ("layer 2.5", "DNN201"),
        ("layer 5 from x, y", "DNN119"),
    ],
)
def test_wrong_layers(line: str, code: str) -> None:
    assert mistake(f"input 3 as x\ninput 3 as y\n{line}").code == code


# ---------------------------------------------------------------- the others


def test_apply() -> None:
    architecture = built("input 3\nlayer 5\napply leaky_relu(slope=0.2)")
    assert sizes(architecture)["apply[1]"] == "5"
    detail = architecture.nodes["apply[1]"].detail
    assert isinstance(detail, ApplyDetail)
    assert detail.activation.label == "leaky_relu(slope=0.2)"
    assert lowered("input 3\napply tanh as t") == ["t = tanh(X)"]
    assert mistake("layer 3\napply").code == "DNN111"


@pytest.mark.parametrize("kind", ["add", "multiply"])
def test_elementwise(kind: str) -> None:
    program = f"input 3 as x\nlayer 3 as h\nlayer 3\n{kind} from x, h, _, h"
    assert sizes(built(program))[f"{kind}[1]"] == "3"
    assert lowered(program)[-1] == f"{kind}[1] = {kind}(X, A[1], A[2], A[1])"
    assert mistake(f"layer 3\n{kind}").code == "DNN119"
    assert mistake(f"layer 3 as h\n{kind} from h").code == "DNN119"
    assert mistake(f"input 4 as x\nlayer 3\n{kind} from x, _").code == "DNN203"


def test_the_third_input_can_be_the_wrong_one() -> None:
    found = mistake("input 3 as x\nlayer 3 as y\nlayer 4 as z\nadd from x, y, z")
    assert [label.span.text for label in found.labels] == ["x", "z"]


def test_concat() -> None:
    program = "input 3 as x\nlayer 4\nconcat from x, _, x as wide"
    assert sizes(built(program))["wide"] == "10"
    assert lowered(program)[-1] == "wide = stack(X, A[1], X)"
    assert mistake("layer 3 as h\nconcat from h").code == "DNN119"


def test_dropout_draws_in_training_only() -> None:
    program = "input 3\nlayer 4\ndropout 0.5\ndropout 0.25 as d2"
    assert lowered(program)[2:] == [
        "mask[dropout[1]] = mask(A[1], 1/2, 1)",
        "dropout[1] = multiply(A[1], mask[dropout[1]])",
        "mask[d2] = mask(dropout[1], 1/4, 2)",
        "d2 = multiply(dropout[1], mask[d2])",
    ]
    assert lowered(program, training=False) == ["Z[1] = W[1] X + b[1]", "A[1] = linear(Z[1])"]
    assert lowered("input 3\ndropout 0") == []
    assert built(program).nodes["d2"].detail == DropoutDetail(Fraction(1, 4), 2)


@pytest.mark.parametrize("rate", ["1", "1.5", "-0.1", "50"])
def test_a_dropout_rate_is_a_share(rate: str) -> None:
    found = mistake(f"layer 3\ndropout {rate}")
    assert found.code == "DNN106"
    if rate == "50":
        assert found.help == "write `dropout 0.5`"


def test_unknown_kinds_get_a_suggestion() -> None:
    assert mistake("layr 5 relu").help == "did you mean `layer`?"
    assert mistake("dense 5 relu").help == "here it is called `layer`"
    assert mistake("relu 5").help == "`relu` is an activation: write `apply relu`, or `layer 5 relu`"
    assert "`layer`" in (mistake("qqqqqqqq 5").help or "")
