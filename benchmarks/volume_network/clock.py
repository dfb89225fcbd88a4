"""Error curves of runs against iterations and CPU seconds, and what they say of the way to a given error."""

import statistics
import time
from copy import copy
from typing import Self

from torch import Tensor

LIMITS = (1e-3, 1e-5, 2e-6)


class Clock:
    """The lowest chi square so far of the starts of one pattern, with iterations and CPU seconds of each start.

    Rows are numbers of Python: small tensors that stay, one a step, would each sit in the place of a freed array, which
    no other array fits any more, and the heap would grow by an array a step.
    """

    def __init__(self, starts: int) -> None:
        self.starts, self.began, self.before = starts, time.process_time(), 0
        self.rows: list[tuple[int, float, tuple[float, ...]]] = []

    def add(self, iteration: int, chi_square: Tensor) -> None:
        """One more row; iterations are counted from next_stage()."""
        lowest = tuple(chi_square.tolist())
        if self.rows:
            lowest = tuple(map(min, lowest, self.rows[-1][2]))
        seconds = (time.process_time() - self.began) / self.starts
        self.rows.append((self.before + iteration, seconds, lowest))

    def next_stage(self) -> None:
        """What follows goes on from here."""
        self.before = self.rows[-1][0] if self.rows else 0

    def until(self, iteration: int) -> Self:
        """The curve up to an iteration."""
        other = copy(self)
        other.rows = [row for row in self.rows if row[0] <= iteration]
        return other

    def reached(self, limit: float) -> list[tuple[int, float] | None]:
        """Iterations and seconds of each start to a chi square; None where it never gets there."""
        found: list[tuple[int, float] | None] = []
        for start in range(self.starts):
            times = ((step, seconds) for step, seconds, chi in self.rows if chi[start] <= limit)
            found.append(next(times, None))
        return found


def ways(clocks: list[Clock]) -> dict[str, dict[str, float | None]]:
    """For each limit: share of the runs that get there, and their median iterations and CPU seconds."""
    table = {}
    for limit in LIMITS:
        runs = [run for clock in clocks for run in clock.reached(limit)]
        there = [run for run in runs if run is not None]
        table[f"{limit:.0e}"] = {
            "share": len(there) / len(runs),
            "median_iterations": statistics.median(run[0] for run in there) if there else None,
            "median_seconds": statistics.median(run[1] for run in there) if there else None,
        }
    return table
