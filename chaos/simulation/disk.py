"""Simulated disks: real database files, of which it is known what has been synchronised and what has only been written.

What: a :class:`Disk` is the disk of one machine: a folder (in memory, where the machine offers that) in which the
product's own store keeps its real SQLite file. :class:`Disks` is a layer beneath SQLite (a VFS) that sees every write
and every sync of these files. At a loss of power, writes since the last sync are lost: a suffix, or any of them, for a
disk may write its pages in any order. A disk can be full, slow, copied, and put back to a copy; and a process can die
at a write, of which a part may reach the file.

Invariants: nothing is added to or left out of what SQLite does with its files; files elsewhere are passed through. What
was synchronised is never lost.

Hazards: one layer serves all simulations of an operating system process, as SQLite's VFS belongs to the process.
Lost writes are undone by the contents that they replaced, beyond the old end of a file by zeros.

Source: https://sqlite.org/vfs.html; https://rogerbinns.github.io/apsw/vfs.html; T. Pillai et al., "All File Systems Are
Not Created Equal" (2014).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from region.randomness import Rng, chance, integer

DATABASE: Final = "region.sqlite"
MEMORY: Final = Path("/dev/shm")
"""A file system in memory on Linux; elsewhere the folder for temporary files serves."""
_NAME: Final = "atoll-simulation"
_BASE: Final = "unix"
_DEAD: Final = "the process that writes has ended"


class _Write(NamedTuple):
    """A write that is not synchronised: where, and what it replaced, ``None`` beyond the end of the file."""

    offset: int
    size: int
    replaced: bytes | None


class Doom:
    """The death of a process at one of its next writes or syncs: ``left`` still go well, of that one a ``share`` does.

    ``dies`` is called then. Whatever the dead process still asks of its files, nothing happens.
    """

    __slots__ = ("_dead", "_dies", "_left", "_share")

    def __init__(self, left: int, share: float, dies: Callable[[], None]) -> None:
        self._dead = False
        self._left = left
        self._share = share
        self._dies = dies

    def reach(self, size: int) -> int | None:
        """Return how much of the next write reaches the file; ``None``: all of it, and the process lives."""
        if self._dead:
            return 0
        if self._left > 0:
            self._left -= 1
            return None
        self._dead = True
        self._dies()
        return int(size * self._share)


class Disk:
    """The disk of one machine, empty at first."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.full = False
        self.slow_ms = 0
        """How much longer each sync takes."""
        self.stall: Callable[[float], None] | None = None
        """Called at a sync that nobody waits for beside the event loop, with the seconds that it takes longer."""
        self.doom: Doom | None = None
        """When the process dies at a write, if it is to."""
        self.syncs = self.lost = 0
        self._unsynced: dict[str, list[_Write]] = {}
        self._connections: list[apsw.Connection] = []

    @property
    def path(self) -> Path:
        """The database file."""
        return self.folder / DATABASE

    # What the layer beneath SQLite reports.

    def connected(self, connection: apsw.Connection) -> None:
        """A connection to one of its files was opened."""
        self._connections.append(connection)

    def wrote(self, name: str, offset: int, size: int, replaced: bytes | None) -> None:
        """A file was written to."""
        self._unsynced.setdefault(name, []).append(_Write(offset, size, replaced))

    def synced(self, name: str) -> None:
        """A file was synchronised: what was written is safe."""
        self.syncs += 1
        self._unsynced.pop(name, None)
        if self.slow_ms and self.stall is not None:
            self.stall(self.slow_ms / 1000)

    def deleted(self, name: str) -> None:
        """A file was deleted."""
        self._unsynced.pop(name, None)

    # What happens to it.

    def release(self) -> None:
        """Leave the files as they are when the connections close, as when their process is killed."""
        for connection in self._connections:
            try:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            except apsw.ConnectionClosedError:
                continue
        self._connections.clear()

    def cut_power(self, rng: Rng) -> int:
        """Lose writes that were not synchronised; return how many. The files must be closed."""
        lost = 0
        for name in sorted(self._unsynced):
            writes = self._unsynced[name]
            kept = integer(rng, 0, len(writes))
            unordered = chance(rng, 0.3)
            gone = [write for write in writes[kept:] if not unordered or chance(rng, 0.5)]
            _undo(Path(name), gone)
            lost += len(gone)
        self._unsynced.clear()
        self.lost += lost
        return lost

    def copy(self, to: Path) -> None:
        """Copy the files as they are now, as a backup of a running machine does."""
        to.mkdir(parents=True, exist_ok=True)
        for path in self._files():
            shutil.copyfile(path, to / path.name)

    def restore(self, copy: Path) -> None:
        """Put a copy in the place of the files, which must be closed."""
        for path in [*self._files(), self.path.with_name(DATABASE + "-shm")]:
            path.unlink(missing_ok=True)
        for path in sorted(copy.iterdir()):
            shutil.copyfile(path, self.folder / path.name)
        self._unsynced.clear()

    def _files(self) -> list[Path]:
        names = (DATABASE, DATABASE + "-wal", DATABASE + "-journal")
        return [path for name in names if (path := self.folder / name).exists()]


