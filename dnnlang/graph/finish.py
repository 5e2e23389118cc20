"""Checked drafts → Architecture: sizes resolved, parameters made, what is left over written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from dnnlang.diagnostics import Diagnostic, Diagnostics, Label, rule
from dnnlang.graph.amount import MAX_NODES
from dnnlang.graph.architecture import Architecture, Node, Parameter, Requirement, Settings
from dnnlang.graph.draft import Draft
from dnnlang.graph.equalities import equalities
from dnnlang.graph.kinds import Making
from dnnlang.graph.kinds.layer import LayerDetail
from dnnlang.graph.located import Located, use_labels
from dnnlang.graph.losses import LossDraft, loss_uses
from dnnlang.graph.origin import describe, param_notes, trail_labels
from dnnlang.graph.reader import SIZE_BELOW_ONE
from dnnlang.graph.solver import Solver
from dnnlang.graph.values import TOO_LARGE
from dnnlang.sizes import (
    LIMIT,
    InexactError,
    Polynomial,
    Size,
    SizeError,
    at_least,
    atoms,
    balanced,
    evaluate,
    floor_divide,
    multiply,
    symbols,
)
from dnnlang.source import Span
from dnnlang.syntax.tree import RepeatStatement, Statement, Tree

MAX_BYTES: Final = 2**40

NETWORK_TOO_LARGE = rule(
    "DNN208",
    "network-too-large",
    "The parameters alone need 1 TiB or more in float32, or there are 1,000,000 nodes or more.",
    why="No machine that this compiler writes for could hold it. Most often a number has a digit too many. The "
    "estimate takes every size that is still open as 1.",
    wrong="layer 10^12 relu\nlayer 1 sigmoid\n",
    right="layer 10^3 relu\nlayer 1 sigmoid\n",
)


LONG_SIZE: Final = 100
LONG_FORMULA = rule(
    "DNN305",
    "long-size",
    "The size of a node is a formula of more than 100 terms.",
    why="Each open size that goes into a `concat` stays a term of every size after it, so formulas grow from line to "
    "line, and with them the time to compile and the length of the plan. Sizes that are numbers add up to one number.",
    wrong="".join(f"input as x{i}\n" for i in range(101))
    + f"concat from {', '.join(f'x{i}' for i in range(101))}\nlayer 1 sigmoid\n",
    right="".join(f"input 2 as x{i}\n" for i in range(101))
    + f"concat from {', '.join(f'x{i}' for i in range(101))}\nlayer 1 sigmoid\n",
    severity="warning",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything that is known when all statements have been read without an error."""

    tree: Tree
    drafts: Sequence[Draft]
    outputs: Sequence[Draft]
    losses: Sequence[LossDraft]
    settings: Settings
    params: Mapping[str, Fraction]
    requirements: Sequence[Requirement]


def check_sizes(drafts: Iterable[Draft], solver: Solver, found: Located) -> list[Requirement]:
    """That no size is certain to be below 1. What depends on open sizes comes back as requirements."""
    needed: dict[tuple[Size, str, Size], Requirement] = {}

    def need(left: Size, relation: str, right: Size, span: Span) -> None:
        left, right = balanced(left, right, relation)
        needed.setdefault((left, relation, right), Requirement(left, relation, right, span))

    longest: tuple[int, Draft] | None = None
    for draft in drafts:
        if draft.units is None or (isinstance(draft.units, int) and draft.units >= 1):
            continue
        with found.at(draft.within):
            units = _resolved(draft, solver, found)
        if units is None or isinstance(units, int):
            continue
        if len(units) > (longest[0] if longest is not None else LONG_SIZE):
            longest = len(units), draft
        if not at_least(units, 1):
            need(units, ">=", 1, draft.span)
        for left, right in _exact_quotients(units):
            need(left, "==", right, draft.span)
    for name, binding in solver.bindings.items():
        size = solver.resolve(binding.size)
        span = binding.equation.span
        if at_least(0, size):
            message = f"{name} would have to be {size}, and a size is at least 1"
            with found.at(binding.equation.within):
                found.add(SIZE_BELOW_ONE.at(span, message, help=f"{name} follows from {binding.equation.reason}"))
        elif isinstance(size, Polynomial) and span is not None and not at_least(size, 1):
            need(size, ">=", 1, span)
    for equation, left, right in solver.leftovers():
        if equation.span is not None:
            need(left, "==", right, equation.span)
    if longest is not None:
        found.add(_long(*longest, solver))
    return list(needed.values())


def check_amount(parameters: Mapping[str, Parameter], found: Diagnostics) -> None:
    """Refuse a network that could not be stored, before anything is allocated."""
    count = 0
    largest: tuple[int, Parameter] | None = None
    for parameter in parameters.values():
        rows, columns = parameter.shape
        amount = _at_one(rows) * _at_one(columns)
        count += amount
        if largest is None or amount > largest[0]:
            largest = (amount, parameter)
    if largest is None or 4 * count < MAX_BYTES:
        return
    parameter = largest[1]
    shape = f"({parameter.shape[0]}, {parameter.shape[1]})"
    open_sizes = sorted({name for p in parameters.values() for s in p.shape for name in symbols(s)})
    notes = [f"the largest is {parameter.name} of shape {shape}: {_bytes(4 * largest[0])}"]
    if open_sizes:
        notes.append(f"sizes that are still open are taken as 1: {', '.join(open_sizes[:5])}")
    found.add(
        NETWORK_TOO_LARGE.at(
            parameter.span,
            f"the parameters alone need at least {_bytes(4 * count)} in float32: {count:,} numbers",
            notes=notes,
            help="make this layer smaller",
        )
    )


