"""Filling a restored table: items come out of the archive a batch at a time and go in by small transactions.

Invariants: the digest of a file is checked before its first item is used. How many items are in is saved with them, so
a restore that was interrupted goes on behind the last batch. Items get versions of this region and this moment, and no
log records: the table is new, independent, and nobody has seen it yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import msgspec

from region.archive.desk import Desk
from region.archive.history import open_past
from region.archive.packing import image_of, unpack
from region.model import image as images
from region.model import values
from region.model.backup import FOLDER, MANIFEST, Manifest, unseal
from region.model.change import Change
from region.model.job import Job
from region.model.table import Table
from region.model.values import Item
from region.model.version import Version
from region.operation.archive import restoration
from region.operation.context import Context

BATCH_ITEMS: Final = 64
BATCH_BYTES: Final = 1 << 18
"""How much one transaction of a restore writes, whichever is reached first: a few milliseconds of everybody's time."""

Loaded = tuple[bytes, Item, int]
"""An item on its way into a table: its image, its decoded form, and its size as DynamoDB counts."""


async def restore(desk: Desk, work: Job) -> int:
    """Fill a table from a backup or from a table's past; return the number of its items.

    Raises:
        ArchiveError: the backup or the history is damaged or gone.
    """
    if "history" in work.details:
        past = await open_past(desk, work.details)
        try:
            images = islice(past.at(int(work.details["at_ms"])), work.done, None)
            return await fill(desk, work, map(load, images), None)
        finally:
            past.close()
    manifest = await desk.beside(lambda: _checked(desk, str(work.details["backup"])))
    name = manifest.folder + manifest.data.file
    loaded = (load(image_of(line, name)) for line in islice(unpack(desk.vault, name), work.done, None))
    return await fill(desk, work, loaded, manifest.data.items)


async def fill(desk: Desk, work: Job, loaded: Iterator[Loaded], total: int | None) -> int:
    """Write the items that are not in yet, end the restore, and return the number of items."""
    done = work.done
    while batch := await desk.beside(lambda: take(loaded)):
        done += len(batch)
        reached = msgspec.structs.replace(work, done=done)
        await desk.transact(lambda context: _write(context, reached, batch))  # noqa: B023 - awaited at once.
        desk.report(work.arn, done, total)
    await desk.transact(lambda context: restoration.finish(context, work))
    return done


def load(image: bytes) -> Loaded:
    """Decode an image and measure its item."""
    item = images.decode(image)
    return image, item, values.normalise_item(item)


def take(loaded: Iterator[Loaded]) -> list[Loaded]:
    """Return the next batch, empty at the end."""
    batch: list[Loaded] = []
    total = 0
    for one in loaded:
        batch.append(one)
        total += len(one[0])
        if len(batch) == BATCH_ITEMS or total >= BATCH_BYTES:
            break
    return batch


def insert(context: Context, table: Table, one: Loaded) -> None:
    """Write one item into a table that nobody uses yet; a later item of the same key replaces it."""
    image, item, size = one
    key = table.key_of(table.key_attributes(item))
    incumbent = context.transaction.get(table, key)
    version = Version(context.clock.now(), context.settings.region)
    context.transaction.load(Change(table, key, image, size, version, incumbent, item=item))
    context.written += 1


def _write(context: Context, work: Job, batch: list[Loaded]) -> None:
    table = restoration.target_of(context, work)
    for one in batch:
        insert(context, table, one)
    context.save_job(work)


def _checked(desk: Desk, backup_id: str) -> Manifest:
    """Return the manifest of a backup whose files are whole."""
    name = f"{FOLDER}{backup_id}/{MANIFEST}"
    with desk.vault.open(name) as stream:
        manifest = unseal(stream.read(), name)
    desk.shelf.check(manifest)
    return manifest
