"""The archivist at work: it does the jobs that requests have saved, each in a task of its own, and ends them.

What: a job that is committed announces itself (:class:`~region.events.ArchiveQueued`). A backup's snapshot is taken in
that very moment, so that it holds what was committed when the request was answered; the rest follows beside the
region's clients. A region that starts takes up what was under way when it stopped.

Invariants: a few jobs run at a time and the others wait. A job ends in the store: it is forgotten, or marked as done or
failed with the reason. A defect in one reaches the event loop's handler, which stops the region.

Hazard: a backup that waits for its turn keeps its snapshot open, and SQLite's WAL grows meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from region.archive import backing, restoring
from region.archive.buckets import Buckets
from region.archive.desk import Beside, Desk, Replica
from region.archive.exporting import export
from region.archive.historian import ArchiveSettings, Historian
from region.archive.importing import import_
from region.archive.shelf import VaultShelf
from region.archive.vault import Vault
from region.errors import ArchiveError, DynamoError
from region.events import ArchiveFailed, ArchiveFinished, ArchiveQueued, Event
from region.model import job
from region.model.job import Job
from region.operation.archive import imports, restoration
from region.operation.archive.backups import manifest_in
from region.operation.context import Context
from region.store.port import Snapshot

AT_A_TIME: Final = 3


class Archivist:
    """Does one region's archive work. All methods belong to the event loop's thread."""

    def __init__(
        self,
        replica: Replica,
        vault: Vault,
        shelf: VaultShelf,
        buckets: Buckets,
        beside: Beside,
        settings: ArchiveSettings,
    ) -> None:
        self.buckets = buckets
        self.desk = Desk(replica, vault, shelf, beside)
        self.historian = Historian(self.desk, settings)
        self._replica = replica
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Take up what was under way, and from now on what is asked for."""
        self.historian.start()
        self.desk.spawn(self._expire(), "deleting expired backups")
        self._unsubscribe = self._replica.events.subscribe(self._listen)
        for work in self._replica.store.archive.jobs():
            if work.status == job.IN_PROGRESS:
                self._begin(work, None)

    async def stop(self) -> None:
        """Interrupt what is under way; it goes on at the next start."""
        self.historian.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self.desk.stop()

    def _listen(self, event: Event) -> None:
        if not isinstance(event, ArchiveQueued):
            return
        work = self._replica.store.archive.job(event.arn)
        if work is None or work.status != job.IN_PROGRESS:
            return
        snapshot = None
        if work.kind == job.BACKUP and "history" not in work.details:
            table = self._replica.catalogue.by_uid[work.table_uid]
            if not table.record.dropped:
                snapshot = self._replica.store.snapshot(table, items=True)
        self._begin(work, snapshot)

    def _begin(self, work: Job, snapshot: Snapshot | None) -> None:
        self.desk.spawn(self._run(work, snapshot), f"{work.kind} {work.arn}")

    async def _expire(self) -> None:
        """Delete backups that are past their time, which are those of deleted tables."""
        now_ms = self._replica.source.now_ms()
        for backup_id, manifest in (await self.desk.beside(self.desk.shelf.backups)).items():
            if manifest.expires_ms is not None and manifest.expires_ms <= now_ms:
                await self.desk.beside(partial(self.desk.shelf.remove, backup_id))

    async def _run(self, work: Job, snapshot: Snapshot | None) -> None:
        try:
            async with self._turns:
                items = await self._do(work, snapshot)
        except (ArchiveError, DynamoError) as error:
            reason = str(error)
            await self.desk.transact(lambda context: _fail(context, work, reason))
            self._replica.events.emit(ArchiveFailed(work.kind, work.arn, reason))
        else:
            self._replica.events.emit(ArchiveFinished(work.kind, work.arn, items))
        finally:
            self.desk.progress.pop(work.arn, None)
            if snapshot is not None:
                snapshot.close()
        self.historian.look()

    async def _do(self, work: Job, snapshot: Snapshot | None) -> int:
        desk = self.desk
        if work.kind == job.BACKUP:
            if "history" in work.details:
                return await backing.back_up_past(desk, work)
            return await backing.back_up(desk, work, snapshot)
        if work.kind == job.DELETION:
            backup_id = manifest_in(work).id
            await desk.beside(lambda: desk.shelf.remove(backup_id))
            await desk.transact(lambda context: context.delete_job(work.arn))
            return 0
        if work.kind == job.EXPORT:
            return await export(desk, self.buckets, work)
        if work.kind == job.IMPORT:
            return await import_(desk, self.buckets, work)
        return await restoring.restore(desk, work)


def _fail(context: Context, work: Job, reason: str) -> None:
    """Write down that a job has failed, and undo what only its success would have kept."""
    if work.kind == job.RESTORE:
        restoration.give_up(context, work, reason)
        return
    if work.kind == job.IMPORT:
        imports.give_up(context, work, reason)
        return
    ended = msgspec.structs.replace(work, status=job.FAILED, ended_ms=context.now_ms(), reason=reason)
    context.save_job(ended)
