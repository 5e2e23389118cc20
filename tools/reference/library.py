"""The standard library: each definition as written, what is derived from it, and where it is the default."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dnnlang.graph.definitions import DEFAULT_INIT, DEFAULT_LOSS
from dnnlang.primitives.update import Update
from dnnlang.scalar.derive import Joint, backward, forward, joint
from dnnlang.scalar.expression import Expr, variables
from dnnlang.scalar.functions import Activation, Loss
from dnnlang.scalar.text import text
from dnnlang.syntax.tree import DefineStatement
from tools.reference.facts import (
    LIBRARY,
    activations,
    block,
    code,
    formula,
    initializers,
    losses,
    optimizers,
    source_comment,
    statement,
    table,
    words,
)
from tools.reference.plot import is_columnwise

NOT_KEPT: Final = "neither Z nor A"


# ---------------------------------------------------------------- activations


def activation_list() -> str:
    """One line an activation: what backward keeps, the defaults that go with it."""
    rows = []
    for name, activation in activations().items():
        init, loss = activation.init or DEFAULT_INIT, activation.loss or DEFAULT_LOSS
        rows.append((f"[`{name}`](#{name})", needs(activation), code(init), code(loss)))
    return table(("activation", "backward needs", "default `init`", "default `loss`"), rows)


def activation_sections() -> str:
    return "\n".join(_activation(name, activation) for name, activation in activations().items())


def needs(activation: Activation) -> str:
    """Which of Z and A backward reads."""
    return kept(backward(activation, from_output=True))


def kept(step: Expr) -> str:
    """`A`, `Z`, `Z and A`, or that it is neither."""
    letters = [letter for name, letter in (("z", "Z"), ("a", "A")) if name in variables(step)]
    return " and ".join(letters) or NOT_KEPT


def _activation(name: str, activation: Activation) -> str:
    plain = backward(activation, from_output=False)
    chosen = backward(activation, from_output=True)
    rows = [("forward", code(f"A = {formula(forward(activation))}")), ("backward", code(f"dZ = {formula(plain)}"))]
    if chosen is not plain:
        rows.append(("… from A", code(f"dZ = {formula(chosen)}")))
    rows += [("kept for it", needs(activation)), ("default `init`", code(activation.init or DEFAULT_INIT))]
    if activation.loss is not None:
        rows.append(("default `loss`", f"[`{activation.loss}`](#{activation.loss})"))
    drawn = "first of two units, the other at 0" if is_columnwise(forward(activation)) else "g(z), and g′(z) dashed"
    return "\n".join(
        [
            *_opening("activation", name),
            f'<img src="plots/{name}.svg" width="320" height="200" alt="{name}: {drawn}">\n',
            table(("", ""), rows),
        ]
    )


# ---------------------------------------------------------------- losses


def loss_sections() -> str:
    return "\n".join(_loss(name, loss) for name, loss in losses().items())


def _loss(name: str, loss: Loss) -> str:
    alone = joint(loss, None)
    going = {label: joint(loss, a) for label, a in activations().items() if a.loss == name}
    rows = [_joint("linear", alone), *(_joint(label, found) for label, found in going.items())]
    return "\n".join(
        [
            *_opening("loss", name),
            *_given(loss),
            table(("output", "loss of one sample", "gradient", "safe"), rows),
        ]
    )


def _joint(output: str, found: Joint) -> tuple[str, str, str, str]:
    letter = "dA" if output == "linear" else "dZ"
    gradient = code(f"{letter} = {formula(found.gradient)}")
    return code(output), code(formula(found.value)), gradient, "yes" if found.safe else "no"


def _given(loss: Loss) -> Iterator[str]:
    for left, right in loss.given:
        yield f"Of the targets it may be assumed, and is checked, that {code(f'{formula(left)} = {right}')}.\n"


# ---------------------------------------------------------------- initializers and optimizers


def initializer_table() -> str:
    users: dict[str, list[str]] = {}
    for name, activation in activations().items():
        users.setdefault(activation.init or DEFAULT_INIT, []).append(name)
    rows = []
    for name, initializer in initializers().items():
        written = text(initializer.value, {})
        comment = source_comment(statement("init", name).span)
        rows.append((code(_usage(statement("init", name))), code(written), words(users.get(name, [])), comment))
    return table(("initializer", "an entry of W", "default after", ""), rows)


def optimizer_sections() -> str:
    sections = []
    for name, optimizer in optimizers().items():
        state = [f"{letter}[W]" for letter in optimizer.state]
        lines = Update(optimizer).statements(["W", "dW", *state])
        held = f"kept for each parameter, 0 at first: {words(state)}" if state else "keeps nothing between steps"
        shown = block("\n".join(lines), "text")
        sections.append("\n".join([*_opening("optimizer", name), f"As plans print it ({held}):\n", shown]))
    return "\n".join(sections)


# ---------------------------------------------------------------- parts


def _opening(family: str, name: str) -> Iterator[str]:
    written = statement(family, name)
    yield f"### {name}\n"
    comment = source_comment(written.span)
    if comment:
        yield f"{comment}\n"
    yield block(written.span.text)


def _usage(written: DefineStatement) -> str:
    options = ", ".join(f"{o.name.id}={o.default.span.text}" for o in written.options if o.default is not None)
    return f"{written.name.id}({options})" if options else written.name.id


def counts() -> str:
    """`22 activations, 9 losses, …`."""
    nouns = {"activation": "activations", "loss": "losses", "init": "initializers", "optimizer": "optimizers"}
    return ", ".join(f"{len(LIBRARY.names(family))} {noun}" for family, noun in nouns.items())
