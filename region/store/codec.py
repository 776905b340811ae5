"""How values that are no plain columns stand in the file: version vectors, table records, conflicts.

Vectors are msgpack maps of region to hlc, and NULL when empty, as nearly all are; table records and lists of names
are JSON text, so that a person can read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgpack
import msgspec

from region.model.change import Conflict, Grant, StoredItem
from region.model.table import TableRecord
from region.model.version import EMPTY_VECTOR, Version

_RECORD: Final = msgspec.json.Decoder(TableRecord)


def pack_vector(vector: Mapping[str, int]) -> bytes | None:
    """Encode a version vector; ``None`` for an empty one."""
    if not vector:
        return None
    packed: bytes = msgpack.packb(dict(vector))
    return packed


def unpack_vector(data: bytes | None) -> Mapping[str, int]:
    """Decode what :func:`pack_vector` made."""
    if data is None:
        return EMPTY_VECTOR
    vector: Mapping[str, int] = msgpack.unpackb(data)
    return vector


def encode_record(record: TableRecord) -> str:
    """Encode a table record as JSON text."""
    return msgspec.json.encode(record).decode()


def decode_record(text: str) -> TableRecord:
    """Decode what :func:`encode_record` made."""
    return _RECORD.decode(text)


def conflict_row(conflict: Conflict) -> tuple[Any, ...]:
    """Return a conflict as the columns of its row, without the number."""
    winner, loser = conflict.winner, conflict.loser
    return (
        conflict.table_uid,
        conflict.key,
        conflict.margin_ms,
        msgspec.json.encode(conflict.attributes_lost).decode(),
        winner.version.hlc,
        winner.version.origin,
        pack_vector(winner.version.vector),
        winner.size,
        conflict.winner_request_id,
        loser.version.hlc,
        loser.version.origin,
        pack_vector(loser.version.vector),
        loser.size,
        conflict.loser_request_id,
        winner.image,
        loser.image,
        conflict.recorded_ms,
        conflict.winner_condition,
        conflict.loser_condition,
        msgspec.json.encode(conflict.grants).decode() if conflict.grants else None,
    )


def conflict_of(row: tuple[Any, ...]) -> tuple[int, Conflict]:
    """Return a conflict and its number from a whole row."""
    number, uid, key, margin_ms, lost, *sides = row
    winner_image, loser_image, recorded_ms, winner_condition, loser_condition, grants = sides[10:]
    winner_hlc, winner_origin, winner_vector, winner_size, winner_request = sides[:5]
    loser_hlc, loser_origin, loser_vector, loser_size, loser_request = sides[5:10]
    return number, Conflict(
        table_uid=uid,
        key=key,
        winner=StoredItem(winner_image, winner_size, Version(winner_hlc, winner_origin, unpack_vector(winner_vector))),
        loser=StoredItem(loser_image, loser_size, Version(loser_hlc, loser_origin, unpack_vector(loser_vector))),
        margin_ms=margin_ms,
        attributes_lost=msgspec.json.decode(lost, type=tuple[str, ...]),
        winner_request_id=winner_request,
        loser_request_id=loser_request,
        recorded_ms=recorded_ms,
        winner_condition=winner_condition,
        loser_condition=loser_condition,
        grants=() if grants is None else msgspec.json.decode(grants, type=tuple[Grant, ...]),
    )
