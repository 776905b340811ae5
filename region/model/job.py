"""Jobs: long work that was asked for over the API and goes on in the background, as the store keeps it.

What: a backup that is being made or deleted, a restore, an export or an import. A job is saved in the transaction of
the request that asked for it, so work that was promised survives a crash; the archivist (:mod:`region.archive`)
does it and writes how far it has come into the same record.

Invariant: an ``arn`` names one job and is never used for another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

BACKUP: Final = "backup"
DELETION: Final = "deletion"
RESTORE: Final = "restore"
EXPORT: Final = "export"
IMPORT: Final = "import"
"""Kinds of jobs; a deletion is one of a backup."""

IN_PROGRESS: Final = "IN_PROGRESS"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"

KEPT_MS: Final = 90 * 24 * 60 * 60 * 1000
"""How long a job that has ended is still described: 90 days, as AWS does."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of background work. Times are in ms since 1970."""

    arn: str
    kind: str
    table_uid: str
    table_name: str
    started_ms: int
    status: str = IN_PROGRESS
    ended_ms: int | None = None
    done: int = 0
    """How many items are safely dealt with: where a restore or an import goes on after a crash."""
    token: str | None = None
    """The ClientToken of the request, where the operation has one."""
    reason: str | None = None
    """Why it failed, in words for a person."""
    details: Mapping[str, Any] = {}
    """What the kind of work needs besides, JSON-ready."""


class ArchiveFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a table's history for point-in-time recovery: a base (the whole table) or a segment of changes.

    It covers log sequences ``after < sequence <= upto``, which were committed from ``first_ms`` to ``last_ms``; a base
    is the table as of ``upto``, at ``last_ms``. A base without a ``path`` is still being written.
    """

    table_uid: str
    base: bool
    after: int
    upto: int
    first_ms: int
    last_ms: int
    path: str = ""
    sha256: str = ""
    size_bytes: int = 0
    records: int = 0
