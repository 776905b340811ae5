"""The frames of the replication protocol, and the one codec that turns them into bytes and back.

What: every message of a link is one of the typed frames below; a frame is one binary WebSocket message::

    byte 0      format version, 1
    byte 1      flags; bit 0: the body is compressed with zstandard
    bytes 2-5   CRC-32 (big-endian) of bytes 0, 1 and the body as it is sent
    bytes 6-    body: the frame as a msgpack array ``[kind, field, …]``

Item images travel as the bytes that the origin's log holds; nothing here decodes one. Table identities are sent once in
a batch and referred to by their position.

Invariants: :func:`decode` answers with a complete, typed frame or raises :class:`~region.errors.ReplicationError`;
it never allocates more than :data:`FRAME_BYTES_MAX` for what a peer sent. A field may be added at the end of a frame
with a default: older peers ignore it.

Hazard: the compressor is shared and not thread-safe; links live on one event loop.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

import msgspec
import zstandard

from region.errors import ReplicationError
from replication.inquiry import Compare, Compared, FetchedRows, FetchRows, Listed, ListLeaf, Row

FORMAT: Final = 1
FRAME_BYTES_MAX: Final = 64 << 20
"""No frame is larger, compressed or not."""
COMPRESS_BYTES_MIN: Final = 4096
"""Smaller bodies are sent as they are: they fit a few packets anyway."""

_HEADER: Final = struct.Struct(">BBI")
_COMPRESSED: Final = 1
_PLAIN_SEED: Final = crc32(bytes([FORMAT, 0]))
_COMPRESSED_SEED: Final = crc32(bytes([FORMAT, _COMPRESSED]))

GAP: Final = "gap"
EPOCH: Final = "epoch"
AHEAD: Final = "ahead"
REWOUND: Final = "rewound"
STRANGER: Final = "stranger"
"""Why a source refuses a subscriber: its cursor is behind the log's tail, belongs to another database file, is ahead of
the log's head, or was made with other records than the log holds now; or the subscriber is no configured peer (or asked
for another region)."""


class Subscribe(msgspec.Struct, array_like=True, tag=1, frozen=True):
    """Sink to source, first: ship me what comes after my cursor. ``epoch`` is empty on first contact.

    ``watermark`` is the cursor's: no change up to ``after`` that the sink knows of is later. 0: not known.
    """

    sink: str
    origin: str
    epoch: str
    after: int
    window_bytes: int
    watermark: int = 0


class Welcome(msgspec.Struct, array_like=True, tag=2, frozen=True):
    """Source to sink: the stream follows, from ``after`` on."""

    origin: str
    epoch: str
    after: int
    head: int


class Refuse(msgspec.Struct, array_like=True, tag=3, frozen=True):
    """Source to sink: there is no stream from your cursor; ``code`` is one of the constants above."""

    code: str
    reason: str
    epoch: str
    tail: int
    head: int


class TableState(msgspec.Struct, array_like=True, frozen=True):
    """A table that both ends share: its registers as the sender has merged them."""

    uid: str
    name: str
    registers: bytes


class Catalogue(msgspec.Struct, array_like=True, tag=4, frozen=True):
    """Source to sink, at connect and at every change: the names of all its tables, and shared tables that changed.

    ``names`` is ``None`` where they are the same as before.
    """

    names: list[str] | None
    tables: list[TableState]


class Shipped(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One record of the origin's log. ``table`` is a position in the batch's list of tables."""

    sequence: int
    kind: int
    table: int
    key: bytes
    image: bytes | None
    size: int
    hlc: int
    vector: dict[str, int] | None
    cause: int
    group: str | None
    request_id: str | None
    condition: str | None = None


class Batch(msgspec.Struct, array_like=True, tag=5, frozen=True):
    """Source to sink: every record for this sink with ``after < sequence <= upto``, in order.

    ``watermark``: all changes of the origin with a timestamp up to this hlc are at or before ``upto``. ``tables`` are
    ``(uid, name)``. ``sent_ms`` is the source's wall clock.
    """

    after: int
    upto: int
    watermark: int
    sent_ms: int
    tables: list[tuple[str, str]]
    changes: list[Shipped]


class Ack(msgspec.Struct, array_like=True, tag=6, frozen=True):
    """Sink to source, after every durable apply and at every tick: applied up to ``sequence``, and my clocks.

    ``applied_ms`` and ``now_ms`` are the sink's wall clock when it last applied and now; ``echo_ms`` is the
    ``sent_ms`` of the last frame that carried one, received ``held_ms`` ago. ``state`` is the sink's state of the
    link. ``owed``: of these tables, by uid, the source's changes after a sequence are missing here, although they may
    lie before ``sequence``. ``safe_hlc`` is the sink's safe time.
    """

    sequence: int
    applied_ms: int
    now_ms: int
    echo_ms: int
    held_ms: int
    state: str
    owed: dict[str, int] = {}
    safe_hlc: int = 0


