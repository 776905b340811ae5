"""A replicated table's conflict stream: its conflicts as DynamoDB stream records, for consumers that read streams.

What: a second stream of every replicated table, with an ARN of its own, made of the entries of this region's conflict
feed. It has one shard that never closes while the replica is there. The old image of a record is what was lost, the
new image what won. What else is known of the conflict is JSON in ``userIdentity.principalId``, the one member of a
record in which a client that knows AWS's shapes alone hands free text on; its ``type`` is :data:`IDENTITY`.

Invariants: the number of an entry is its sequence number. The label is made of the table's identity, so it is the same
in every region and for ever; DescribeTable never names it as the latest. Entries that the feed has dropped are
trimmed.

Source: AWS API reference of DynamoDB Streams, Record and Identity.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import orjson

from region.errors import TrimmedDataAccessError
from region.expression.rendering import show
from region.model import image as images
from region.model import keys, values
from region.model import stream as streams
from region.model.change import Conflict, StoredItem
from region.model.keys import HASH_BYTES
from region.model.stream import Shard, Stream, sequence_number
from region.model.table import Table
from region.operation.context import Context
from region.operation.stream.iterators import ShardIterator
from region.operation.stream.log import TRIMMED
from region.operation.stream.records import EVENT_SOURCE, EVENT_VERSION, event_id

IDENTITY: Final = "Conflict"
VIEW_TYPE: Final = "NEW_AND_OLD_IMAGES"
_LABEL: Final = "conflicts-"


def label_of(table: Table) -> str:
    """Return the label of a table's conflict stream."""
    return _LABEL + table.uid


def is_label(label: str) -> bool:
    """Whether a label is that of a conflict stream; the label of any other begins with a year."""
    return label.startswith(_LABEL)


def stream_of(context: Context, table: Table) -> Stream:
    """Return the conflict stream of a table that is or was replicated; where the replica is gone, it has ended."""
    shard = Shard(number=0, opened_ms=0, after=0, first_hash=0, last_hash=(1 << 8 * HASH_BYTES) - 1)
    closed_ms = 0
    if table.record.dropped:
        # Its entries are as old as the feed lets them be; the end of the replica makes them no older.
        closed_ms = max(context.now_ms(), 1)
        end = context.reader.conflict_range(table_uid=table.uid)[1]
        shard = msgspec.structs.replace(shard, upto=end, closed_ms=closed_ms)
    return Stream(
        label=label_of(table),
        view_type=VIEW_TYPE,
        created_ms=table.local.created_ms,
        shards=(shard,),
        closed_ms=closed_ms,
    )


class ConflictTape:
    """The records of one table's conflict stream."""

    def __init__(self, context: Context, table: Table, arn: str) -> None:
        self._context = context
        self._table = table
        self._arn = arn

    def end(self, shard: Shard) -> int:
        """Return the last number that can be read now."""
        return self._context.reader.conflict_range()[1] if shard.upto is None else shard.upto

    def read(
        self, shard: Shard, iterator: ShardIterator, now_ms: int, *, limit: int
    ) -> tuple[list[dict[str, Any]], ShardIterator]:
        """Return up to ``limit`` records behind an iterator, and the iterator behind them.

        Raises:
            TrimmedDataAccessError: the feed has dropped what the iterator points to.
        """
        reader = self._context.reader
        kept_ms = self._context.settings.conflicts.since_ms(now_ms)
        dropped, _ = reader.conflict_range(kept_ms)
        if iterator.after < dropped and not iterator.from_horizon:
            raise TrimmedDataAccessError(TRIMMED)
        since_ms = max(kept_ms, iterator.from_ms)
        found = reader.conflicts(iterator.after, limit, table_uid=self._table.uid, since_ms=since_ms)
        records: list[dict[str, Any]] = []
        size = 0
        for number, conflict in found:
            shown = self._show(number, conflict)
            size += shown["dynamodb"]["SizeBytes"]
            if records and size > streams.RECORD_BYTES_MAX:
                break
            records.append(shown)
        whole = len(records) == len(found) < limit
        reached = max(iterator.after, self.end(shard)) if whole else found[len(records) - 1][0]
        horizon = iterator.from_horizon and not records
        from_ms = 0 if records else iterator.from_ms
        return records, iterator._replace(after=reached, issued_ms=now_ms, from_horizon=horizon, from_ms=from_ms)

    def _show(self, number: int, conflict: Conflict) -> dict[str, Any]:
        names, types = self._table.keys.names, self._table.types
        key = dict(zip(names, keys.decode(conflict.key, [types[name] for name in names]), strict=True))
        winner, loser = conflict.winner, conflict.loser
        size = values.item_size(key)
        change: dict[str, Any] = {"ApproximateCreationDateTime": conflict.recorded_ms // 1000, "Keys": key}
        for name, side in (("NewImage", winner), ("OldImage", loser)):
            if side.image is not None:
                change[name] = images.splice(side.image)
                size += side.size
        change["SequenceNumber"] = sequence_number(number)
        change["SizeBytes"] = size
        change["StreamViewType"] = VIEW_TYPE
        return {
            "eventID": event_id(self._arn, number),
            "eventName": _event_name(winner, loser),
            "eventVersion": EVENT_VERSION,
            "eventSource": EVENT_SOURCE,
            "awsRegion": self._context.settings.region,
            "dynamodb": change,
            "userIdentity": {"PrincipalId": orjson.dumps(facts(conflict)).decode(), "Type": IDENTITY},
        }


def _event_name(winner: StoredItem, loser: StoredItem) -> str:
    """Return what happened, seen from what was lost: it was removed, replaced, or was a deletion that was undone."""
    if winner.image is None:
        return "REMOVE"
    return "INSERT" if loser.image is None else "MODIFY"


def facts(conflict: Conflict) -> dict[str, Any]:
    """Return what a record says of its conflict beside the images, as JSON-ready values."""
    return {
        "winner": _side(conflict.winner, conflict.winner_request_id, conflict.winner_condition),
        "loser": _side(conflict.loser, conflict.loser_request_id, conflict.loser_condition),
        "marginMs": conflict.margin_ms,
        "attributesLost": list(conflict.attributes_lost),
        "recordedMs": conflict.recorded_ms,
        "doubleGrant": bool(conflict.grants),
        "grants": [
            {"region": origin, "hlc": hlc, "condition": show(condition), "requestId": request_id}
            for hlc, origin, condition, request_id in conflict.grants
        ],
    }


def _side(stored: StoredItem, request_id: str | None, condition: str | None) -> dict[str, Any]:
    return {
        "region": stored.version.origin,
        "hlc": stored.version.hlc,
        "requestId": request_id,
        "condition": None if condition is None else show(condition),
    }
