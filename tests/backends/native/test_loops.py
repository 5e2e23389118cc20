"""Loops over samples that become one: those that read the same, and need nothing of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

import dnnlang
from dnnlang.backends.native.loops import MOST_LOOPS, Loop, Overlaps, joined, may_join
from dnnlang.backends.native.operands import Operands
from dnnlang.backends.native.source import write
from dnnlang.plan.ir import Plan, Purpose, Slot
from dnnlang.primitives.values import Role, Value
from dnnlang.sizes import M


def value(name: str) -> Value:
    return Value(name, (1, M), Role.ACTIVATION)


Z, Y, A, B = map(value, "ZYAB")


def loop(reads: list[Value], writes: list[Value], before: tuple[str, ...] = ()) -> Loop:
    o = Operands()
    loaded = [o.read_from(v) for v in reads]
    stored = [o.write_to(v) for v in writes]
    return Loop((f"{stored[0]} = {' + '.join(loaded)};",), o, before)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return dnnlang.compile("input 3\nlayer 1 sigmoid").plan("step")


def with_slots(plan: Plan, on: tuple[int, ...] = ()) -> Overlaps:
    """Z in slot 0, A in slot 1, which stands on others or may overlap them."""
    return Overlaps(replace(plan, slots=(Slot(0, 1, True), Slot(1, 1, True, on)), places={Z: 0, A: 1}))


def test_loops_that_read_the_same_become_one(plan: Plan) -> None:
    anywhere = with_slots(plan, on=(0,))
    assert may_join([loop([Z, Y], [B])], loop([Z], [A]), anywhere)
    assert not may_join([loop([Y], [B])], loop([Z], [A]), anywhere)  # nothing in common
    assert not may_join([loop([Z], [B])], loop([Z, B], [A]), anywhere)  # needs what the other makes
    assert not may_join([loop([Z], [A])], loop([Z], [A]), anywhere)
    assert not may_join([], loop([Z], [A]), anywhere)


def test_what_is_written_must_not_lie_across_what_is_read(plan: Plan) -> None:
    """Behind the first loop A may lie where Z was, at another sample; in one loop Z of later samples is still read."""
    loops = [loop([Z, Y], [B])]
    assert may_join(loops, loop([Y], [A]), with_slots(plan, on=(0,)))
    assert not may_join(loops, loop([Y], [A]), with_slots(plan))


def test_sums_and_long_loops_stay_apart(plan: Plan) -> None:
    anywhere = with_slots(plan, on=(0,))
    summing = loop([Z], [A], before=("double total = 0;",))
    assert not may_join([loop([Z], [B], before=("double total = 0;",))], summing, anywhere)
    others = [loop([Z], [value(f"C{n}")]) for n in range(MOST_LOOPS)]
    assert may_join(others[1:], loop([Z], [A]), anywhere)
    assert not may_join(others, loop([Z], [A]), anywhere)


def test_operands_are_numbered_anew() -> None:
    lines, operands = joined([loop([Z, Y], [B]), loop([Y], [A])])
    assert operands.places == [Z, Y, B, A]
    assert operands.read == [Z, Y]
    assert operands.written == [B, A]
    body = "\n".join(lines)
    assert "o2 = o0 + o1;" in body
    assert "o3 = o1;" in body


def test_loss_and_output_activation_share_a_loop() -> None:
    """In a step; inference leaves out the loss where nobody asks for it."""
    program = dnnlang.compile("input 3\nlayer 1 sigmoid")
    functions = write(program.plan(Purpose.STEP), lanes=4, bits=32).source.functions
    assert any("vlogistic_loss(" in f and "vlogistic(" in f for f in functions)
    functions = write(program.plan(Purpose.INFERENCE), lanes=4, bits=32).source.functions
    assert any("vlogistic_loss(" in f for f in functions)
    assert not any("vlogistic_loss(" in f and "vlogistic(" in f for f in functions)
