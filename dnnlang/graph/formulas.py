"""Formulas: the expression trees of definitions, read into scalar expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Final

from dnnlang.diagnostics import Diagnostics, rule
from dnnlang.diagnostics.suggest import meant
from dnnlang.scalar.construct import (
    compare,
    function,
    maximum,
    minimum,
    negative,
    over,
    plus,
    power,
    times,
    where,
)
from dnnlang.scalar.construct import reduce as reduction
from dnnlang.scalar.expression import Expr, constant, draw
from dnnlang.scalar.limits import TERM_LIMIT, TooLarge
from dnnlang.syntax.tree import Call, Compare, Expression, Index, Name, Negate, Number, Power, Product, Sum

UNKNOWN_NAME = rule(
    "DNN410",
    "unknown-name-in-formula",
    "A formula uses a name that stands for nothing in it.",
    why="A definition sees its own variables and options, and nothing of the program around it, so that it means the "
    "same everywhere.",
    wrong="define activation steep(z) = k * z\nlayer 5 steep\nlayer 1 sigmoid\n",
    right="define activation steep(z; k=2) = k * z\nlayer 5 steep\nlayer 1 sigmoid\n",
)
WRONG_CALL = rule(
    "DNN411",
    "wrong-call-in-formula",
    "A function in a formula is called with the wrong number of arguments, or where it has no meaning.",
    why="Every function has a fixed form: `exp(x)`, `max(a, b)`, or `max(x)` over the units of a column, "
    "`where(c, a, b)`. Random draws have a meaning in an initializer only, and reductions none in an optimizer, which "
    "works entry by entry.",
    wrong="define activation steep(z) = exp(z, 2)\nlayer 5 steep\nlayer 1 sigmoid\n",
    right="define activation steep(z) = exp(2 * z)\nlayer 5 steep\nlayer 1 sigmoid\n",
)
NO_FORMULA = rule(
    "DNN412",
    "not-in-a-formula",
    "Something stands in a formula that only sizes or tensors have.",
    why="Formulas are elementwise: `+ - * / ^`, comparisons and functions. `//` belongs to sizes, `W[1]` to `expect`.",
    wrong="define activation steep(z) = z // 2\nlayer 5 steep\nlayer 1 sigmoid\n",
    right="define activation steep(z) = z / 2\nlayer 5 steep\nlayer 1 sigmoid\n",
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language: the numbers of arguments it takes, what it makes, and whether entry by entry."""

    arities: tuple[int, ...]
    make: Callable[..., Expr]
    elementwise: bool = True


def _extreme(pair: Callable[[Expr, Expr], Expr], over_units: str, *args: Expr) -> Expr:
    return pair(*args) if len(args) == 2 else reduction(over_units, args[0])


FUNCTIONS: Final[Mapping[str, Function]] = {
    **{
        name: Function((1,), partial(function, name))
        for name in ("exp", "log", "sqrt", "abs", "tanh", "erf", "sin", "cos", "sign")
    },
    "max": Function((1, 2), partial(_extreme, maximum, "max"), elementwise=False),
    "min": Function((1, 2), partial(_extreme, minimum, "min"), elementwise=False),
    "sum": Function((1,), partial(reduction, "sum"), elementwise=False),
    "mean": Function((1,), partial(reduction, "mean"), elementwise=False),
    "where": Function((3,), where),
}

_DRAWS: Final = {"normal": "draw_normal", "uniform": "draw_uniform"}
_FORMS: Final = {"max": "max(a, b)", "min": "min(a, b)", "where": "where(condition, a, b)"}
_FLIP: Final = {">": "less", ">=": "less_equal"}
_COMPARE: Final = {"<": "less", "<=": "less_equal", "==": "equal", "!=": "not_equal"}

