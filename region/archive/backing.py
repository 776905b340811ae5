"""Making a backup: a table as of one commit, written into the vault page by page.

Invariant: the manifest is written last, and only then is the job forgotten; so a backup is whole or is still being
made. A region that was killed meanwhile makes it anew, of the table as it is then, and the manifest says so.
"""

from __future__ import annotations

import msgspec

from region.archive import vault
from region.archive.desk import Desk
from region.archive.history import open_past
from region.archive.packing import Packed
from region.archive.writing import Pages, image_pages, snapshot_pages, write
from region.errors import ArchiveError
from region.model.backup import MANIFEST, Data, Manifest, seal
from region.model.job import Job
from region.operation.archive.backups import manifest_in
from region.store.port import Snapshot


async def back_up(desk: Desk, work: Job, snapshot: Snapshot | None) -> int:
    """Make a backup of a snapshot, which is closed, or of the table as it is; return the number of its items.

    Raises:
        ArchiveError: the vault cannot be written, or the table is gone.
    """
    manifest = manifest_in(work)
    if snapshot is None:
        table = desk.replica.catalogue.by_uid.get(work.table_uid)
        if table is None or table.record.dropped:
            raise ArchiveError(f"table {work.table_name} was deleted before its backup was made")
        snapshot = desk.replica.store.snapshot(table, items=True)
        manifest = msgspec.structs.replace(
            manifest, created_ms=desk.replica.source.now_ms(), settings=dict(table.registers)
        )
    try:
        packed = await _write_items(desk, work, manifest, snapshot_pages(snapshot))
    finally:
        snapshot.close()
    await finish(desk, manifest, packed)
    await desk.transact(lambda context: context.delete_job(work.arn))
    return packed.lines


async def back_up_past(desk: Desk, work: Job) -> int:
    """Make a backup of a table's past, as a deletion does; return the number of its items.

    Raises:
        ArchiveError: the history is damaged, or the vault cannot be written.
    """
    manifest = manifest_in(work)
    past = await open_past(desk, work.details)
    try:
        pages = image_pages(past.at(int(work.details["at_ms"])))
        packed = await _write_items(desk, work, manifest, pages)
    finally:
        past.close()
    await finish(desk, manifest, packed)
    await desk.transact(lambda context: context.delete_job(work.arn))
    return packed.lines


async def finish(desk: Desk, manifest: Manifest, packed: Packed) -> None:
    """Write the manifest of a backup whose items are in the vault."""
    data = Data(sha256=packed.sha256, size_bytes=packed.size_bytes, items=packed.lines)
    sealed = seal(msgspec.structs.replace(manifest, data=data))
    await desk.beside(lambda: vault.put(desk.vault, manifest.folder + MANIFEST, sealed))


async def _write_items(desk: Desk, work: Job, manifest: Manifest, pages: Pages) -> Packed:
    total = manifest.table.items
    name = manifest.folder + manifest.data.file
    return await write(desk, name, work.table_uid, pages, lambda done: desk.report(work.arn, done, total))
