"""`--emit dot` and `--emit mermaid`: small programs with their drawings beside them, and what must hold of any.

The first line of a program says what it shows. `pytest --update-golden` writes the drawings anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark import Lark

import dnnlang
from dnnlang.emit.dot import dot
from dnnlang.emit.mermaid import mermaid
from dnnlang.graph.architecture import Architecture
from tests.conftest import Golden
from tests.programs import ProgramSpec, programs

HERE = Path(__file__).parent
PROGRAMS = sorted(HERE.glob("*.dnn"))
EXAMPLES = sorted((HERE.parents[1] / "examples").glob("*.dnn"))
FORMATS: dict[str, Callable[[Architecture], str]] = {"dot": dot, "mermaid": mermaid}

DOT = Lark(
    r"""
    start: "digraph" ID "{" statement* "}"
    ?statement: node | edge | subgraph | setting
    node: ID options?
    edge: ID "->" ID options?
    subgraph: "subgraph" ID "{" statement* "}"
    setting: WORD "=" ID | "node" options
    options: "[" option ("," option)* "]"
    option: WORD "=" (ID | WORD | NUMBER)
    ID: /"(\\.|[^"\\])*"/s
    WORD: /[a-z]+/
    NUMBER: /[0-9]+/
    %ignore /\s+/
    """,
    parser="earley",
)
"""The part of the language that is used: graphviz.org/doc/info/lang.html, every ID in quotes."""

BOX = r"n\d+(\(\[{}\]\)|\[{}\]|\[\[{}\]\]|\{{\{{{}\}}\}})"
TEXT = r'"(?:[^"#<>&`%{}\\;]|#\d+;|<br>)*"'
MERMAID = re.compile(
    "|".join(
        (
            BOX.replace("{}", TEXT).replace("{{", "{").replace("}}", "}"),
            rf"n\d+ -->(\|{TEXT}\|)? n\d+",
            rf"subgraph g\d+ \[{TEXT}\]",
            "end",
            r"classDef target [\w: -]+",
            r"class n\d+(,n\d+)* target",
        )
    )
)
"""The lines that are used, after mermaid.js.org/syntax/flowchart.html."""


def checked_dot(text: str) -> None:
    tree = DOT.parse(text)
    boxes = [str(node.children[0]) for node in tree.find_data("node")]
    ends = {str(end) for edge in tree.find_data("edge") for end in edge.children[:2]}
    assert len(boxes) == len(set(boxes))
    assert ends <= set(boxes)


def checked_mermaid(text: str) -> None:
    first, *lines = text.splitlines()
    assert first == "flowchart TD"
    assert [line for line in lines if not MERMAID.fullmatch(line.strip())] == []
    words = [line.split()[0] for line in lines]
    assert words.count("subgraph") == words.count("end")


CHECKS = {"dot": checked_dot, "mermaid": checked_mermaid}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_drawing(path: Path, form: str, golden: Golden) -> None:
    text = FORMATS[form](dnnlang.compile_file(path).architecture)
    CHECKS[form](text)
    golden(path.with_suffix(f".{form}"), text)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_can_be_drawn(path: Path, form: str) -> None:
    text = FORMATS[form](dnnlang.compile_file(path).architecture)
    CHECKS[form](text)
    assert text == FORMATS[form](dnnlang.compile_file(path).architecture)


@given(programs())
def test_random_programs_have_every_edge(spec: ProgramSpec) -> None:
    architecture = dnnlang.compile(spec.text).architecture
    for form, draw in FORMATS.items():
        text = draw(architecture)
        CHECKS[form](text)
        joins = sum(len(dict.fromkeys(node.inputs)) for node in architecture.nodes.values())
        arrow = " -> " if form == "dot" else " -->"
        assert text.count(arrow) == joins + 2 * len(architecture.losses)


@given(st.text(min_size=1, max_size=12).filter(lambda name: "/" not in name and name.strip(". ")))
def test_any_file_name_is_a_title(name: str) -> None:
    from dnnlang.emit.dot import _quoted as in_dot
    from dnnlang.emit.mermaid import _quoted as in_mermaid

    DOT.parse(f"digraph {in_dot(name)} {{}}")
    assert re.fullmatch(TEXT, in_mermaid(name))


def test_a_deep_program_is_drawn() -> None:
    blocks = "".join(f"block b{i} {{ b{i + 1} }}\n" for i in range(300))
    deep = dnnlang.compile(f"{blocks}block b300 {{ layer 2 }}\ninput 2\nb0\n").architecture
    for form, draw in FORMATS.items():
        assert draw(deep).count("subgraph") == 301, form


def test_no_drawing_imports_networkx() -> None:
    import subprocess
    import sys

    code = """
import sys, dnnlang
from dnnlang.emit.dot import dot
from dnnlang.emit.mermaid import mermaid
program = dnnlang.compile("layer 5 relu; layer 1 sigmoid")
dot(program.architecture), mermaid(program.architecture)
print("networkx" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
