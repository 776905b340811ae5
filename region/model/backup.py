"""Backups: what the manifest of one says, and the names and numbers of the archive.

What: a backup is a folder ``backups/<id>/`` with the items of a table and a manifest, which holds everything else: the
table's settings as they were, its figures, and the digest of the items' file. Nothing refers to the region that made
it, so the folder can be moved into any other region's archive.

Invariants: the manifest is written last, so a folder with one is a whole backup. Its own digest is SHA-256 over its
JSON with an empty ``digest``.

Source: AWS API reference, BackupDetails, SourceTableDetails; developer guide, "Backup and restore".
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from region.errors import ArchiveError
from region.model.settings import Register

FORMAT: Final = "atoll-backup/1"
FOLDER: Final = "backups/"
MANIFEST: Final = "manifest.json"
ITEMS: Final = "items.jsonl.zst"

USER: Final = "USER"
SYSTEM: Final = "SYSTEM"
"""Who asked for a backup: a person, or the deletion of a table with point-in-time recovery."""
SYSTEM_KEPT_MS: Final = 35 * 24 * 60 * 60 * 1000


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The table that was backed up: whose it is, and how large it was. ``id`` is the TableId that users see."""

    name: str
    id: str
    uid: str
    created_ms: int
    items: int
    size_bytes: int


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The file of the items, beside the manifest: its digest, its size, and how many items are in it."""

    file: str = ITEMS
    sha256: str = ""
    size_bytes: int = 0
    items: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One backup. Times are in ms since 1970."""

    format: str = FORMAT
    id: str
    name: str
    kind: str
    region: str
    created_ms: int
    expires_ms: int | None = None
    table: Figures
    settings: dict[str, Register]
    """The registers of the table (:mod:`region.model.settings`)."""
    kms_key: str | None = None
    data: Data = Data()
    digest: str = ""

    @property
    def folder(self) -> str:
        """Where the backup is in a vault."""
        return f"{FOLDER}{self.id}/"


def seal(manifest: Manifest) -> bytes:
    """Encode a manifest for people to read, with its digest."""
    sealed = msgspec.structs.replace(manifest, digest=_digest(manifest))
    return msgspec.json.format(msgspec.json.encode(sealed), indent=2)


def unseal(data: bytes, name: str) -> Manifest:
    """Decode a manifest; ``name`` says in errors which one.

    Raises:
        ArchiveError: it is damaged, or of a format that this version does not know.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise ArchiveError(f"{name} is damaged: {error}") from error
    if manifest.format != FORMAT:
        raise ArchiveError(f"{name} has the format {manifest.format}, and this version of Atoll knows {FORMAT}")
    expected = _digest(manifest)
    if manifest.digest != expected:
        raise ArchiveError(f"{name} is damaged: its digest is {expected} and it says {manifest.digest}")
    return manifest


def _digest(manifest: Manifest) -> str:
    return sha256(msgspec.json.encode(msgspec.structs.replace(manifest, digest=""))).hexdigest()
