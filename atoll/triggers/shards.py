"""A table's streams as a consumer reads them: which shards come when, and where in each it stands.

What: :class:`Positions` is what a consumer keeps durably: for each shard it has begun, the log sequence up to which it
is done, one for each of its parallel lines. :class:`Reading` tells which shards may be read now, parents before their
children and earlier streams before later ones, and reads them from the change log with this region's own rules of
streams.

Invariants: a shard is open for reading only when everything that its keys' earlier changes can be in is done, so the
order of each item's changes holds across shards, splits and streams. A position never moves back.

Source: AWS developer guide, "Change data capture for DynamoDB Streams" (lineage); ``region.model.stream``.
"""

from __future__ import annotations

from typing import NamedTuple
from zlib import crc32

import msgspec

from region.engine import Engine
from region.errors import TrimmedDataAccessError
from region.model.change import LogRecord
from region.model.keys import HASH_BYTES
from region.model.stream import RECORDS_MAX, Shard, Stream
from region.model.table import Table
from region.operation.context import arn
from region.operation.stream.iterators import ShardIterator
from region.operation.stream.log import LogTape


class Positions(msgspec.Struct, kw_only=True):
    """How far a consumer has come. Everything up to ``begin`` does not concern it."""

    begin: int
    shards: dict[str, list[int]] = {}
    """The sequences up to which the lines of a shard are done, by the shard's name (:attr:`Place.name`)."""
    windows: dict[str, list[OpenWindow]] = {}
    """The tumbling windows of those lines, where there are any."""


class OpenWindow(msgspec.Struct, array_like=True):
    """The tumbling window of a line: when it began, ``None`` for none, and the function's state as JSON."""

    began_ms: int | None
    state: str


class Place(NamedTuple):
    """A shard of a stream of a table."""

    table: Table
    stream: Stream
    shard: Shard

    @property
    def name(self) -> str:
        """What the shard is called in :class:`Positions`: no other shard of a table of that name has it."""
        return f"{self.stream.label}/{self.shard.number}"


class Page(NamedTuple):
    """Changes of a shard, the sequence up to which the log was searched, the tape that shows them.

    ``trimmed``: whether some that the consumer has not had could no longer be read.
    """

    changes: list[LogRecord]
    reached: int
    tape: LogTape
    trimmed: bool


class Reading:
    """The streams of the tables of one name, or the one with a label, in one region."""

    def __init__(self, engine: Engine, table_name: str, label: str = "") -> None:
        self._engine = engine
        self._table_name = table_name
        self._label = label

    def head(self) -> int:
        """Return the last sequence of the log."""
        return self._engine.reading.reader.log_head()

    def streams(self) -> list[tuple[Table, Stream]]:
        """Return the streams that can be read, oldest first."""
        now_ms = self._engine.source.now_ms()
        found = [
            (table, stream)
            for table in self._engine.catalogue.by_uid.values()
            if table.name == self._table_name
            for stream in table.local.streams
            if not stream.expired(now_ms) and self._label in ("", stream.label)
        ]
        return sorted(found, key=lambda each: (each[1].created_ms, each[1].label))

    def stream_arn(self, place: Place) -> str:
        """Return the ARN of a place's stream."""
        return f"{arn(self._engine.settings, place.table.name)}/stream/{place.stream.label}"

    def open_places(self, positions: Positions) -> list[Place]:
        """Return the shards to be read now: not done, and everything before them done."""
        now_ms = self._engine.source.now_ms()
        for table, stream in self.streams():
            shards = stream.readable(now_ms)
            undone = {shard.id for shard in shards if not is_done(Place(table, stream, shard), positions)}
            places = [
                Place(table, stream, shard)
                for shard in shards
                if shard.id in undone and (shard.parent is None or shard.parent not in undone)
            ]
            if undone:
                return places
        return []

    def forget_gone(self, positions: Positions) -> None:
        """Forget the positions in shards that can no longer be read by anybody."""
        now_ms = self._engine.source.now_ms()
        known = {
            Place(table, stream, shard).name for table, stream in self.streams() for shard in stream.readable(now_ms)
        }
        for name in positions.shards.keys() - known:
            del positions.shards[name]
            positions.windows.pop(name, None)

    def present(self, place: Place) -> Place | None:
        """Return the place as its shard is now, which may have closed meanwhile; ``None`` where it is gone."""
        table = self._engine.catalogue.by_uid.get(place.table.uid)
        for stream in () if table is None else table.local.streams:
            for shard in stream.shards if stream.label == place.stream.label else ():
                if shard.number == place.shard.number:
                    assert table is not None
                    return Place(table, stream, shard)
        return None

    def tape(self, place: Place) -> LogTape:
        """Return what shows the records of a place's stream."""
        return LogTape(self._engine.reading, place.table, place.stream, self.stream_arn(place))

    def place_of(self, change: LogRecord) -> Place | None:
        """Return the shard that a change of the log is in, ``None`` for none that can be read."""
        for table, stream in self.streams():
            for shard in stream.shards if table.uid == change.table_uid else ():
                first, last = shard.hashes
                ends = shard.upto is None or change.sequence <= shard.upto
                if shard.after < change.sequence and ends and first <= change.key[:HASH_BYTES] <= last:
                    return Place(table, stream, shard)
        return None

    def read(self, place: Place, after: int, limit: int, *, fresh: bool) -> Page:
        """Return up to ``limit`` changes in a shard after a sequence.

        ``fresh``: the consumer begins, and takes what the stream still has; otherwise what is gone is told.
        """
        name = self.stream_arn(place)
        tape = self.tape(place)
        now_ms = self._engine.source.now_ms()
        iterator = ShardIterator(name, place.shard.number, after, now_ms, from_horizon=fresh)
        trimmed = False
        try:
            records, following = tape.changes(place.shard, iterator, now_ms, limit=min(limit, RECORDS_MAX))
        except TrimmedDataAccessError:
            trimmed = True
            iterator = iterator._replace(from_horizon=True)
            records, following = tape.changes(place.shard, iterator, now_ms, limit=min(limit, RECORDS_MAX))
        return Page(records, following.after, tape, trimmed)


def first_position(place: Place, positions: Positions) -> int:
    """Return the sequence behind which a shard begins for a consumer."""
    return max(place.shard.after, positions.begin)


def lines_of(place: Place, positions: Positions, count: int) -> list[int]:
    """Return the positions of a shard's lines; where there are now more or fewer, all go on from the least."""
    kept = positions.shards.get(place.name) or [first_position(place, positions)]
    return kept if len(kept) == count else [min(kept)] * count


def line_of(key: bytes, count: int) -> int:
    """Return which of a shard's lines the changes of a key belong to."""
    return crc32(key) % count


def is_done(place: Place, positions: Positions) -> bool:
    """Whether a consumer has dealt with everything that a shard can hold, and closed its windows."""
    upto = place.shard.upto
    if upto is None or any(window.began_ms is not None for window in positions.windows.get(place.name, ())):
        return False
    return min(positions.shards.get(place.name) or [first_position(place, positions)]) >= upto
