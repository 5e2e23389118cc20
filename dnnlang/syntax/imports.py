"""`import "blocks.dnn"`: what other files declare is read in, before anything is checked.

A path is relative to the folder of the file that it stands in, and leads nowhere else: it is compared with that folder
once symbolic links are followed. A file is known by where it really lies, so it counts once, however it is reached.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final, Protocol

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.diagnostics.suggest import closest
from dnnlang.errors import DnnError
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.files import read_source
from dnnlang.syntax.parser import parse
from dnnlang.syntax.rules import names_in
from dnnlang.syntax.tree import (
    BlockStatement,
    DefineStatement,
    ImportStatement,
    ParamStatement,
    Statement,
    Tree,
)

UNREADABLE_IMPORT = rule(
    "DNN021",
    "unreadable-import",
    "An imported file cannot be read.",
    why="There is no ordinary file at that path, as seen from the folder of the file that imports it, or the system "
    "does not let it be read. A program given as text has no folder, unless the call says which.",
    wrong='import "block.dnn"     (beside blocks.dnn)',
    right='import "blocks.dnn"',
    program=False,
)
OUTSIDE = rule(
    "DNN022",
    "import-outside",
    "An import leads out of the folder of the file that it stands in.",
    why="A program and what it imports are one folder that can be moved, sent and stored with a trained model. So that "
    "a program from elsewhere cannot read your files, symbolic links are followed before the path is judged.",
    wrong='import "../blocks.dnn"',
    right='import "parts/blocks.dnn"',
    program=False,
)
LOOP = rule(
    "DNN023",
    "import-loop",
    "A file imports itself, directly or through others.",
    why="What a file declares would depend on itself. What two files need of each other belongs into a third.",
    wrong='import "b.dnn"     (in a.dnn, while b.dnn has import "a.dnn")',
    right='import "common.dnn"     (in both)',
    program=False,
)
NOT_IMPORTABLE = rule(
    "DNN024",
    "not-importable",
    "An imported file holds something else than definitions, blocks and params.",
    why="What it declares can be used anywhere in the program, so where it is imported makes no difference. Nodes, "
    "losses and settings are the program's own: put nodes into a block, and use that.",
    wrong='import "head.dnn"     (where head.dnn is: layer 1 sigmoid)',
    right='import "head.dnn"     (where head.dnn is: block head { layer 1 sigmoid })',
    program=False,
)

IMPORTABLE: Final = (DefineStatement, BlockStatement, ParamStatement)
_MOST_SHOWN: Final = 6


class Refused(Exception):
    """A file cannot be imported, for the reason in `diagnostic`."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic.message)


class Files(Protocol):
    """Where imported files come from."""

    def find(self, key: str, folder: str, span: Span) -> tuple[object, SourceFile]:
        """The file `key` (a path from the program's folder, with /), imported from a file in `folder`, at `span`.

        First comes what is the same for two paths to one file. Raises Refused.
        """

    def program(self) -> object:
        """What the program's own file would be known by."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Files on the disk, below the folder of the program. `file` is the program's own, if it is one."""

    path: str
    file: str | None = None

    @staticmethod
    def of(file: str | os.PathLike[str]) -> Folder:
        """The folder of a program that is a file."""
        return Folder(os.path.dirname(os.fspath(file)), os.fspath(file))

    def find(self, key: str, folder: str, span: Span) -> tuple[object, SourceFile]:
        path = os.path.join(self.path, *key.split("/"))
        real, around = os.path.realpath(path), os.path.realpath(os.path.join(self.path, *folder.split("/")))
        if not _is_below(real, around):
            message = "this leads out of the folder of the file that imports it: a symbolic link points elsewhere"
            raise Refused(OUTSIDE.at(span, message, help="put the file itself into the folder"))
        if not os.path.isfile(real):
            reason = "it is no ordinary file" if os.path.exists(real) else "there is no such file"
            raise Refused(_unreadable(span, f"cannot import `{path}`: {reason}", _near(path)))
        try:
            source = read_source(real)
        except DnnError as error:
            raise Refused(_reported(error.diagnostics[0], span)) from None
        return real, SourceFile(path, source.text, imported=True)

    def program(self) -> object:
        return os.path.realpath(self.file) if self.file is not None else None


@dataclass(frozen=True, slots=True)
class Kept:
    """Files that were read before, by path from the program's folder: those of a compiled or stored program."""

    sources: Mapping[str, SourceFile]

    def find(self, key: str, folder: str, span: Span) -> tuple[object, SourceFile]:
        source = self.sources.get(key)
        if source is None:
            raise Refused(_unreadable(span, f"`{key}` is not among the files that were kept with the program", None))
        return source, source

    def program(self) -> object:
        return None


def with_imports(tree: Tree, files: Files | None, found: Diagnostics) -> Tree:
    """The program with what its imports declare. Mistakes in imported files are found too.

    Without `files`, a program that has no folder, every import is a mistake.
    """
    if not any(isinstance(statement, ImportStatement) for statement in tree.statements):
        return tree
    return _Imports(tree, files, found).read()


@dataclass(slots=True)
class _File:
    """A file that is being read: `key` is its path from the program's folder, `name` what messages call it."""

    tree: Tree
    key: str
    name: str
    identity: object
    at: Span | None
    """Where it is imported."""
    rest: Iterator[Statement] = field(init=False)
    foreign: list[Statement] = field(default_factory=list)
    """What an imported file should not hold."""

    def __post_init__(self) -> None:
        self.rest = iter(self.tree.statements)


