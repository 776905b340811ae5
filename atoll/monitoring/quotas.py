"""Metrics that are settings: provisioned capacity of tables and indexes, and the account's quotas and their use.

Source: AWS developer guide, "DynamoDB metrics and dimensions"; the quotas are those that ``DescribeLimits`` answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from atoll.monitoring.series import Metric, Point
from region.engine import Engine
from region.operation.capacity.throttling import READ, WRITE, limits_of
from region.operation.capacity.throughput import ACCOUNT_UNITS_MAX, TABLE_UNITS_MAX

_QUOTAS: Final = (
    ("AccountMaxReads", ACCOUNT_UNITS_MAX),
    ("AccountMaxWrites", ACCOUNT_UNITS_MAX),
    ("AccountMaxTableLevelReads", TABLE_UNITS_MAX),
    ("AccountMaxTableLevelWrites", TABLE_UNITS_MAX),
)


def quotas(engine: Engine) -> Iterator[tuple[Metric, Point]]:
    """Yield what is provisioned in a region at this moment."""
    for name, units in _QUOTAS:
        yield Metric(name), Point.of(units)
    sums = {READ: 0.0, WRITE: 0.0}
    most = {READ: 0.0, WRITE: 0.0}
    for table in engine.catalogue.by_name.values():
        own = ("TableName", table.name)
        for (index, kind), limit in limits_of(table, engine.settings.region).items():
            dimensions = (own,) if index is None else (("GlobalSecondaryIndexName", index), own)
            if limit.maximum:
                yield Metric(f"OnDemandMax{kind}RequestUnits", dimensions), Point.of(limit.units)
                continue
            yield Metric(f"Provisioned{kind}CapacityUnits", dimensions), Point.of(limit.units)
            sums[kind] += limit.units
            most[kind] = max(most[kind], limit.units)
    for kind in (READ, WRITE):
        used = 100 * sums[kind] / ACCOUNT_UNITS_MAX
        largest = 100 * most[kind] / TABLE_UNITS_MAX
        yield Metric(f"AccountProvisioned{kind}CapacityUtilization"), Point.of(used)
        yield Metric(f"MaxProvisionedTable{kind}CapacityUtilization"), Point.of(largest)
