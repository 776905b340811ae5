"""Backups of a real store into a real folder: consistent, whole, movable, and refused when they are damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from region.errors import (
    BackupInUseError,
    BackupNotFoundError,
    DynamoError,
    ResourceInUseError,
    TableAlreadyExistsError,
    TableNotFoundError,
    ValidationError,
)
from tests.unit.archive.archive_region import EU, START_MS, TABLE, US, ArchiveRegion, running


@pytest.fixture
async def region(tmp_path: Path) -> AsyncIterator[ArchiveRegion]:
    async with running(tmp_path / US) as region:
        await region.call("CreateTable", **TABLE)
        yield region


async def backup(region: ArchiveRegion, name: str = "before", table: str = "Music") -> str:
    details = (await region.call("CreateBackup", TableName=table, BackupName=name))["BackupDetails"]
    assert details["BackupStatus"] == "CREATING"
    await region.idle()
    return str(details["BackupArn"])


async def restore(region: ArchiveRegion, arn: str, target: str = "Copy", **overrides: Any) -> dict[str, Any]:
    await region.call("RestoreTableFromBackup", TargetTableName=target, BackupArn=arn, **overrides)
    await region.idle()
    return dict((await region.call("DescribeTable", TableName=target))["Table"])


async def test_a_restored_table_holds_every_item_and_index_entry_byte_for_byte(region: ArchiveRegion) -> None:
    await region.fill(1500)
    description = await restore(region, await backup(region))
    assert region.rows("Copy") == region.rows("Music")
    for index in ("ByYear", "OfYear"):
        assert region.entries("Copy", index) == region.entries("Music", index)
    assert (description["TableStatus"], description["ItemCount"]) == ("ACTIVE", 1500)
    original = (await region.call("DescribeTable", TableName="Music"))["Table"]
    assert description["TableSizeBytes"] == original["TableSizeBytes"]
    assert description["TableId"] != original["TableId"]


async def test_what_is_written_after_the_answer_is_not_in_the_backup(region: ArchiveRegion) -> None:
    await region.fill(900)
    before = region.rows("Music")
    answer = await region.call("CreateBackup", TableName="Music", BackupName="now")
    for number in range(300):  # While the archivist is at work.
        await region.put(f"artist {number}", f"song {number * 3}", late={"BOOL": True})
    await region.idle()
    await restore(region, answer["BackupDetails"]["BackupArn"])
    assert region.rows("Copy") == before
    assert region.rows("Music") != before


async def test_the_copy_is_independent_and_has_no_stream_ttl_tags_or_protection(region: ArchiveRegion) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    await region.call("UpdateTable", TableName="Music", StreamSpecification=stream, DeletionProtectionEnabled=True)
    ttl = {"Enabled": True, "AttributeName": "expires"}
    await region.call("UpdateTimeToLive", TableName="Music", TimeToLiveSpecification=ttl)
    arn = await backup(region)
    features = (await region.call("DescribeBackup", BackupArn=arn))["BackupDescription"]["SourceTableFeatureDetails"]
    assert features["StreamDescription"] == stream
    assert features["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    description = await restore(region, arn)
    assert "StreamSpecification" not in description
    assert not description["DeletionProtectionEnabled"]
    state = (await region.call("DescribeTimeToLive", TableName="Copy"))["TimeToLiveDescription"]
    assert state["TimeToLiveStatus"] == "DISABLED"
    summary = description["RestoreSummary"]
    assert summary["SourceBackupArn"] == arn
    assert summary["RestoreDateTime"] == START_MS / 1000
    assert summary["RestoreInProgress"] is False


async def test_overrides_choose_indexes_and_capacity(region: ArchiveRegion) -> None:
    await region.fill(10)
    arn = await backup(region)
    description = await restore(
        region,
        arn,
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        GlobalSecondaryIndexOverride=[],
        SSESpecificationOverride={"Enabled": True},
    )
    assert "GlobalSecondaryIndexes" not in description
    assert [index["IndexName"] for index in description["LocalSecondaryIndexes"]] == ["ByYear"]
    assert description["ProvisionedThroughput"]["WriteCapacityUnits"] == 4
    assert description["SSEDescription"]["Status"] == "ENABLED"
    names = {definition["AttributeName"] for definition in description["AttributeDefinitions"]}
    assert names == {"artist", "song", "year"}
    plain = await restore(region, arn, "Plain", GlobalSecondaryIndexOverride=[], LocalSecondaryIndexOverride=[])
    assert {it["AttributeName"] for it in plain["AttributeDefinitions"]} == {"artist", "song"}
    wrong = {**TABLE["GlobalSecondaryIndexes"][0], "Projection": {"ProjectionType": "ALL"}}  # type: ignore[dict-item] - TABLE holds lists of dicts beside texts.
    with pytest.raises(ValidationError, match="OfYear does not match"):
        await restore(region, arn, "Wrong", GlobalSecondaryIndexOverride=[wrong])
    assert "Wrong" not in region.engine.catalogue.by_name


async def test_while_it_is_restored_a_table_is_creating_and_cannot_be_used(region: ArchiveRegion) -> None:
    await region.fill(300)
    arn = await backup(region)
    answer = await region.call("RestoreTableFromBackup", TargetTableName="Copy", BackupArn=arn)
    assert answer["TableDescription"]["TableStatus"] == "CREATING"
    assert answer["TableDescription"]["RestoreSummary"]["RestoreInProgress"] is True
    with pytest.raises(DynamoError, match="not found"):
        await region.call("Scan", TableName="Copy")
    with pytest.raises(ResourceInUseError):
        await region.call("DeleteTable", TableName="Copy")
    with pytest.raises(BackupInUseError):
        await region.call("DeleteBackup", BackupArn=arn)
    with pytest.raises(TableAlreadyExistsError):
        await region.call("RestoreTableFromBackup", TargetTableName="Copy", BackupArn=arn)
    await region.idle()
    assert (await region.call("DescribeTable", TableName="Copy"))["Table"]["TableStatus"] == "ACTIVE"


async def test_backups_are_listed_by_table_time_and_page_and_deleted(region: ArchiveRegion) -> None:
    await region.call("CreateTable", **{**TABLE, "TableName": "Other"})
    arns = []
    for number in range(5):
        arns.append(await backup(region, f"number-{number}", "Other" if number == 4 else "Music"))
        region.time.advance(1000)
    everything = (await region.call("ListBackups"))["BackupSummaries"]
    assert [it["BackupArn"] for it in everything] == arns
    assert {it["BackupStatus"] for it in everything} == {"AVAILABLE"}
    first = await region.call("ListBackups", TableName="Music", Limit=3)
    rest = await region.call(
        "ListBackups", TableName="Music", Limit=3, ExclusiveStartBackupArn=first["LastEvaluatedBackupArn"]
    )
    assert [it["BackupArn"] for it in first["BackupSummaries"] + rest["BackupSummaries"]] == arns[:4]
    assert "LastEvaluatedBackupArn" not in rest
    bounds = {"TimeRangeLowerBound": START_MS / 1000 + 1, "TimeRangeUpperBound": START_MS / 1000 + 3}
    assert [it["BackupArn"] for it in (await region.call("ListBackups", **bounds))["BackupSummaries"]] == arns[1:3]
    assert (await region.call("ListBackups", BackupType="SYSTEM"))["BackupSummaries"] == []
    deleted = await region.call("DeleteBackup", BackupArn=arns[0])
    assert deleted["BackupDescription"]["BackupDetails"]["BackupStatus"] == "DELETED"
    with pytest.raises(BackupNotFoundError, match="Backup not found: arn:aws:dynamodb"):
        await region.call("DescribeBackup", BackupArn=arns[0])
    await region.idle()
    assert len(region.vault.names("backups/")) == 2 * 4


async def test_a_missing_table_and_an_arn_of_nothing_are_refused(region: ArchiveRegion) -> None:
    with pytest.raises(TableNotFoundError, match="Table not found: Nothing"):
        await region.call("CreateBackup", TableName="Nothing", BackupName="now")
    with pytest.raises(BackupNotFoundError):
        await region.call("DescribeBackup", BackupArn="arn:aws:dynamodb:us-east-1:000000000000:table/Music")


async def test_a_backup_survives_its_table_and_restores_under_its_name(region: ArchiveRegion) -> None:
    await region.fill(20)
    before = region.rows("Music")
    arn = await backup(region)
    await region.call("DeleteTable", TableName="Music")
    await restore(region, arn, "Music")
    assert region.rows("Music") == before


async def test_a_backup_moved_to_another_regions_folder_restores_there(tmp_path: Path) -> None:
    async with running(tmp_path / US) as region, running(tmp_path / EU, EU) as other:
        await region.call("CreateTable", **TABLE)
        await region.fill(50)
        await backup(region)
        shutil.copytree(tmp_path / US / "backups", tmp_path / EU / "backups")
        (summary,) = (await other.call("ListBackups", TableName="Music"))["BackupSummaries"]
        assert summary["BackupArn"].startswith("arn:aws:dynamodb:eu-west-1:")
        await restore(other, summary["BackupArn"], "Music")
        assert other.rows("Music") == region.rows("Music")


def damage(path: Path, how: str) -> str:
    data = bytearray(path.read_bytes())
    if how == "bit":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        return "its SHA-256 is [0-9a-f]{64} and its manifest says"
    if how == "short":
        path.write_bytes(data[:-3])
        return f"it has {len(data) - 3} bytes and its manifest says {len(data)}"
    path.unlink()
    return "is missing"


@pytest.mark.parametrize("how", ["bit", "short", "gone"])
async def test_a_damaged_file_of_items_is_refused_precisely_and_changes_nothing(
    region: ArchiveRegion, tmp_path: Path, how: str
) -> None:
    await region.fill(50)
    arn = await backup(region)
    (path,) = (tmp_path / US / "backups").glob("*/items.jsonl.zst")
    message = damage(path, how)
    with pytest.raises(BackupNotFoundError, match=f"items.jsonl.zst .*{message}"):
        await region.call("RestoreTableFromBackup", TargetTableName="Copy", BackupArn=arn)
    with pytest.raises(BackupNotFoundError, match=message):
        await region.call("DescribeBackup", BackupArn=arn)
    assert "Copy" not in region.engine.catalogue.by_name


async def test_a_manifest_that_was_altered_is_refused(region: ArchiveRegion, tmp_path: Path) -> None:
    arn = await backup(region)
    (path,) = (tmp_path / US / "backups").glob("*/manifest.json")
    path.write_text(path.read_text().replace('"Music"', '"Muzak"'))
    assert (await region.call("ListBackups"))["BackupSummaries"] == []
    with pytest.raises(BackupNotFoundError, match=r"manifest.json is damaged: its digest is"):
        await restore(region, arn)


async def test_a_large_damaged_file_is_refused_before_its_first_item_and_leaves_no_table(
    region: ArchiveRegion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await region.fill(20)
    arn = await backup(region)
    (path,) = (tmp_path / US / "backups").glob("*/items.jsonl.zst")
    damage(path, "bit")
    monkeypatch.setattr("region.archive.shelf.AT_ONCE_BYTES", 0)
    await region.call("RestoreTableFromBackup", TargetTableName="Copy", BackupArn=arn)
    await region.idle()
    assert "Copy" not in region.engine.catalogue.by_name
    assert "its SHA-256 is" in region.failures()[0]


async def test_a_person_can_read_a_backup_without_atoll(region: ArchiveRegion, tmp_path: Path) -> None:
    await region.fill(5)
    await backup(region)
    (path,) = (tmp_path / US / "backups").glob("*/items.jsonl.zst")
    lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()
    assert [json.loads(line)["Item"]["text"]["S"] for line in lines] == ["x" * 100] * 5


async def test_a_restore_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await region.fill(1000)
        arn = await backup(region)
        await region.call("RestoreTableFromBackup", TargetTableName="Copy", BackupArn=arn)
        await region.stop_after_batches(2)
        interrupted = (await region.call("DescribeTable", TableName="Copy"))["Table"]
        assert interrupted["TableStatus"] == "CREATING"
        assert 0 < interrupted["ItemCount"] < 1000
    async with running(tmp_path) as region:
        await region.idle()
        assert region.rows("Copy") == region.rows("Music")
        assert region.entries("Copy", "OfYear") == region.entries("Music", "OfYear")
        assert (await region.call("DescribeTable", TableName="Copy"))["Table"]["TableStatus"] == "ACTIVE"


async def test_a_backup_that_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    async with running(tmp_path) as region:
        await region.call("CreateTable", **TABLE)
        await region.fill(1000)
        arn = (await region.call("CreateBackup", TableName="Music", BackupName="b"))["BackupDetails"]["BackupArn"]
        await region.archivist.stop()
    async with running(tmp_path) as region:
        await region.idle()
        details = (await region.call("DescribeBackup", BackupArn=arn))["BackupDescription"]["BackupDetails"]
        assert details["BackupStatus"] == "AVAILABLE"
        await restore(region, arn)
        assert region.rows("Copy") == region.rows("Music")


async def test_a_region_in_memory_backs_up_and_restores_too() -> None:
    async with running(None) as region:
        await region.call("CreateTable", **TABLE)
        await region.fill(700)
        await restore(region, await backup(region))
        assert region.rows("Copy") == region.rows("Music")
