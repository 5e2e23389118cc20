"""Walking expressions of the syntax tree, without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from dnnlang.syntax.tree import Call, Compare, Expression, Index, Name, Negate, Power, Product, Sum

_CHILDREN: Final[dict[type, Callable[[Any], tuple[Expression, ...]]]] = {
    Call: lambda e: (*e.arguments, *(k.value for k in e.keywords)),
    Index: lambda e: (e.index,),
    Sum: lambda e: tuple(term for _, term in e.terms),
    Product: lambda e: tuple(factor for _, factor in e.factors),
    Power: lambda e: (e.base, e.exponent),
    Negate: lambda e: (e.operand,),
    Compare: lambda e: (e.left, e.right),
}


def expressions(root: Expression) -> Iterator[Expression]:
    """`root` and all expressions in it, from left to right; not the names of functions, keys and indexed things."""
    stack = [root]
    while stack:
        expression = stack.pop()
        yield expression
        children = _CHILDREN.get(type(expression))
        if children is not None:
            stack.extend(reversed(children(expression)))


def text_of(expression: Expression) -> str:
    """The expression as it stands, on one line and shortened."""
    text = " ".join(expression.span.text.split())
    return text if len(text) <= 60 else text[:59] + "…"


def names_in(root: Expression) -> list[Name]:
    """Every name that stands for a value, in order."""
    return [e for e in expressions(root) if isinstance(e, Name)]
