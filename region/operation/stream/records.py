"""Stream records: a change of the log as a reader of a stream sees it.

What: one function from a log record to the API's ``Record``, by the stream's view type.

Invariants: images are spliced as they stand in the log; keys are decoded from the key bytes, because a deletion has
no image. The same change always gives the same record, its ``eventID`` included. ``userIdentity`` marks deletions by
time to live in the region that did them alone; elsewhere they look like any deletion.

Source: AWS API reference of DynamoDB Streams, Record and StreamRecord; the sizes as DynamoDB counts them: keys, and
each image that the record carries.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from region.model import image as images
from region.model import keys, values
from region.model.change import CAUSE_EXPIRY, INSERTED, MODIFIED, REMOVED, LogRecord
from region.model.stream import Stream, sequence_number
from region.model.table import Table

EVENT_NAMES: Final = {INSERTED: "INSERT", MODIFIED: "MODIFY", REMOVED: "REMOVE"}
EVENT_VERSION: Final = "1.1"
EVENT_SOURCE: Final = "aws:dynamodb"
EXPIRY_IDENTITY: Final = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
NEW_VIEWS: Final = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
OLD_VIEWS: Final = ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
_EVENT_ID_BYTES: Final = 16


class RecordView:
    """How one stream's records are shown."""

    __slots__ = ("_arn", "_names", "_new", "_old", "_region", "_types", "_view_type")

    def __init__(self, region: str, arn: str, table: Table, stream: Stream) -> None:
        self._region = region
        self._arn = arn
        self._names = table.keys.names
        self._types = [table.types[name] for name in self._names]
        self._view_type = stream.view_type
        self._new = stream.view_type in NEW_VIEWS
        self._old = stream.view_type in OLD_VIEWS

    def show(self, record: LogRecord) -> dict[str, Any]:
        """Return the API's ``Record`` of an effective item change."""
        key = dict(zip(self._names, keys.decode(record.key, self._types), strict=True))
        size = values.item_size(key)
        change: dict[str, Any] = {
            # Epoch seconds, rounded down: as precise as AWS is.
            "ApproximateCreationDateTime": (record.version.hlc >> 16) // 1000,
            "Keys": key,
        }
        if self._new and record.image is not None:
            change["NewImage"] = images.splice(record.image)
            size += record.size
        if self._old and record.old_image is not None:
            change["OldImage"] = images.splice(record.old_image)
            size += record.old_size
        change["SequenceNumber"] = sequence_number(record.sequence)
        change["SizeBytes"] = size
        change["StreamViewType"] = self._view_type
        shown: dict[str, Any] = {
            "eventID": event_id(self._arn, record.sequence),
            "eventName": EVENT_NAMES[record.effect],
            "eventVersion": EVENT_VERSION,
            "eventSource": EVENT_SOURCE,
            "awsRegion": self._region,
            "dynamodb": change,
        }
        if record.cause == CAUSE_EXPIRY and record.version.origin == self._region:
            shown["userIdentity"] = EXPIRY_IDENTITY
        return shown


def event_id(arn: str, sequence: int) -> str:
    """Return the id of a stream's record, which is always the same for the same record."""
    return blake2b(f"{arn}/{sequence}".encode(), digest_size=_EVENT_ID_BYTES).hexdigest()
