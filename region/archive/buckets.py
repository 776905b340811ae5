"""The Buckets port: which vault stands for the S3 bucket that a request names."""

from __future__ import annotations

from typing import Protocol

from region.archive.vault import MemoryVault, Vault


class Buckets(Protocol):
    """The buckets of one region's exports and imports."""

    def vault(self, bucket: str) -> Vault:
        """Return the vault of a bucket.

        Raises:
            ArchiveError: there is none, or it cannot be reached; the message says why.
        """


class MemoryBuckets:
    """Buckets that are gone with the process; every name is one."""

    def __init__(self) -> None:
        self._vaults: dict[str, Vault] = {}

    def vault(self, bucket: str) -> Vault:
        """Return the vault of a bucket."""
        return self._vaults.setdefault(bucket, MemoryVault())
