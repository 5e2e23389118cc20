"""What each pass does to the plan of a program, for the page that walks through them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import dnnlang
from dnnlang.errors import InternalError
from dnnlang.plan.after import pass_called, purpose_of
from dnnlang.plan.ir import IN_SLOTS, Plan, Purpose
from dnnlang.plan.listing import Row
from dnnlang.plan.memory import ITEM_BYTES, Bytes, cached_values, elements, memory
from dnnlang.plan.passes import PASSES, Pass, make_plan
from dnnlang.plan.text import format_bytes, listing
from tools.reference.facts import block, code, table

NUMBER: Final = "at m = 64"
MOST_ROWS: Final = 60


def pass_change(text: str, level: int, name: str) -> str:
    """The steps that a pass took away (-) and put in (+), and what that did to steps and bytes."""
    before, after = _around(text, level, name)
    changed = _difference(_rows(before), _rows(after))
    if not changed:
        raise InternalError(f"the pass `{name}` changes nothing of this program at -O{level}")
    return block("\n".join(changed), "diff") + "\n" + _saved(before, after)


def pass_table(text: str, level: int) -> str:
    """All passes of a level: steps, and bytes from forward to backward and in all, behind each of them."""
    rows = []
    for each in PASSES:
        if level not in each.levels or Purpose.GRADIENTS not in each.purposes:
            continue
        plan = _plan(text, level, each)
        room = f"{format_bytes(_room(plan))}" if plan.instructions else ""
        rows.append((code(each.name), str(len(plan.instructions)), format_bytes(_kept(plan)), room))
    return table(("after", "steps", "bytes kept for backward", "bytes of all values"), rows)


def plan_text(text: str, level: int, purpose: str = "gradients") -> str:
    """The instructions and the lines about memory, without the table of layers."""
    _, _, rest = str(dnnlang.compile(text, optimize=level).listing(purpose)).partition("\n\nforward\n")
    return block(f"forward\n{rest}", "text")


def level_table(text: str) -> str:
    """The three levels side by side."""
    rows = []
    for level in (0, 1, 2):
        program = dnnlang.compile(text, optimize=level)
        plan, needs = program.plan(), program.memory()
        rows.append(
            (
                f"`-O{level}`",
                str(len(plan.instructions)),
                format_bytes(_kept(plan)),
                format_bytes(needs.slots),
                format_bytes(needs.at(1000).peak),
            )
        )
    head = ("level", "steps", "bytes kept for backward", "bytes in slots", "peak for m = 1,000, with W, b, dW, db")
    return table(head, rows)


# ---------------------------------------------------------------- plans


def _around(text: str, level: int, name: str) -> tuple[Plan, Plan]:
    """The plan before a pass, and the one after it."""
    chosen = pass_called(name, level)
    purpose = purpose_of(chosen, Purpose.GRADIENTS)
    there = [each for each in PASSES if level in each.levels and purpose in each.purposes]
    at = there.index(chosen)
    after = _plan(text, level, chosen)
    if at > 0:
        return _plan(text, level, there[at - 1], purpose), after
    return Plan(after.architecture, purpose, True, level, (), (), (), {}, {}, {}, {}, {}, None, {}), after


def _plan(text: str, level: int, each: Pass, purpose: Purpose | None = None) -> Plan:
    architecture = dnnlang.compile(text, optimize=level).architecture
    wanted = purpose_of(each, Purpose.GRADIENTS) if purpose is None else purpose
    return make_plan(architecture, wanted, level=level, training=True, after=each.name)


def _kept(plan: Plan) -> Bytes:
    """Bytes that the forward part leaves for the backward part."""
    return ITEM_BYTES * elements(cached_values(plan))


def _room(plan: Plan) -> Bytes:
    """Bytes in slots; before there are any, with a place for each value that does not take that of another."""
    if plan.slots:
        return memory(plan).slots
    written = [v for i in plan.instructions for v in i.outputs if v.role in IN_SLOTS]
    return ITEM_BYTES * elements(v for v in written if v not in plan.aliases)


# ---------------------------------------------------------------- what changed


def _rows(plan: Plan) -> list[str]:
    """The steps as they are printed, without labels, which change with every step that goes."""
    rows = [row for _, rows in listing(plan).sections for row in rows]
    width = max((len(row.formula) for row in rows), default=0)
    return [_row(row, width) for row in rows]


def _row(row: Row, width: int) -> str:
    return f"{row.formula:{width}}   {row.place}".rstrip()


def _difference(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The lines that differ. Widths do not count."""
    a, b = (["   ".join(line.split()) for line in lines] for lines in (before, after))
    changed: list[str] = []
    for tag, first, last, start, end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            changed += [f"- {line}" for line in before[first:last]]
            changed += [f"+ {line}" for line in after[start:end]]
    return changed


def _saved(before: Plan, after: Plan) -> str:
    """`30 steps → 25; kept for backward 120 m bytes → 60 m`."""
    parts = [_became(str(len(before.instructions)), str(len(after.instructions)), "steps")]
    if before.backward or after.backward:
        parts.append(_became(format_bytes(_kept(before)), format_bytes(_kept(after)), "bytes kept for backward"))
    parts.append(_became(format_bytes(_room(before)), format_bytes(_room(after)), "bytes of all values"))
    return "*" + "; ".join(parts) + "*\n"


def _became(before: str, after: str, what: str) -> str:
    return f"{after} {what}" if before == after else f"{before} → {after} {what}"
