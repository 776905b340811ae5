"""A region with an archive, for tests: a real store and vault, in a folder or in memory, and a clock set by hand."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clock import HybridLogicalClock, ManualClock
from region.archive.archivist import Archivist
from region.archive.buckets import Buckets, MemoryBuckets
from region.archive.desk import at_once
from region.archive.folder import FolderVault
from region.archive.historian import ArchiveSettings
from region.archive.shelf import VaultShelf
from region.archive.vault import MemoryVault, Vault
from region.engine import Engine
from region.events import ArchiveFailed, ArchiveFinished, Event
from region.keyring import Keyring
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import Durability, open_store
from tests.unit.operation.model_shapes import MODEL, misfits

US, EU = "us-east-1", "eu-west-1"
START_MS = 1_795_415_400_000
TABLE = {
    "TableName": "Music",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "artist", "AttributeType": "S"},
        {"AttributeName": "song", "AttributeType": "S"},
        {"AttributeName": "year", "AttributeType": "N"},
    ],
    "KeySchema": [
        {"AttributeName": "artist", "KeyType": "HASH"},
        {"AttributeName": "song", "KeyType": "RANGE"},
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "ByYear",
            "KeySchema": [
                {"AttributeName": "artist", "KeyType": "HASH"},
                {"AttributeName": "year", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "OfYear",
            "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


_lives = itertools.count(1)


class ArchiveRegion:
    """An engine and its archivist; jobs end when :meth:`call` of what began them has been followed by :meth:`idle`."""

    def __init__(
        self,
        folder: Path | None,
        name: str = US,
        clock: ManualClock | None = None,
        buckets: Buckets | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self.name = name
        self.time = clock or ManualClock(START_MS)
        rng = SeededRng(next(_lives))  # Another in each life of a region: names are never given twice.
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        path = None if folder is None else folder / "region.sqlite"
        durability: Durability = "memory" if folder is None else "normal"
        store = open_store(path, region=name, durability=durability, rng=rng, keyring=keyring)
        self.vault: Vault = MemoryVault(keyring) if folder is None else FolderVault(folder, tidy=True, keyring=keyring)
        shelf = VaultShelf(self.vault)
        self.buckets = buckets or MemoryBuckets()
        hlc = HybridLogicalClock(name, self.time, ceiling=store.load_ceiling(), persist=store.save_ceiling)
        self.engine = Engine(
            store=store, clock=hlc, source=self.time, settings=RegionSettings(region=name), rng=rng, shelf=shelf
        )
        self.archivist = Archivist(
            self.engine, self.vault, shelf, self.buckets, at_once, ArchiveSettings(segment_ms=1 << 30)
        )
        self.events: list[Event] = []
        self.engine.events.subscribe(self.events.append)

    async def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Run an operation of the API; the answer of one of the control plane must fit the service model."""
        answer = await self.engine.execute(operation, request)
        if not operation.endswith("Item"):
            assert misfits(MODEL.operation_model(operation).output_shape, answer, operation) == []
        return answer

    async def idle(self) -> None:
        """Wait until no job of the archive is under way."""
        while self.archivist.desk.tasks:
            await asyncio.wait(self.archivist.desk.tasks)

    async def stop_after_batches(self, count: int) -> None:
        """Stop the archivist when the job under way has reported its progress ``count`` times."""
        reached = asyncio.Event()
        reported = 0
        report = self.archivist.desk.report

        def counted(arn: str, done: int, total: int | None) -> None:
            nonlocal reported
            reported += 1
            report(arn, done, total)
            if reported == count:
                reached.set()

        self.archivist.desk.report = counted  # type: ignore[method-assign] - Watching the real one is the point.
        await reached.wait()
        await self.archivist.stop()

    def failures(self) -> list[str]:
        """Return why jobs have failed."""
        return [event.reason for event in self.events if isinstance(event, ArchiveFailed)]

    def finished(self) -> list[tuple[str, int]]:
        """Return the kinds of the jobs that are done, with their items."""
        return [(event.kind, event.items) for event in self.events if isinstance(event, ArchiveFinished)]

    def rows(self, table: str) -> list[tuple[bytes, bytes]]:
        """Return every key and image of a table."""
        found = self.engine.catalogue.by_name[table]
        return [(entry.key, entry.image) for entry in self.engine.store.scan(found, None, b"", None)]

    def entries(self, table: str, index: str) -> list[tuple[bytes, bytes]]:
        """Return every key and image of an index."""
        found = self.engine.catalogue.by_name[table]
        return [(e.key, e.image) for e in self.engine.store.scan(found, found.indexes[index], b"", None)]

    async def put(self, artist: str, song: str, **more: Any) -> None:
        """Write an item of the table Music."""
        item = {"artist": {"S": artist}, "song": {"S": song}, **more}
        await self.call("PutItem", TableName="Music", Item=item)

    async def fill(self, count: int) -> None:
        """Write ``count`` items of the table Music, three to an artist."""
        for number in range(count):
            more = {"year": {"N": str(1960 + number % 60)}, "text": {"S": "x" * 100}}
            await self.put(f"artist {number // 3}", f"song {number}", **more)


@asynccontextmanager
async def running(
    folder: Path | None, name: str = US, clock: ManualClock | None = None, buckets: Buckets | None = None
) -> AsyncIterator[ArchiveRegion]:
    """Run a region until the block ends; then stop it cleanly."""
    region = ArchiveRegion(folder, name, clock, buckets)
    region.engine.start()
    region.archivist.start()
    try:
        yield region
    finally:
        await region.archivist.stop()
        await region.engine.close()
