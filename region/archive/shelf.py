"""The backups in a vault: found, read and judged.

What: a folder ``backups/<id>/`` with a manifest is a backup, whoever put it there: this region, or a person who copied
it from another one. Manifests are read once and again when they change.

Invariant: a manifest that is damaged is never listed, and the reason is kept for whoever asks for that backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from region.archive import packing, vault
from region.archive.vault import Vault
from region.errors import ArchiveError
from region.model.backup import FOLDER, MANIFEST, Manifest, unseal

AT_ONCE_BYTES: Final = 16 << 20
"""Up to this size a file's digest is checked while the caller waits, some 20 ms at most."""


class VaultShelf:
    """The backups of a vault."""

    def __init__(self, store: Vault) -> None:
        self._vault = store
        self._read: dict[str, tuple[str | None, Manifest | str]] = {}
        """By name of the manifest: its stamp, and what it says, or what is wrong with it."""

    def backups(self) -> Mapping[str, Manifest]:
        """Return the whole backups by their ids, in order."""
        found = (self._manifest(name) for name in self._vault.names(FOLDER) if name.endswith("/" + MANIFEST))
        return {it.id: it for it in sorted((it for it in found if isinstance(it, Manifest)), key=lambda it: it.id)}

    def problem(self, backup_id: str) -> str | None:
        """Return why a backup cannot be served, ``None`` if it can."""
        name = f"{FOLDER}{backup_id}/{MANIFEST}"
        if self._vault.stamp(name) is None:
            return None
        manifest = self._manifest(name)
        if isinstance(manifest, str):
            return manifest
        try:
            self.check(manifest, at_most=AT_ONCE_BYTES)
        except ArchiveError as error:
            return str(error)
        return None

    def check(self, manifest: Manifest, *, at_most: int | None = None) -> None:
        """Check a backup's file of items by size and digest; the digest only of a file up to ``at_most`` bytes.

        Raises:
            ArchiveError: it is missing or damaged; the message says what was found and what was expected.
        """
        data, name = manifest.data, manifest.folder + manifest.data.file
        stamp = self._vault.stamp(name)
        if stamp is None:
            raise ArchiveError(f"{name} is missing")
        size_bytes = int(stamp.partition("-")[0])
        if size_bytes != data.size_bytes:
            raise ArchiveError(f"{name} is damaged: it has {size_bytes} bytes and its manifest says {data.size_bytes}")
        if at_most is not None and size_bytes > at_most:
            return
        found = packing.digest(self._vault, name)
        if found != data.sha256:
            raise ArchiveError(f"{name} is damaged: its SHA-256 is {found} and its manifest says {data.sha256}")

    def remove(self, backup_id: str) -> None:
        """Delete a backup, its manifest first, so that no half of one is ever listed."""
        folder = f"{FOLDER}{backup_id}/"
        self._vault.delete(folder + MANIFEST)
        for name in self._vault.names(folder):
            self._vault.delete(name)

    def _manifest(self, name: str) -> Manifest | str:
        stamp = self._vault.stamp(name)
        known = self._read.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            read: Manifest | str = unseal(vault.read(self._vault, name), name)
        except ArchiveError as error:
            read = str(error)
        self._read[name] = stamp, read
        return read
