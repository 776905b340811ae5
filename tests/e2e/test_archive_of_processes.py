"""The archive of real region processes: killed in the midst, moved between regions, driven from the command line."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from settled import Run

from atoll import Cluster
from atoll.config import ArchiveConfig, Config
from tests.unit.archive.object_store import ObjectStore

US, EU = "us-east-1", "eu-west-1"
ITEMS = 3000


@pytest.fixture(scope="module")
def objects() -> Iterator[ObjectStore]:
    """An object store beside the regions."""
    store = ObjectStore()
    yield store
    store.close()


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory, objects: ObjectStore) -> Iterator[Cluster]:
    """Two regions with a table of one of them, large enough to be killed in the midst of."""
    template = Config(archive=ArchiveConfig(buckets="s3://{bucket}", endpoint_url=objects.url))
    folder = tmp_path_factory.mktemp("archive")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "test")
        yield from serve(Cluster(regions=(US, EU), data=folder, announce=False, template=template))


def serve(cluster: Cluster) -> Iterator[Cluster]:
    with cluster:
        with cluster.caller(US) as caller:
            caller.call(
                "CreateTable",
                {
                    "TableName": "things",
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                },
            )
            for first in range(0, ITEMS, 25):
                items = [{"id": {"S": f"{n}"}, "text": {"S": "x" * 200}} for n in range(first, first + 25)]
                caller.call(
                    "BatchWriteItem", {"RequestItems": {"things": [{"PutRequest": {"Item": i}} for i in items]}}
                )
            specification = {"PointInTimeRecoveryEnabled": True}
            caller.call(
                "UpdateContinuousBackups", {"TableName": "things", "PointInTimeRecoverySpecification": specification}
            )
            while not list((backups(cluster, US).parent / "history").glob("*/base-*.zst")):
                pass
        yield cluster


def images(cluster: Cluster, region: str, table: str) -> list[tuple[str, bytes | None]]:
    return [(record.key, record.image_bytes()) for record in cluster.admin(region).dump(table)]


def backups(cluster: Cluster, region: str) -> Path:
    assert cluster.data is not None
    return cluster.data / region / "backups"


def admins(cluster: Cluster) -> str:
    return ",".join(cluster.admin(region).url for region in (US, EU))


def test_a_region_killed_while_it_backs_up_and_restores_ends_both(archived: Cluster) -> None:
    with archived.caller(US) as caller:
        made = caller.call("CreateBackup", {"TableName": "things", "BackupName": "whole"})["BackupDetails"]["BackupArn"]
        archived.kill(US)
        archived.restart(US)
    with archived.caller(US) as caller:
        archived_jobs_end(archived)
        caller.call("RestoreTableFromBackup", {"TargetTableName": "copy", "BackupArn": made})
        while (jobs := archived.admin(US).archive()) and not any(job.done for job in jobs):
            pass  # Until a batch is durable, so that the kill comes in the midst.
        archived.kill(US)
        archived.restart(US)
    archived_jobs_end(archived)
    assert images(archived, US, "copy") == images(archived, US, "things")
    assert len(images(archived, US, "copy")) == ITEMS


def archived_jobs_end(cluster: Cluster) -> None:
    while any(job.status == "IN_PROGRESS" for job in cluster.admin(US).archive()):
        pass


def test_the_command_line_backs_up_lists_and_restores_in_another_region(
    archived: Cluster, run: Run, tmp_path: Path
) -> None:
    where = ("--cluster", admins(archived))
    made = run("backup", "things", "--name", "by-hand", "--json", *where)
    assert made.returncode == 0, made.stderr
    arn = json.loads(made.stdout)["BackupDetails"]["BackupArn"]
    folder = arn.rpartition("/")[2]
    shutil.copytree(backups(archived, US) / folder, backups(archived, EU) / folder)
    listed = run("backups", "things", "--region", EU, *where)
    assert folder in listed.stdout
    assert "by-hand" in listed.stdout
    restored = run("restore", folder, "things", "--region", EU, *where)
    assert restored.stdout == f"things is ACTIVE in {EU}: {ITEMS:,} items\n", restored.stderr
    assert images(archived, EU, "things") == images(archived, US, "things")
    refused = run("restore", "no-such-backup", "other", *where)
    assert refused.returncode == 2
    assert "has no backup no-such-backup" in refused.stderr


def test_the_command_line_restores_the_past_of_a_table_also_after_kill_minus_nine(archived: Cluster, run: Run) -> None:
    with archived.caller(US) as caller:
        before = images(archived, US, "things")
        moment = caller.call("DescribeContinuousBackups", {"TableName": "things"})
        latest = moment["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]["LatestRestorableDateTime"]
        time.sleep(0.002)  # So that the next write is not of the same millisecond.
        caller.call("PutItem", {"TableName": "things", "Item": {"id": {"S": "late"}}})
    archived.kill(US)
    archived.restart(US)
    then = datetime.fromtimestamp(latest, UTC).replace(tzinfo=None).isoformat()
    restored = run("restore", f"things@{then}", "then", "--cluster", admins(archived), "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["RestoreSummary"]["RestoreInProgress"] is False
    assert images(archived, US, "then") == before
    refused = run("restore", "things@yesterday", "never", "--cluster", admins(archived))
    assert (refused.returncode, "is no time" in refused.stderr) == (2, True)


def test_the_command_line_exports_to_an_object_store_and_another_region_imports_it(
    archived: Cluster, run: Run, objects: ObjectStore
) -> None:
    where = ("--cluster", admins(archived))
    exported = run("export", "things", "--bucket", "shared", "--prefix", "night", "--json", *where)
    assert exported.returncode == 0, exported.stderr
    manifest = json.loads(exported.stdout)["ExportManifest"]
    assert f"shared/{manifest}" in objects.objects
    prefix = manifest.removesuffix("manifest-summary.json")
    source = ("--bucket", "shared", "--prefix", prefix)
    imported = run("import", "imported", *source, "--hash-key", "id", "--region", EU, *where)
    count = len(images(archived, US, "things"))
    assert imported.stdout == f"imported in {EU}: {count:,} items, 0 errors\n", imported.stderr
    assert images(archived, EU, "imported") == images(archived, US, "things")
    objects.objects["shared/people.csv"] = b"id,name\n1,Ann\ntwo,Bob\n"
    people = ("--bucket", "shared", "--prefix", "people", "--format", "csv", "--compression", "none")
    some = run("import", "people", *people, "--hash-key", "id:N", *where)
    assert (some.returncode, "1 items, 1 errors" in some.stdout, "people.csv: " in some.stdout) == (1, True, True)
    nothing = run("import", "nothing", "--bucket", "shared", "--prefix", "nowhere", "--hash-key", "id", *where)
    assert nothing.returncode == 1
    assert "no object whose name begins with 'nowhere'" in nothing.stderr
    unfit = run("export", "things", "--bucket", "shared", "--until", "2026-01-01T00:00:00", *where)
    assert (unfit.returncode, "--until needs --since" in unfit.stderr) == (2, True)


def test_a_region_killed_while_it_exports_and_imports_ends_both(archived: Cluster, objects: ObjectStore) -> None:
    with archived.caller(US) as caller:
        table = caller.call("DescribeTable", {"TableName": "things"})["Table"]
        request = {"TableArn": table["TableArn"], "S3Bucket": "killed"}
        exported = caller.call("ExportTableToPointInTime", request)["ExportDescription"]["ExportArn"]
        archived.kill(US)
        archived.restart(US)
    archived_jobs_end(archived)
    with archived.caller(US) as caller:
        described = caller.call("DescribeExport", {"ExportArn": exported})["ExportDescription"]
        assert (described["ExportStatus"], described["ItemCount"]) == ("COMPLETED", table["ItemCount"])
        parameters = {
            "TableName": "killed",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": table["AttributeDefinitions"],
            "KeySchema": table["KeySchema"],
        }
        source = {"S3BucketSource": {"S3Bucket": "killed"}, "InputFormat": "DYNAMODB_JSON"}
        begun = caller.call(
            "ImportTable", {**source, "InputCompressionType": "GZIP", "TableCreationParameters": parameters}
        )["ImportTableDescription"]["ImportArn"]
        while caller.call("DescribeImport", {"ImportArn": begun})["ImportTableDescription"]["ProcessedItemCount"] == 0:
            pass
        archived.kill(US)
        archived.restart(US)
    archived_jobs_end(archived)
    with archived.caller(US) as caller:
        ended = caller.call("DescribeImport", {"ImportArn": begun})["ImportTableDescription"]
    assert (ended["ImportStatus"], ended["ImportedItemCount"]) == ("COMPLETED", table["ItemCount"])
    assert images(archived, US, "killed") == images(archived, US, "things")
