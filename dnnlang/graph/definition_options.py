"""Options of a definition: which value each has in one use."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Protocol

from dnnlang.diagnostics import Diagnostics, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.graph.formulas import Scope, formula
from dnnlang.scalar.expression import Expr, constant
from dnnlang.scalar.text import number
from dnnlang.syntax.tree import Call, DefineStatement, Expression, Keyword, Name, Parameter

NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})


class Numbers(Protocol):
    """Evaluates an option's expression in the scope of the use; None if it reported a mistake.

    `options` are names that somebody may write in the place of a value, each with how it is used.
    """

    def __call__(self, expression: Expression, options: Mapping[str, str] = NO_OPTIONS, /) -> Fraction | None: ...


BAD_OPTIONS = rule(
    "DNN402",
    "wrong-options",
    "An activation, loss, initializer or optimizer was given options that it does not have.",
    why="Options have names and an order, both from the definition. One that does not exist would otherwise be "
    "ignored without a word, and the network would not be the one you meant.",
    wrong="layer 5 leaky_relu(slop=0.1)\nlayer 1 sigmoid\n",
    right="layer 5 leaky_relu(slope=0.1)\nlayer 1 sigmoid\n",
)


def option_variable(name: str) -> str:
    """The variable that stands for an option: with a space, so that no name of a program is the same."""
    return f"option {name}"


def as_expressions(options: Mapping[str, Fraction]) -> dict[str, Expr]:
    return {option_variable(name): constant(value) for name, value in options.items()}


def bind_options(
    statement: DefineStatement, use: Name | Call, numbers: Numbers, found: Diagnostics, skip: int = 0
) -> dict[str, Fraction] | None:
    """The value of every option: positional ones in order, then by key, then defaults."""
    declared = [o.name.id for o in statement.options]
    name = statement.name.id
    values: dict[str, Fraction | None] = {}
    if isinstance(use, Call):
        positional = use.arguments[skip:]
        if len(positional) > len(declared):
            count = f"{len(declared)} option{'s' if len(declared) > 1 else ''}, {', '.join(declared)}"
            has = f"{count}, and here are {len(positional)}" if declared else "no options"
            advice = "take this one out"
            if statement.family.id == "optimizer" and not declared:
                advice = _rate_elsewhere(positional[0])
            found.add(BAD_OPTIONS.at(positional[len(declared)].span, f"`{name}` has {has}", help=advice))
            return None
        usage = {o.name.id: _usage(name, o) for o in statement.options}
        for key, tree in zip(declared, positional, strict=False):
            values[key] = numbers(tree, usage)
        for keyword in use.keywords:
            if not _takes(keyword, statement, values, found):
                return None
            values[keyword.key.id] = numbers(keyword.value)
    for option in statement.options:
        if option.name.id not in values and option.default is not None:
            values[option.name.id] = default_number(option.default)
    complete = {n: v for n, v in values.items() if v is not None}
    return complete if len(complete) == len(values) else None


def _usage(name: str, option: Parameter) -> str:
    """An option with its default: `leaky_relu(slope=0.01)`."""
    return f"{name}({option.name.id}={option.default.span.text if option.default is not None else '…'})"


def _rate_elsewhere(value: Expression) -> str:
    return f"the learning rate is a setting of its own: `learning_rate {value.span.text}`"


def _takes(keyword: Keyword, statement: DefineStatement, values: Mapping[str, object], found: Diagnostics) -> bool:
    key, name, declared = keyword.key.id, statement.name.id, [o.name.id for o in statement.options]
    if key not in declared:
        near = meant(keyword.key.span, [option for option in declared if option not in values])
        has = f"it has {', '.join(f'`{option}`' for option in declared)}" if declared else "it has none"
        if statement.family.id == "optimizer" and key in ("lr", "learning_rate", "alpha", "rate"):
            has = _rate_elsewhere(keyword.value)
        found.add(
            BAD_OPTIONS.at(
                keyword.key.span,
                f"`{name}` has no option `{key}`",
                help=near.help if near is not None else has,
                fix=near.fix if near is not None else None,
            )
        )
        return False
    if key in values:
        found.add(BAD_OPTIONS.at(keyword.span, f"the option `{key}` is given twice", help="take one out"))
        return False
    return True


def default_number(tree: Expression, options: Mapping[str, str] = NO_OPTIONS) -> Fraction | None:
    """A number written out in a definition, such as `0.01`, `-1` or `2 / 3`."""
    value = formula(tree, Scope({}, draws=False, call=None), Diagnostics())
    return value.value if value is not None else None


def use_label(use: Call, statement: DefineStatement, options: Mapping[str, Fraction]) -> str:
    positional = [number(v) for v, _ in zip(options.values(), use.arguments, strict=False)]
    by_key = [f"{k.key.id}={number(options[k.key.id])}" for k in use.keywords]
    return f"{statement.name.id}({', '.join(positional + by_key)})"
