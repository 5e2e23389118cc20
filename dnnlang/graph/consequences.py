"""One mistake, one error: what only repeats or follows from another mistake is taken out again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from dnnlang.diagnostics import Diagnostic, Fix, Label, Rule
from dnnlang.graph.definition_form import BAD_DEFINITION
from dnnlang.graph.definitions import UNKNOWN_FUNCTION
from dnnlang.graph.elaborate import UNKNOWN_KIND
from dnnlang.graph.formulas import UNKNOWN_NAME as UNKNOWN_NAME_IN_FORMULA
from dnnlang.graph.names import UNKNOWN_NAME
from dnnlang.graph.nodetable import UNKNOWN_NODE
from dnnlang.graph.params import OUTSIDE_DOMAIN
from dnnlang.graph.reader import SIZE_BELOW_ONE, WRONG_VALUE
from dnnlang.graph.tensors import UNKNOWN_TENSOR
from dnnlang.source import Span
from dnnlang.syntax.errors import UNFINISHED
from dnnlang.syntax.rules import MISFIT, names_in
from dnnlang.syntax.tree import DefineStatement, Name, NodeStatement, ParamStatement, Tree

REPEATED: Final[tuple[Rule, ...]] = (
    UNKNOWN_FUNCTION,
    UNKNOWN_KIND,
    UNKNOWN_NAME,
    UNKNOWN_NAME_IN_FORMULA,
    UNKNOWN_NODE,
    UNKNOWN_TENSOR,
)
"""What is said of a name that does not exist: once, wherever else it stands."""

NAMES: Final = (UNKNOWN_NAME, UNKNOWN_NODE, UNKNOWN_TENSOR)
"""What shares one namespace: a name that is missing there is missing everywhere."""

SHOWN: Final = 4
"""Further places that are pointed at."""


def without_consequences(found: list[Diagnostic], tree: Tree) -> None:
    """Take out of `found` what the reader would not correct by itself."""
    unknown = {d.span.start for d in found if d.rule is UNKNOWN_KIND and d.span is not None}
    meant: set[str] = set()
    for statement in tree.statements:
        if isinstance(statement, NodeStatement) and statement.kind.span.start in unknown:
            meant |= _perhaps_declared(statement)
    bodies = [s.span for s in tree.statements if isinstance(s, DefineStatement) and _has_no_body(s, found)]
    outside = {d.span for d in found if d.rule is OUTSIDE_DOMAIN}
    params = {s.name.id for s in tree.statements if isinstance(s, ParamStatement) and s.value.span in outside}
    kept = [d for d in found if not (_misses(d, meant) or _is_within(d, bodies) or _uses(d, params))]
    found[:] = _once(kept)


def _perhaps_declared(statement: NodeStatement) -> set[str]:
    """`parm rate = 0.1` and `dmi size` read as nodes: the names that they were to declare."""
    if statement.sources is not None or statement.alias is not None:
        return set()
    if not statement.operands:
        return {k.key.id for k in statement.keys}
    only = statement.operands[0]
    return {only.id} if len(statement.operands) == 1 and isinstance(only, Name) and not statement.keys else set()


def _has_no_body(statement: DefineStatement, found: Collection[Diagnostic]) -> bool:
    """Was it said that a body in braces does not belong to this definition at all?"""
    if statement.body is None:
        return False
    return any(d.rule is BAD_DEFINITION and d.span == statement.name.span for d in found)


def _is_within(diagnostic: Diagnostic, bodies: Collection[Span]) -> bool:
    """Is it a syntax error in one of these?"""
    span = diagnostic.span
    if span is None or diagnostic.rule not in (MISFIT, UNFINISHED):
        return False
    return any(body.source is span.source and body.start <= span.start < body.end for body in bodies)


def _uses(diagnostic: Diagnostic, params: Collection[str]) -> bool:
    """Is a value wrong that comes from a param whose default is wrong already?"""
    if diagnostic.span is None or diagnostic.rule not in (WRONG_VALUE, SIZE_BELOW_ONE):
        return False
    return not names_in(diagnostic.span.text).isdisjoint(params)


def _misses(diagnostic: Diagnostic, names: Collection[str]) -> bool:
    return diagnostic.rule in REPEATED and diagnostic.span is not None and diagnostic.span.text in names


def _once(found: list[Diagnostic]) -> list[Diagnostic]:
    """What is missed in several places is reported at the first, which points at the others and repairs all."""
    groups: dict[object, list[Diagnostic]] = {}
    for d in found:
        key: object = id(d)
        if d.rule in REPEATED and d.span is not None:
            key = (d.span.source.name, d.span.text) if d.rule in NAMES else (d.code, d.message)
        groups.setdefault(key, []).append(d)
    return [_together(group) if len(group) > 1 else group[0] for group in groups.values()]


def _together(group: list[Diagnostic]) -> Diagnostic:
    first, *others = sorted(group, key=lambda d: d.span.start if d.span is not None else 0)
    labels = [Label(d.span, "and here") for d in others[:SHOWN] if d.span is not None]
    more = len(others) - len(labels)
    notes = [f"and in {more:,} more place{'s' if more > 1 else ''}"] if more else []
    fix = first.fix
    if fix is not None:
        repairs = [d.fix for d in (first, *others)]
        edits = [edit for repair in repairs if repair is not None for edit in repair.edits]
        fix = Fix(fix.message, tuple(edits)) if None not in repairs else None
    return replace(first, labels=(*first.labels, *labels), notes=(*first.notes, *notes), fix=fix)
