"""What stands between the engine and the operations on items: throttling, and the counting of keys.

Invariant: where a region does not throttle and Contributor Insights are off, nothing stands there, and an operation is
run as it is. Of the two, throttling is the outer one: what is refused is not counted as an access.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from region.model.table import Table
from region.operation.context import RegionSettings
from region.operation.key_counts import KeyCounts
from region.operation.registry import Operation, Run
from region.operation.throttled import Gate

Guard = Callable[[Operation], Run]


class Guards:
    """The guards of one region."""

    def __init__(self, settings: RegionSettings) -> None:
        self.counts = KeyCounts(settings.insights)
        self._gate = Gate(settings.region, self.counts.refused) if settings.throttling else None

    def follow(self, tables: Iterable[Table]) -> Guard | None:
        """Return what gives what to run in place of an operation, for the tables as they are now; ``None``: itself."""
        self.counts.follow(tables)
        if not self.counts.on:
            return None if self._gate is None else self._gate.guard
        if self._gate is None:
            return self.counts.guard
        gate, counts = self._gate, self.counts
        return lambda operation: gate.guard(operation._replace(run=counts.guard(operation)))
