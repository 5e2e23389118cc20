"""The grammar itself, and what parsing costs."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import lark
import pytest

from dnnlang.syntax.files import grammar_text
from dnnlang.syntax.tokens import RESERVED
from tests.syntax.tools import attempt, parsed


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """Lark resolves conflicts between shifting and reducing by itself, and only tells its debug log."""
    lark.logger.addHandler(caplog.handler)
    caplog.set_level(logging.DEBUG, lark.logger.name)
    try:
        lark.Lark("start: x | start x start\nx: A\nA: /a/", parser="lalr", lexer="basic")
        assert "conflict" in caplog.text
        caplog.clear()
        lark.Lark(grammar_text("dnn.lark"), parser="lalr", lexer="basic", keep_all_tokens=True)
    finally:
        lark.logger.removeHandler(caplog.handler)
    assert caplog.text == ""


def test_the_prelude_parses() -> None:
    assert parsed(grammar_text("prelude.dnn")).statements


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_longer_names_may_begin_with_a_reserved_word(word: str) -> None:
    parsed(f"param {word}s = 3\nlayer {word}_2 as _{word}\n")


@pytest.mark.parametrize("key", ["loss", "init", "m", "activation"])
def test_keys_may_be_words_that_names_may_not(key: str) -> None:
    parsed(f"layer 5 {key}=3\nlayer f({key}=3)\ndefine activation f(z) = z {key}=he")


def test_importing_the_parser_builds_no_tables() -> None:
    script = (
        "import sys, dnnlang.syntax.parser as p\n"
        "print(p._lark.cache_info().currsize, *(m for m in ('numpy', 'networkx', 'rich') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["0"]


@pytest.mark.parametrize(
    "text",
    [
        "layer 5 relu\n" * 10_000,
        "layer 5 relu;" * 10_000,
        "layer (5 relu\n" * 1_000,
        "layer 5 relu as\n" * 2_000,
        "(" * 20_000,
        "layer " + "(" * 20_000 + "5" + ")" * 20_000,
        "layer " + "(\n" * 2_000,
        "repeat 2 {\n" * 2_000,
        ")(][}{" * 2_000,
        "\n" * 200_000 + "layer é",
        " " * 200_000 + ": 3",
        "a" * 200_000 + "(",
    ],
    ids=range(12),
)
def test_no_text_takes_long(text: str) -> None:
    """About 0.3 s each on one core; the limit leaves room for slower machines, not for quadratic time."""
    before = time.perf_counter()
    attempt(text)
    assert time.perf_counter() - before < 10
