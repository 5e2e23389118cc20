"""Each statement of the language gives the tree that it should."""

from __future__ import annotations

import pytest

from dnnlang.syntax.tree import (
    BlockStatement,
    Choices,
    DefineStatement,
    DimStatement,
    ExpectRelation,
    ExpectShape,
    ImportStatement,
    InputStatement,
    LossStatement,
    NodeStatement,
    OutputStatement,
    ParamStatement,
    Range,
    RepeatStatement,
    TrainStatement,
)
from tests.syntax.tools import only, outline, parsed


def test_one_liner() -> None:
    first, second = parsed("layer 5 relu; layer 1 sigmoid").statements
    assert isinstance(first, NodeStatement)
    assert isinstance(second, NodeStatement)
    assert (first.kind.id, [outline(o) for o in first.operands]) == ("layer", ["5", "relu"])
    assert (first.span.text, second.span.text) == ("layer 5 relu", "layer 1 sigmoid")
    assert first.sources is None
    assert first.alias is None
    assert first.keys == ()


def test_node_with_every_clause() -> None:
    node = only("gate 32 relu from u, add[1], _ as g init=he(2, mode=fan_out) bias=none loss=mse")
    assert isinstance(node, NodeStatement)
    assert [outline(o) for o in node.operands] == ["32", "relu"]
    assert node.sources is not None
    assert [outline(s) for s in node.sources] == ["u", "add[1]", "_"]
    assert node.alias is not None
    assert node.alias.id == "g"
    assert [outline(k) for k in node.keys] == ["init=he(2, mode=fan_out)", "bias=none", "loss=mse"]


@pytest.mark.parametrize(
    ("text", "operands"),
    [
        ("layer", []),
        ("layer -3", ["(-3)"]),
        ("layer 2 * -3", ["(* 2 * (-3))"]),
        ("gate 32 (-1)", ["32", "(-1)"]),
        ("gate 32 - 1", ["(+ 32 - 1)"]),
        ("gate 32-1", ["(+ 32 - 1)"]),
        ("gate -3 - 1 4", ["(+ (-3) - 1)", "4"]),
        ("layer 5 relu (3)", ["5", "relu", "3"]),
        ("layer 5 relu(3)", ["5", "relu(3)"]),
        ("layer width // 2^i relu", ["(* width // (2 ^ i))", "relu"]),
        ("gate a<b c", ["(a < b)", "c"]),
        ("tie transpose(head) 2 W[1]", ["transpose(head)", "2", "W[1]"]),
    ],
)
def test_operands_stand_side_by_side(text: str, operands: list[str]) -> None:
    node = only(text)
    assert isinstance(node, NodeStatement)
    assert [outline(o) for o in node.operands] == operands


def test_inputs_and_outputs() -> None:
    plain = only("input")
    assert isinstance(plain, InputStatement)
    assert (plain.size, plain.alias, plain.keys) == (None, None, ())
    full = only("input 2 * k as x scale=no")
    assert isinstance(full, InputStatement)
    assert full.size is not None
    assert full.alias is not None
    assert (outline(full.size), full.alias.id, outline(full.keys[0])) == ("(* 2 * k)", "x", "scale=no")
    output = only("output a, concat[2]")
    assert isinstance(output, OutputStatement)
    assert [outline(n) for n in output.nodes] == ["a", "concat[2]"]


@pytest.mark.parametrize(
    ("domain", "first", "last", "logarithmic"),
    [
        ("1..6", "1", "6", False),
        ("1 .. 2 * n", "1", "(* 2 * n)", False),
        ("0.1 .. 0.9", "1/10", "9/10", False),
        ("log(1e-4 .. 1e-1)", "1/10000", "1/10", True),
        ("log(8) .. 6", "log(8)", "6", False),
    ],
)
def test_param_with_a_range(domain: str, first: str, last: str, logarithmic: bool) -> None:
    param = only(f"param depth = 3 in {domain}")
    assert isinstance(param, ParamStatement)
    assert isinstance(param.domain, Range)
    assert (outline(param.domain.first), outline(param.domain.last)) == (first, last)
    assert param.domain.logarithmic is logarithmic
    assert param.domain.span.text == domain
    assert param.span.text == f"param depth = 3 in {domain}"


def test_param_with_choices_or_none() -> None:
    param = only("param width = 64 in {32, 64, 2^7}")
    assert isinstance(param, ParamStatement)
    assert isinstance(param.domain, Choices)
    assert [outline(v) for v in param.domain.values] == ["32", "64", "(2 ^ 7)"]
    assert param.domain.span.text == "{32, 64, 2^7}"
    bare = only("param width = 2 * 3")
    assert isinstance(bare, ParamStatement)
    assert bare.domain is None


def test_dim_and_import() -> None:
    dim = only("dim features")
    assert isinstance(dim, DimStatement)
    assert dim.name.id == "features"
    file = only('import "parts/blocks.dnn"')
    assert isinstance(file, ImportStatement)
    assert (file.path, file.path_span.text) == ("parts/blocks.dnn", '"parts/blocks.dnn"')


