"""What `--emit c` writes for an example, for the page about it."""

from __future__ import annotations

from functools import cache

import dnnlang
from dnnlang.emit.c import c_files
from tools.reference.facts import ROOT, block


@cache
def _files() -> dict[str, str]:
    program = dnnlang.compile_file(ROOT / "examples" / "iris.dnn")
    return c_files(program.load(backend="numpy"), training=True)


def c_header() -> str:
    """model.h of examples/iris.dnn with training."""
    return block(_files()["model.h"], "c")
