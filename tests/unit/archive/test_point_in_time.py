"""Point-in-time recovery of a real store: every second of an hour, whatever was rolled, pruned or restarted."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from region.archive.history import open_past
from region.errors import (
    InvalidRestoreTimeError,
    PointInTimeRecoveryUnavailableError,
    TableNotFoundError,
    ValidationError,
)
from region.model import image as images
from region.model import recovery
from region.model.change import Change
from region.model.version import Version
from region.operation.archive import continuous_backups
from region.operation.context import Context
from region.operation.replica.disassociation import separate
from tests.unit.archive.archive_region import START_MS, TABLE, ArchiveRegion, running

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
Model = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[ArchiveRegion]:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        yield region


async def switch(region: ArchiveRegion, *, on: bool, **more: int) -> dict[str, Any]:
    specification = {"PointInTimeRecoveryEnabled": on, **more}
    answer = await region.call(
        "UpdateContinuousBackups", TableName="Music", PointInTimeRecoverySpecification=specification
    )
    await region.idle()
    description: dict[str, Any] = answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    return description


async def restore(region: ArchiveRegion, at_s: float, target: str) -> list[dict[str, Any]]:
    await region.call(
        "RestoreTableToPointInTime", SourceTableName="Music", TargetTableName=target, RestoreDateTime=at_s
    )
    await region.idle()
    assert region.failures() == []
    return [images.decode(image) for _, image in region.rows(target)]


async def state_at(region: ArchiveRegion, at_ms: int) -> list[dict[str, Any]]:
    """Return the items at a moment, read as a restore reads them."""
    table = region.engine.catalogue.by_name["Music"]
    past = await open_past(region.archivist.desk, continuous_backups.past(region.engine.reading, table, at_ms))
    try:
        return [images.decode(image) for image in past.at(at_ms)]
    finally:
        past.close()


def in_folder(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


def items_of(model: Model) -> list[dict[str, Any]]:
    return sorted(model.values(), key=lambda item: (item["artist"]["S"], item["song"]["S"]))


def ordered(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(items, key=lambda item: (item["artist"]["S"], item["song"]["S"]))


async def write_something(region: ArchiveRegion, model: Model, dice: random.Random) -> None:
    artist, song = f"artist {dice.randrange(4)}", f"song {dice.randrange(8)}"
    key = {"artist": {"S": artist}, "song": {"S": song}}
    if dice.random() < 0.25:
        await region.call("DeleteItem", TableName="Music", Key=dict(key))
        model.pop((artist, song), None)
        return
    item = {**key, "year": {"N": str(dice.randrange(1900, 2100))}, "note": {"S": "♪" * dice.randrange(40)}}
    await region.call("PutItem", TableName="Music", Item=dict(item))
    model[artist, song] = item


@pytest.mark.parametrize("seed", [1])
async def test_every_second_of_an_hour_of_random_writes_is_restored_as_it_was(
    region: ArchiveRegion, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("region.archive.historian.REBASE_BYTES_MIN", 1500)
    dice = random.Random(seed)
    model: Model = {}
    for _ in range(20):
        await write_something(region, model, dice)
    await switch(region, on=True)
    moments_ms, states = [0], [items_of(model)]
    for count, at_ms in enumerate(sorted(dice.randrange(1, HOUR_MS) // 10 * 10 for _ in range(1200))):
        region.time.set(START_MS + at_ms)
        if count % 150 == 149:
            await region.archivist.historian.keep_all()
        await write_something(region, model, dice)
        moments_ms.append(at_ms)
        states.append(items_of(model))
    region.time.set(START_MS + HOUR_MS)
    uid = region.engine.catalogue.by_name["Music"].uid
    assert len([it for it in region.engine.store.archive.files(uid) if it.base]) > 2

    def expected(second: int) -> list[dict[str, Any]]:
        return states[bisect_right(moments_ms, second * 1000) - 1]

    for second in range(HOUR_MS // 1000 + 1):
        assert ordered(await state_at(region, START_MS + second * 1000)) == expected(second), f"second {second}"
    for second in dice.sample(range(HOUR_MS // 1000), 5):
        found = await restore(region, START_MS / 1000 + second, f"Copy-{second}")
        assert ordered(found) == expected(second)


async def test_recovery_reaches_back_to_when_it_was_switched_on_and_no_further(region: ArchiveRegion) -> None:
    with pytest.raises(PointInTimeRecoveryUnavailableError, match="not enabled for table 'Music'"):
        await restore(region, START_MS / 1000, "Copy")
    region.time.advance(5000)
    description = await switch(region, on=True, RecoveryPeriodInDays=2)
    assert description == {
        "PointInTimeRecoveryStatus": "ENABLED",
        "RecoveryPeriodInDays": 2,
        "EarliestRestorableDateTime": START_MS / 1000 + 5,
        "LatestRestorableDateTime": START_MS / 1000 + 5,
    }
    for at_s in (START_MS / 1000 + 4.999, START_MS / 1000 + 5.001):
        with pytest.raises(InvalidRestoreTimeError, match="must be between EarliestRestorableDateTime and Latest"):
            await restore(region, at_s, "Copy")
    assert await restore(region, START_MS / 1000 + 5, "Copy") == []
    await switch(region, on=False)
    region.time.advance(1234)
    await switch(region, on=True, RecoveryPeriodInDays=2)
    assert await restore(region, START_MS // 1000 + 6, "Cut") == []  # As SDKs send it that cut times to seconds.
    region.time.advance(3 * DAY_MS)
    described = await region.call("DescribeContinuousBackups", TableName="Music")
    window = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert window["EarliestRestorableDateTime"] == START_MS / 1000 + 6.234 + DAY_MS / 1000
    with pytest.raises(TableNotFoundError, match="Table not found: Nothing"):
        await region.call("DescribeContinuousBackups", TableName="Nothing")
    with pytest.raises(ValidationError, match="RecoveryPeriodInDays can only be specified"):
        await switch(region, on=False, RecoveryPeriodInDays=2)


async def test_the_latest_restorable_moment_holds_what_was_just_answered(region: ArchiveRegion) -> None:
    await switch(region, on=True)
    await region.put("a", "b")
    await region.call(
        "RestoreTableToPointInTime", SourceTableName="Music", TargetTableName="Copy", UseLatestRestorableTime=True
    )
    await region.put("a", "later")
    await region.idle()
    assert region.rows("Copy") == region.rows("Music")[:1]
    summary = (await region.call("DescribeTable", TableName="Copy"))["Table"]["RestoreSummary"]
    assert "SourceBackupArn" not in summary
    assert summary["RestoreDateTime"] == START_MS / 1000


async def test_files_that_no_moment_needs_are_deleted_and_all_of_them_with_the_recovery(
    region: ArchiveRegion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("region.archive.historian.REBASE_BYTES_MIN", 1)
    await switch(region, on=True, RecoveryPeriodInDays=1)
    for day in range(6):
        await region.fill(10 + day)
        await region.archivist.historian.keep_all()
        region.time.advance(DAY_MS)
    await region.archivist.historian.keep_all()
    uid = region.engine.catalogue.by_name["Music"].uid
    files = region.engine.store.archive.files(uid)
    assert region.vault.names("history/") == sorted(it.path for it in files if it.path)
    assert len([it for it in files if it.base]) <= 3
    earliest_s = START_MS / 1000 + 5 * DAY_MS / 1000
    assert len(await restore(region, earliest_s, "Copy")) == 15
    await switch(region, on=False)
    assert region.vault.names("history/") == []
    assert region.engine.store.archive.log_floor() is None


async def test_the_log_is_needed_only_behind_what_the_files_hold_also_when_nothing_changes(
    region: ArchiveRegion,
) -> None:
    await switch(region, on=True)
    for _ in range(3):
        await region.call("UpdateTable", TableName="Music", DeletionProtectionEnabled=True)
        await region.call("CreateTable", **{**TABLE, "TableName": f"Other-{_}"})
        await region.archivist.historian.keep_all()
        assert region.engine.store.archive.log_floor() == region.engine.store.log_head()
    uid = region.engine.catalogue.by_name["Music"].uid
    assert [it.base for it in region.engine.store.archive.files(uid)] == [True, False]


async def test_a_deleted_table_with_recovery_leaves_a_system_backup(region: ArchiveRegion) -> None:
    await region.fill(30)
    await switch(region, on=True)
    await region.put("last", "words")
    await region.call("DeleteItem", TableName="Music", Key={"artist": {"S": "artist 0"}, "song": {"S": "song 0"}})
    before = region.rows("Music")
    await region.call("DeleteTable", TableName="Music")
    await region.idle()
    (summary,) = (await region.call("ListBackups", BackupType="SYSTEM"))["BackupSummaries"]
    assert summary["BackupName"] == "Music$DeletedTableBackup"
    assert summary["BackupExpiryDateTime"] - summary["BackupCreationDateTime"] == 35 * DAY_MS / 1000
    assert region.vault.names("history/") == []
    await region.call("RestoreTableFromBackup", TargetTableName="Music", BackupArn=summary["BackupArn"])
    await region.idle()
    assert region.rows("Music") == before
    region.time.advance(36 * DAY_MS)
    assert (await region.call("ListBackups", BackupType="ALL"))["BackupSummaries"] == []


async def test_the_system_backup_of_a_deleted_table_is_deleted_when_it_expires(tmp_path: Path) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await switch(region, on=True)
        await region.call("DeleteTable", TableName="Music")
        await region.idle()
        clock = region.time
        assert len(region.vault.names("backups/")) == 2
    clock.advance(36 * DAY_MS)
    async with running(tmp_path, clock=clock) as region:
        await region.idle()
        assert region.vault.names("backups/") == []


async def test_what_a_peer_wrote_counts_from_when_it_was_applied_here(region: ArchiveRegion) -> None:
    await switch(region, on=True)
    region.time.advance(5000)
    item = {"artist": {"S": "far"}, "song": {"S": "away"}}

    def apply(context: Context) -> None:
        table = context.catalogue.by_name["Music"]
        version = Version((START_MS + 1000) << 16, "eu-west-1")
        key, image = table.check_item_keys(item), images.encode(item)
        context.transaction.put(Change(table, key, image, 20, version, None, item=item, applied_ms=START_MS + 5000))
        context.written += 1

    await region.engine.transact(apply)
    assert await state_at(region, START_MS + 4999) == []
    assert await state_at(region, START_MS + 5000) == [item]
    await region.archivist.historian.keep_all()
    assert await state_at(region, START_MS + 4999) == []
    assert await state_at(region, START_MS + 5000) == [item]


async def test_a_clock_that_was_set_back_does_not_tear_the_order_of_the_log(region: ArchiveRegion) -> None:
    await switch(region, on=True)
    region.time.set(START_MS + 5000)
    await region.put("a", "1")
    region.time.set(START_MS + 1000)
    await region.put("a", "2")
    region.time.set(START_MS + 9000)
    await region.put("a", "3")
    sizes = [len(await state_at(region, START_MS + at_ms)) for at_ms in (1000, 4999, 5000, 8999, 9000)]
    assert sizes == [0, 0, 2, 2, 3]


async def test_a_history_whose_log_was_trimmed_says_so_and_begins_again(region: ArchiveRegion, tmp_path: Path) -> None:
    await switch(region, on=True)
    await region.fill(9)
    connection = apsw.Connection(str(tmp_path / "region.sqlite"))
    connection.execute("DELETE FROM log WHERE sequence < (SELECT max(sequence) FROM log)")
    connection.close()
    region.time.advance(10)
    await region.call(
        "RestoreTableToPointInTime", SourceTableName="Music", TargetTableName="Copy", UseLatestRestorableTime=True
    )
    await region.idle()
    assert "the history has a gap" in region.failures()[0]
    await region.archivist.historian.keep_all()
    assert len(await state_at(region, START_MS + 10)) == 9
    described = await region.call("DescribeContinuousBackups", TableName="Music")
    window = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert window["EarliestRestorableDateTime"] == (START_MS + 10) / 1000


async def test_a_table_that_leaves_its_global_table_begins_a_history_of_its_own(region: ArchiveRegion) -> None:
    await region.fill(6)
    await switch(region, on=True)
    region.time.advance(1000)

    await region.engine.transact(lambda context: separate(context, context.catalogue.by_name["Music"]))
    await region.idle()
    assert len(await state_at(region, START_MS + 1000)) == 6
    uid = region.engine.catalogue.by_name["Music"].uid
    assert region.engine.store.archive.archived_tables() == [uid]


async def test_a_table_deleted_right_after_the_switch_has_its_system_backup(region: ArchiveRegion) -> None:
    await region.fill(30)
    before = region.rows("Music")
    specification = {"PointInTimeRecoveryEnabled": True}
    await region.call("UpdateContinuousBackups", TableName="Music", PointInTimeRecoverySpecification=specification)
    await region.call("DeleteTable", TableName="Music")
    await region.idle()
    (summary,) = (await region.call("ListBackups", BackupType="SYSTEM"))["BackupSummaries"]
    await region.call("RestoreTableFromBackup", TargetTableName="Music", BackupArn=summary["BackupArn"])
    await region.idle()
    assert region.rows("Music") == before


async def test_a_damaged_file_of_the_history_is_refused_and_named(region: ArchiveRegion, tmp_path: Path) -> None:
    await region.fill(30)
    await switch(region, on=True)
    await region.put("more", "songs")
    await region.archivist.historian.keep_all()
    (path,) = in_folder(tmp_path, "history/*/changes-*")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    region.time.advance(1000)
    await region.call(
        "RestoreTableToPointInTime", SourceTableName="Music", TargetTableName="Copy", UseLatestRestorableTime=True
    )
    await region.idle()
    assert f"{path.name} is damaged: its SHA-256 is" in region.failures()[0]
    assert "Copy" not in region.engine.catalogue.by_name


async def test_a_history_goes_on_after_a_restart_and_strays_of_a_crash_are_gone(tmp_path: Path) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await region.fill(30)
        await switch(region, on=True)
        await region.put("before", "the restart")
        clock = region.time
    (folder,) = in_folder(tmp_path, "history/*")
    (folder / "changes-stray.jsonl.zst").write_bytes(b"never known to the store")
    clock.advance(1000)
    async with running(tmp_path, clock=clock) as region:
        await region.idle()
        assert not (folder / "changes-stray.jsonl.zst").exists()
        await region.put("after", "the restart")
        assert len(await state_at(region, START_MS)) == 31
        clock.advance(1)
        assert len(await restore(region, (START_MS + 1001) / 1000, "Copy")) == 32


async def test_a_founding_that_was_interrupted_begins_again_and_says_from_when(tmp_path: Path) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await region.fill(30)
        specification = {"PointInTimeRecoveryEnabled": True}
        await region.call("UpdateContinuousBackups", TableName="Music", PointInTimeRecoverySpecification=specification)
        await region.archivist.stop()
        clock = region.time
    clock.advance(7000)
    async with running(tmp_path, clock=clock) as region:
        await region.idle()
        table = region.engine.catalogue.by_name["Music"]
        state = recovery.state_of(table.local)
        assert state is not None
        assert state.since_ms == START_MS + 7000
        assert len(await restore(region, START_MS / 1000 + 7, "Copy")) == 30


async def test_a_restored_table_has_no_recovery_of_its_own(region: ArchiveRegion) -> None:
    await switch(region, on=True)
    await restore(region, START_MS / 1000, "Copy")
    described = await region.call("DescribeContinuousBackups", TableName="Copy")
    status = described["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert status == {"PointInTimeRecoveryStatus": "DISABLED"}
    assert described["ContinuousBackupsDescription"]["ContinuousBackupsStatus"] == "ENABLED"


async def test_a_region_without_recovery_keeps_no_timer_and_no_log(region: ArchiveRegion) -> None:
    await region.fill(3)
    assert not region.archivist.historian.keeping
    await switch(region, on=True)
    assert region.archivist.historian.keeping
    await switch(region, on=False)
    await region.archivist.historian.keep_all()
    assert region.engine.store.archive.log_floor() is None


async def test_a_region_in_memory_has_a_history_too() -> None:
    async with running(None) as region:
        await region.call("CreateTable", **TABLE)
        await region.fill(5)
        await switch(region, on=True)
        region.time.advance(10)
        await region.put("one", "more")
        assert len(await restore(region, START_MS / 1000, "Before")) == 5
        await region.archivist.historian.keep_all()
        assert len(await restore(region, (START_MS + 10) / 1000, "After")) == 6