def test_expectations() -> None:
    shape = only("expect W[L - 1] : (2 * k, n[l-1])")
    assert isinstance(shape, ExpectShape)
    assert [outline(e) for e in (shape.tensor, shape.rows, shape.columns)] == [
        "W[(+ L - 1)]",
        "(* 2 * k)",
        "n[(+ l - 1)]",
    ]
    relation = only("expect parameters <= 5_000")
    assert isinstance(relation, ExpectRelation)
    assert outline(relation.relation) == "(parameters <= 5000)"


def test_losses() -> None:
    plain = only("loss mse")
    assert isinstance(plain, LossStatement)
    assert (outline(plain.loss), plain.source, plain.keys) == ("mse", None, ())
    full = only("loss huber(delta=2) from head weight=0.5")
    assert isinstance(full, LossStatement)
    assert full.source is not None
    assert (outline(full.loss), outline(full.source), outline(full.keys[0])) == ("huber(delta=2)", "head", "weight=1/2")


@pytest.mark.parametrize(
    "text",
    [
        "train {\n    optimizer adam(beta1=0.9)\n\n    batch all  # everything\n}",
        "train { optimizer adam(beta1=0.9); batch all }",
        "train {\noptimizer adam(beta1=0.9); batch all\n}",
    ],
)
def test_training_settings(text: str) -> None:
    train = only(text)
    assert isinstance(train, TrainStatement)
    assert [(s.key.id, outline(s.value)) for s in train.settings] == [
        ("optimizer", "adam(beta1=9/10)"),
        ("batch", "all"),
    ]
    assert train.span.text == text


def test_formula_definitions() -> None:
    text = "define activation f(z; slope=0.01, k=2) = max(z, slope * z) derivative z > 0 init=he loss=mse"
    define = only(text)
    assert isinstance(define, DefineStatement)
    assert (define.family.id, define.name.id) == ("activation", "f")
    assert [v.id for v in define.variables] == ["z"]
    assert [(o.name.id, outline(o.default)) for o in define.options if o.default] == [("slope", "1/100"), ("k", "2")]
    assert define.value is not None
    assert define.derivative is not None
    assert (outline(define.value), outline(define.derivative)) == ("max(z, (* slope * z))", "(z > 0)")
    assert [outline(k) for k in define.keys] == ["init=he", "loss=mse"]
    assert (define.body, define.given, define.span.text) == (None, None, text)


def test_a_loss_with_given() -> None:
    define = only("define loss cross_entropy(a, y) = -sum(y * log(a)) given sum(y) = 1")
    assert isinstance(define, DefineStatement)
    assert define.given is not None
    assert define.family.id == "loss"
    assert [outline(side) for side in define.given] == ["sum(y)", "1"]


def test_optimizer_definitions() -> None:
    define = only("define optimizer momentum(w, g; beta=0.9) {\n  v = beta * v + g\n  w = w - rate * v\n}")
    assert isinstance(define, DefineStatement)
    assert define.value is None
    assert define.body is not None
    assert [(a.name.id, outline(a.value)) for a in define.body] == [
        ("v", "(+ (* beta * v) + g)"),
        ("w", "(+ w - (* rate * v))"),
    ]


@pytest.mark.parametrize(
    ("head", "variable", "first", "last"),
    [
        ("repeat depth", None, None, "depth"),
        ("repeat i in depth", "i", None, "depth"),
        ("repeat 2 .. depth", None, "2", "depth"),
        ("repeat i in 1 .. 2 * depth", "i", "1", "(* 2 * depth)"),
    ],
)
def test_repetition(head: str, variable: str | None, first: str | None, last: str) -> None:
    repeat = only(f"{head} {{ layer 5; repeat 2 {{ layer 3\n }} as inner\n}} as trunk")
    assert isinstance(repeat, RepeatStatement)
    assert (repeat.variable.id if repeat.variable else None) == variable
    assert (outline(repeat.first) if repeat.first else None) == first
    assert (outline(repeat.last), repeat.head.text) == (last, head)
    assert repeat.alias is not None
    assert repeat.alias.id == "trunk"
    layer, inner = repeat.body
    assert isinstance(layer, NodeStatement)
    assert isinstance(inner, RepeatStatement)
    assert (inner.span.text, inner.sources) == ("repeat 2 { layer 3\n } as inner", None)


def test_repetition_from_a_node() -> None:
    repeat = only("repeat 3 from h { layer 5 }")
    assert isinstance(repeat, RepeatStatement)
    assert repeat.sources is not None
    assert ([outline(s) for s in repeat.sources], repeat.head.text) == (["h"], "repeat 3 from h")


@pytest.mark.parametrize(
    ("head", "positional", "options", "inputs"),
    [
        ("block tail", [], [], []),
        ("block f()", [], [], []),
        ("block f(; rate=0.1) from x", [], ["rate"], ["x"]),
        ("block gate (k, l; rate=0.1, act=relu) from a, b", ["k", "l"], ["rate", "act"], ["a", "b"]),
    ],
)
def test_blocks(head: str, positional: list[str], options: list[str], inputs: list[str]) -> None:
    block = only(f"{head} {{\n  layer 5\n}}")
    assert isinstance(block, BlockStatement)
    assert [p.id for p in block.positional] == positional
    assert [o.name.id for o in block.options] == options
    assert [i.id for i in block.inputs] == inputs
    assert (block.head.text, len(block.body)) == (head, 1)
