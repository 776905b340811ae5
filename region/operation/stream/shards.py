"""The life of a table's streams: enabled and disabled with the table's setting, their shards closed as they age.

What: what this region decides about its own streams, in the transaction that makes it true. Streams are each
region's own: labels and shards of two replicas have nothing to do with each other.

Invariants: a stream begins and ends, and a shard closes, at the head of the log in the transaction that says so, and
that is kept in the table's record. A region in which nothing is written closes no shard. A label is never used twice
for a table name, because a table that is gone may have left a stream that can still be read.

Source: AWS developer guide, "Change data capture for DynamoDB Streams".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from region.model import stream as streams
from region.model.stream import Shard, Stream
from region.model.table import LocalState, Table
from region.operation.context import Context


def follow(context: Context, name: str, local: LocalState, wanted: Mapping[str, Any] | None) -> LocalState:
    """Return the local state with the present stream ended, and the one begun that the ``stream`` register asks for."""
    now_ms, head = context.now_ms(), context.reader.log_head()
    kept = tuple(
        streams.closed(each, now_ms, head) if each.enabled else each
        for each in local.streams
        if not each.expired(now_ms)
    )
    if not wanted:
        return msgspec.structs.replace(local, streams=kept)
    created_ms = _later_than_others(context, name, kept, now_ms)
    begun = streams.opened(
        _label(created_ms), wanted["StreamViewType"], created_ms, head, context.settings.streams.shards
    )
    return msgspec.structs.replace(local, streams=(*kept, begun), stream_label=begun.label)


def enabled(table: Table) -> Stream | None:
    """Return the stream to which the table's changes go now."""
    known = table.local.streams
    return known[-1] if known and known[-1].enabled else None


def advance(context: Context, table: Table) -> None:
    """Close the shards that have come of age since something was written; those with too large a share split."""
    stream = enabled(table)
    if stream is None:
        return
    now_ms, head = context.now_ms(), context.reader.log_head()
    aged = [shard for shard in stream.open_shards() if _due_ms(context, shard) <= now_ms and shard.after < head]
    if not aged or len(stream.readable(now_ms)) >= streams.SHARDS_MAX:
        return
    size = context.reader.statistics(table, None)[1]
    bytes_max = context.settings.streams.shard_bytes
    for shard in aged:
        stream = streams.succeeded(stream, shard, now_ms, head, split=shard.share(size) > bytes_max)
    save(context, table, stream)


def save(context: Context, table: Table, stream: Stream) -> Table:
    """Keep another state of the table's enabled stream."""
    local = msgspec.structs.replace(table.local, streams=(*table.local.streams[:-1], stream))
    return context.save_table(msgspec.structs.replace(table.record, local=local))


def next_due_ms(context: Context, table: Table) -> int | None:
    """Return when the table's shards are to be looked at again, or ``None``; :func:`advance` has just been called."""
    stream = enabled(table)
    if stream is None:
        return None
    now_ms = context.now_ms()
    later_ms = now_ms + context.settings.streams.shard_ms
    dues_ms = [_due_ms(context, shard) for shard in stream.open_shards()]
    # What is due still was left because nothing was written since.
    return min(due_ms if due_ms > now_ms else later_ms for due_ms in dues_ms)


def _due_ms(context: Context, shard: Shard) -> int:
    return shard.opened_ms + context.settings.streams.shard_ms


def _later_than_others(context: Context, name: str, own: tuple[Stream, ...], now_ms: int) -> int:
    """Return the time at which a stream is said to begin: now, or later than every other of a table of that name."""
    others = (it for table in context.catalogue.by_uid.values() if table.name == name for it in table.local.streams)
    return max([now_ms, *(each.created_ms + 1 for each in (*own, *others))])


def _label(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}"
