"""The historian at work: it keeps the histories of tables with point-in-time recovery.

What: when recovery of a table is switched on, a base is taken of the very commit that did it. From then on, every
``segment_ms``, what the log says of the table since is written to a segment, so that the log may be trimmed; and when
the segments behind the last base have grown, a new base is taken. Files that no moment within the recovery period
needs are deleted, and so is the whole history once recovery is off.

Invariants: one thing at a time is done to a history. A file is written before the store knows it, and forgotten by the
store before it is deleted; so what the store knows is there. A job that reads a past moment keeps its files.

Hazards: what reaches a table without a record in the log is not in its segments, only in the next base: items that a
replica copies when it is made (recovery cannot be on yet) and when it is resynchronised. Where the founding of a
history was interrupted by a crash, or the log was trimmed below it for lack of room, it begins again, and moments
before that cannot be restored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final

import msgspec

from region.archive.desk import Desk
from region.archive.history import FOLDER, PAGE, change_line, name_of
from region.archive.packing import Packed
from region.archive.writing import snapshot_pages, write
from region.errors import KeyUnavailableError, OperatingError
from region.events import ArchiveFailed, Event, TableChanged
from region.model import job, recovery
from region.model.job import ArchiveFile
from region.model.table import Table
from region.operation.archive import continuous_backups
from region.operation.context import Catalogue, Context
from region.store.port import Snapshot

REBASE_BYTES_MIN: Final = 16 << 20
REBASE_BYTES_MAX: Final = 64 << 20
"""A new base is due when the segments behind the last one are as large as it is, within these bounds: a history takes
about twice the room of what changed, and what a restore holds in memory is bounded."""


class ArchiveSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a region keeps histories."""

    segment_ms: int = 10 * 60 * 1000
    """How often what the log says is written to a segment."""


