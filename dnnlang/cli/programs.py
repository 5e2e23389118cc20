"""From a path on the command line to a compiled program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dnnlang.cli.show import show
from dnnlang.diagnostics.diagnostic import Diagnostics
from dnnlang.errors import CompileError

if TYPE_CHECKING:
    import argparse

    from dnnlang.graph.architecture import Architecture
    from dnnlang.program import Program

MODEL = ".safetensors"


def architecture_of(
    path: str, defines: Iterable[tuple[str, str]], found: Diagnostics
) -> tuple[Architecture | None, Mapping[str, int]]:
    """Read and check a program: None if it has errors, which are in `found`, and the sizes that -D binds.

    Raises UsageError where the file cannot be read, CompileError where it is not text.
    """
    from dnnlang.graph.build import bind, build
    from dnnlang.syntax.files import read_source
    from dnnlang.syntax.imports import Folder, with_imports
    from dnnlang.syntax.parser import parse

    tree = with_imports(parse(read_source(path), found), Folder.of(path), found)
    params, sizes = bind(tree, dict(defines), found)
    return build(tree, found, params=params, sizes=sizes), sizes


def open_program(arguments: argparse.Namespace) -> Program:
    """The program in `arguments.file`, with -D and -O; its warnings are shown. Raises DnnError."""
    from dnnlang.program import Program

    found = Diagnostics()
    architecture, sizes = architecture_of(arguments.file, arguments.defines, found)
    diagnostics = found.in_source_order()
    if architecture is None or found.failed:
        raise CompileError(*diagnostics)
    show(diagnostics, arguments.output_format)
    level = 2 if arguments.optimize is None else arguments.optimize
    return Program(architecture, level, sizes=sizes, warnings=tuple(diagnostics))
