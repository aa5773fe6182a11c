"""What several rounds of one measurement say together. Pure arithmetic."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of the rounds, and how far they lie apart."""

    median: float
    low: float
    high: float

    def show(self, digits: int = 2) -> str:
        """The median, then the range in brackets."""
        values = (round(value, digits) + 0.0 for value in (self.median, self.low, self.high))
        shown = (f"{value:,.{digits}f}" for value in values)
        return "{} ({}–{})".format(*shown)  # noqa: RUF001 - an en dash between two numbers


def summarize(values: Sequence[float]) -> Spread:
    """Median, least and most."""
    return Spread(statistics.median(values), min(values), max(values))


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Round by round: a pair is measured within seconds, so that drift of the machine cancels."""
    return summarize([a / b for a, b in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
