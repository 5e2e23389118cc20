"""Near-optimal schedules of long chains: the same dynamic programme as in exact.py, on a table of rooms.

All sizes are rounded up to a thousandth of the budget, so what comes out fits.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from dnnlang.plan.budget.chain import Chain, Parts, Run, Stage

UNITS: Final = 1000
Table = npt.NDArray[np.float64]


class Rounded:
    """The cheapest schedules of `chain`, whose sizes are multiples of a unit, in up to `units` units.

    `_up[first]` has a row for each last, from `first` on, and `_down[last]` one for each first, the last of all at the
    top; a row has the work for each number of units. The same numbers twice, so that each sum is over two blocks.
    """

    def __init__(self, chain: Chain, units: int = UNITS) -> None:
        n = len(chain)
        parts = Parts(chain)
        self._up: list[Table] = [np.empty((n - first, units + 1)) for first in range(n)]
        self._down: list[Table] = [np.empty((last + 1, units + 1)) for last in range(n)]
        sums = np.empty((n, units + 1))
        for last in range(n):
            for first in range(last, -1, -1):
                row = self._row(chain, parts, first, last, sums)
                self._up[first][last - first] = row
                self._down[last][first] = row

    def work(self, first: int, last: int, room: int) -> int | None:
        if room < 0:
            return None
        work = self._up[first][last - first][min(room, self._up[first].shape[1] - 1)]
        return int(work) if np.isfinite(work) else None

    def _row(self, chain: Chain, parts: Parts, first: int, last: int, sums: Table) -> npt.NDArray[np.float64]:
        of = parts.part(first, last)
        stage = chain[first]
        row = np.full(sums.shape[1], np.inf)
        if of.least < len(row):
            saved = stage.saved
            above = 0 if first == last else self._down[last][first + 1][of.least - saved : len(row) - saved]
            row[of.least :] = of.save_work + above
        splits = of.splits(len(row) - 1, last - first)
        if splits and stage.input < len(row):
            block = sums[:splits]
            block[:, : stage.input] = np.inf
            above = self._down[last][first + 1 : first + 1 + splits, : len(row) - stage.input]
            below = self._up[first][:splits, stage.input :]
            np.add(above, below, out=block[:, stage.input :])
            if of.works[splits - 1]:
                block += np.array(of.works[:splits], float)[:, None]
            for split in range(splits):
                block[split, : of.gradient + of.rooms[split]] = np.inf
            np.minimum(row, block.min(axis=0), out=row)
        return row


def in_units(chain: Chain, unit: int) -> list[Stage]:
    """The chain with its sizes in units, rounded up."""

    def up(size: int) -> int:
        return -(-size // unit)

    def run(of: Run) -> Run:
        return Run(up(of.passing), up(of.keeping), up(of.saving), up(of.inner))

    return [
        Stage(
            up(s.input),
            up(s.saved),
            up(s.gradient),
            up(s.backward),
            (run(s.runs[0]), run(s.runs[1])),
            s.work,
            s.saving_work,
            s.inner_work,
        )
        for s in chain
    ]
