"""Mistakes, each with what is said about it, in folders by subject.

`NAME.dnn` beside `NAME.txt`: a broken program. In `syntax/` the parser alone reads it; elsewhere it is built as well,
with the values of its first line, if that is like `# -D width=48`. A new mistake needs only a new pair;
`pytest --update-golden` writes the second half, to be read as a diff. What is asked of each: would a student on the
first day know what to change? `test_corpus.py` sees to it that every rule is shown by one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dnnlang.diagnostics import Diagnostics
from dnnlang.diagnostics.render import render
from dnnlang.graph.build import bind, build
from dnnlang.source import SourceFile
from dnnlang.syntax.files import read_source
from dnnlang.syntax.imports import Folder, with_imports
from dnnlang.syntax.parser import parse
from tests.conftest import Golden

HERE = Path(__file__).parent
PROGRAMS = sorted(HERE.glob("*/*.dnn"))


@pytest.mark.parametrize("program", PROGRAMS, ids=[str(p.relative_to(HERE).with_suffix("")) for p in PROGRAMS])
def test_what_is_said(program: Path, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent)
    found = Diagnostics()
    source = SourceFile(program.name, read_source(program).text)
    tree = parse(source, found)
    if program.parent.name != "syntax":  # there the parser alone is meant
        tree = with_imports(tree, Folder("", program.name), found)
        params, sizes = bind(tree, defines(source.text), found)
        build(tree, found, params=params, sizes=sizes)
    assert found.found
    golden(program.with_suffix(".txt"), render(found.in_source_order(), "full"))


def defines(text: str) -> dict[str, str]:
    """The values of the first line: `# -D width=48 -D n[0]=3`."""
    first = text.partition("\n")[0]
    return dict(re.findall(r"-D (\S+)=(\S+)", first)) if first.startswith("# -D ") else {}
