"""Files of other languages, taken for programs of this one."""

from __future__ import annotations

import re
from typing import Final

from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.source import SourceFile, Span

NOT_A_PROGRAM = rule(
    "DNN019",
    "not-a-program",
    "The file looks like one of another language.",
    why="Its syntax errors would be many and mean nothing, so only this one is reported.",
    wrong='layer {\n  name: "fc1"\n  type: "InnerProduct"\n}\n',
    right="layer 5 relu as fc1\nlayer 1 sigmoid\n",
)

_LOOKS: Final = (
    ("XML or HTML", r"<[!?A-Za-z]"),
    ("JSON", r"\{\s*(\"|\}\s*$)|\[\s*[\[{\"]"),
    ("Darknet's configuration or INI", r"\[[A-Za-z_][\w .-]*\][ \t]*$"),
    ("YAML", r"---[ \t]*$|[A-Za-z_][\w-]*:([ \t]+[\w\"'\[-].*)?[ \t]*\n[ \t]*(- |[A-Za-z_][\w-]*:([ \t]|$))"),
    ("Python", r"import \w+ as |import (torch|numpy|tensorflow|keras|jax|os|sys|math)\b|from [\w.]+ import "),
    ("Python", r"def \w+ ?\(|class \w+ ?[(:]|\"\"\"|[A-Za-z_]\w* = [A-Za-z_]\w*(\.\w+)+\("),
    ("Python", r"[A-Za-z_]\w* = [A-Z]\w*\("),
    ("NNEF", r"version \d+\.\d+;|graph \w+ ?\("),
    ("Graphviz", r"(strict +)?(di)?graph\b[^\n;]*\{"),
    ("prototxt", r"name ?: ?\"|layers? ?\{\s*[A-Za-z_]+ ?:"),
)
"""What to call it, and how its first line that is not a comment begins."""

_COMMENTS: Final = re.compile(r"(?:[ \t]*(?:#.*)?\r?\n)*[ \t]*")
_ENOUGH: Final = 2_000
"""Characters to look at."""


def foreign(source: SourceFile) -> Diagnostic | None:
    """The one thing to say about a file of another language; None for one that may be meant as a program."""
    start = _COMMENTS.match(source.text)
    at = start.end() if start is not None else 0
    text = source.text[at : at + _ENOUGH]
    language = next((name for name, looks in _LOOKS if re.match(looks, text, re.MULTILINE)), None)
    if language is None:
        return None
    line = source.text.find("\n", at)
    return NOT_A_PROGRAM.at(
        Span(source, at, line if line >= 0 else len(source.text)),
        f"this looks like {language}, not like a program of this language",
        help="a program is as short as `layer 5 relu; layer 1 sigmoid`; is it the right file?",
    )
