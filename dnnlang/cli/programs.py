"""From a path on the command line to a compiled program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dnnlang.cli.parser import USAGE
from dnnlang.cli.show import show
from dnnlang.diagnostics.allow import ALL, deny
from dnnlang.diagnostics.diagnostic import RULES, Diagnostics
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import CompileError, UsageError

if TYPE_CHECKING:
    import argparse

    from dnnlang.graph.architecture import Architecture
    from dnnlang.program import Program

MODEL = ".safetensors"
DATA = (".csv", ".csv.gz", ".npz", ".parquet")


def architecture_of(
    path: str, defines: Iterable[tuple[str, str]], found: Diagnostics, denied: Iterable[str] = ()
) -> tuple[Architecture | None, Mapping[str, int]]:
    """Read and check a program: None if it has errors, which are in `found`, and the sizes that -D binds.

    Warnings whose codes are `denied` become errors. Raises UsageError where the file cannot be read, CompileError
    where it is not text.
    """
    from dnnlang.graph.build import bind, build
    from dnnlang.syntax.files import UNREADABLE, read_source
    from dnnlang.syntax.imports import Folder, with_imports
    from dnnlang.syntax.parser import parse

    if path.lower().endswith(DATA):
        advice = "the program comes first: `dnnc train PROGRAM DATA`"
        message = f"`{path}` is a table of data, and a program (.dnn) belongs here"
        raise UsageError(UNREADABLE.at(None, message, help=advice))
    tree = with_imports(parse(read_source(path), found), Folder.of(path), found)
    params, sizes = bind(tree, dict(defines), found)
    architecture = build(tree, found, params=params, sizes=sizes)
    found.found[:] = deny(found.found, denied_codes(denied))
    return architecture, sizes


def denied_codes(written: Iterable[str]) -> list[str]:
    """The codes after `--deny`, also several with commas. Raises UsageError for what is no warning."""
    import dnnlang.graph.build  # noqa: F401 - declares every warning

    codes = [code for text in written for code in text.replace(",", " ").split()]
    warnings = [code for code, rule in RULES.items() if rule.severity == "warning"]
    for code in codes:
        if code in (ALL, *warnings):
            continue
        if code in RULES:
            raise UsageError(USAGE.at(None, f"--deny: {code} is an error already", help="leave it out"))
        near = closest(code, [ALL, *warnings]) if code.upper() not in warnings else code.upper()
        raise UsageError(
            USAGE.at(
                None,
                f"--deny: there is no warning `{code}`",
                help=f"did you mean `{near}`?" if near is not None else "write its code, such as DNN321, or `warnings`",
            )
        )
    return codes


def open_program(arguments: argparse.Namespace) -> Program:
    """The program in `arguments.file`, with -D and -O; its warnings are shown. Raises DnnError."""
    from dnnlang.program import Program

    found = Diagnostics()
    architecture, sizes = architecture_of(arguments.file, arguments.defines, found, arguments.deny)
    diagnostics = found.in_source_order()
    if architecture is None or found.failed:
        raise CompileError(*diagnostics)
    show(diagnostics, arguments.output_format)
    level = 2 if arguments.optimize is None else arguments.optimize
    return Program(architecture, level, sizes=sizes, warnings=tuple(diagnostics))
