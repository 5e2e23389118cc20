"""The parts of a definition: its formula, what it is given of the targets, a derivative stated by hand."""

from __future__ import annotations

from fractions import Fraction

from dnnlang.diagnostics import Diagnostics, Label, rule
from dnnlang.graph.definition_form import scope_of
from dnnlang.graph.formulas import CallActivation, Scope, formula
from dnnlang.scalar import agreement
from dnnlang.scalar.canonical import given_number
from dnnlang.scalar.construct import put
from dnnlang.scalar.expression import Expr, topological, variable
from dnnlang.scalar.limits import TERM_LIMIT, TooLarge
from dnnlang.syntax.tree import DefineStatement, Expression

WRONG_DERIVATIVE = rule(
    "DNN407",
    "wrong-derivative",
    "The derivative stated by hand is not the derivative of the formula.",
    why="Backward would compute something else than the slope of forward, and training would go astray without a "
    "message.",
    wrong="define activation cube(z) = z^3 derivative 2 * z^2\nlayer 5 cube\nlayer 1 sigmoid\n",
    right="define activation cube(z) = z^3 derivative 3 * z^2\nlayer 5 cube\nlayer 1 sigmoid\n",
)
BAD_GIVEN = rule(
    "DNN408",
    "malformed-given",
    "`given` does not say that something of the targets equals a number.",
    why="`given` is a fact about the targets that the compiler may use to simplify, and that is checked on real "
    "targets: an expression in y on the left, a number on the right.",
    wrong="define loss own(a, y) = sum((a - y)^2) given sum(a) = 1\nlayer 5 relu\nlayer 2\nloss own\n",
    right="define loss own(a, y) = sum((a - y)^2) given sum(y) = 1\nlayer 5 relu\nlayer 2\nloss own\n",
)
TOO_LARGE = rule(
    "DNN409",
    "formula-too-large",
    "A formula has more terms than the compiler works with.",
    why=f"A formula may have {TERM_LIMIT:,} terms, counted after the definitions in it are written out. "
    "Definitions that call others twice double at every step.",
    wrong="".join(f"define activation f{i}(z) = f{i - 1}(z) * f{i - 1}(z + {i})\n" for i in range(15, 0, -1))
    + "define activation f0(z) = z\nlayer 5 f15\nlayer 1 sigmoid\n",
    right="define activation f0(z) = z\ndefine activation f1(z) = f0(z) * f0(z + 1)\nlayer 5 f1\nlayer 1 sigmoid\n",
)


def formula_of(statement: DefineStatement, value: Expression, call: CallActivation, found: Diagnostics) -> Expr | None:
    """The right side of a definition, in its canonical variables and its options."""
    scope = Scope(scope_of(statement), draws=statement.family.id == "init", call=call)
    try:
        return formula(value, scope, found)
    except TooLarge:
        found.add(
            TOO_LARGE.at(
                statement.name.span,
                f"the formula of `{statement.name.id}` has more than {TERM_LIMIT:,} terms when it is written out",
                help="call the same definition less often",
            )
        )
        return None


def given_of(
    statement: DefineStatement, options: dict[str, Expr], call: CallActivation, found: Diagnostics
) -> tuple[tuple[Expr, Fraction], ...] | None:
    """What a loss may assume of the targets: expressions in them, and what these equal."""
    if statement.given is None:
        return ()
    left_tree, right_tree = statement.given
    names = scope_of(statement)
    left = formula(left_tree, Scope(names, draws=False, call=call), found)
    right = formula(right_tree, Scope(names, draws=False, call=call), found)
    if left is None or right is None:
        return None
    left, right = put(left, options), put(right, options)
    if any(e.name not in (None, "y") for e in topological(left)) or right.value is None or not given_number(left):
        found.add(
            BAD_GIVEN.at(
                left_tree.span.to(right_tree.span),
                "`given` states that something of the targets equals a number",
                notes=[f"the output is `{statement.variables[0].id}`, the targets are `{statement.variables[1].id}`"],
                help=f"write it like `given sum({statement.variables[1].id}) = 1`: "
                "a sum over the targets on the left, a number on the right",
            )
        )
        return None
    return ((left, right.value),)


def derivative_of(
    statement: DefineStatement, options: dict[str, Expr], value: Expr, call: CallActivation, found: Diagnostics
) -> Expr | None:
    """The derivative that an activation states; None if it states none, or after a diagnostic."""
    if statement.derivative is None:
        return None
    own = statement.variables[0].id
    scope = Scope({**scope_of(statement), "a": variable("a")} if own != "a" else scope_of(statement), False, call)
    stated = formula(statement.derivative, scope, found)
    if stated is None:
        return None
    stated = put(stated, options)
    differs = agreement.difference(value, stated)
    if differs is None:
        return stated
    z, claimed, derived = differs
    found.add(
        WRONG_DERIVATIVE.at(
            statement.derivative.span,
            f"this is not the derivative of `{statement.name.id}`: "
            f"at z = {z:g} it is {claimed:.6g}, but the slope there is {derived:.6g}",
            labels=[Label(statement.value.span, "of this formula")] if statement.value is not None else [],
            help="correct it, or leave `derivative` out: the compiler derives it",
        )
    )
    return None
