"""The Vault port: where the archive keeps its files, and nothing about how that is done.

What: a flat space of named blobs, such as ``backups/017…/manifest.json``. The region's data folder is one
(:class:`~region.archive.folder.FolderVault`), a bucket of an object store another (:mod:`region.archive.remote`), and
a region without files has one in memory.

Invariants: a blob appears whole, under its name, when :meth:`Blob.commit` returns, and not at all otherwise; a crash
leaves no half of one. Names are relative, with slashes, and never lead out of the vault.

Hazard: every method may wait for a disk or a network; the archivist calls them beside the event loop.
"""

from __future__ import annotations

import io
from typing import BinaryIO, Protocol

from region.errors import ArchiveError
from region.keyring import Keyring


class Blob(Protocol):
    """One blob being written."""

    def write(self, data: bytes) -> object:
        """Append bytes."""

    def commit(self) -> None:
        """Let the blob appear under its name, in place of one that was there."""

    def abandon(self) -> None:
        """Leave nothing of it behind. May be called again, and after :meth:`commit`, when it does nothing."""


class Vault(Protocol):
    """Where blobs are kept. What fails raises :class:`~region.errors.ArchiveError`, which names the blob."""

    @property
    def keyring(self) -> Keyring | None:
        """What tables' items are encrypted with that are kept here; ``None``: they are not."""

    def create(self, name: str) -> Blob:
        """Begin to write a blob."""

    def open(self, name: str) -> BinaryIO:
        """Open a blob for reading from its beginning."""

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with ``prefix``, sorted."""

    def stamp(self, name: str) -> str | None:
        """Return the size in bytes, a hyphen, and a text that changes with the blob; ``None`` where there is none."""

    def delete(self, name: str) -> None:
        """Delete a blob; one that is not there is no error."""


def read(vault: Vault, name: str) -> bytes:
    """Return a whole blob."""
    with vault.open(name) as stream:
        return stream.read()


def put(vault: Vault, name: str, data: bytes) -> None:
    """Write a whole blob."""
    blob = vault.create(name)
    try:
        blob.write(data)
        blob.commit()
    finally:
        blob.abandon()


class MemoryVault:
    """A vault that is gone with the process, for regions without files."""

    def __init__(self, keyring: Keyring | None = None) -> None:
        self.keyring = keyring
        self._blobs: dict[str, bytes] = {}

    def create(self, name: str) -> MemoryBlob:
        """Begin to write a blob."""
        return MemoryBlob(self, name)

    def keep(self, name: str, data: bytes) -> None:
        """Store a whole blob."""
        self._blobs[name] = data

    def open(self, name: str) -> BinaryIO:
        """Open a blob for reading."""
        if name not in self._blobs:
            raise ArchiveError(f"{name} is not there")
        return io.BytesIO(self._blobs[name])

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin with ``prefix``, sorted."""
        return sorted(name for name in self._blobs if name.startswith(prefix))

    def stamp(self, name: str) -> str | None:
        """Return a text that changes when the blob does."""
        return None if name not in self._blobs else f"{len(self._blobs[name])}-{id(self._blobs[name])}"

    def delete(self, name: str) -> None:
        """Delete a blob."""
        self._blobs.pop(name, None)


class MemoryBlob:
    """A blob being written into a :class:`MemoryVault`."""

    def __init__(self, vault: MemoryVault, name: str) -> None:
        self._vault = vault
        self._name = name
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._parts.append(bytes(data))

    def commit(self) -> None:
        """Let the blob appear."""
        self._vault.keep(self._name, b"".join(self._parts))

    def abandon(self) -> None:
        """Forget what was written."""
        self._parts = []
