"""Periods and the time that a request asks for, as CloudWatch aligns them.

Source: AWS CloudWatch API reference, "GetMetricData", "GetMetricStatistics" (Period, StartTime, EndTime).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from atoll.monitoring.errors import InvalidParameterCombinationError, InvalidParameterValueError
from atoll.monitoring.series import MINUTE_S

SHORT_S: Final = (1, 5, 10, 20, 30)


class Span(NamedTuple):
    """From a time up to, and without, another, in seconds since 1970, in whole periods from the first."""

    start_s: int
    end_s: float
    period_s: int

    @property
    def periods(self) -> int:
        """How many periods begin within."""
        return max(0, -int((self.start_s - self.end_s) // self.period_s))

    def times(self) -> range:
        """Return when each period begins."""
        return range(self.start_s, self.start_s + self.periods * self.period_s, self.period_s)


def check_period(period_s: int, name: str) -> None:
    """Refuse a period that CloudWatch has not.

    Raises:
        InvalidParameterValueError: it is neither short nor a multiple of a minute.
    """
    if period_s not in SHORT_S and period_s % MINUTE_S:
        raise InvalidParameterValueError(
            f"The parameter {name} must be a value in the set [1, 5, 10, 20, 30] or a multiple of 60."
        )


def check_order(start_s: float, end_s: float) -> None:
    """Refuse a time that ends before it begins.

    Raises:
        InvalidParameterCombinationError: it does.
    """
    if start_s >= end_s:
        raise InvalidParameterCombinationError("The parameter StartTime must be less than the parameter EndTime.")


def from_start(start_s: float, end_s: float, period_s: int) -> Span:
    """Return periods that begin at the start, cut down to a whole minute or short period (GetMetricStatistics)."""
    step_s = min(period_s, MINUTE_S)
    return Span(int(start_s // step_s) * step_s, end_s, period_s)


def by_clock(start_s: float, end_s: float, period_s: int) -> Span:
    """Return periods that begin at multiples of the period, the first of them at or before the start."""
    return Span(int(start_s // period_s) * period_s, end_s, period_s)
