"""The lock that keeps two processes from serving one database file.

What: an advisory ``flock`` on ``<file>.lock`` beside the database, which the operating system releases when the
process ends, however it ends. The lock file stays: deleting it would open a race. It holds the owner's process id, for
the message that a second process shows.

Hazard: advisory locks do not work on every network file system; a database belongs on a local disk anyway.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from region.errors import StoreError


class FileLock:
    """An exclusive lock beside a database file, held from construction to :meth:`release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            StoreError: another store serves the file, or its folder cannot be written.
        """
        lock_path = path.with_name(path.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(
                f"cannot use the database file {path}: {error}; choose a folder that is writable"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise StoreError(
                f"the database file {path} is being served already (by process {owner}): stop that process, "
                "or give this region a file of its own"
            ) from error
        with suppress(OSError):  # The lock holds without its note, which a full disk may refuse.
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back; doing it again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
