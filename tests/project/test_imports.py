"""Imports go one way. Read from the source of every module, functions and type-only imports included.

Also a script, for a machine without pytest: python tests/project/test_imports.py
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "dnnlang"

BASE = {"source", "diagnostics", "errors", "version", "collector"}
CALCULUS = BASE | {"sizes", "scalar", "primitives"}
COMPILER = CALCULUS | {"syntax", "graph", "plan"}

MAY_IMPORT: dict[str, set[str]] = {
    "source": set(),
    "version": set(),
    "collector": set(),
    "diagnostics": {"source"},
    "errors": {"source", "diagnostics"},
    "sizes": BASE,
    "syntax": BASE,
    "scalar": BASE | {"sizes"},
    "primitives": BASE | {"sizes", "scalar"},
    "graph": CALCULUS | {"syntax"},
    "plan": CALCULUS | {"graph"},
    "backends": COMPILER - {"syntax"},
    "program": COMPILER | {"backends"},
    "network": COMPILER | {"backends", "program"},
    "training": COMPILER | {"backends", "program", "network"},
    "emit": COMPILER | {"backends", "program", "network"},
    "sklearn": COMPILER | {"backends", "program", "network", "training"},
    "cli": COMPILER | {"backends", "program", "network", "training", "emit"},
    "__main__": {"cli"},
}
"""Who may import whom: `dnnlang.KEY`, file or package, imports only these and itself."""

UPWARD = {
    ("program", "network"): "Program.load makes a Network, which holds its Program",
    ("network", "training"): "Network.fit and Network.save are shorthand for functions of training",
}
"""The exceptions, each with its reason; only inside a function, so that importing never goes round."""

FACADE = {"sklearn", "cli"}
"""Who may use the public names of `dnnlang` itself; everybody may import `dnnlang` to name a submodule."""

SEARCHES = {"plan.budget.exact", "plan.budget.rounded"}
"""Of the plan, these compute tables of numbers; they are imported inside a function, when there is a budget."""

OUTSIDE: dict[str, set[str]] = {
    "lark": {"syntax.parser"},
    "networkx": {"graph"},
    "numpy": {"backends", "emit", "training", "program", "network", "sklearn", *SEARCHES},
    "safetensors": {"training"},
    "rich": {"cli"},
    "sklearn": {"sklearn"},
    "pyarrow": {"training"},
}
"""Which modules (with all inside them) may import a library that is not Python's own; anybody may name its types."""

LAZY = {"lark", "networkx", "numpy", "safetensors", "rich", "sklearn", "pyarrow"}
LIGHT = {"__init__", "cli", "cli.__init__", "cli.main", "version", "source", "diagnostics", "errors"}
"""Modules that `dnnc --help` runs through: nothing of LAZY at their top."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, as seen in one file: `module` is dotted, relative imports resolved."""

    path: Path
    line: int
    module: str
    names: tuple[str, ...]
    nested: bool  # inside a function
    typing: bool  # under `if TYPE_CHECKING`


def imports(path: Path, package: Path) -> Iterator[Import]:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    yield from _walk(tree, path, package, nested=False, typing=False)


