"""How many threads take the next steps, and how many steps: by what the steps before took."""

from __future__ import annotations

from dnnlang.backends.native.pace import FEW, LONG, SHORT, Pace


def ran(pace: Pace, seconds: dict[int, float], calls: int) -> list[int]:
    """The threads of so many calls, on a machine where a step takes `seconds[threads]`."""
    taken = []
    for _ in range(calls):
        threads, steps = pace.next()
        pace.note(threads, steps, steps * seconds[threads])
        taken.append(threads)
    return taken


def test_one_choice_is_no_choice() -> None:
    pace = Pace((1,))
    assert ran(pace, {1: 1e-4}, 5) == [1] * 5
    assert pace.next() == (1, round(LONG / 1e-4))


def test_the_faster_one_is_found() -> None:
    assert ran(Pace((2, 1)), {2: 3e-3, 1: 5e-3}, 8) == [2, 2, 1, 1, 2, 2, 2, 2]
    assert ran(Pace((2, 1)), {2: 9e-3, 1: 5e-3}, 5) == [2, 2, 1, 1, 1]


def test_a_short_try_is_repeated() -> None:
    """A few quick steps say little: threads may have had to wake up."""
    pace = Pace((2, 1))
    pace.note(2, FEW, FEW * 1e-5)
    assert pace.next() == (2, round(SHORT / 1e-5))


def test_long_steps_are_not_taken_together() -> None:
    """Nobody can interrupt a call."""
    pace = Pace((2, 1))
    for _ in range(10):
        threads, steps = pace.next()
        assert steps * 0.3 <= max(LONG, 0.3)
        pace.note(threads, steps, steps * 0.3 / threads)


def test_it_goes_over_when_the_machine_changes() -> None:
    pace = Pace((2, 1))
    near, far = {2: 6e-3, 1: 9e-3}, {2: 18e-3, 1: 9e-3}
    assert ran(pace, near, 10)[4:] == [2] * 6
    assert ran(pace, far, 4) == [2, 2, 1, 1]
    assert 2 in ran(pace, near, 3)
    assert ran(pace, near, 5) == [2] * 5


def test_one_disturbance_does_not_count() -> None:
    """Another program needs a processor for some milliseconds."""
    pace = Pace((2, 1))
    alone = {2: 6e-3, 1: 9e-3}
    ran(pace, alone, 10)
    assert ran(pace, {2: 18e-3}, 1) == [2]
    assert ran(pace, alone, 5) == [2] * 5


def test_what_is_slow_costs_little() -> None:
    pace = Pace((2, 1))
    spent = {1: 0.0, 2: 0.0}
    for _ in range(200):
        threads, steps = pace.next()
        pace.note(threads, steps, steps * 1e-4 * threads)
        spent[threads] += steps * 1e-4 * threads
    assert spent[2] < 0.07 * spent[1]