class Heartbeat(msgspec.Struct, array_like=True, tag=7, frozen=True):
    """Source to sink at every tick: there is nothing for you with ``after < sequence <= upto``, and my numbers.

    ``after`` is the ``upto`` of the frame before, as in a batch. ``behind`` and ``oldest_ms`` are the source's count of
    unacknowledged records and the commit time of the oldest (0: none); ``skew_ms`` is its estimate of the sink's wall
    clock minus its own; ``paused`` says that it holds changes back; ``silent`` are the regions that the source has not
    heard of for so long that they are to be detached.
    """

    after: int
    upto: int
    head: int
    watermark: int
    sent_ms: int
    behind: int
    oldest_ms: int
    skew_ms: int
    paused: bool
    silent: tuple[str, ...] = ()


class Fetch(msgspec.Struct, array_like=True, tag=8, frozen=True):
    """Sink to source: one piece of a table. ``registers`` tell the source who the members are, the sink included.

    With ``range_after`` ``None``: a piece of a snapshot, items and tombstones with ``key > after_key``; ``first`` asks
    for the vector too. Otherwise: the source's own records of the table with ``sequence > range_after``, of the log of
    ``range_epoch`` (empty: from its beginning).
    """

    number: int
    uid: str
    name: str
    registers: bytes
    after_key: bytes
    first: bool
    range_after: int | None
    range_epoch: str


class Position(msgspec.Struct, array_like=True, frozen=True):
    """How far one origin's log is included in a snapshot."""

    epoch: str
    sequence: int


class Snapshot(msgspec.Struct, array_like=True, tag=9, frozen=True):
    """Source to sink: the answer to a :class:`Fetch` of a snapshot.

    ``vector`` comes with the first piece: how far each origin's log was included before the first row was read.
    ``digest`` is :func:`digest` of the rows; ``items`` is the number of live items in the whole table. Tombstones up to
    ``purged_hlc`` are purged there.
    """

    number: int
    uid: str
    after_key: bytes
    rows: list[Row]
    digest: int
    done: bool
    items: int
    vector: dict[str, Position] | None
    purged_hlc: int = 0


class Records(msgspec.Struct, array_like=True, tag=10, frozen=True):
    """Source to sink: the answer to a :class:`Fetch` of a range: ``after < sequence <= upto``, ``done`` at its head."""

    number: int
    uid: str
    epoch: str
    after: int
    upto: int
    done: bool
    changes: list[Shipped]


class FetchRefused(msgspec.Struct, array_like=True, tag=11, frozen=True):
    """Source to sink: not from me, or not now. ``truncated``: the range is gone from the log; ask for a snapshot."""

    number: int
    reason: str
    truncated: bool


class Holds(msgspec.Struct, array_like=True, tag=30, frozen=True):
    """Source to sink: from here on I pass over my changes of these tables, and of no others, until the next of these.

    The sink notes what it is owed of them before it acknowledges anything that comes later.
    """

    uids: list[str]


Frame = (
    Subscribe
    | Welcome
    | Refuse
    | Catalogue
    | Batch
    | Ack
    | Heartbeat
    | Fetch
    | Snapshot
    | Records
    | FetchRefused
    | Holds
    | Compare
    | Compared
    | ListLeaf
    | Listed
    | FetchRows
    | FetchedRows
)

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(Frame)
_compressor: Final = zstandard.ZstdCompressor(level=1)
_decompressor: Final = zstandard.ZstdDecompressor()


def encode(frame: Frame) -> bytes:
    """Encode one frame, compressed where that saves a tenth or more."""
    body = _encoder.encode(frame)
    if len(body) >= COMPRESS_BYTES_MIN:
        small = _compressor.compress(body)
        if len(small) * 10 <= len(body) * 9:
            return _HEADER.pack(FORMAT, _COMPRESSED, crc32(small, _COMPRESSED_SEED)) + small
    return _HEADER.pack(FORMAT, 0, crc32(body, _PLAIN_SEED)) + body


def decode(data: bytes) -> Frame:
    """Decode one frame.

    Raises:
        ReplicationError: it is none, it is damaged, it is too large, or its format is not ours.
    """
    if len(data) < _HEADER.size or len(data) > FRAME_BYTES_MAX:
        raise ReplicationError(f"a frame of {len(data)} bytes")
    version, flags, checksum = _HEADER.unpack_from(data)
    if version != FORMAT or flags > _COMPRESSED:
        raise ReplicationError(f"a frame of format {version} with flags {flags}; this region speaks format {FORMAT}")
    body = memoryview(data)[_HEADER.size :]
    if crc32(body, _COMPRESSED_SEED if flags else _PLAIN_SEED) != checksum:
        raise ReplicationError("a frame whose checksum does not match")
    try:
        frame: Frame = _decoder.decode(_inflate(body) if flags else body)
    except (msgspec.DecodeError, zstandard.ZstdError) as error:
        raise ReplicationError(f"a frame that does not decode: {error}") from error
    return frame


def _inflate(body: memoryview) -> bytes:
    size = zstandard.frame_content_size(body)
    if not 0 < size <= FRAME_BYTES_MAX:
        raise ReplicationError(f"a compressed frame that says it holds {size} bytes")
    return _decompressor.decompress(body)


def digest(rows: Iterable[Row]) -> int:
    """Return a digest of which write each key holds, independent of the order of the rows."""
    total = 0
    for row in rows:
        text = b"%d %b %d %b" % (len(row.key), row.key, row.hlc, row.origin.encode())
        total ^= int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
    return total
