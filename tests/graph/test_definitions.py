"""`define` statements, the prelude's and the user's: what they mean, and what is said about bad ones."""

from __future__ import annotations

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.graph.definition_options import default_number
from dnnlang.graph.definitions import Library
from dnnlang.scalar.derive import backward, joint
from dnnlang.scalar.text import text
from dnnlang.syntax.files import source_from_text
from dnnlang.syntax.parser import parse
from dnnlang.syntax.tree import DefineStatement, NodeStatement


def library_with(program: str) -> tuple[Library, list[str], list[NodeStatement]]:
    """The standard library with a program's definitions, what was said about them, and the program's nodes."""
    found = Diagnostics()
    tree = parse(source_from_text("program.dnn", program, found), found)
    library = Library.standard().extend((s for s in tree.statements if isinstance(s, DefineStatement)), found)
    nodes = [s for s in tree.statements if isinstance(s, NodeStatement)]
    return library, [f"{d.code}: {d.message}" for d in found.found], nodes


def activation_of(program: str):
    library, said, nodes = library_with(program)
    assert said == []
    found = Diagnostics()
    use = library.activation(nodes[-1].operands[1], default_number, found)
    assert found.found == []
    return library, use


def test_the_standard_library_is_complete():
    library = Library.standard()
    assert {"linear", "relu", "leaky_relu", "sigmoid", "tanh", "softmax"} <= set(library.names("activation"))
    assert {"binary_cross_entropy", "cross_entropy", "mse"} <= set(library.names("loss"))
    assert {"sgd", "momentum", "adam"} <= set(library.names("optimizer"))
    assert {"zeros", "normal", "he", "xavier"} <= set(library.names("init"))


def test_every_definition_of_the_standard_library_can_be_used_with_its_defaults():
    library = Library.standard()
    uses = {
        "activation": library.activation,
        "loss": library.loss,
        "init": library.initializer,
        "optimizer": library.optimizer,
    }
    for family, use in uses.items():
        for name in library.names(family):
            found = Diagnostics()
            assert use(library.statement(family, name).name, default_number, found) is not None
            assert found.found == []


def test_options_by_position_and_by_name():
    program = "layer 5 leaky_relu({})"
    for options in ("0.2", "slope=0.2"):
        _, use = activation_of(program.format(options))
        assert use.label == f"leaky_relu({options})"
        assert text(use.value) == "max(z, 0.2 z)"


def test_a_user_s_own_pair_under_other_names_gives_the_lesson_s_step():
    library, said, nodes = library_with(
        "define activation squash(x) = exp(x) / (exp(x) + 1) loss=surprise\n"
        "define loss surprise(p, t) = -t * log(p) - (1 - t) * log(1 - p)\n"
        "layer 1 squash\n"
    )
    assert said == []
    activation = library.activation(nodes[0].operands[1], default_number, Diagnostics())
    step = joint(library.default_loss(activation), activation)
    assert text(step.gradient) == "a - y"
    assert text(step.value) == "Σ (log1pexp(z) - y ∘ z)"
    assert step.safe


def test_activations_call_each_other_with_options():
    _, use = activation_of("define activation gate(z; k=2) = z * leaky_relu(k * z, slope=0.5)\nlayer 5 gate(3)\n")
    assert text(use.value) == "z ∘ max(3 z, 1.5 z)"


def test_a_function_of_one_argument_is_an_activation():
    _, use = activation_of("layer 5 sin\n")
    assert text(use.value) == "sin(z)"


def test_a_stated_derivative_that_holds_is_used():
    _, use = activation_of("define activation cube(z) = z^3 derivative 3 * z^2\nlayer 5 cube\n")
    assert text(backward(use, from_output=False), {"u": "dA", "z": "Z"}) == "3 dA ∘ Z²"


def test_a_loss_by_unit_is_summed_and_one_by_column_is_not():
    library, said, _ = library_with("define loss squared(a, y) = (a - y)^2\n")
    assert said == []
    statement = library.statement("loss", "squared")
    assert text(library.loss(statement.name, default_number, Diagnostics()).value) == "Σ (a - y)²"