def finish(checked: Checked, making: Making) -> Architecture:
    """The Architecture of a program without errors."""
    nodes: dict[str, Node] = {}
    aliases: dict[str, str] = {}
    requirements = tuple(_resolved_requirement(r, making.solver) for r in checked.requirements)
    making.equal = equalities(requirements)
    for draft in checked.drafts:
        detail = draft.kind.detail(draft, making)
        nodes[draft.name] = Node(
            draft.name,
            draft.kind,
            tuple(source.name for source in draft.inputs),
            making.size(draft.units),
            draft.kind.value_name(draft),
            detail,
            draft.span,
            draft.within,
        )
        if draft.alias == draft.name and isinstance(detail, LayerDetail):
            aliases[draft.name] = str(detail.l)
    solver, tree = making.solver, checked.tree
    solved = {name: solver.resolve(binding.size) for name, binding in solver.bindings.items()}
    return Architecture(
        source=tree.source,
        sources=(tree.source, *dict.fromkeys(tree.imports.values())),
        nodes=nodes,
        inputs=tuple(d.name for d in checked.drafts if d.kind.name == "input"),
        outputs=tuple(d.name for d in checked.outputs),
        parameters=making.parameters,
        losses=loss_uses(checked.losses),
        settings=checked.settings,
        params=checked.params,
        symbols=_open_symbols(nodes, requirements),
        requirements=requirements,
        aliases=aliases,
        solved=solved,
        imports=tree.imports,
        statistics=making.statistics,
    )


def too_many_nodes(count: int, most: int, largest: Statement) -> Diagnostic:
    """`largest` is the statement that makes most of the nodes, of which not all may have been counted."""
    notes = []
    if isinstance(largest, RepeatStatement):
        span, what = largest.head, f"this `repeat` makes {most:,} of them, or more"
    else:
        span, what = largest.span, f"this use makes {most:,} of them, or more"
    if most > 1:
        notes = [what, "a copy of a body counts as one node at least, and copies inside copies multiply"]
    message = f"the program has {count:,} nodes or more, and fewer than {MAX_NODES:,} are allowed"
    return NETWORK_TOO_LARGE.at(span, message, notes=notes, help="make it smaller")


# ---------------------------------------------------------------- parts


def _resolved(draft: Draft, solver: Solver, found: Diagnostics) -> Size | None:
    """The units as they are known now; None after a diagnostic."""
    assert draft.units is not None
    try:
        units = solver.resolve(draft.units)
    except InexactError as error:
        found.add(_below_one(draft, solver, f"the size of this node is not a whole number: {error}"))
        return None
    except SizeError as error:
        found.add(TOO_LARGE.at(draft.span, f"the size of this node is too large: {error}", help="make it smaller"))
        return None
    if at_least(0, units):
        found.add(_below_one(draft, solver, f"a size is at least 1, and {draft.size_name()} is {units}"))
        return None
    return units


def _below_one(draft: Draft, solver: Solver, message: str) -> Diagnostic:
    assert draft.units is not None
    labels = trail_labels(solver, [draft.units])
    span = draft.origin.span if draft.origin is not None else draft.span
    try:
        labels.insert(0, Label(span, describe(draft.units, draft.origin, solver)))
    except SizeError:
        labels.insert(0, Label(span, "this size"))
    notes = [f"{name} = {value}, because {why.reason}" for name, value, why in solver.trail(draft.units)]
    notes.extend(param_notes([draft.origin], solver, [draft.units]))
    return SIZE_BELOW_ONE.at(span, message, labels=labels, notes=notes, help="change the formula, or what it uses")


def _long(terms: int, draft: Draft, solver: Solver) -> Diagnostic:
    assert draft.units is not None
    size = solver.resolve(draft.units)
    first, *_ = sorted(symbols(size) - {"m"})
    return LONG_FORMULA.at(
        draft.span,
        f"the size of this node is a formula of {terms:,} terms, and so is every size that follows from it",
        labels=list(use_labels(draft.within)),
        notes=[f"{draft.size_name()} = {str(size)[:40].rstrip()} …"],
        help=f"give sizes to the inputs that have none, or bind them: `-D '{first}=64'`",
    )


def _exact_quotients(size: Size) -> Iterable[tuple[Size, Size]]:
    """For every `a / b` in it, the two sides of b*(a // b) == a."""
    for atom in atoms(size):
        if atom.operator == "/":
            yield multiply(atom.right, floor_divide(atom.left, atom.right)), atom.left


def _resolved_requirement(requirement: Requirement, solver: Solver) -> Requirement:
    left, right = solver.resolve(requirement.left), solver.resolve(requirement.right)
    left, right = balanced(left, right, requirement.relation)
    return Requirement(left, requirement.relation, right, requirement.span)


def _open_symbols(nodes: Mapping[str, Node], requirements: Iterable[Requirement]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    sizes = [node.units for node in nodes.values() if not isinstance(node.units, int)]
    sizes.extend(size for r in requirements for size in (r.left, r.right) if not isinstance(size, int))
    for size in sizes:
        found.update(dict.fromkeys(sorted(symbols(size))))
    found.pop("m", None)
    return tuple(found)


def _at_one(size: Size) -> int:
    """The size when every open symbol is 1."""
    if isinstance(size, int):
        return size
    try:
        return max(1, evaluate(size, dict.fromkeys(symbols(size), 1)))
    except InexactError:
        return 1
    except SizeError:
        return LIMIT


def _bytes(amount: int) -> str:
    """`1.5 TiB`."""
    names = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
    step = 0
    while step < len(names) - 1 and amount >= 1024 ** (step + 1):
        step += 1
    value = amount / 1024**step
    return f"{value:,.0f} {names[step]}" if value >= 100 or step == 0 else f"{value:.3g} {names[step]}"
