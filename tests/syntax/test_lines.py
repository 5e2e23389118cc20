"""Where statements end, and how the parser goes on after a mistake."""

from __future__ import annotations

import pytest

from tests.syntax.tools import attempt, mistake, parsed


def codes(text: str) -> list[str]:
    return [d.code for d in attempt(text)[1]]


def kept(text: str) -> list[str]:
    """The first word of each statement that is kept."""
    return [s.span.text.split()[0] for s in attempt(text)[0].statements]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", ";;\n;", "  \t\r\n"])
def test_nothing_is_an_empty_tree(text: str) -> None:
    assert parsed(text).statements == ()


def test_ends_of_statements() -> None:
    text = "\n\nlayer 1; layer 2;; # c\r\nlayer 3 # d\n;layer 4"
    assert [s.span.text for s in parsed(text).statements] == ["layer 1", "layer 2", "layer 3", "layer 4"]


def test_every_mistake_is_reported_once_and_in_order() -> None:
    text = "layer 5 as\nlayer 5\nparam in = 3\nlayer 5,\ngate 3 -1\nlayer é\nlayer 6\nlayer (\n"
    _, found = attempt(text)
    assert [(d.code, d.span.line) for d in found if d.span] == [
        ("DNN010", 1),
        ("DNN012", 3),
        ("DNN011", 4),
        ("DNN013", 5),
        ("DNN003", 6),
        ("DNN005", 8),
    ]
    assert kept(text) == ["layer", "gate", "layer"]


def test_names_in_lost_statements_are_known() -> None:
    tree, _ = attempt("param width = 64 65\nlayer width as h\nlayer 5 relu as g, k\n")
    assert not tree.complete
    assert tree.lost >= {"width", "g", "k"}
    assert "h" not in tree.lost


def test_a_mistake_in_a_body_costs_one_line_of_it() -> None:
    text = "repeat 2 {\n layer 5 as\n layer 6\n}\ntrain {\n optimizer = sgd\n epochs 3\n}\nlayer 7"
    tree, found = attempt(text)
    repeat, train, _ = tree.statements
    assert [d.code for d in found] == ["DNN010", "DNN011"]
    assert [s.span.text for s in repeat.body] == ["layer 6"]  # type: ignore[union-attr]
    assert [s.span.text for s in train.settings] == ["epochs 3"]  # type: ignore[union-attr]


def test_a_mistake_in_a_head_costs_its_body() -> None:
    text = "repeat * {\n layer 5\n repeat 2 { layer 3 }\n}\nlayer 1"
    assert (codes(text), kept(text)) == (["DNN011"], ["layer"])


# ---------------------------------------------------------------- brackets


def test_an_unclosed_body_is_closed_before_the_next_top_level_statement() -> None:
    text = "repeat 2 {\n    layer 5\n\nparam a = 3\nlayer 1\n"
    found = mistake(text)
    assert found.code == "DNN005"
    assert found.span is not None
    assert (found.span.line, found.span.text) == (1, "{")
    assert [label.span.line for label in found.labels] == [4]
    assert kept(text) == ["repeat", "param", "layer"]


def test_an_unclosed_body_is_closed_where_the_indent_ends() -> None:
    text = "train {\n    optimizer sgd\nlayer 1\n"
    assert (codes(text), kept(text)) == (["DNN005"], ["train", "layer"])


def test_an_unclosed_body_without_a_hint_goes_to_the_end() -> None:
    text = "layer 1\ntrain {\noptimizer sgd\nepochs 3\n"
    assert (codes(text), kept(text)) == (["DNN005"], ["layer", "train"])


def test_every_unclosed_body_is_reported() -> None:
    text = "repeat 2 {\n  repeat 3 {\n    layer 5\nlayer 1\n"
    assert (codes(text), kept(text)) == (["DNN005", "DNN005"], ["repeat", "layer"])


