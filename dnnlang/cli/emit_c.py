"""`dnnc compile --emit c -o FOLDER`: a network as a C library."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlang.cli.parser import NO_ACCESS, USAGE
from dnnlang.errors import UsageError

if TYPE_CHECKING:
    from dnnlang.network import Network
    from dnnlang.program import Program


def emit_c(network: Network, program: Program, arguments: argparse.Namespace) -> None:
    """Write the library into the folder of `-o`; of what is there, only files that this has written before change."""
    from dnnlang.emit.c import FILES, c_files

    folder = _folder(arguments.output, FILES)
    made = c_files(network, program=program, training=arguments.with_training, samples=arguments.batch)
    _write(folder, made)


def loaded(program: Program) -> Network:
    """The network of a program text, with the initial weights of its seed. Raises UsageError where a size is open."""
    from dnnlang.program import OPEN_SIZE

    if program.symbols:
        name = program.symbols[0]
        message = f"the size {name} is not known, so nobody can say how large the arrays are"
        raise UsageError(OPEN_SIZE.at(None, message, help=f"bind it: -D '{name}=3'"))
    return program.load(backend="numpy")


def _folder(output: str | None, names: tuple[str, ...]) -> Path:
    """Where the files go. Raises UsageError if it is no place for them, or has files of these names by others."""
    from dnnlang.emit.c import is_ours

    if output is None or output == "-":
        message = "`--emit c` writes a folder of files, and nobody said where"
        raise UsageError(USAGE.at(None, message, help="name the folder: `-o model`"))
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(NO_ACCESS.at(None, f"cannot write into `{output}`: it is not a folder"))
    if not folder.exists() and not folder.absolute().parent.is_dir():
        raise UsageError(NO_ACCESS.at(None, f"cannot make `{output}`: there is no folder `{folder.parent}`"))
    for name in names:
        path = folder / name
        if path.exists() and not is_ours(_beginning(path)):
            message = f"`{path}` would be written over, and it is not a file that dnnc made"
            raise UsageError(NO_ACCESS.at(None, message, help="give `-o` another folder, or move the file"))
    return folder


def _beginning(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(1000)
    except OSError:
        return ""


def _write(folder: Path, made: dict[str, str]) -> None:
    from dnnlang.training.atomic import write_text

    try:
        folder.mkdir(exist_ok=True)
        for name, text in made.items():
            write_text(folder / name, text)
    except OSError as error:
        raise UsageError(NO_ACCESS.at(None, f"cannot write into `{folder}`: {error.strerror or error}")) from None