def _walk(node: ast.AST, path: Path, package: Path, *, nested: bool, typing: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(path, child.lineno, alias.name, (), nested, typing)
        elif isinstance(child, ast.ImportFrom):
            names = tuple(alias.name for alias in child.names)
            yield Import(path, child.lineno, _absolute(child, path, package), names, nested, typing)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            types = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
            yield from _walk(child, path, package, nested=nested or function, typing=typing or types)


def _absolute(node: ast.ImportFrom, path: Path, package: Path) -> str:
    if node.level == 0:
        return node.module or ""
    folder = path.parent
    for _ in range(node.level - 1):
        folder = folder.parent
    parts = [package.name, *folder.relative_to(package).parts, *([node.module] if node.module else [])]
    return ".".join(parts)


def dotted(path: Path, package: Path) -> str:
    """`syntax.parser` for dnnlang/syntax/parser.py; `syntax.__init__` for a package's own file."""
    return ".".join(path.relative_to(package).with_suffix("").parts)


def violations(package: Path = PACKAGE) -> list[str]:
    """One line for each import that goes the wrong way, `path:line: what`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        for each in imports(path, package):
            complaint = _complaint(each, dotted(path, package), package)
            if complaint is not None:
                found.append(f"{path.relative_to(package.parent)}:{each.line}: {complaint}")
    return found


def _complaint(each: Import, module: str, package: Path) -> str | None:
    top = each.module.partition(".")[0]
    if top == package.name:
        return next(filter(None, (_order(target, each, module) for target in _targets(each, package))), None)
    if top in sys.stdlib_module_names:
        return None
    if top in OUTSIDE and each.typing:
        return None
    if top not in OUTSIDE:
        return f"imports {top}, which is not among the libraries that this project uses"
    if not any(module == allowed or module.startswith(f"{allowed}.") for allowed in OUTSIDE[top]):
        return f"imports {top}, which is only for {', '.join(sorted(OUTSIDE[top]))}"
    return None


def _targets(each: Import, package: Path) -> list[str]:
    """The parts of the package that are imported; "" is the package's own public names."""
    rest = each.module.partition(".")[2]
    if rest:
        return [rest.partition(".")[0]]
    return [name if _is_module(name, package) else "" for name in each.names] or [""]


def _is_module(name: str, package: Path) -> bool:
    return (package / name).is_dir() or (package / f"{name}.py").is_file()


def _order(target: str, each: Import, module: str) -> str | None:
    own = module.partition(".")[0]
    if own == "__init__":
        return None if each.nested or each.typing or target in BASE else "imports at its top; public names are lazy"
    if own == target:
        return None
    if own not in MAY_IMPORT:
        return f"{own} has no place in the order of imports yet: give it one in {Path(__file__).name}"
    if target == "":
        return None if own in FACADE else f"{own} imports the public names of the package, which stand above it"
    if target in MAY_IMPORT[own]:
        return None
    if (own, target) in UPWARD and (each.nested or each.typing):
        return None
    return f"{own} must not import {target}"


def heavy_at_the_top(package: Path = PACKAGE) -> list[str]:
    """Libraries that a module of LIGHT imports before anybody calls it."""
    return [
        f"{path.relative_to(package.parent)}:{each.line}: imports {each.module} at the top"
        for path in sorted(package.rglob("*.py"))
        if dotted(path, package) in LIGHT or dotted(path, package).partition(".")[0] in LIGHT - {"cli", "__init__"}
        for each in imports(path, package)
        if each.module.partition(".")[0] in LAZY and not each.nested and not each.typing
    ]


def test_imports_go_one_way() -> None:
    assert violations() == []


def test_what_runs_before_the_command_is_known_is_light() -> None:
    assert heavy_at_the_top() == []


def test_a_step_against_the_order_is_seen(tmp_path: Path) -> None:
    package = tmp_path / "dnnlang"
    sources = {
        "__init__.py": "from dnnlang.program import Program\n",
        "network.py": "from dnnlang.training import loop\n\ndef fit():\n    from dnnlang.training import loop\n",
        "source.py": "import json\nfrom . import errors\n",
        "errors.py": "import lark\n",
        "novel.py": "import dnnlang.source\n",
        "program.py": "import dnnlang\n",
        "training/__init__.py": "",
        "scalar/__init__.py": "def f():\n    from ..graph.build import build\n",
        "syntax/parser.py": "import lark, requests\nimport networkx\n",
    }
    for name, text in sources.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    assert [line.removeprefix("dnnlang/") for line in violations(package)] == [
        "__init__.py:1: imports at its top; public names are lazy",
        "errors.py:1: imports lark, which is only for syntax.parser",
        "network.py:1: network must not import training",
        "novel.py:1: novel has no place in the order of imports yet: give it one in test_imports.py",
        "program.py:1: program imports the public names of the package, which stand above it",
        "scalar/__init__.py:2: scalar must not import graph",
        "source.py:2: source must not import errors",
        "syntax/parser.py:1: imports requests, which is not among the libraries that this project uses",
        "syntax/parser.py:2: imports networkx, which is only for graph",
    ]
    assert [line.removeprefix("dnnlang/") for line in heavy_at_the_top(package)] == [
        "errors.py:1: imports lark at the top"
    ]


def main() -> int:
    found = [*violations(), *heavy_at_the_top()]
    print("\n".join(found) if found else "imports go one way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