CallActivation = Callable[[Call, list[Expr], Diagnostics], Expr | None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a formula may use: names, draws (in an initializer), and activations through `call`."""

    names: Mapping[str, Expr]
    draws: bool
    call: CallActivation | None
    reductions: bool = True


def formula(tree: Expression, scope: Scope, found: Diagnostics) -> Expr | None:
    """The scalar expression that `tree` writes; None after a diagnostic.

    Raises TooLarge beyond TERM_LIMIT terms.
    """
    made = _formula(tree, scope, found)
    if made is not None and made.weight > TERM_LIMIT:
        raise TooLarge
    return made


def _formula(tree: Expression, scope: Scope, found: Diagnostics) -> Expr | None:
    match tree:
        case Number():
            return constant(tree.value)
        case Name():
            return _name(tree, scope, found)
        case Sum():
            terms = [(sign, formula(term, scope, found)) for sign, term in tree.terms]
            signed = [t if t is None or sign > 0 else negative(t) for sign, t in terms]
            return _fold(plus, signed)
        case Product():
            return _product(tree, scope, found)
        case Power():
            return _apply(power, [formula(tree.base, scope, found), formula(tree.exponent, scope, found)])
        case Negate():
            return _apply(negative, [formula(tree.operand, scope, found)])
        case Compare():
            return _comparison(tree, scope, found)
        case Call():
            return _call(tree, scope, found)
        case Index():
            message = f"`{tree.span.text}` is a tensor or a size; a formula works on one number at a time"
            advice = "what a formula needs to know besides is an option of the definition: `; scale=1`"
            found.add(NO_FORMULA.at(tree.span, message, help=advice))
            return None


def _apply(make: Callable[..., Expr], args: list[Expr | None]) -> Expr | None:
    known = [a for a in args if a is not None]
    return make(*known) if len(known) == len(args) else None


def _fold(make: Callable[[Expr, Expr], Expr], args: list[Expr | None]) -> Expr | None:
    known = [a for a in args if a is not None]
    return reduce(make, known) if len(known) == len(args) else None


def _name(tree: Name, scope: Scope, found: Diagnostics) -> Expr | None:
    meaning = scope.names.get(tree.id)
    if meaning is not None:
        return meaning
    if tree.id in FUNCTIONS:
        found.add(UNKNOWN_NAME.at(tree.span, f"`{tree.id}` is a function", help=f"write `{tree.id}(…)`"))
        return None
    near = meant(tree.span, scope.names, local=True)
    sees = " and ".join(f"`{n}`" for n in scope.names) if len(scope.names) < 3 else ", ".join(scope.names)
    found.add(
        UNKNOWN_NAME.at(
            tree.span,
            f"`{tree.id}` stands for nothing in this formula",
            notes=[f"the formula sees {sees}"] if sees else [],
            help=near.help if near is not None else _unknown_name_advice(tree.id, scope.names),
            fix=near.fix if near is not None else None,
        )
    )
    return None


def _unknown_name_advice(name: str, known: Mapping[str, Expr]) -> str:
    option = f"make it an option of the definition, after a semicolon: `; {name}=1`"
    if "rate" in known:  # the body of an optimizer
        if name.lower() in ("learning_rate", "lr", "alpha", "step_size"):
            return "the learning rate is called `rate` here"
        return f"assign it in the body first, or {option}"
    if name in ("dA", "dZ", "da", "dz"):
        return "state the slope of the formula alone; what arrives from above is multiplied in by the compiler"
    if len(name) == 1 and len(known) == 1:
        return f"write `{next(iter(known))}`, or {option}"
    return option


def _product(tree: Product, scope: Scope, found: Diagnostics) -> Expr | None:
    result: Expr | None = None
    complete = True
    for operator, factor in tree.factors:
        if operator == "//":
            found.add(NO_FORMULA.at(factor.span, "`//` belongs to sizes", help="write `/`"))
            complete = False
        value = formula(factor, scope, found)
        if value is None:
            complete = False
        elif result is None:
            result = value
        elif value.value == 0 and operator == "/":
            found.add(WRONG_CALL.at(factor.span, "this divides by zero", help="divide by another number"))
            complete = False
        else:
            result = over(result, value) if operator == "/" else times(result, value)
    return result if complete else None


def _comparison(tree: Compare, scope: Scope, found: Diagnostics) -> Expr | None:
    sides = [formula(tree.left, scope, found), formula(tree.right, scope, found)]
    if tree.operator in _FLIP:
        return _apply(partial(compare, _FLIP[tree.operator]), sides[::-1])
    return _apply(partial(compare, _COMPARE[tree.operator]), sides)


def _call(tree: Call, scope: Scope, found: Diagnostics) -> Expr | None:
    name = tree.callee.id
    if name in _DRAWS:
        return _draw(tree, scope, found)
    arguments = [formula(a, scope, found) for a in tree.arguments]
    known = [a for a in arguments if a is not None]
    if len(known) < len(arguments):
        return None
    own = FUNCTIONS.get(name)
    if own is None:
        return _call_activation(tree, known, scope, found)
    if len(known) not in own.arities or tree.keywords:
        forms = " or ".join(f"{n} argument{'s' if n > 1 else ''}" for n in own.arities)
        message = f"`{name}` takes {forms}, not {len(known) + len(tree.keywords)}"
        found.add(WRONG_CALL.at(tree.span, message, help=f"write `{_FORMS.get(name, f'{name}(z)')}`"))
        return None
    if not own.elementwise and len(known) == 1 and not scope.reductions:
        found.add(
            WRONG_CALL.at(
                tree.span,
                f"`{name}` of one argument reduces over a column, but this formula works entry by entry",
                help=f"`{name}(a, b)` compares two numbers"
                if 2 in own.arities
                else "write a formula for one number of w and its gradient; `clip_norm` in `train` limits all of them",
            )
        )
        return None
    return own.make(*known)


def _call_activation(tree: Call, arguments: list[Expr], scope: Scope, found: Diagnostics) -> Expr | None:
    if scope.call is None:
        found.add(WRONG_CALL.at(tree.span, "no activation can be called here", help="write a number"))
        return None
    if not arguments:
        found.add(WRONG_CALL.at(tree.span, f"`{tree.callee.id}` is called without an argument", help="write `name(z)`"))
        return None
    return scope.call(tree, arguments, found)


def _draw(tree: Call, scope: Scope, found: Diagnostics) -> Expr | None:
    name = tree.callee.id
    if not scope.draws:
        message = f"`{name}()` draws a random number; only an initializer may do that"
        advice = "take it out; for noise in training stands the node `dropout 0.1`"
        found.add(WRONG_CALL.at(tree.span, message, help=advice))
        return None
    if tree.arguments or tree.keywords:
        found.add(WRONG_CALL.at(tree.span, f"`{name}` takes no argument", help=f"scale it: `{name}() * 0.1`"))
        return None
    return draw(_DRAWS[name])
