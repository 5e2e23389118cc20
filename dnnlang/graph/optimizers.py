"""Bodies of optimizers: assignments in order, from which the state to keep is read off."""

from __future__ import annotations

from dnnlang.diagnostics import Diagnostics, rule
from dnnlang.graph.formulas import CallActivation, Scope, formula
from dnnlang.scalar.expression import Expr, variable
from dnnlang.syntax.tree import (
    Assignment,
    Call,
    Compare,
    DefineStatement,
    Expression,
    Name,
    Negate,
    Power,
    Product,
    Sum,
)

BAD_ASSIGNMENT = rule(
    "DNN413",
    "malformed-optimizer",
    "The body of an optimizer assigns what it may not, or never assigns w.",
    why="An optimizer makes a new w from w, its gradient g, the learning rate `rate` and the step `t`. Options, `rate` "
    "and `t` are given from outside, and a body that leaves w alone would train nothing.",
    wrong="define optimizer still(w, g) { v = g }\nlayer 5 relu\nlayer 1 sigmoid\ntrain { optimizer still }\n",
    right="define optimizer plain(w, g) { w = w - rate * g }\n"
    "layer 5 relu\nlayer 1 sigmoid\ntrain { optimizer plain }\n",
)


def optimizer_body(
    statement: DefineStatement, call: CallActivation, found: Diagnostics
) -> tuple[tuple[tuple[str, Expr], ...], tuple[str, ...]] | None:
    """The assignments, and the names that are state: read before they are assigned, and assigned in the body."""
    if statement.body is None:
        return None
    before = len(found.found)
    weight, gradient = (v.id for v in statement.variables)
    fixed = {o.name.id: variable(f"option {o.name.id}", per_unit=False) for o in statement.options}
    fixed |= {name: variable(name, per_unit=False) for name in ("rate", "t")}
    names = {weight: variable("w"), gradient: variable("g")}
    assigned = {a.name.id for a in statement.body}
    _refuse_fixed(statement.body, set(fixed), found)
    state: list[str] = []
    known = set(names)
    made: list[tuple[str, Expr]] = []
    for assignment in statement.body:
        for used in _names(assignment.value):
            if used in assigned and used not in known and used not in state:
                state.append(used)
        local = {n: variable(n) for n in assigned if n not in names}
        value = formula(assignment.value, Scope({**local, **names, **fixed}, False, call, reductions=False), found)
        known.add(assignment.name.id)
        if value is not None:
            target = names.get(assignment.name.id)
            made.append((assignment.name.id if target is None or target.name is None else target.name, value))
    if weight not in assigned:
        found.add(
            BAD_ASSIGNMENT.at(
                statement.name.span,
                f"the optimizer `{statement.name.id}` never assigns `{weight}`, so nothing would be trained",
                help=f"end with `{weight} = {weight} - rate * …`",
            )
        )
    return None if len(found.found) > before else (tuple(made), tuple(state))


def _refuse_fixed(body: tuple[Assignment, ...], fixed: set[str], found: Diagnostics) -> None:
    for assignment in body:
        if assignment.name.id in fixed:
            what = "given from outside" if assignment.name.id in ("rate", "t") else "an option"
            found.add(
                BAD_ASSIGNMENT.at(
                    assignment.name.span,
                    f"`{assignment.name.id}` is {what} and cannot be assigned",
                    help=f"give the result another name, such as `own_{assignment.name.id}`",
                )
            )


def _names(tree: Expression) -> list[str]:
    """Names that an expression reads, in order."""
    match tree:
        case Name():
            return [tree.id]
        case Sum():
            return [n for _, term in tree.terms for n in _names(term)]
        case Product():
            return [n for _, factor in tree.factors for n in _names(factor)]
        case Power():
            return _names(tree.base) + _names(tree.exponent)
        case Negate():
            return _names(tree.operand)
        case Compare():
            return _names(tree.left) + _names(tree.right)
        case Call():
            return [n for a in (*tree.arguments, *(k.value for k in tree.keywords)) for n in _names(a)]
        case _:
            return []
