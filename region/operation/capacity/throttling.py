"""Capacity as a limit: token buckets for tables and their global indexes, and the errors of an empty one.

What: a :class:`Bucket` fills with a table's units per second and holds at most what 300 seconds of them make, the
unused capacity that DynamoDB keeps for bursts. A request may begin while its bucket holds anything at all, and takes
what it turns out to cost, which may leave a debt: the size of what is read is known only once it has been read. So in
any span of time no more is consumed than the bucket held, what it was filled with, and one request.

Invariants: time comes from the caller, and a clock that goes back fills nothing and takes nothing away. A change of
capacity keeps what has been saved, up to what the new capacity can save. Local indexes share their table's buckets.

Hazards: buckets live in memory. After a restart every table has saved since it was created.

Source: AWS developer guide, "DynamoDB burst and adaptive capacity", "DynamoDB maximum throughput for on-demand tables",
"DynamoDB throttling diagnosis framework"; AWS API reference, "ThrottlingReason".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from region.errors import DynamoError, ThrottlingError, ThroughputExceededError
from region.model import settings
from region.model.table import Table
from region.operation.capacity import overrides
from region.operation.capacity.throughput import PROVISIONED

READ: Final = "Read"
WRITE: Final = "Write"
BURST_S: Final = 300

TABLE_EXCEEDED: Final = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning "
    "level with the UpdateTable API."
)
INDEX_EXCEEDED: Final = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was "
    "exceeded. Consider increasing your provisioning level for the under-provisioned global secondary indexes with the "
    "UpdateTable API"
)
MAXIMUM_EXCEEDED: Final = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"

Place = tuple[str | None, str]
"""What has a bucket of its own: an index by its name, or the table itself (``None``); :data:`READ` or :data:`WRITE`."""


class Limit(NamedTuple):
    """A capacity in units per second, and whether it is the maximum of an on-demand table."""

    units: float
    maximum: bool


def limits_of(table: Table, region: str) -> dict[Place, Limit]:
    """Return the capacities of a table's replica in ``region``; what has none is unlimited."""
    own = overrides.own(region, table)
    provisioned = table.setting(settings.BILLING)["BillingMode"] == PROVISIONED
    limits: dict[Place, Limit] = {}
    if provisioned:
        _add(limits, None, table.setting(settings.BILLING), own.get(overrides.READ))
    else:
        _add_maximum(limits, None, table.setting(settings.ON_DEMAND), own.get(overrides.ON_DEMAND_READ))
    for name, index in settings.family(table.registers, settings.INDEX).items():
        if provisioned:
            _add(limits, name, index.get("ProvisionedThroughput"), own.get(overrides.INDEX_READ + name))
        else:
            read = own.get(overrides.INDEX_ON_DEMAND_READ + name)
            _add_maximum(limits, name, index.get("OnDemandThroughput"), read)
    return limits


def _add(limits: dict[Place, Limit], name: str | None, value: Mapping[str, Any] | None, read: int | None) -> None:
    if value is not None and "ReadCapacityUnits" in value:
        limits[name, READ] = Limit(read or value["ReadCapacityUnits"], maximum=False)
        limits[name, WRITE] = Limit(value["WriteCapacityUnits"], maximum=False)


def _add_maximum(
    limits: dict[Place, Limit], name: str | None, value: Mapping[str, Any] | None, read: int | None
) -> None:
    units = {**(value or {}), **({} if read is None else {"MaxReadRequestUnits": read})}
    for kind in (READ, WRITE):
        maximum = units.get(f"Max{kind}RequestUnits")
        if maximum is not None and maximum > 0:
            limits[name, kind] = Limit(maximum, maximum=True)


