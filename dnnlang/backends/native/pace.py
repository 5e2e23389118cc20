"""How many threads are fastest just now, found out while training runs.

Two processors may be neighbours that share a cache, or far apart; another program may need one of them. Then one thread
can be faster than two, and this changes from second to second. Results do not depend on it: blocks are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

LONG: Final = 0.1
"""Seconds that a call of many steps takes: nobody can interrupt one."""
SHORT: Final = 0.005
"""Seconds of a try."""
FEW: Final = 3
"""Steps of a try, if they are not long: threads that had to wake up are slow in the first."""
AGAIN: Final = {False: 0.1, True: 5.0}
"""Seconds of training after which what was slower is tried again: several threads, and one, which changes less."""


@dataclass(slots=True)
class Pace:
    """What `threads` may be, the most likely first; seconds a step of each, the less of the last two measured.

    One alone does not count: another program may just then have needed a processor for some milliseconds.
    """

    threads: tuple[int, ...]
    seconds: dict[int, float] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)  # measured
    _since: dict[int, float] = field(default_factory=dict)  # seconds of training since it was measured well

    def next(self) -> tuple[int, int]:
        """How many threads take the next steps, and how many steps these are."""
        for T in self.threads:
            if T not in self._since or self._since[T] > AGAIN[T == 1]:
                return T, self._steps(T, SHORT)
        fastest = min(self.threads, key=self.seconds.__getitem__)
        return fastest, self._steps(fastest, LONG)

    def note(self, threads: int, steps: int, seconds: float) -> None:
        """So many steps on so many threads took so many seconds."""
        each = seconds / steps
        self.seconds[threads] = min(each, self._last.get(threads, each))
        self._last[threads] = each
        for T in self._since:
            self._since[T] += seconds
        if (steps >= FEW and seconds > SHORT / 2) or seconds > LONG / 2:
            self._since[threads] = 0.0

    def _steps(self, threads: int, seconds: float) -> int:
        """Steps that take about so many seconds; one to begin with."""
        known = self.seconds.get(threads)
        if known is None:
            return 1
        return max(1, round(max(seconds, min(FEW * known, LONG)) / max(known, 1e-9)))
