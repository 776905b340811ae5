"""A fleet as plain data: what correct regions would write into their files and tell their clients, and no more.

It shares no code with the product but its value types, so that checkers meet correct evidence that the product did not
make. Everything in it can be tampered with before it becomes evidence.
"""

from __future__ import annotations

from typing import Any

from chaos.checker.evidence import Evidence
from chaos.checker.replica import Replica, Rows
from chaos.history import TAG, Access, Recorder
from region.model import image as images
from region.model import keys, values
from region.model.change import (
    CAUSE_REQUEST,
    INSERTED,
    ITEM,
    MODIFIED,
    REMOVED,
    UNCHANGED,
    Conflict,
    Cursor,
    LogRecord,
    StoredItem,
)
from region.model.change import (
    TABLE as TABLE_KIND,
)
from region.model.settings import DEFINITION, REPLICA, STREAM, Register, encode
from region.model.stream import opened
from region.model.table import LocalState, Table, TableRecord
from region.model.version import Version

TABLE, UID = "songs", "uid-1"
START = 1_700_000_000_000 << 16
MS = 1 << 16


def key_of(text: str) -> bytes:
    return keys.partition(({"S": text},))


class Place:
    """One region: its log, items, cursors and conflict feed."""

    def __init__(self, name: str, regions: tuple[str, ...]) -> None:
        self.name = name
        self.log: list[LogRecord] = []
        self.items: dict[bytes, StoredItem] = {}
        self.cursors: dict[str, Cursor] = {}
        self.conflicts: list[tuple[int, Conflict]] = []
        self.clock = START
        self.meta = {"region": name, "epoch": f"epoch-{name}", "ceiling": str(1 << 62)}
        definition = {
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        }
        registers = {
            DEFINITION: Register(START, regions[0], definition),
            STREAM: Register(START, regions[0], {"StreamViewType": "NEW_AND_OLD_IMAGES"}),
            **{REPLICA + it: Register(START, it, {"ReplicaStatus": "ACTIVE"}) for it in regions},
        }
        local = LocalState(table_id="id", created_ms=1, streams=(opened("label", "NEW_AND_OLD_IMAGES", 1, 0, 1),))
        self.table = Table(TableRecord(id=1, uid=UID, name=TABLE, registers=registers, local=local))
        if name != regions[0]:
            # It fetched its replica, of nothing, and wrote down that it is complete.
            self.clock += 1
            blank = LogRecord(1, TABLE_KIND, UID, b"", encode(registers), 0, Version(self.clock, name), *(None,) * 6)
            self.log.append(blank._replace(cause=0, effect=0, old_size=0))

    def append(self, record: LogRecord) -> None:
        old = self.items.get(record.key)
        old_image = None if old is None else old.image
        effect = {
            (False, False): UNCHANGED,
            (False, True): INSERTED,
            (True, False): REMOVED,
            (True, True): MODIFIED if record.image != old_image else UNCHANGED,
        }[old_image is not None, record.image is not None]
        old_size = 0 if old is None or old_image is None else old.size
        self.log.append(
            record._replace(sequence=len(self.log) + 1, old_image=old_image, effect=effect, old_size=old_size)
        )
        self.items[record.key] = StoredItem(record.image, record.size, record.version)

    def replica(self) -> Replica:
        live = [it for it in self.items.values() if it.image is not None]
        counters = {"": (len(live), sum(it.size for it in live))}
        rows = Rows(self.table, dict(self.items), {}, None, counters)
        return Replica(
            self.name, self.meta, {UID: rows}, {UID: self.table}, list(self.log), dict(self.cursors), self.conflicts
        )