class Bucket:
    """The units that one table or index has left, negative where the last request took more than there was.

    A new bucket holds what has been saved in ``saved_ms``, and at least one second's worth.
    """

    __slots__ = ("_filled_ms", "_left", "_rate")

    def __init__(self, units_per_s: float, now_ms: int, *, saved_ms: int = 0) -> None:
        self._rate = units_per_s
        self._filled_ms = now_ms
        self._left = units_per_s * min(max(saved_ms / 1000, 1), BURST_S)

    def left(self, now_ms: int) -> float:
        """Return the units that are left at ``now_ms``."""
        elapsed_ms = now_ms - self._filled_ms
        if elapsed_ms > 0:
            self._left = min(self._left + self._rate * elapsed_ms / 1000, self._rate * BURST_S)
            self._filled_ms = now_ms
        return self._left

    def take(self, units: float, now_ms: int) -> None:
        """Take units out, even more than there are."""
        self._left = self.left(now_ms) - units

    def change(self, units_per_s: float, now_ms: int) -> None:
        """Fill at another rate from now on."""
        self._left = min(self.left(now_ms), units_per_s * BURST_S)
        self._rate = units_per_s


class Meter:
    """The buckets of one table's replica."""

    def __init__(self, table: Table, region: str, now_ms: int) -> None:
        self.table = table
        self._region = region
        self._limits = limits_of(table, region)
        saved_ms = now_ms - table.local.created_ms
        self._buckets = {place: Bucket(limit.units, now_ms, saved_ms=saved_ms) for place, limit in self._limits.items()}

    def follow(self, table: Table, now_ms: int) -> None:
        """Take over the settings that the table has now."""
        if table is self.table:
            return
        self.table = table
        self._limits = limits_of(table, self._region)
        buckets = {}
        for place, limit in self._limits.items():
            bucket = self._buckets.get(place)
            if bucket is None:
                bucket = Bucket(limit.units, now_ms)
            else:
                bucket.change(limit.units, now_ms)
            buckets[place] = bucket
        self._buckets = buckets

    def exhausted(self, place: Place, now_ms: int, *, pending: float = 0.0) -> bool:
        """Whether a bucket is empty, ``pending`` units counted as taken already."""
        bucket = self._buckets.get(place)
        return bucket is not None and bucket.left(now_ms) - pending <= 0

    def take(self, place: Place, units: float, now_ms: int) -> None:
        """Take units out of a bucket, if it is limited."""
        bucket = self._buckets.get(place)
        if bucket is not None:
            bucket.take(units, now_ms)

    def error(self, place: Place, table_arn: str) -> DynamoError:
        """Return AWS's error for a bucket that is empty."""
        index, kind = place
        maximum = self._limits[place].maximum
        reason = {
            "reason": f"{'Table' if index is None else 'Index'}{kind}"
            f"{'MaxOnDemandThroughputExceeded' if maximum else 'ProvisionedThroughputExceeded'}",
            "resource": table_arn if index is None else f"{table_arn}/index/{index}",
        }
        if maximum:
            return ThrottlingError(MAXIMUM_EXCEEDED, throttlingReasons=[reason])
        message = TABLE_EXCEEDED if index is None else INDEX_EXCEEDED
        return ThroughputExceededError(message, ThrottlingReasons=[reason])


class Meters:
    """The meters of all tables of one region's replica, by their uid; those of dropped tables are forgotten."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._meters: dict[str, Meter] = {}

    def of(self, table: Table, now_ms: int, tables: Mapping[str, Table]) -> Meter:
        """Return a table's meter, up to date; ``tables`` are all that there are now, by name."""
        meter = self._meters.get(table.uid)
        if meter is None:
            present = {it.uid for it in tables.values()}
            self._meters = {uid: it for uid, it in self._meters.items() if uid in present}
            meter = self._meters[table.uid] = Meter(table, self._region, now_ms)
        meter.follow(table, now_ms)
        return meter

    def follow(self, tables: Mapping[str, Table], now_ms: int) -> None:
        """Take over the settings that the tables have now: from this moment they fill at their new rates."""
        for table in tables.values():
            meter = self._meters.get(table.uid)
            if meter is not None:
                meter.follow(table, now_ms)
