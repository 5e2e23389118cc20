"""Params, dims, blocks and definitions that nothing uses.

Read from the text alone, not from one expansion of it: what stands in the body of a block counts, if that block is
used. So it does not depend on how often a body is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Final

from dnnlang.diagnostics import Diagnostics, Edit, Fix, Label, Rule, rule
from dnnlang.graph.definitions import Library
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.tree import (
    BlockStatement,
    Call,
    DefineStatement,
    DimStatement,
    Index,
    InputStatement,
    Keyword,
    Name,
    NodeStatement,
    Parameter,
    ParamStatement,
    RepeatStatement,
    Statement,
    Tree,
)

UNUSED_PARAM = rule(
    "DNN321",
    "unused-param",
    "A `param` or `dim` is declared, and nothing uses it.",
    why="Changing it, or searching over it, changes nothing. Most often a number was written where the param was "
    "meant.",
    wrong="param width = 64\nlayer 32 relu\nlayer 1 sigmoid\n",
    right="param width = 64\nlayer width relu\nlayer 1 sigmoid\n",
    severity="warning",
)
UNUSED_BLOCK = rule(
    "DNN322",
    "unused-block",
    "A `block` is declared, and nothing uses it.",
    why="Its nodes are not in the network. Either it was forgotten, or it is left over.",
    wrong="block wide(k) {\n    layer 2 * k relu\n}\nlayer 5 relu\nlayer 1 sigmoid\n",
    right="block wide(k) {\n    layer 2 * k relu\n}\nwide 5\nlayer 1 sigmoid\n",
    severity="warning",
)
UNUSED_DEFINITION = rule(
    "DNN323",
    "unused-definition",
    "A `define` makes something that nothing uses.",
    why="Either it was forgotten where it belongs, and something else stands there, or it is left over.",
    wrong="define activation bump(z) = exp(-z^2)\nlayer 5 relu\nlayer 1 sigmoid\n",
    right="define activation bump(z) = exp(-z^2)\nlayer 5 bump\nlayer 1 sigmoid\n",
    severity="warning",
)

Declaration = ParamStatement | DimStatement | BlockStatement | DefineStatement
Key = tuple[str, str]
"""A namespace and a name in it: that of params, dims and blocks is "", each family of definitions has its own."""

_WORDS: Final = {
    ParamStatement: ("param", UNUSED_PARAM),
    DimStatement: ("dim", UNUSED_PARAM),
    BlockStatement: ("block", UNUSED_BLOCK),
}
_FAMILIES: Final = ("", "activation", "loss", "init", "optimizer")


def check_unused(tree: Tree, found: Diagnostics) -> None:
    """Warn of the program's own declarations that nothing uses; those of imported files are for others too."""
    declared: dict[Key, Declaration] = {}
    needed: set[Key] = set()
    for statement in tree.statements:
        if isinstance(statement, Declaration):
            declared[_key(statement)] = statement
        else:
            needed |= _uses(statement)
    needed |= {key for key, s in declared.items() if _stands_in_for_standard(s)}
    uses = {key: _uses(statement) for key, statement in declared.items()}
    waiting = [key for key in needed if key in uses]
    while waiting:
        more = {key for key in uses[waiting.pop()] if key not in needed}
        needed |= more
        waiting += [key for key in more if key in uses]
    unused = {key: s for key, s in declared.items() if key not in needed and not s.span.source.imported}
    for key, statement in unused.items():
        user = next((s for k, s in unused.items() if k != key and key in uses[k]), None)
        _report(statement, user, found)


def _report(statement: Declaration, user: Declaration | None, found: Diagnostics) -> None:
    word, broken = _described(statement)
    name = statement.name
    message = f"the {word} `{name.id}` is never used"
    if user is None:
        fix = Fix(f"take the {word} out", (removal(statement.span),))
        found.add(broken.at(name.span, message, help="use it, or take this statement out", fix=fix))
        return
    labels = [Label(user.name.span, f"only `{user.name.id}` uses it, which is never used itself")]
    found.add(broken.at(name.span, message, labels=labels, help="use one of them, or take both out"))


def _described(statement: Declaration) -> tuple[str, Rule]:
    if isinstance(statement, DefineStatement):
        family = statement.family.id
        return {"init": "initializer"}.get(family, family), UNUSED_DEFINITION
    return _WORDS[type(statement)]


def _key(statement: Declaration) -> Key:
    return (statement.family.id if isinstance(statement, DefineStatement) else "", statement.name.id)


def _stands_in_for_standard(statement: Declaration) -> bool:
    """Whoever takes the place of a standard definition may be used by default; that he does is a warning already."""
    return isinstance(statement, DefineStatement) and Library.standard().has(statement.family.id, statement.name.id)


# ---------------------------------------------------------------- what a statement uses


def _uses(statement: Statement) -> set[Key]:
    """Everything that a statement may name, in every namespace in which a name could stand there."""
    if isinstance(statement, DefineStatement):
        own = {v.id for v in statement.variables} | {o.name.id for o in statement.options}
        own |= {a.name.id for a in statement.body or ()}
        formulas = (statement.value, statement.derivative, statement.given, statement.body)
        called = {("activation", n.id) for n in _names(formulas) if n.id not in own}
        keys = {(k.key.id, k.value.id) for k in statement.keys if isinstance(k.value, Name)}
        return called | keys
    hidden: set[str] = set()
    if isinstance(statement, BlockStatement):
        hidden = {p.id for p in statement.positional} | {o.name.id for o in statement.options}
    named = {name.id for name in _names(statement)} - hidden
    return {(family, name) for name in named for family in _FAMILIES}


def _names(root: object) -> Iterator[Name]:
    """The names in a tree, those left out that are declared there, and the keys of `key=value`."""
    stack = [root]
    while stack:
        item = stack.pop()
        if isinstance(item, Name):
            yield item
        elif isinstance(item, tuple):
            stack += item
        elif is_dataclass(item) and not isinstance(item, Span | SourceFile):
            left_out = _DECLARING.get(type(item), ())
            stack += [getattr(item, f.name) for f in fields(item) if f.name not in left_out]


_DECLARING: Final[dict[type, tuple[str, ...]]] = {
    Keyword: ("key",),
    Parameter: ("name",),
    NodeStatement: ("alias",),
    InputStatement: ("alias",),
    RepeatStatement: ("alias", "variable"),
    ParamStatement: ("name",),
    DimStatement: ("name",),
    BlockStatement: ("name", "positional", "inputs"),
    Call: (),
    Index: ("base",),
}


# ---------------------------------------------------------------- taking a statement out


def removal(span: Span) -> Edit:
    """The edit that takes a statement out: its lines if it has them for itself, with the comment behind it."""
    text = span.source.text
    start, end = span.start, span.end
    line = text.rfind("\n", 0, start) + 1
    newline = text.find("\n", end)
    rest = text[end : newline if newline >= 0 else len(text)]
    alone = not text[line:start].strip()
    if alone and (not rest.strip() or rest.lstrip().startswith("#")):
        return Edit(Span(span.source, line, newline + 1 if newline >= 0 else len(text)), "")
    after = rest.lstrip()
    if after.startswith(";"):
        end += len(rest) - len(after) + 1
        while end < len(text) and text[end] in " \t":
            end += 1
        return Edit(Span(span.source, start, end), "")
    before = text[line:start].rstrip()
    return Edit(Span(span.source, line + len(before) - before.endswith(";"), end), "")