class Historian:
    """Keeps the histories of one region. All methods belong to the event loop's thread."""

    def __init__(self, desk: Desk, settings: ArchiveSettings) -> None:
        self._desk = desk
        self._replica = desk.replica
        self._settings = settings
        self._founding: set[str] = set()
        self._tidy = False
        self._seen: Catalogue | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def keeping(self) -> bool:
        """Whether it has anything to come back for."""
        return self._timer is not None

    def start(self) -> None:
        """Take up the histories that there are, and from now on those that are asked for."""
        self._unsubscribe = self._replica.events.subscribe(self._listen)
        if self._replica.store.archive.archived_tables():
            self._desk.spawn(self._begin(), "taking up histories")
        else:
            self._tidy = True

    def stop(self) -> None:
        """Begin nothing more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """See to histories that are to be founded or given up, and keep the rest going."""
        if not self._tidy:
            return
        try:
            going = self._see_to_all()
        except OperatingError as error:
            # The store cannot be read now; the next tick looks again.
            self._replica.events.emit(ArchiveFailed("history", "", str(error)))
            going = True
        if going and self._timer is None and self._unsubscribe is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._settings.segment_ms / 1000, self._tick)

    def _see_to_all(self) -> bool:
        """Begin what is due of each table's history; return whether there is any to be kept going."""
        archive = self._replica.store.archive
        uids = archive.archived_tables()
        for uid in uids:
            table = self._table_of(uid)
            if table is None:
                self._desk.spawn(self._give_up(uid), f"giving up the history {uid}")
            elif uid not in self._founding and any(it.base and not it.path for it in archive.files(uid)):
                self._found(table)
        if self._replica.catalogue is not self._seen:
            self._seen = self._replica.catalogue
            for table in self._seen.by_name.values():
                if recovery.state_of(table.local) is not None and table.uid not in uids:
                    self._desk.spawn(self._resume(table.uid), f"beginning the history of {table.name} again")
        return bool(uids)

    def _listen(self, event: Event) -> None:
        if isinstance(event, TableChanged):
            self.look()

    def _tick(self) -> None:
        self._timer = None
        self._desk.spawn(self.keep_all(), "keeping histories")
        self.look()

    def _table_of(self, uid: str) -> Table | None:
        """Return a table whose history is to be kept."""
        table = self._replica.catalogue.by_uid.get(uid)
        return None if table is None or recovery.state_of(table.local) is None else table

    async def _resume(self, uid: str) -> None:
        """Begin the history of a table that has recovery on and none: it left its global table under another uid."""
        await self._desk.transact(lambda context: continuous_backups.resume(context, uid))

    async def keep_all(self) -> None:
        """Bring every history up to now, and delete what it does not need any more."""
        for uid in self._replica.store.archive.archived_tables():
            table = self._table_of(uid)
            if table is not None:
                try:
                    await self.keep(table)
                except (OperatingError, KeyUnavailableError) as error:
                    self._replica.events.emit(ArchiveFailed("history", table.name, str(error)))

    def _found(self, table: Table) -> None:
        """Begin a history with the last commit."""
        snapshot = self._replica.store.snapshot(table, items=True)
        reached_ms = self._present_ms()
        self._founding.add(table.uid)
        self._desk.spawn(self._write_first(table, snapshot, reached_ms), f"founding the history of {table.name}")

    async def _write_first(self, table: Table, snapshot: Snapshot, reached_ms: int) -> None:
        try:
            async with self._desk.lock(table.uid):
                base = await self._write_base(table, snapshot, reached_ms)
                await self._desk.transact(lambda context: continuous_backups.founded(context, base))
        except (OperatingError, KeyUnavailableError) as error:
            self._replica.events.emit(ArchiveFailed("history", table.name, str(error)))
        finally:
            snapshot.close()
            self._founding.discard(table.uid)

    async def keep(self, table: Table) -> None:
        """Bring one history up to now.

        Raises:
            ArchiveError: the vault cannot be written; the log keeps what is missing.
        """
        async with self._desk.lock(table.uid):
            files = self._replica.store.archive.files(table.uid)
            if not any(it.base and it.path for it in files):
                return
            due = _rebase_due(files)
            last = files[-1]
            snapshot = self._replica.store.snapshot(table, items=due, changes_after=last.upto)
            try:
                if snapshot.tail > last.upto:
                    await self._found_anew(table)
                elif snapshot.head > last.upto:
                    await self._extend(table, last, snapshot, due=due)
            finally:
                snapshot.close()
            await self._prune(table)

    async def _found_anew(self, table: Table) -> None:
        """The log was trimmed before it was written to a file, for lack of room: the history begins again."""
        snapshot = self._replica.store.snapshot(table, items=True)
        reached_ms = self._present_ms()
        try:
            base = await self._write_base(table, snapshot, reached_ms)
        finally:
            snapshot.close()
        await self._desk.transact(lambda context: continuous_backups.founded(context, base))

    def _present_ms(self) -> int:
        """Return a time that is not before the commit of anything that is in the log now."""
        return max(self._replica.source.now_ms(), self._replica.clock.last >> 16)

    async def _extend(self, table: Table, last: ArchiveFile, snapshot: Snapshot, *, due: bool) -> None:
        segment = await self._write_segment(table, last, snapshot)
        new = [segment]
        if due:
            new.append(await self._write_base(table, snapshot, segment.last_ms))

        def save(context: Context) -> None:
            archive = context.transaction.archive
            if segment.after == last.after and not last.base:
                archive.delete_file(last)
            for file in new:
                archive.save_file(file)
            context.written += 1

        await self._desk.transact(save)

    async def _write_segment(self, table: Table, last: ArchiveFile, snapshot: Snapshot) -> ArchiveFile:
        """Write the changes between a file and a snapshot; where there are none, only the reach grows."""
        head = snapshot.head
        pages = _ChangePages(snapshot, last)
        first = await self._desk.beside(lambda: next(pages, None))
        if first is None:
            after = last.after if not (last.base or last.path) else last.upto
            return ArchiveFile(
                table_uid=table.uid, base=False, after=after, upto=head, first_ms=last.last_ms, last_ms=last.last_ms
            )
        name = name_of(table.uid, base=False, after=last.upto, upto=head)
        packed = await write(self._desk, name, table.uid, chain([first], pages))
        return _file(packed, table, base=False, after=last.upto, upto=head, span_ms=(pages.first_ms, pages.last_ms))

    async def _write_base(self, table: Table, snapshot: Snapshot, reached_ms: int) -> ArchiveFile:
        head = snapshot.head
        name = name_of(table.uid, base=True, after=head, upto=head)
        packed = await write(self._desk, name, table.uid, snapshot_pages(snapshot))
        return _file(packed, table, base=True, after=head, upto=head, span_ms=(reached_ms, reached_ms))

    async def _prune(self, table: Table) -> None:
        state = recovery.state_of(table.local)
        if state is None:
            return
        archive = self._replica.store.archive
        earliest_ms = state.earliest_ms(self._replica.source.now_ms())
        needed_ms = min([earliest_ms, *(int(work["at_ms"]) for work in self._readers(table.uid))])
        victims = recovery.expendable(archive.files(table.uid), needed_ms)
        if victims:
            await self._forget(victims)

    async def _give_up(self, uid: str) -> None:
        """Delete a history that is not wanted any more, unless somebody still reads it."""
        async with self._desk.lock(uid):
            if self._table_of(uid) is None and not self._readers(uid):
                await self._forget(self._replica.store.archive.files(uid))

    def _readers(self, uid: str) -> list[dict[str, int]]:
        """Return what the running jobs that read a history say of it."""
        jobs = self._replica.store.archive.jobs()
        return [dict(it.details) for it in jobs if it.status == job.IN_PROGRESS and it.details.get("history") == uid]

    async def _forget(self, files: Sequence[ArchiveFile]) -> None:
        def work(context: Context) -> None:
            for file in files:
                context.transaction.archive.delete_file(file)
                context.written += 1

        if files:
            await self._desk.transact(work)
        for file in files:
            if file.path:
                await self._delete(file.path)

    async def _begin(self) -> None:
        """Delete what nobody knows of; then go on, and so too where that failed: the next start deletes it."""
        try:
            await self._delete_unknown()
        except OperatingError as error:
            self._replica.events.emit(ArchiveFailed("history", "", str(error)))
        self._tidy = True
        self.look()

    async def _delete_unknown(self) -> None:
        """Delete files that the store never knew of, or has forgotten, because of a crash."""
        archive = self._replica.store.archive
        names = await self._desk.beside(lambda: self._desk.vault.names(FOLDER))
        known = {file.path for uid in archive.archived_tables() for file in archive.files(uid)}
        for name in names:
            if name not in known:
                await self._delete(name)

    async def _delete(self, name: str) -> None:
        await self._desk.beside(lambda: self._desk.vault.delete(name))


