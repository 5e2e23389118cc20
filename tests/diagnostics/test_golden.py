"""Broken programs, each with what is said about it: `NAME.dnn` beside `NAME.txt`, in folders by subject.

A new mistake needs only a new pair; `pytest --update-golden` writes the second half, to be read as a diff.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.diagnostics.render import render
from dnnlang.graph.build import build
from dnnlang.source import SourceFile
from dnnlang.syntax.files import read_source
from dnnlang.syntax.parser import parse
from tests.conftest import Golden

HERE = Path(__file__).parent
PROGRAMS = sorted(HERE.glob("*/*.dnn"))


@pytest.mark.parametrize("program", PROGRAMS, ids=[str(p.relative_to(HERE).with_suffix("")) for p in PROGRAMS])
def test_what_is_said(program: Path, golden: Golden) -> None:
    found = Diagnostics()
    source = SourceFile(program.name, read_source(program).text)
    tree = parse(source, found)
    if program.parent.name != "syntax":  # there the parser alone is meant
        build(tree, found)
    assert found.found
    golden(program.with_suffix(".txt"), render(found.in_source_order(), "full"))


def test_every_golden_output_has_its_program() -> None:
    assert {p.with_suffix("") for p in HERE.glob("*/*.txt")} == {p.with_suffix("") for p in PROGRAMS}
