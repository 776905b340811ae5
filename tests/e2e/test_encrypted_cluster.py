"""A cluster whose tables are encrypted: each region under keys of its own, and one region's key taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lifecycle import eventually
from settled import Run

from atoll import Cluster
from atoll.config import Config, EncryptionConfig
from atoll.provision import is_active

EAST, WEST = "us-east-1", "eu-west-1"
THERE = "alias/there"
NEEDLE = "xyzzy-no-eye-shall-see"
INACCESSIBLE = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ring") / "keyring.json"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, ring: Path) -> Iterator[Cluster]:
    """Two regions with one keyring; the replica in the second has a master key of its own."""
    from click.testing import CliRunner

    from atoll.cli.keys import command

    assert CliRunner().invoke(command, ["create", "--keyring", str(ring), "--alias", THERE]).exit_code == 0
    template = Config(encryption=EncryptionConfig(keyring=str(ring), check_ms=50))
    data = tmp_path_factory.mktemp("encrypted")
    with Cluster((EAST, WEST), data=data, template=template, announce=False) as running:
        running.create_global_table("other")
        client = running.client(EAST)
        client.create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            SSESpecification={"Enabled": True, "SSEType": "KMS"},
        )
        replica = {"RegionName": WEST, "KMSMasterKeyId": THERE}
        client.update_table(TableName="orders", ReplicaUpdates=[{"Create": replica}])
        with running.caller(WEST) as there:
            eventually(lambda: is_active(there, "orders", {EAST}), "the replica was not made")
        yield running


def put(cluster: Cluster, region: str, table: str, key: str) -> None:
    cluster.call(region, "PutItem", {"TableName": table, "Item": {"id": {"S": key}, "secret": {"S": NEEDLE}}})


def described(cluster: Cluster, region: str) -> dict[str, Any]:
    table: dict[str, Any] = cluster.call(region, "DescribeTable", {"TableName": "orders"})["Table"]
    return table


def replica_status(cluster: Cluster, at: str, region: str) -> str:
    replicas = {it["RegionName"]: it["ReplicaStatus"] for it in described(cluster, at)["Replicas"]}
    return str(replicas[region])


def test_replicas_are_equal_and_no_disk_shows_what_they_hold(encrypted: Cluster) -> None:
    for number in range(50):
        put(encrypted, EAST if number % 2 else WEST, "orders", f"key-{number}")
    encrypted.wait_converged("orders")
    description = described(encrypted, WEST)["SSEDescription"]
    assert description["KMSMasterKeyArn"].endswith(f":{THERE}")
    files = [path for path in Path(str(encrypted.data)).rglob("*") if path.is_file()]
    assert sum(path.name.startswith("region.sqlite") for path in files) >= 2
    assert [path.name for path in files if NEEDLE.encode() in path.read_bytes()] == []


def test_a_region_whose_key_is_gone_says_so_everywhere_while_all_else_goes_on_and_catches_up_after(
    encrypted: Cluster, ring: Path, run: Run
) -> None:
    put(encrypted, EAST, "orders", "before")
    encrypted.wait_converged("orders")
    assert run("keys", "disable", "--keyring", str(ring), THERE).returncode == 0
    eventually(lambda: described(encrypted, WEST)["TableStatus"] == INACCESSIBLE, "the table was not closed")
    assert described(encrypted, WEST)["SSEDescription"]["InaccessibleEncryptionDateTime"] > 0
    refused = {"Key": {"id": {"S": "before"}}}
    with pytest.raises(ClientError, match="KMS key disabled error") as error:
        encrypted.client(WEST).get_item(TableName="orders", **refused)
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert described(encrypted, EAST)["TableStatus"] == "ACTIVE"
    eventually(lambda: replica_status(encrypted, EAST, WEST) == INACCESSIBLE, "the other region was not told")
    assert [alarm.kind for alarm in encrypted.admin(WEST).status().alarms] == ["key gone"]
    assert "its master key cannot be used" in run("doctor", "--cluster", str(encrypted.data)).stdout
    put(encrypted, EAST, "orders", "meanwhile")
    put(encrypted, EAST, "other", "meanwhile")
    put(encrypted, WEST, "other", "back")
    encrypted.wait_converged("other")
    encrypted.kill(WEST)
    encrypted.restart(WEST)
    assert described(encrypted, WEST)["TableStatus"] == INACCESSIBLE, "also after a restart"
    put(encrypted, EAST, "other", "after the restart")
    encrypted.wait_converged("other")
    assert run("keys", "enable", "--keyring", str(ring), THERE).returncode == 0
    eventually(lambda: described(encrypted, WEST)["TableStatus"] == "ACTIVE", "the table did not come back")
    encrypted.wait_converged("orders")
    found = encrypted.client(WEST).get_item(TableName="orders", Key={"id": {"S": "meanwhile"}})
    assert found["Item"]["secret"]["S"] == NEEDLE
    eventually(lambda: replica_status(encrypted, EAST, WEST) == "ACTIVE", "the other region was not told")


def test_a_rotation_is_followed_while_both_regions_write(encrypted: Cluster, ring: Path, run: Run) -> None:
    assert run("keys", "rotate", "--keyring", str(ring), THERE).returncode == 0
    for number in range(30):
        put(encrypted, WEST, "orders", f"rotating-{number}")
    encrypted.wait_converged("orders")
    data = str(encrypted.data)
    for region in encrypted.regions:
        encrypted.stop_region(region)
    looked = run("doctor", "--data", data, "--keyring", str(ring))
    assert looked.returncode == 0, looked.stdout
    for region in encrypted.regions:
        encrypted.restart(region)
    encrypted.wait_converged("orders")


def test_a_replica_whose_key_is_not_there_yet_waits_for_it_and_holds_up_nothing(
    encrypted: Cluster, ring: Path, run: Run
) -> None:
    client = encrypted.client(EAST)
    key = [{"AttributeName": "id", "AttributeType": "S"}]
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    client.create_table(TableName="later", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=key, KeySchema=schema)
    put(encrypted, EAST, "later", "first")
    replica = {"RegionName": WEST, "KMSMasterKeyId": "alias/later"}
    client.update_table(TableName="later", ReplicaUpdates=[{"Create": replica}])
    put(encrypted, EAST, "other", "not held up")
    encrypted.wait_converged("other")
    eventually(lambda: "key gone" in str(encrypted.admin(WEST).status().alarms), "nobody was told")
    with encrypted.caller(WEST) as there:
        assert not is_active(there, "later", {EAST})
        assert run("keys", "create", "--keyring", str(ring), "--alias", "alias/later").returncode == 0
        eventually(lambda: is_active(there, "later", {EAST}), "the replica was not made")
    encrypted.wait_converged("later")