def test_the_state_of_an_optimizer_is_what_is_read_before_it_is_assigned():
    library, said, _ = library_with(
        "define optimizer mine(w, g; c=0.5) {\n    h = g * 2\n    v = c * v + h\n    w = w - rate * v / t\n}\n"
    )
    assert said == []
    found = library.optimizer(library.statement("optimizer", "mine").name, default_number, Diagnostics())
    assert found.state == ("v",)
    assert [(n, text(e, matrix=False)) for n, e in found.statements] == [
        ("h", "2 * g"),
        ("v", "0.5 * v + h"),
        ("w", "w - rate * v / t"),
    ]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("define activation relu(z) = max(z, 0.1)", "DNN405: this takes the place of the standard activation `relu`"),
        ("define activation f(z) = z\ndefine activation f(z) = 2 * z", "DNN404: the activation `f` is defined twice"),
        (
            "define activation f(z) = g(z)\ndefine activation g(z) = f(z)",
            "DNN406: the activation `f` is defined by itself: f → g → f",
        ),
        ("define activation f(z) = z + k", "DNN410: `k` stands for nothing in this formula"),
        ("define activation f(z) = exp(z, 2)", "DNN411: `exp` takes 1 argument, not 2"),
        ("define activation f(z) = normal() * z", "DNN411: `normal()` draws a random number; only an initializer may"),
        ("define activation f(z) = expp(z)", "DNN401: there is no function or activation `expp`"),
        ("define activation f(z) = z // 2", "DNN412: `//` belongs to sizes"),
        ("define activation f(z) = z / 0", "DNN411: this divides by zero"),
        ("define activation f(z, x) = z", "DNN403: an activation is a function of 1 variable"),
        ("define loss f(a) = a", "DNN403: a loss is a function of 2 variables"),
        ("define init f(n) = 1", "DNN403: an initializer is a function of 2 variables"),
        (
            "define activaton f(z) = z",
            "DNN403: `define` makes an activation, a loss, an init or an optimizer, not `activaton`",
        ),
        ("define activation f(z; z=1) = z", "DNN403: `z` stands twice"),
        (
            "define activation f(z) = z colour=blue",
            "DNN403: a definition of this family has `init=` and `loss=`, not `colour=`",
        ),
        (
            "define activation f(z) = z^2 derivative z",
            "DNN407: this is not the derivative of `f`: at z = 0.37 it is 0.37, but the slope there is 0.74",
        ),
        (
            "define loss f(a, y) = sum(a) given sum(a) = 1",
            "DNN408: `given` states that something of the targets equals a number",
        ),
        ("define optimizer f(w, g) { v = g }", "DNN413: the optimizer `f` never assigns `w`"),
        (
            "define optimizer f(w, g) { rate = 1; w = w - g }",
            "DNN413: `rate` is given from outside and cannot be assigned",
        ),
        ("define optimizer f(w, g; k=1) { k = 2; w = w - g }", "DNN413: `k` is an option and cannot be assigned"),
        ("define optimizer f(w, g) { w = w - sum(g) }", "DNN411: `sum` of one argument reduces over a column"),
        ("define optimizer f(w, g) { w = w - q }", "DNN410: `q` stands for nothing in this formula"),
    ],
)
def test_what_is_said_about_a_bad_definition(program, said):
    _, messages, _ = library_with(program + "\n")
    assert len(messages) == 1, messages
    assert messages[0].startswith(said)


@pytest.mark.parametrize(
    ("use", "said", "advice"),
    [
        ("rellu", "there is no activation `rellu`", "did you mean `relu`?"),
        ("leaky_relu(slop=1)", "`leaky_relu` has no option `slop`", "did you mean `slope`?"),
        ("relu(2)", "`relu` has no options", "take this one out"),
        ("leaky_relu(1, slope=1)", "the option `slope` is given twice", "take one out"),
    ],
)
def test_what_is_said_about_a_bad_use(use, said, advice):
    library, _, nodes = library_with(f"layer 5 {use}\n")
    found = Diagnostics()
    assert library.activation(nodes[0].operands[1], default_number, found) is None
    assert [(d.message, d.help) for d in found.found] == [(said, advice)]


def test_definitions_that_double_are_refused_at_once():
    lines = ["define activation f0(z) = z * z"]
    lines += [f"define activation f{i}(z) = f{i - 1}(z) + f{i - 1}(z + 1)" for i in range(1, 40)]
    _, messages, _ = library_with("\n".join(lines) + "\n")
    assert messages[0].startswith("DNN409: the formula of `f")
