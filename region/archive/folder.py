"""A vault in a folder of the local disk, which a person can look into, copy and move.

What: a blob is a file. It is written under a temporary name in its folder, brought to the disk, and renamed; so a
name always stands for a whole file.

Invariant: no name leads out of the folder.

Hazard: leftovers of a crash are files that end in ``.part``; they are never listed, and are deleted when the vault
is opened.

Source: rename(2), fsync(2).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Final

from region.errors import ArchiveError
from region.keyring import Keyring

PART: Final = ".part"


class FolderVault:
    """Blobs as files under ``root``, which is made when something is written. ``tidy`` deletes leftovers of a crash."""

    def __init__(self, root: Path, *, tidy: bool = False, keyring: Keyring | None = None) -> None:
        self.root = root
        self.keyring = keyring
        if tidy and root.is_dir():
            for leftover in root.rglob(f"*{PART}"):
                leftover.unlink(missing_ok=True)

    def create(self, name: str) -> FileBlob:
        """Begin to write a file."""
        return FileBlob(self._path(name))

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        path = self._path(name)
        try:
            return path.open("rb")
        except OSError as error:
            raise ArchiveError(f"{path} cannot be read: {error.strerror}") from error

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with ``prefix``, sorted."""
        folder = self._path(prefix if prefix.endswith("/") else prefix.rpartition("/")[0] or ".")
        if not folder.is_dir():
            return []
        found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != PART)
        names = (path.relative_to(self.root).as_posix() for path in found)
        return sorted(name for name in names if name.startswith(prefix))

    def stamp(self, name: str) -> str | None:
        """Return the size and the time of a file."""
        try:
            status = self._path(name).stat()
        except OSError:
            return None
        return f"{status.st_size}-{status.st_mtime_ns}"

    def delete(self, name: str) -> None:
        """Delete a file, and its folder where that is empty then."""
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
            if path.parent != self.root and path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        except OSError as error:
            raise ArchiveError(f"{path} cannot be deleted: {error.strerror}") from error

    def _path(self, name: str) -> Path:
        if name.startswith("/") or ".." in name.split("/"):
            raise ArchiveError(f"{name} leads out of {self.root}")
        return self.root / name


class FileBlob:
    """A file being written under a temporary name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + PART)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._part.open("wb")
        except OSError as error:
            raise self._failed(error) from error

    def write(self, data: bytes) -> None:
        """Append bytes."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise self._failed(error) from error

    def commit(self) -> None:
        """Bring the file to the disk and give it its name."""
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._part.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # Else a power cut could forget the new name.
            finally:
                os.close(folder)
        except OSError as error:
            raise self._failed(error) from error

    def abandon(self) -> None:
        """Delete what there is under the temporary name."""
        self._stream.close()
        self._part.unlink(missing_ok=True)

    def _failed(self, error: OSError) -> ArchiveError:
        return ArchiveError(
            f"{self._path} cannot be written: {error.strerror}; check that there is room and a right to"
        )
