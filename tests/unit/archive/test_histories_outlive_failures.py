"""Histories are kept although the store, or the vault, could not be read for a moment; that is told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from region.archive.folder import FolderVault
from region.errors import ArchiveError, StoreError
from tests.unit.archive.archive_region import TABLE, ArchiveRegion, running

RECOVERY = {"PointInTimeRecoveryEnabled": True}


async def switch_on(region: ArchiveRegion) -> None:
    await region.call("UpdateContinuousBackups", TableName="Music", PointInTimeRecoverySpecification=RECOVERY)
    await region.idle()


async def test_a_history_that_could_not_be_seen_to_is_begun_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await region.idle()
        archive = region.engine.store.archive
        failing = [StoreError("the disk cannot be read")]
        files = type(archive).files

        def once(*args: Any, **fields: Any) -> Any:
            if failing:
                raise failing.pop()
            return files(*args, **fields)

        monkeypatch.setattr(type(archive), "files", once)
        await switch_on(region)
        assert region.failures() == ["the disk cannot be read"]
        assert region.archivist.historian.keeping, "it comes back"
        region.archivist.historian.look()
        await region.idle()
        (uid,) = archive.archived_tables()
        assert all(file.path for file in archive.files(uid))


async def test_histories_go_on_after_a_start_at_which_the_vault_could_not_be_tidied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await switch_on(region)

    def refuse(*_: Any) -> Any:
        raise ArchiveError("the vault cannot be read")

    monkeypatch.setattr(FolderVault, "names", refuse)
    async with running(tmp_path) as region:
        await region.idle()
        assert region.failures() == ["the vault cannot be read"]
        assert region.archivist.historian.keeping