@pytest.mark.parametrize(
    "text",
    [
        "train {\n optimizer sgd\n\nlayer 1\nlayer 2\n",
        "repeat 2 {\n  repeat 3 {\n    layer 5\n  }\nparam a = 3\n",
        "layer 1\ntrain {\nepochs 3",
        "block f(k) from x {\n  layer k\nlayer 3\nrepeat 2 {\n layer 3\n}\n",
    ],
)
def test_the_fix_of_an_unclosed_body_fixes_it(text: str) -> None:
    fix = mistake(text).fix
    assert fix is not None
    (edit,) = fix.edits
    fixed = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert codes(fixed) == []
    assert len(parsed(fixed).statements) == len(attempt(text)[0].statements)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("layer swish(2\nlayer 5\nlayer 6\n", 2),
        ("layer f(g(2)\nlayer 5\n", 1),
        ("define activation f(z) = max(z,\n    0\nlayer 5\ntrain { epochs 3 }", 2),
        ("layer (2\n  + 3\n  param a = 3\n", 1),
        ("layer f(2 {\n layer 3 }\nlayer 6", 1),
        ("expect W[1\nlayer 5\n", 1),
        ("param a = 3 in {1, 2\nlayer 5\n", 1),
        ("param a = 3 in {1, f(2\nlayer 5\n", 1),
        ("layer f(a]\nlayer 5\n", 1),
        ("layer f[a)\nlayer 5\n", 1),
        ("layer f((a]\nlayer 5\n", 1),
    ],
)
def test_an_unclosed_parenthesis_costs_its_statement(text: str, rest: int) -> None:
    found = mistake(text)
    assert (found.code, len(attempt(text)[0].statements)) == ("DNN005", rest)
    assert found.span is not None
    assert found.span.text in "([{"
    assert found.span.line == 1


@pytest.mark.parametrize("bracket", ["}", ")", "]"])
def test_a_bracket_that_closes_nothing_spoils_nothing(bracket: str) -> None:
    text = f"layer 5 relu {bracket}\nlayer 1"
    found = mistake(text)
    assert (found.code, kept(text)) == ("DNN006", ["layer", "layer"])


def test_a_body_on_the_next_line_is_one_mistake() -> None:
    text = "train\n{\n  epochs 3\n}\nlayer 1"
    found = mistake(text)
    assert "same line" in found.message
    assert kept(text) == ["layer"]


def test_bodies_are_nested_to_a_limit() -> None:
    assert codes("repeat 2 { " * 50 + "layer 1" + " }" * 50) == []
    assert codes("repeat 2 { " * 51 + "layer 1" + " }" * 51) == ["DNN007"]
    assert codes("repeat 2 { " * 5_000 + "layer 1" + " }" * 5_000) == ["DNN007"]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "word", sorted("input output param dim repeat block define train expect import as from".split())
)
@pytest.mark.parametrize(
    "text", ["param {} = 3", "dim {}", "layer 5 as {}", "repeat 2 {{ layer 1 }} as {}", "block {}(k) {{ }}"]
)
def test_reserved_words_are_no_names(word: str, text: str) -> None:
    found = mistake(text.format(word))
    assert found.code in ("DNN012", "DNN010", "DNN011")
    if word not in ("as", "from"):
        assert found.code == "DNN012"
        assert f"`{word}`" in found.message


def test_a_reserved_word_as_a_name_is_one_mistake() -> None:
    assert codes("param loss = 3\nlayer loss\nlayer in\n") == ["DNN012", "DNN012"]
    assert codes("param in = 3\nlayer in\nlayer in * 2\n") == ["DNN012"]


@pytest.mark.parametrize(
    "text",
    [
        "layer 5 as _",
        "param _ = 3",
        "dim _",
        "block _(k) { }",
        "block f(_) { }",
        "repeat _ in 1 .. 3 { }",
        "input as _",
    ],
)
def test_underscore_cannot_be_declared(text: str) -> None:
    assert mistake(text).code == "DNN015"


@pytest.mark.parametrize("statement", ["param a = 3", "train { }", "input 5", "loss mse", 'import "a.dnn"', "dim d"])
def test_only_nodes_and_repeats_stand_in_bodies(statement: str) -> None:
    text = f"repeat 2 {{\n  {statement}\n  layer 5\n}}"
    found = mistake(text)
    assert found.code == "DNN014"
    (repeat,) = attempt(text)[0].statements
    assert [s.span.text for s in repeat.body] == ["layer 5"]  # type: ignore[union-attr]