class World:
    """Several regions and their clients. Every step takes a millisecond."""

    def __init__(self, *regions: str) -> None:
        self.places = {name: Place(name, regions) for name in regions}
        self.now_ms = 0
        self.recorder = Recorder(lambda: self.now_ms * 1_000_000)
        self.samples: list[Any] = []
        self.requests = 0

    # What clients do.

    def write(self, region: str, key: str, *, process: int | None = None, known: bool = True) -> str:
        """Put an item; ``known``: whether the client got the answer."""
        tag = self.recorder.tag()
        call = self._invoke(region, "write", process, Access("w", TABLE, key, tag))
        self.apply(region, key, tag)
        self._answer(call, known)
        return tag

    def swap(self, region: str, key: str, *, process: int | None = None) -> str:
        """Put an item under the condition that it is what it is."""
        tag, found = self.recorder.tag(), self.tag(region, key)
        accesses = (Access("r", TABLE, key, found), Access("w", TABLE, key, tag))
        call = self._invoke(region, "cas", process, *accesses)
        self.apply(region, key, tag)
        self._answer(call, known=True)
        return tag

    def delete(self, region: str, key: str, *, process: int | None = None) -> str:
        tag, found = self.recorder.tag(), self.tag(region, key)
        access = Access("d", TABLE, key, tag)
        call = self._invoke(region, "delete", process, access)
        request_id = self.apply(region, key, None) if found is not None else "nothing"
        self.now_ms += 1
        call.ok(accesses=(Access("r", TABLE, key, found), access), request_id=request_id)
        return tag

    def read(self, region: str, key: str, *, process: int | None = None) -> str | None:
        call = self._invoke(region, "read", process, Access("r", TABLE, key))
        found = self.tag(region, key)
        self.now_ms += 1
        call.ok(accesses=(Access("r", TABLE, key, found),))
        return found

    def transfer(self, region: str, *keys_: str, process: int | None = None) -> list[str]:
        """Put several items in one transaction."""
        tags = [self.recorder.tag() for _ in keys_]
        accesses = [Access("w", TABLE, key, tag) for key, tag in zip(keys_, tags, strict=True)]
        call = self._invoke(region, "transfer", process, *accesses)
        for key, tag in zip(keys_, tags, strict=True):
            self.apply(region, key, tag, group=tags[0])
        self._answer(call, known=True)
        return tags

    def look(self, region: str, *keys_: str, process: int | None = None) -> None:
        """Read several items at once."""
        call = self._invoke(region, "look", process, *(Access("r", TABLE, key) for key in keys_))
        found = tuple(Access("r", TABLE, key, self.tag(region, key)) for key in keys_)
        self.now_ms += 1
        call.ok(accesses=found)

    def fail(self, region: str, key: str) -> str:
        """Try to put an item, and be refused."""
        tag = self.recorder.tag()
        call = self._invoke(region, "write", None, Access("w", TABLE, key, tag))
        self.now_ms += 1
        call.fail("ValidationException")
        return tag

    def _invoke(self, region: str, f: str, process: int | None, *accesses: Access) -> Any:
        self.now_ms += 1
        number = self.recorder.process() if process is None else process
        return self.recorder.invoke(number, region, f, table=TABLE, accesses=accesses)

    def _answer(self, call: Any, known: bool) -> None:
        self.now_ms += 1
        if known:
            call.ok()
        else:
            call.info("timeout")

    # What regions do.

    def tag(self, region: str, key: str) -> str | None:
        stored = self.places[region].items.get(key_of(key))
        if stored is None or stored.image is None:
            return None
        return str(images.decode(stored.image)[TAG]["S"])

    def apply(self, region: str, key: str, tag: str | None, *, group: str | None = None, cause: int = 0) -> str:
        """Let a region write an item (or a tombstone); return the id of the request."""
        place = self.places[region]
        incumbent = place.items.get(key_of(key))
        place.clock = max(place.clock + MS, (incumbent.version.hlc if incumbent else 0) + 1)
        vector = dict(incumbent.version.full_vector()) if incumbent else {}
        vector.pop(region, None)
        item = None if tag is None else {"pk": {"S": key}, TAG: {"S": tag}}
        self.requests += 1
        place.append(
            LogRecord(
                sequence=0,
                kind=ITEM,
                table_uid=UID,
                key=key_of(key),
                image=None if item is None else images.encode(item),
                size=0 if item is None else values.item_size(item),
                version=Version(place.clock, region, vector),
                old_image=None,
                cause=cause or CAUSE_REQUEST,
                group=group,
                request_id=f"request-{self.requests}",
                effect=0,
                old_size=0,
            )
        )
        return f"request-{self.requests}"

    def deliver(self, source: str, sink: str, upto: int | None = None) -> None:
        """Bring a source's own changes to a sink, up to a sequence or all; a group comes whole."""
        here, there = self.places[source], self.places[sink]
        cursor = there.cursors.get(source) or Cursor(source, here.meta["epoch"], 0, 0)
        end = len(here.log) if upto is None else min(upto, len(here.log))
        while 0 < end < len(here.log) and here.log[end].group and here.log[end].group == here.log[end - 1].group:
            end += 1
        watermark = cursor.watermark
        for record in here.log[cursor.sequence : end]:
            if record.version.origin == source and record.kind == ITEM:
                self._receive(there, record)
                watermark = max(watermark, record.version.hlc)
        there.cursors[source] = Cursor(source, here.meta["epoch"], max(cursor.sequence, end), watermark)

    def _receive(self, place: Place, record: LogRecord) -> None:
        place.clock = max(place.clock, record.version.hlc)
        incumbent = place.items.get(record.key)
        if incumbent is None:
            place.append(record)
            return
        mine, theirs = incumbent.version.full_vector(), record.version.full_vector()
        merged = {it: max(mine.get(it, 0), theirs.get(it, 0)) for it in mine.keys() | theirs.keys()}
        if mine.get(record.version.origin, 0) >= record.version.hlc:
            return
        builds_on_it = theirs.get(incumbent.version.origin, 0) >= incumbent.version.hlc
        won = record.version.timestamp > incumbent.version.timestamp
        if not builds_on_it and record.image != incumbent.image:
            incoming = StoredItem(record.image, record.size, record.version)
            sides = (incoming, incumbent) if won else (incumbent, incoming)
            place.conflicts.append((len(place.conflicts) + 1, Conflict(UID, record.key, *sides, 0, (), None, None)))
        winner = record.version if won else incumbent.version
        version = Version(*winner.timestamp, {it: hlc for it, hlc in merged.items() if it != winner.origin})
        if won:
            place.append(record._replace(version=version))
        else:
            place.items[record.key] = incumbent._replace(version=version)

    def settle(self) -> None:
        """Bring everything everywhere."""
        for source in self.places:
            for sink in self.places:
                if source != sink:
                    self.deliver(source, sink)

    def evidence(self, **fields: Any) -> Evidence:
        replicas = {name: place.replica() for name, place in self.places.items()}
        return Evidence(self.recorder.events, replicas, samples=tuple(self.samples), **fields)