def _undo(path: Path, writes: list[_Write]) -> None:
    if not writes or not path.exists():
        return
    with path.open("r+b") as file:
        for write in reversed(writes):
            file.seek(write.offset)
            file.write(bytes(write.size) if write.replaced is None else write.replaced)


class _File(apsw.VFSFile):
    """A file of a simulated disk, as SQLite uses it."""

    def __init__(self, name: Any, flags: list[int], disk: Disk | None) -> None:
        super().__init__(_BASE, name, flags)
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._disk = disk
        self._is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # SQLite's name of the method.
        """Write, unless the disk is full; note what can be lost."""
        disk = self._disk
        if disk is None:
            super().xWrite(data, offset)
            return
        if disk.full:
            raise apsw.FullError("the simulated disk is full")
        if disk.doom is not None and (reaches := disk.doom.reach(len(data))) is not None:
            if reaches:
                self._write(disk, data[:reaches], offset)
            raise apsw.IOError(_DEAD)
        self._write(disk, data, offset)

    def _write(self, disk: Disk, data: bytes, offset: int) -> None:
        size = len(data)
        replaced = None
        # What a write-ahead log holds beyond its present end is of no meaning, so it is not worth reading.
        if not self._is_log and offset + size <= self.xFileSize():
            replaced = self.xRead(size, offset)
        super().xWrite(data, offset)
        disk.wrote(self._name, offset, size, replaced)

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name of the method.
        """Synchronise."""
        disk = self._disk
        reaches = None if disk is None or disk.doom is None else disk.doom.reach(1)
        if reaches != 0:
            super().xSync(flags)
            if disk is not None:
                disk.synced(self._name)
        if reaches is not None:
            raise apsw.IOError(_DEAD)


class Disks(apsw.VFS):
    """The disks of one simulation, and the layer beneath SQLite that watches them, while entered."""

    def __init__(self) -> None:
        place = MEMORY if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) else None
        self.root = Path(tempfile.mkdtemp(prefix="atoll-sim-", dir=place))
        self._disks: dict[str, Disk] = {}
        super().__init__(_NAME + self.root.name, _BASE, makedefault=True)
        apsw.connection_hooks.append(self._connected)

    def disk(self, machine: str) -> Disk:
        """Return a new, empty disk."""
        disk = Disk(self.root / machine)
        self._disks[str(disk.folder)] = disk
        return disk

    def close(self) -> None:
        """Take the layer away and delete the files; doing it again does nothing."""
        if self._connected not in apsw.connection_hooks:
            return
        apsw.connection_hooks.remove(self._connected)
        self.unregister()
        shutil.rmtree(self.root, ignore_errors=True)

    def _find(self, name: Any) -> Disk | None:
        filename = name.filename() if isinstance(name, apsw.URIFilename) else name
        return None if filename is None else self._disks.get(os.path.dirname(filename))

    def _connected(self, connection: apsw.Connection) -> None:
        disk = self._find(connection.filename)
        if disk is not None:
            disk.connected(connection)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name of the method.
        """Open a file."""
        return _File(name, flags, self._find(name))

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  # SQLite's name of the method.
        """Delete a file."""
        super().xDelete(filename, syncdir)
        disk = self._find(filename)
        if disk is not None:
            disk.deleted(filename)