class _Imports:
    def __init__(self, tree: Tree, files: Files | None, found: Diagnostics) -> None:
        identity = files.program() if files is not None else None
        self.files = files
        self.found = found
        self.trees = [tree]
        self.complete = True
        self.sources: dict[str, SourceFile] = {}
        self.known: dict[object, SourceFile] = {}  # files that were begun
        self.open = [_File(tree, "", os.path.basename(tree.source.name), identity or object(), None)]

    def read(self) -> Tree:
        statements: list[Statement] = []
        while self.open:
            file = self.open[-1]
            statement = next(file.rest, None)
            if statement is None:
                self._close(self.open.pop())
            elif isinstance(statement, ImportStatement):
                self._import(statement, file)
            elif len(self.open) == 1 or isinstance(statement, IMPORTABLE):
                statements.append(statement)
            else:
                file.foreign.append(statement)
        complete = self.complete and all(tree.complete for tree in self.trees)
        lost = frozenset[str]().union(*(tree.lost for tree in self.trees))
        if not self.complete:  # any name may be one that was to be imported
            lost = lost.union(*(names_in(tree.source.text) for tree in self.trees))
        return replace(self.trees[0], statements=tuple(statements), complete=complete, lost=lost, imports=self.sources)

    def _import(self, statement: ImportStatement, file: _File) -> None:
        folder = posixpath.dirname(file.key)
        try:
            key = _key(statement, folder)
            if self.files is None:
                raise Refused(_no_folder(statement))
            identity, source = self.files.find(key, folder, statement.path_span)
            around = [f.identity for f in self.open]
            if identity in around:
                raise Refused(_loop(self.open[around.index(identity) :], statement))
        except Refused as refused:
            self.found.add(refused.diagnostic)
            self.complete = False
            return
        begun = identity in self.known
        self.sources[key] = self.known.setdefault(identity, source)
        if not begun:
            tree = parse(source, self.found)
            self.trees.append(tree)
            self.open.append(_File(tree, key, key, identity, statement.path_span))

    def _close(self, file: _File) -> None:
        if not file.foreign:
            return
        first, *others = file.foreign
        word = first.span.text.split(maxsplit=1)[0]
        more = "another statement" if len(others) == 1 else f"{len(others):,} more statements"
        notes = [f"and so does {more} of the file" if len(others) == 1 else f"and so do {more} of the file"]
        self.found.add(
            NOT_IMPORTABLE.at(
                _head(first),
                f"`{word}` stands in an imported file, which holds `define`, `block` and `param` only",
                labels=[Label(file.at, "imported here")] if file.at is not None else [],
                notes=notes if others else [],
                help="put nodes into a block, and use it where the file is imported; the rest belongs to the program",
            )
        )


# ---------------------------------------------------------------- paths


def _key(statement: ImportStatement, folder: str) -> str:
    """The path from the program's folder. Raises Refused where it plainly leads out of `folder`."""
    path, span = statement.path, statement.path_span
    if not path.strip():
        raise Refused(_unreadable(span, "this imports nothing: the path is empty", 'write `import "blocks.dnn"`'))
    if "\\" in path:
        fixed = path.replace("\\", "/")
        raise Refused(_unreadable(span, "folders in a path are separated by `/`", f'write `import "{fixed}"`'))
    inside = posixpath.normpath(path)
    if path.startswith("/") or path[1:2] == ":":
        message = "this path starts at the root of the disk, and an import is relative to the file that it stands in"
        raise Refused(OUTSIDE.at(span, message, help="put the file beside this one, or into a folder below"))
    if inside == ".." or inside.startswith("../"):
        message = "this leads out of the folder of the file that imports it"
        raise Refused(OUTSIDE.at(span, message, help="put the file beside this one, or into a folder below"))
    return posixpath.normpath(posixpath.join(folder, inside))


def _is_below(path: str, folder: str) -> bool:
    try:
        return os.path.commonpath([path, folder]) == folder
    except ValueError:  # another drive
        return False


def _near(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        near = closest(name, sorted(os.listdir(folder or ".")))
    except OSError:
        return f"there is no folder `{folder}`"
    return f"did you mean `{near}`?" if near is not None else "a path is relative to the file that it stands in"


# ---------------------------------------------------------------- messages


def _unreadable(span: Span, message: str, advice: str | None) -> Diagnostic:
    return UNREADABLE_IMPORT.at(span, message, help=advice)


def _no_folder(statement: ImportStatement) -> Diagnostic:
    return _unreadable(
        statement.path_span,
        "this program is a text without a folder, so there is nothing that the path could start from",
        "say which folder: `dnnlang.compile(text, base=FOLDER)`, or put the program into a file",
    )


def _reported(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    """What is wrong with the file, told at the import; or in the file, if it has a place there."""
    if diagnostic.span is None:
        return _unreadable(span, diagnostic.message, diagnostic.help)
    return replace(diagnostic, labels=(*diagnostic.labels, Label(span, "imported here")))


def _loop(files: Sequence[_File], last: ImportStatement) -> Diagnostic:
    names = [*(file.name for file in files), files[0].name]
    places = [*(file.at for file in files[1:]), last.path_span]
    labels = [
        Label(place, f"{name} imports {following}")
        for place, (name, following) in zip(places, pairwise(names), strict=True)
        if place is not None and len(files) > 1
    ]
    shown = names if len(names) <= _MOST_SHOWN else [*names[:3], "…", *names[-2:]]
    return LOOP.at(
        last.path_span,
        f"{files[0].name} imports itself" if len(files) == 1 else f"files import each other: {' → '.join(shown)}",
        labels=labels[-_MOST_SHOWN:],
        help="take this import out; what several files need belongs into a file of its own",
    )


def _head(statement: Statement) -> Span:
    head = getattr(statement, "head", statement.span)
    assert isinstance(head, Span)
    return head
