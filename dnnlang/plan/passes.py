"""How a plan is made: the passes, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dnnlang.collector import collector_paused
from dnnlang.errors import InternalError
from dnnlang.graph.architecture import Architecture
from dnnlang.plan.alias import write_in_place
from dnnlang.plan.budget.fit import fit_budget
from dnnlang.plan.copies import propagate_copies
from dnnlang.plan.dead import drop_dead_code
from dnnlang.plan.differentiate import differentiate
from dnnlang.plan.fuse import merge_steps
from dnnlang.plan.ir import Instruction, Options, Plan, Purpose
from dnnlang.plan.keep import keep
from dnnlang.plan.lower import lower
from dnnlang.plan.order import order_instructions
from dnnlang.plan.simplify import simplify
from dnnlang.plan.slots import assign_slots, own_slots
from dnnlang.plan.update import update
from dnnlang.plan.verify import verify
from dnnlang.plan.zero_sums import drop_zero_sums

DEFAULTS = Options()
ALL = frozenset(Purpose)
TRAINED = frozenset((Purpose.GRADIENTS, Purpose.STEP))


@dataclass(frozen=True, slots=True)
class Pass:
    """One step from plan to plan: the levels and the purposes that it is for."""

    name: str
    run: Callable[[Plan], Plan]
    levels: range
    purposes: frozenset[Purpose] = ALL


PASSES = (
    Pass("lower", lower, range(3)),
    Pass("simplify", simplify, range(1, 3)),
    Pass("differentiate", differentiate, range(3), TRAINED),
    Pass("zero sums", drop_zero_sums, range(1, 3), TRAINED),
    Pass("update", update, range(3), frozenset((Purpose.STEP,))),
    # After differentiation, so that forward and backward copies go by the same rule and keep the lesson's names.
    Pass("copies", propagate_copies, range(1, 3)),
    Pass("keep", keep, range(1, 3), TRAINED),
    Pass("dead code", drop_dead_code, range(1, 3)),
    Pass("fuse", merge_steps, range(2, 3)),
    Pass("order", order_instructions, range(1, 3)),
    # Behind all that changes steps and their order, so that what is measured is what the plan will need.
    Pass("budget", fit_budget, range(1, 3), TRAINED),
    Pass("own slots", own_slots, range(1)),
    Pass("alias", write_in_place, range(1, 3)),
    Pass("slots", assign_slots, range(1, 3)),
)


@collector_paused()
def make_plan(
    architecture: Architecture,
    purpose: Purpose,
    *,
    level: int,
    training: bool,
    after: str | None = None,
    options: Options = DEFAULTS,
) -> Plan:
    """Runs the passes for one purpose, the verifier after each. `after` stops behind the pass of that name.

    Raises InternalError where the verifier finds a plan wrong; the program is not to blame for that.
    """
    plan = Plan(architecture, purpose, training, level, (), (), (), {}, {}, {}, {}, {}, None, {}, options=options)
    known: set[Instruction] = set()
    for each in PASSES:
        if level not in each.levels or purpose not in each.purposes:
            continue
        made = each.run(plan)
        changed = made is not plan
        plan = replace(made, passes=(*plan.passes, each.name))
        if changed:
            _check(plan, each.name, known)
        if each.name == after:
            break
    return plan


def _check(plan: Plan, name: str, known: set[Instruction]) -> None:
    faults = verify(plan, known)
    if faults:
        raise InternalError(f"the plan is wrong after the pass `{name}`: {faults[0]}")
