"""The form of a definition: what each family takes, and what is wrong with one that does not have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dnnlang.diagnostics import Diagnostics, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.graph.definition_options import default_number, option_variable
from dnnlang.scalar.expression import Expr, variable
from dnnlang.source import Span
from dnnlang.syntax.tree import DefineStatement, Keyword, Name, Parameter

FAMILIES: Final = ("activation", "loss", "init", "optimizer")
VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "activation": ("z",),
    "loss": ("a", "y"),
    "init": ("fan_in", "fan_out"),
    "optimizer": ("w", "g"),
}
KEYS: Final[Mapping[str, tuple[str, ...]]] = {"activation": ("init", "loss"), "loss": (), "init": (), "optimizer": ()}

NOUN: Final = {"activation": "activation", "loss": "loss", "init": "initializer", "optimizer": "optimizer"}
WITH_ARTICLE: Final = {f: f"{'a' if f == 'loss' else 'an'} {noun}" for f, noun in NOUN.items()}

ELSEWHERE: Final[Mapping[str, Mapping[str, str]]] = {
    "activation": {"leakyrelu": "leaky_relu", "lrelu": "leaky_relu", "logistic": "sigmoid", "identity": "linear"},
    "loss": {
        **dict.fromkeys(("bce", "bceloss", "log_loss", "logloss", "logistic"), "binary_cross_entropy"),
        **dict.fromkeys(("ce", "nll", "categorical_crossentropy", "sparse_categorical_crossentropy"), "cross_entropy"),
        **dict.fromkeys(("mean_squared_error", "squared_error", "l2"), "mse"),
        **dict.fromkeys(("mean_absolute_error", "absolute_error", "l1"), "mae"),
        **dict.fromkeys(("kl", "kld", "kl_div"), "kl_divergence"),
    },
    "init": {
        **dict.fromkeys(("glorot", "glorot_uniform", "glorot_normal", "xavier_uniform", "xavier_normal"), "xavier"),
        **dict.fromkeys(("kaiming", "kaiming_uniform", "kaiming_normal", "he_normal", "he_uniform"), "he"),
        **dict.fromkeys(("random", "random_normal", "gaussian", "randn"), "normal"),
        "random_uniform": "uniform",
        "zero": "zeros",
        "one": "ones",
    },
    "optimizer": {"gradient_descent": "sgd", "gd": "sgd"},
}
"""What other tools call definitions of the standard library."""

BAD_DEFINITION = rule(
    "DNN403",
    "malformed-definition",
    "A `define` does not have the form that its family asks for.",
    why="An activation is a function of z, a loss one of a and y, an initializer one of fan_in and fan_out; an "
    "optimizer has a body in braces that assigns w. Other forms have no meaning.",
    wrong="define activation steep(z, x) = z * x\nlayer 5 steep\nlayer 1 sigmoid\n",
    right="define activation steep(z; x=2) = z * x\nlayer 5 steep\nlayer 1 sigmoid\n",
)


def scope_of(statement: DefineStatement) -> dict[str, Expr]:
    """The names that a definition's formula may use: its variables, under the family's own names, and its options."""
    family = statement.family.id
    per_unit = family not in ("init",)
    names = {
        given.id: variable(own, per_unit=per_unit)
        for given, own in zip(statement.variables, VARIABLES[family], strict=True)
    }
    return names | {o.name.id: variable(option_variable(o.name.id), per_unit=False) for o in statement.options}


def families_meant(statement: DefineStatement) -> tuple[str, ...]:
    """What a malformed definition may have been meant to be: all families, if it names none."""
    return (statement.family.id,) if statement.family.id in FAMILIES else FAMILIES


def well_formed(statement: DefineStatement, found: Diagnostics) -> bool:
    family = statement.family.id
    if family not in FAMILIES:
        near = meant(statement.family.span, FAMILIES, form="define {}")
        found.add(
            BAD_DEFINITION.at(
                statement.family.span,
                f"`define` makes an activation, a loss, an init or an optimizer, not `{family}`",
                help=near.help if near is not None else f"write `define activation {statement.name.id}(z) = …`",
                fix=near.fix if near is not None else None,
            )
        )
        return False
    problem = _problem(statement)
    if problem is None:
        return True
    span, message, advice = problem
    found.add(BAD_DEFINITION.at(span, message, help=advice))
    return False


def _last_formula(statement: DefineStatement) -> str:
    """What the last line of a body computes, for the advice to write it without one."""
    if statement.body:
        return " ".join(statement.body[-1].value.span.text.split())
    inside = " ".join(statement.span.text.partition("{")[2].rpartition("}")[0].split())
    return inside.removeprefix("return ") or "…"


def _problem(statement: DefineStatement) -> tuple[Span, str, str] | None:
    family, name = statement.family.id, statement.name.id
    wanted = VARIABLES[family]
    form = f"define {family} {name}({', '.join(wanted)})"
    if len(statement.variables) != len(wanted):
        count = f"{len(wanted)} variable{'s' if len(wanted) > 1 else ''}, {' and '.join(wanted)}"
        extra = [v.id for v in statement.variables[len(wanted) :]]
        advice = f"write `{form} …`"
        if extra:
            options = ", ".join(f"{e}=1" for e in extra)
            advice = f"options stand after a semicolon, with defaults: `{form[:-1]}; {options}) …`"
        return statement.name.span, f"{WITH_ARTICLE[family]} is a function of {count}", advice
    if family == "optimizer" and statement.body is None:
        return statement.name.span, "an optimizer has a body of statements", f"write `{form} {{ w = w - rate * g }}`"
    if family != "optimizer" and statement.value is None:
        return (
            statement.name.span,
            f"only an optimizer has a body in braces, not `{name}`",
            f"write `{form} = {_last_formula(statement)}`",
        )
    if statement.derivative is not None and family != "activation":
        return statement.derivative.span, "only an activation has a `derivative`", "take it out"
    if statement.given is not None and family != "loss":
        return statement.given[0].span, "only a loss has a `given`", "take it out"
    names = [v.id for v in statement.variables] + [o.name.id for o in statement.options]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        return statement.name.span, f"`{twice}` stands twice among the variables and options of `{name}`", "rename one"
    return _option_problem(statement.options) or _key_problem(statement.keys, family)


def _option_problem(options: tuple[Parameter, ...]) -> tuple[Span, str, str] | None:
    for option in options:
        if option.default is None:
            return option.span, f"the option `{option.name.id}` has no default", f"write `{option.name.id}=1`"
        if default_number(option.default) is None:
            return option.default.span, f"the default of `{option.name.id}` is not a number", "write a number"
    return None


def _key_problem(keys: tuple[Keyword, ...], family: str) -> tuple[Span, str, str] | None:
    for keyword in keys:
        if keyword.key.id not in KEYS[family]:
            has = " and ".join(f"`{k}=`" for k in KEYS[family]) or "no keys"
            return keyword.span, f"a definition of this family has {has}, not `{keyword.key.id}=`", "take it out"
        if not isinstance(keyword.value, Name):
            return keyword.value.span, f"`{keyword.key.id}=` takes the name of a definition", "write just its name"
    return None
