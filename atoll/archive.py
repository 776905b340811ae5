"""The archive of a region put together: where its files and buckets are, and the thread in which slow steps run.

What: backups and histories are in the region's data folder. The setting ``archive.buckets`` says where the S3 buckets
of exports and imports are: folders, as they are by default, or anything that fsspec reaches.

Hazard: fsspec and what speaks to S3 are an extra (``pip install 'atolldb[s3]'``), loaded when a bucket is first used.
obstore speaks to S3 rather than s3fs, which wants a botocore of its own (ADR 0008).

Source: the composition root, :mod:`atoll.composition`; https://developmentseed.org/obstore/.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from atoll.config import ArchiveConfig, Config
from region.archive.archivist import Archivist
from region.archive.buckets import Buckets, MemoryBuckets
from region.archive.folder import FolderVault
from region.archive.historian import ArchiveSettings
from region.archive.remote import RemoteVault
from region.archive.shelf import VaultShelf
from region.archive.vault import MemoryVault, Vault
from region.engine import Engine
from region.errors import ArchiveError
from region.keyring import Keyring

PLACE: Final = "{bucket}"
OBJECT_STORES: Final = ("s3", "gs", "az")


def vault(config: Config, keyring: Keyring | None) -> Vault:
    """Return where a region keeps backups: its data folder, or memory where it keeps nothing."""
    if config.durability == "memory":
        return MemoryVault(keyring)
    return FolderVault(Path(config.data), tidy=True, keyring=keyring)


def build(config: Config, started: AsyncExitStack, engine: Engine, store: Vault, shelf: VaultShelf) -> Archivist:
    """Return the archivist of a region; its thread ends with what is on ``started``."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
    started.callback(executor.shutdown)

    async def beside(step: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, step)

    settings = ArchiveSettings(segment_ms=config.archive.segment_ms)
    return Archivist(engine, store, shelf, _buckets(config), beside, settings)


def _buckets(config: Config) -> Buckets:
    if config.archive.buckets:
        return ConfiguredBuckets(config.archive)
    if config.durability == "memory":
        return MemoryBuckets()
    return FolderBuckets(Path(config.data) / "buckets")


class FolderBuckets:
    """Buckets as folders in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def vault(self, bucket: str) -> Vault:
        """Return the vault of a bucket; its folder is made when something is written."""
        return FolderVault(self._folder / bucket)


class ConfiguredBuckets:
    """Buckets where ``archive.buckets`` says, such as ``file:///srv/{bucket}`` or ``s3://{bucket}/archive``."""

    def __init__(self, settings: ArchiveConfig) -> None:
        self._settings = settings
        self._vaults: dict[str, Vault] = {}

    def vault(self, bucket: str) -> Vault:
        """Return the vault of a bucket.

        Raises:
            ArchiveError: what reaches it is not installed.
        """
        if bucket not in self._vaults:
            self._vaults[bucket] = self._open(self._settings.buckets.replace(PLACE, bucket))
        return self._vaults[bucket]

    def _open(self, url: str) -> Vault:
        address = urlsplit(url)
        if address.scheme in ("", "file"):
            return FolderVault(Path(url2pathname(address.path)))
        try:
            if address.scheme in OBJECT_STORES:
                return RemoteVault(self._object_store(address.scheme), f"{address.netloc}{address.path}")
            filesystem, root = import_module("fsspec").url_to_fs(url)
        except ImportError as error:
            raise ArchiveError(f"{url} needs packages of their own: pip install 'atolldb[s3]' ({error})") from error
        return RemoteVault(filesystem, root)

    def _object_store(self, scheme: str) -> Any:
        settings: dict[str, Any] = {}
        endpoint = self._settings.endpoint_url
        if endpoint:
            settings = {
                "config": {"endpoint": endpoint, "virtual_hosted_style_request": False},
                "client_options": {"allow_http": endpoint.startswith("http:")},
            }
        return import_module("obstore.fsspec").FsspecStore(scheme, **settings)
