"""The table of malformed samples: each sample is one mistake, and gets its own message."""

from __future__ import annotations

import re
from string import Template

import pytest

from dnnlang.syntax.malformed import FORMS, MALFORMED, Malformed
from dnnlang.syntax.parser import _lark
from tests.syntax.tools import attempt, mistake

SAMPLES = [(malformed, sample) for malformed in MALFORMED for sample in malformed.samples]
TERMINALS = {t.name for t in _lark().terminals} - {"NAME"}  # NAME also stands for a name in what we write


@pytest.mark.parametrize(("malformed", "sample"), SAMPLES, ids=[sample for _, sample in SAMPLES])
def test_a_sample_gets_its_message(malformed: Malformed, sample: str) -> None:
    found = mistake(sample)
    words = dict.fromkeys(("found", "text", "before", "rest", "first"), "\0")
    expected = re.escape(Template(malformed.message).substitute(words)).replace("\0", ".+")
    assert re.fullmatch(expected, found.message), found.message
    assert found.help
    assert found.code in ("DNN010", "DNN011")


@pytest.mark.parametrize("sample", [sample for _, sample in SAMPLES])
def test_a_sample_costs_only_its_statement(sample: str) -> None:
    """The same mistake among statements that are fine is reported alike, and those are kept."""
    alone = mistake(sample)
    tree, found = attempt(f"param first = 1\n{sample}\nparam last = 1\n")
    assert [d.message for d in found] == [alone.message]
    assert [tree.statements[0].span.text, tree.statements[-1].span.text] == ["param first = 1", "param last = 1"]


def test_no_message_names_a_terminal() -> None:
    texts = [text for m in MALFORMED for text in (m.message, m.help)] + [
        text for form in FORMS.values() for text in form
    ]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    assert not words & TERMINALS


@pytest.mark.parametrize(
    ("text", "meant"), [("trian { epochs 3 }", "train"), ("ouput a, b", "output"), ("blok f(k) { }", "block")]
)
def test_a_misspelt_statement_is_recognised(text: str, meant: str) -> None:
    found = mistake(text)
    assert found.help is not None
    assert f"`{meant}`" in found.help


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ('<?xml version="1.0"?>\n<net/>\n', "XML"),
        ('{"layers": [3, 4]}\n', "JSON"),
        ("# a net\nmodel:\n  - dense: 5\n  - dense: 6\n", "YAML"),
        ("import torch\nfrom torch import nn\nx = 3\n", "Python"),
        ("model = keras.Sequential()\nmodel.add(3)\n", "Python"),
        ('name: "LeNet"\nlayer {\n  name: "data"\n}\n', "prototxt"),
        ("[net]\nbatch=1\n[connected]\noutput=3\n", "Darknet"),
    ],
)
def test_other_languages_are_recognised(text: str, language: str) -> None:
    found = mistake(text)
    assert found.code == "DNN019"
    assert language in found.message


@pytest.mark.parametrize("text", ["layer: 5\n", "import blocks\nlayer 5\n", "x = 3\n", "train {\n  epochs: 3\n}\n"])
def test_slips_are_not_other_languages(text: str) -> None:
    assert {d.code for d in attempt(text)[1]} <= {"DNN010", "DNN011"}
