"""A store whose disk fails on purpose: full, or slow. For experiments; a region uses it only when it is told to.

What: SQLite in WAL mode meets a full or slow disk when it commits, so that is where this one fails: ``COMMIT`` is
refused with SQLite's own error, or takes longer. Everything behind the error (rollback, the answer to the client, the
clock's ceiling) is the product's.

Hazard: a slow commit runs beside the event loop only if the engine was given a way to; else it stops the loop.
"""

from __future__ import annotations

import threading
from typing import Literal

import apsw

from region.store.failure import failure
from region.store.sqlite import SqliteStore


class FaultyStore(SqliteStore):
    """A store with a disk that can be made full or slow at any time."""

    full = False
    slow_ms = 0

    @property
    def syncs_at_commit(self) -> bool:
        """Whether ``commit`` waits for the disk, slow ones included."""
        return self.slow_ms > 0 or super().syncs_at_commit

    def _end(self, statement: Literal["COMMIT", "ROLLBACK"]) -> None:
        if statement == "COMMIT":
            if self.slow_ms > 0:
                threading.Event().wait(self.slow_ms / 1000)
            if self.full:
                error = apsw.FullError("database or disk is full")
                raise self._transaction.broken_by(failure(error, statement, self.where, committing=True)) from error
        super()._end(statement)
