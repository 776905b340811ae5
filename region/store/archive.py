"""What the archive keeps in the file: jobs, and which files hold the history of tables.

What: two small tables of records in JSON, read and written over the cursor of the reader or the transaction that this
belongs to. Requests touch them rarely, so the SQL is plain.

Invariant: a write marks its transaction as dirty, and as broken when it fails, as every other write does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import apsw
import msgspec

from region.model.job import ArchiveFile, Job
from region.store.failure import reading, writing

_JOB: Final = msgspec.json.Decoder(Job)
_FILE: Final = msgspec.json.Decoder(ArchiveFile)

_SELECT_JOB: Final = "SELECT record FROM jobs WHERE arn = ?"
_SELECT_JOBS: Final = "SELECT record FROM jobs ORDER BY arn"
_SAVE_JOB: Final = (
    "INSERT INTO jobs VALUES (?, ?, ?) ON CONFLICT (arn) DO UPDATE SET kind = excluded.kind, record = excluded.record"
)
_DELETE_JOB: Final = "DELETE FROM jobs WHERE arn = ?"
_SELECT_FILES: Final = "SELECT record FROM archive_files WHERE table_uid = ? ORDER BY upto, base"
_SELECT_UIDS: Final = "SELECT DISTINCT table_uid FROM archive_files"
_SAVE_FILE: Final = (
    "INSERT INTO archive_files VALUES (?, ?, ?, ?) ON CONFLICT (table_uid, base, upto) DO UPDATE "
    "SET record = excluded.record"
)
_DELETE_FILE: Final = "DELETE FROM archive_files WHERE table_uid = ? AND base = ? AND upto = ?"
_FLOOR: Final = "SELECT min(reached) FROM (SELECT max(upto) AS reached FROM archive_files GROUP BY table_uid)"


class ArchiveRecords:
    """Reads jobs and files over one cursor; ``where`` names the database in messages."""

    def __init__(self, cursor: apsw.Cursor, where: str) -> None:
        self.where = where
        self._execute = cursor.execute

    @reading("reading a job")
    def job(self, arn: str) -> Job | None:
        """Return a job by its ARN."""
        text: str | None = self._execute(_SELECT_JOB, (arn,)).get
        return None if text is None else _JOB.decode(text)

    @reading("reading jobs")
    def jobs(self, *kinds: str) -> list[Job]:
        """Return the jobs of some kinds, or all, in the order of their ARNs."""
        found = [_JOB.decode(text) for text in self._texts(_SELECT_JOBS)]
        return [job for job in found if not kinds or job.kind in kinds]

    @reading("reading archive files")
    def files(self, table_uid: str) -> list[ArchiveFile]:
        """Return the files of a table's history, in the order of what they reach up to, a segment before its base."""
        return [_FILE.decode(text) for text in self._texts(_SELECT_FILES, (table_uid,))]

    @reading("reading archive files")
    def archived_tables(self) -> list[str]:
        """Return the uids of the tables that have a history."""
        return self._texts(_SELECT_UIDS)

    @reading("reading archive files")
    def log_floor(self) -> int | None:
        """Return the sequence after which the log holds changes that no archive file has yet, ``None`` for no need."""
        floor: int | None = self._execute(_FLOOR).get
        return floor

    def _texts(self, statement: str, bindings: tuple[Any, ...] = ()) -> list[str]:
        rows: list[tuple[Any, ...]] = self._execute(statement, bindings).fetchall()
        return [text for (text,) in rows]


class ArchiveWriter(ArchiveRecords):
    """Writes them too, in a transaction: ``touch`` is told before a write, ``broken_by`` after one that failed."""

    def __init__(
        self,
        cursor: apsw.Cursor,
        where: str,
        touch: Callable[[], None],
        broken_by: Callable[[BaseException], BaseException],
    ) -> None:
        super().__init__(cursor, where)
        self.touch = touch
        self.broken_by = broken_by

    @writing("saving a job")
    def save_job(self, job: Job) -> None:
        """Add or replace a job."""
        self._execute(_SAVE_JOB, (job.arn, job.kind, msgspec.json.encode(job).decode()))

    @writing("deleting a job")
    def delete_job(self, arn: str) -> None:
        """Forget a job."""
        self._execute(_DELETE_JOB, (arn,))

    @writing("saving an archive file")
    def save_file(self, file: ArchiveFile) -> None:
        """Add or replace a file of a table's history."""
        text = msgspec.json.encode(file).decode()
        self._execute(_SAVE_FILE, (file.table_uid, file.base, file.upto, text))

    @writing("deleting an archive file")
    def delete_file(self, file: ArchiveFile) -> None:
        """Forget a file of a table's history."""
        self._execute(_DELETE_FILE, (file.table_uid, file.base, file.upto))
