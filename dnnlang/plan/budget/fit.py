"""The pass for a memory budget: the cheapest recomputation with which the plan fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dnnlang.diagnostics import Diagnostic, rule
from dnnlang.errors import UsageError
from dnnlang.plan.alias import write_in_place
from dnnlang.plan.budget.chain import Chain, Solved, least_room, operations
from dnnlang.plan.budget.emit import emit
from dnnlang.plan.budget.evict import Candidate, candidates
from dnnlang.plan.budget.stages import Measure, Sections, cut, most_alive
from dnnlang.plan.budget.steps import sizes_of, total_work
from dnnlang.plan.budget.undo import kept_again
from dnnlang.plan.dead import drop_dead_code
from dnnlang.plan.ir import Plan, Purpose
from dnnlang.plan.memory import Bytes, memory
from dnnlang.plan.slots import assign_slots
from dnnlang.sizes import Maximum, evaluate

MOST_EXACT: Final = 42
"""Stages up to which schedules are exact in bytes: those of 20 layers, each in two."""
TRIES: Final = 8
"""How often a lower budget is tried, because slots take more room than what is alive in them."""

PURPOSES: Final = {Purpose.GRADIENTS: "gradients", Purpose.STEP: "a step"}

TOO_SMALL = rule(
    "DNN877",
    "budget-too-small",
    "A plan cannot be made for the memory budget.",
    why="Parameters, gradients and the optimizer's state are there all the time, and a step needs its operands and "
    "its result at once. The rest can be computed again instead of being kept, but no further.",
    wrong="dnnc compile lesson.dnn --batch 64 --memory-budget 1kB",
    right="dnnc compile lesson.dnn --batch 64 --memory-budget 3MiB",
    program=False,
)


def fit_budget(plan: Plan) -> Plan:
    """The plan, with forward values computed again in the backward part where it would not fit the budget otherwise.

    A chain gets the schedule with the least work of all persistent ones; where stages keep several values, and in other
    graphs, the heuristic of evict.py may find a better one or the only one. Raises UsageError if none fits.
    """
    budget = plan.options.memory_budget
    if budget is None or peak(plan) <= budget:
        return plan
    search = _Search(plan)
    room = budget - search.persistent
    for _ in range(TRIES):
        found = search.best(room)
        if found is None:
            break
        taken = peak(found)
        if taken <= budget:
            return drop_dead_code(found)
        room = min(room, most_alive(write_in_place(found), plan)) - (taken - budget)
    smallest = search.smallest()
    least = peak(smallest)
    if least <= budget:
        return drop_dead_code(smallest)
    raise UsageError(_too_small(plan, budget, least))


def peak(plan: Plan) -> int:
    """Bytes of all that is persistent and of the arena, for the sizes that the budget is for."""
    placed = assign_slots(write_in_place(plan))
    return _number(memory(placed, plan.options.item_bytes).peak, plan)


def _number(size: Bytes, plan: Plan) -> int:
    sizes = sizes_of(plan)
    return size.evaluate(sizes) if isinstance(size, Maximum) else evaluate(size, sizes)


def _too_small(plan: Plan, budget: int, least: int) -> Diagnostic:
    batch = plan.options.batch
    message = f"the plan for {PURPOSES[plan.purpose]} cannot do with {budget:,} bytes at a batch of {batch:,}"
    return TOO_SMALL.at(
        None, message, help=f"the least that was found possible is {least:,} bytes; or take a smaller batch"
    )


class _Search:
    """Looks for plans, as the passes before leave it and without the recomputation that they decided on."""

    def __init__(self, plan: Plan) -> None:
        starts = [plan, *(kept_again(plan, all_of_it=everything) for everything in (False, True))]
        self._bases = [_Base(start) for start in dict.fromkeys(starts)]
        self._plan = plan
        self.persistent = _number(memory(plan, plan.options.item_bytes).persistent, plan)

    def best(self, room: int) -> Plan | None:
        """The plan with the least work that has `room` bytes in slots at most."""
        return min((made for base in self._bases for made in base.fitting(room)), key=total_work, default=None)

    def smallest(self) -> Plan:
        """The plan with the fewest bytes."""
        return min([self._plan, *(made for base in self._bases for made in base.smallest())], key=peak)


class _Base:
    """A plan as a chain, and what can be made of it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sections: Sections = cut(plan)
        self._chain: Chain = Measure(plan, self._sections).chain()
        self._least = least_room(self._chain)
        self._found: list[Candidate] | None = None
        # Is there a stage of which a part may be kept?
        self._wide = any(sum(v is not s.input for v in s.saved) > 1 for s in self._sections.sections)

    def fitting(self, room: int) -> Iterator[Plan]:
        if self._least <= room:
            yield self._scheduled(room)
        those = [c for c in self._others() if c.bytes <= room]
        if those:
            yield min(those, key=lambda c: (c.work, c.bytes)).plan

    def smallest(self) -> Iterator[Plan]:
        yield self._scheduled(self._least)
        if self._others():
            yield min(self._others(), key=lambda c: (c.bytes, c.work)).plan

    def _others(self) -> list[Candidate]:
        """What the heuristic makes of the plan, if a chain does not say all about it."""
        if self._found is None:
            self._found = candidates(self._plan) if self._wide else []
        return self._found

    def _scheduled(self, room: int) -> Plan:
        """By the cheapest schedule of the chain."""
        from dnnlang.plan.budget.exact import Exact  # here, as both load NumPy, which a plan without a budget needs not
        from dnnlang.plan.budget.rounded import UNITS, Rounded, in_units

        if len(self._chain) > MOST_EXACT:
            unit = max(1, -(-room // UNITS))
            rounded, units = in_units(self._chain, unit), room // unit
            solved: Solved = Rounded(rounded, units)
            if solved.work(0, len(rounded) - 1, units) is not None:
                return emit(self._plan, self._sections, operations(rounded, solved, units))
        return emit(self._plan, self._sections, operations(self._chain, Exact(self._chain, room), room))
