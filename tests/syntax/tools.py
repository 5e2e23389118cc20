"""Parsing in one line, and trees as text that can be compared at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from dnnlang.diagnostics import Diagnostic, Diagnostics
from dnnlang.source import SourceFile, Span
from dnnlang.syntax.parser import parse
from dnnlang.syntax.tree import (
    Call,
    Compare,
    Expression,
    Index,
    Keyword,
    Name,
    Negate,
    Number,
    Power,
    Product,
    Statement,
    Sum,
    Tree,
)


def attempt(text: str) -> tuple[Tree, list[Diagnostic]]:
    """The tree and the mistakes of a program that may have some."""
    found = Diagnostics()
    return parse(SourceFile("test.dnn", text), found), found.found


def parsed(text: str) -> Tree:
    """The tree of a program without mistakes."""
    tree, found = attempt(text)
    assert [d.message for d in found] == []
    assert tree.complete
    assert not tree.lost
    return tree


def only(text: str) -> Statement:
    """The single statement of a program without mistakes."""
    (statement,) = parsed(text).statements
    return statement


def mistake(text: str) -> Diagnostic:
    """The single mistake of a program."""
    _, found = attempt(text)
    assert len(found) == 1, [d.message for d in found]
    return found[0]


def operand(text: str) -> Expression:
    """`text` as the only operand of a node."""
    statement = only(f"layer {text}")
    (expression,) = statement.operands  # type: ignore[union-attr]
    return expression


def outline(e: Expression | Keyword) -> str:
    """An expression with every grouping in parentheses."""
    match e:
        case Name():
            return e.id
        case Number():
            return str(e.value)
        case Call():
            return f"{e.callee.id}({', '.join(outline(a) for a in (*e.arguments, *e.keywords))})"
        case Keyword():
            return f"{e.key.id}={outline(e.value)}"
        case Index():
            return f"{e.base.id}[{outline(e.index)}]"
        case Sum():
            return "(" + " ".join(f"{'+' if sign > 0 else '-'} {outline(t)}" for sign, t in e.terms) + ")"
        case Product():
            return "(" + " ".join(f"{operator} {outline(f)}" for operator, f in e.factors) + ")"
        case Power():
            return f"({outline(e.base)} ^ {outline(e.exponent)})"
        case Negate():
            return f"(-{outline(e.operand)})"
        case Compare():
            return f"({outline(e.left)} {e.operator} {outline(e.right)})"


def nodes(tree: object) -> Iterator[object]:
    """Everything in a tree that has a span, without recursion."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple | list):
            stack += node
        elif is_dataclass(node) and not isinstance(node, Span | SourceFile):
            if not isinstance(node, Tree):
                yield node
            stack += [getattr(node, field.name) for field in fields(node)]
