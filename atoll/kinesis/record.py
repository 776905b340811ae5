"""Kinesis records: a change of the log as AWS sends it to a Kinesis stream.

Invariants: images are spliced as they stand in the log; the same change always makes the same record, ``eventID`` and
all, so a consumer knows one that comes again. The partition key is a hash of the item's key: all changes of an item go
to one shard.

Source: AWS developer guide, "Using Kinesis Data Streams to capture changes to DynamoDB" (the record, its sizes and its
precision, "change data capture units"); records as AWS sends them.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple
from uuid import UUID

from region.model import image as images
from region.model import keys, values
from region.model.change import CAUSE_EXPIRY, LogRecord
from region.model.destination import MICROSECOND
from region.model.table import Table
from region.operation.capacity.consumption import write_units
from region.operation.stream.records import EVENT_NAMES, EVENT_SOURCE
from region.wire import codec

EXPIRY_IDENTITY: Final = {"principalId": "dynamodb.amazonaws.com", "type": "Service"}
_COUNTER_BITS: Final = 16
_HASH_BYTES: Final = 16


class Outgoing(NamedTuple):
    """A change ready to be sent. ``seen_ms`` is when this region saw it; ``units`` are its capture units."""

    sequence: int
    partition_key: str
    data: bytes
    seen_ms: int
    units: float

    @property
    def size(self) -> int:
        """How much of a request's limit it takes, in bytes."""
        return len(self.partition_key) + len(self.data)


class RecordForm:
    """How the changes of one table are written for one stream."""

    def __init__(self, region: str, table: Table, stream_arn: str, precision: str) -> None:
        self._region = region
        self._table = table.name
        self._names = table.keys.names
        self._types = [table.types[name] for name in self._names]
        self._precision = precision
        self._seed = f"{table.local.table_id}/{stream_arn}"

    def write(self, record: LogRecord) -> Outgoing:
        """Return an effective item change of the log as it is sent."""
        key = dict(zip(self._names, keys.decode(record.key, self._types), strict=True))
        size = values.item_size(key)
        change: dict[str, Any] = {"ApproximateCreationDateTime": self._time(record.version.hlc), "Keys": key}
        if record.image is not None:
            change["NewImage"] = images.splice(record.image)
            size += record.size
        if record.old_image is not None:
            change["OldImage"] = images.splice(record.old_image)
            size += record.old_size
        change["SizeBytes"] = size
        change["ApproximateCreationDateTimePrecision"] = self._precision
        expired = record.cause == CAUSE_EXPIRY and record.version.origin == self._region
        data = codec.encode(
            {
                "awsRegion": self._region,
                "eventID": self._id(record.sequence),
                "eventName": EVENT_NAMES[record.effect],
                "userIdentity": EXPIRY_IDENTITY if expired else None,
                "recordFormat": "application/json",
                "tableName": self._table,
                "dynamodb": change,
                "eventSource": EVENT_SOURCE,
            }
        )
        partition_key = blake2b(record.key, digest_size=_HASH_BYTES).hexdigest().upper()
        return Outgoing(
            record.sequence, partition_key, data, record.seen_ms, write_units(max(record.size, record.old_size))
        )

    def _time(self, hlc: int) -> int:
        """Return a write's time in the destination's precision; in microseconds, writes of one millisecond differ."""
        milliseconds, counter = hlc >> _COUNTER_BITS, hlc & (1 << _COUNTER_BITS) - 1
        return milliseconds * 1000 + min(counter, 999) if self._precision == MICROSECOND else milliseconds

    def _id(self, sequence: int) -> str:
        return str(UUID(bytes=blake2b(f"{self._seed}/{sequence}".encode(), digest_size=16).digest(), version=4))
