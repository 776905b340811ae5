"""A table's own stream as it is read: a stretch of the change log, one shard at a time.

Invariants: a call looks at a bounded stretch of the log, and hands back an iterator that goes on where it stopped; so
a page may be empty and yet not the last, as AWS says of its own. What is trimmed is a prefix of a shard: a closed
shard as a whole, 24 hours after it closed; before that, everything up to the last record that was written in this
region more than 24 hours ago. The timestamp of a record from a peer does not count, because it may have arrived long
after it was written, and a consumer must have its day to read it.

Source: AWS API reference of DynamoDB Streams; messages as AWS and DynamoDB Local send them.
"""

from __future__ import annotations

from typing import Any, Final

from region.errors import TrimmedDataAccessError
from region.model import stream as streams
from region.model.change import LogRecord
from region.model.stream import Shard, Stream
from region.model.table import Table
from region.operation.context import Context
from region.operation.stream.iterators import ShardIterator
from region.operation.stream.records import RecordView

EXAMINED_MAX: Final = 10_000
"""How many records of the whole region's log one call looks at: a few milliseconds' worth."""
TRIMMED: Final = "The data you are trying to access has been trimmed"


class LogTape:
    """The records of one table's own stream."""

    def __init__(self, context: Context, table: Table, stream: Stream, arn: str) -> None:
        self._context = context
        self._table = table
        self._view = RecordView(context.settings.region, arn, table, stream)

    def end(self, shard: Shard) -> int:
        """Return the last sequence that can be read of a shard now."""
        return self._context.reader.log_head() if shard.upto is None else shard.upto

    def read(
        self, shard: Shard, iterator: ShardIterator, now_ms: int, *, limit: int
    ) -> tuple[list[dict[str, Any]], ShardIterator]:
        """Return up to ``limit`` records behind an iterator as the API shows them, and the iterator behind them.

        Raises:
            TrimmedDataAccessError: what the iterator points to is past the retention.
        """
        records, following = self.changes(shard, iterator, now_ms, limit=limit)
        return [self.show(record) for record in records], following

    def show(self, record: LogRecord) -> dict[str, Any]:
        """Return the API's ``Record`` of a change."""
        return self._view.show(record)

    def changes(
        self, shard: Shard, iterator: ShardIterator, now_ms: int, *, limit: int
    ) -> tuple[list[LogRecord], ShardIterator]:
        """Return the same as the log has it.

        Raises:
            TrimmedDataAccessError: what the iterator points to is past the retention.
        """
        reader = self._context.reader
        end = self.end(shard)
        after, tail = iterator.after, reader.log_tail()
        if after < tail:
            if not iterator.from_horizon:
                raise TrimmedDataAccessError(TRIMMED)
            after = min(tail, end)
        records, reached = reader.read_changes(
            self._table.uid,
            after,
            min(end, after + EXAMINED_MAX),
            hashes=shard.hashes,
            limit=limit,
            bytes_max=streams.RECORD_BYTES_MAX,
        )
        records, from_horizon = self._untrimmed(shard, iterator, records, now_ms)
        from_ms = iterator.from_ms
        if from_ms:
            first = next((i for i, record in enumerate(records) if _written_ms(record) >= from_ms), None)
            records = [] if first is None else records[first:]
            from_ms = from_ms if first is None else 0
        # The end may lie before the iterator's own position: a closed shard was asked for what follows its last number.
        following = iterator._replace(
            after=max(reached, iterator.after), issued_ms=now_ms, from_horizon=from_horizon, from_ms=from_ms
        )
        return records, following

    def _untrimmed(
        self, shard: Shard, iterator: ShardIterator, records: list[LogRecord], now_ms: int
    ) -> tuple[list[LogRecord], bool]:
        """Return what of the records is within the retention, and whether trimmed ones may still follow.

        Raises:
            TrimmedDataAccessError: there are trimmed ones, and the iterator points at them.
        """
        horizon_ms = now_ms - streams.RETENTION_MS
        if shard.opened_ms > horizon_ms:
            return records, False
        # This region's own timestamps rise with the sequence, so one look at each of its records finds the prefix.
        own = [i for i, record in enumerate(records) if record.version.origin == self._context.settings.region]
        trimmed = [i for i in own if _written_ms(records[i]) < horizon_ms]
        if trimmed and not iterator.from_horizon:
            raise TrimmedDataAccessError(TRIMMED)
        kept = records[trimmed[-1] + 1 :] if trimmed else records
        return kept, iterator.from_horizon and len(own) == len(trimmed)


def _written_ms(record: LogRecord) -> int:
    return record.version.hlc >> 16