class _ChangePages:
    """The changes behind a file, a line each, and from when to when they were committed."""

    def __init__(self, snapshot: Snapshot, last: ArchiveFile) -> None:
        self.first_ms = 0
        self.last_ms = last.last_ms
        self._snapshot = snapshot
        self._after = last.upto

    def __iter__(self) -> _ChangePages:
        return self

    def __next__(self) -> list[bytes]:
        page = self._snapshot.changes(self._after, PAGE)
        if not page:
            raise StopIteration
        self._after = page[-1].sequence
        self.first_ms = self.first_ms or page[0].ms
        self.last_ms = max(self.last_ms, *(change.ms for change in page))
        return [change_line(change) for change in page]


def _file(packed: Packed, table: Table, *, base: bool, after: int, upto: int, span_ms: tuple[int, int]) -> ArchiveFile:
    return ArchiveFile(
        table_uid=table.uid,
        base=base,
        after=after,
        upto=upto,
        first_ms=span_ms[0],
        last_ms=span_ms[1],
        path=packed.name,
        sha256=packed.sha256,
        size_bytes=packed.size_bytes,
        records=packed.lines,
    )


def _rebase_due(files: Sequence[ArchiveFile]) -> bool:
    """Whether the segments behind the last base have grown large enough for a new one."""
    base = [it for it in files if it.base][-1]
    behind = sum(it.size_bytes for it in files if not it.base and it.upto > base.upto)
    return behind >= min(max(base.size_bytes, REBASE_BYTES_MIN), REBASE_BYTES_MAX)
