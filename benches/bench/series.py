"""What several rounds of one measurement say: median, extremes, and ratios taken round by round.

Refuses to know what was measured.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Iterable, Sequence


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and the least and the greatest of them."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        if not values:
            raise ValueError("no round was measured")
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"not all of these are numbers: {values}")
        return Spread(statistics.median(values), min(values), max(values))


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The ratio of each round. Rounds belong together: what disturbed the machine during one of them
    disturbed both sides, and cancels out."""
    if len(above) != len(below):
        raise ValueError(f"{len(above)} rounds against {len(below)}")
    if any(value <= 0 for value in below):
        raise ValueError(f"nothing can be divided by these: {below}")
    return [a / b for a, b in zip(above, below)]


def least(series: Iterable[tuple[str, Sequence[float]]]) -> str:
    """The name of the series with the lowest median."""
    medians = [(Spread.of(values).median, name) for name, values in series]
    if not medians:
        raise ValueError("nothing to choose from")
    return min(medians)[1]
