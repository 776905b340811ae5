"""Encryption at rest, from the side of whoever holds the disk: what he sees, changes, swaps, and brings back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from region.errors import DamagedItemError, DamagedLogError, InternalServerError, KeyUnavailableError
from region.model.change import UNREADABLE, Conflict, StoredItem
from region.model.version import Version
from region.operation.archive.progress import advance
from region.operation.setting.time_to_live import sweep
from region.operation.table.encryption import follow
from region.store.sealing import SealedKeys
from region.store.verification import damage
from tests.unit.archive.encrypted_region import NEEDLE, ORDERS, TABLE, EncryptedRegion

QUERY: dict[str, Any] = {"KeyConditionExpression": "kind = :k", "ExpressionAttributeValues": {":k": {"S": "k"}}}
DATA_KEYS = "SELECT number FROM data_keys JOIN tables ON table_id = id WHERE name = 'Orders'"


@pytest.fixture
async def encrypted(tmp_path: Path) -> AsyncIterator[EncryptedRegion]:
    """A region with the encrypted table Orders."""
    made = EncryptedRegion(tmp_path)
    await made.follow()
    await made.region.call("CreateTable", **TABLE)
    yield made
    await made.close()


def items_name(connection: apsw.Connection) -> str:
    (name,) = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if name.endswith(":Orders")
    ]
    return f'"{name}"'


async def attacked(encrypted: EncryptedRegion, *statements: str, open_again: bool = True) -> None:
    """Stop the region, let the attacker at its file, and start it again."""
    await encrypted.close()
    connection = apsw.Connection(str(encrypted.folder / "region.sqlite"))
    for statement in statements:
        connection.execute(statement.replace("ITEMS", items_name(connection)) if "ITEMS" in statement else statement)
    connection.close()
    if open_again:
        encrypted.open()
        await encrypted.follow()


async def test_the_disk_shows_no_value_of_an_encrypted_table_while_it_is_used_and_after(
    encrypted: EncryptedRegion,
) -> None:
    for number in range(40):
        await encrypted.put(f"key-{number}", more={"S": NEEDLE * 300})
    await encrypted.region.call(
        "UpdateItem",
        TableName="Orders",
        Key={"id": {"S": "key-1"}},
        UpdateExpression="SET more = :m",
        ConditionExpression="begins_with(secret, :s)",
        ExpressionAttributeValues={":m": {"S": f"{NEEDLE} again"}, ":s": {"S": NEEDLE}},
    )
    await encrypted.region.call("DeleteItem", TableName="Orders", Key={"id": {"S": "key-2"}})
    store = encrypted.region.engine.store
    table = encrypted.region.engine.catalogue.by_name["Orders"]
    image = b'{"id":{"S":"key-1"},"secret":{"S":"%b lost"}}' % NEEDLE.encode()
    loser = StoredItem(image, 10, Version(2, "eu-west-1"))
    lost = Conflict(
        table_uid=table.uid,
        key=b"key",
        winner=StoredItem(image, 10, Version(1, "us-east-1")),
        loser=loser,
        margin_ms=0,
        attributes_lost=("secret",),
        winner_request_id=None,
        loser_request_id=None,
        recorded_ms=1,
        winner_condition=f"secret = {NEEDLE}",
    )
    await encrypted.region.engine.transact(
        lambda context: context.transaction.record_conflict(lost, kept=10, since_ms=0)
    )
    await encrypted.region.call("CreateBackup", TableName="Orders", BackupName="kept")
    await encrypted.region.call(
        "UpdateContinuousBackups",
        TableName="Orders",
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    encrypted.region.archivist.start()
    await encrypted.region.idle()
    assert any(path.suffix == ".zst" for path in encrypted.folder.rglob("*"))
    assert encrypted.seen() == []
    assert store.conflicts(0, 10) == [(1, lost)]
    assert await encrypted.get("key-1") == f"{NEEDLE} key-1"
    await encrypted.close()
    assert encrypted.seen() == []
    encrypted.open()
    assert await encrypted.get("key-3") == f"{NEEDLE} key-3"


async def test_the_same_value_twice_looks_different_on_the_disk(encrypted: EncryptedRegion) -> None:
    for _ in range(2):
        await encrypted.put("one")
        await encrypted.region.call("DeleteItem", TableName="Orders", Key={"id": {"S": "one"}})
    rows = apsw.Connection(str(encrypted.folder / "region.sqlite")).execute("SELECT image FROM log WHERE kind = 0")
    images = [image for (image,) in rows if image]
    assert len(images) == len(set(images)) == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ITEMS SET image = CAST(substr(image, 1, 40) || x'00' || substr(image, 42) AS BLOB)",
        "UPDATE ITEMS SET image = CAST(substr(image, 1, 20) AS BLOB)",
        "UPDATE ITEMS SET image = CAST(x'0100000009' || substr(image, 6) AS BLOB)",
        "UPDATE ITEMS SET hlc = hlc + 1",
        "CREATE TEMP TABLE kept AS SELECT key, image FROM ITEMS;"
        "UPDATE ITEMS SET image = (SELECT image FROM kept WHERE kept.key <> ITEMS.key)",
        """UPDATE ITEMS SET image = CAST('{"id":{"S":"one"},"kind":{"S":"k"},"secret":{"S":"forged"}}' AS BLOB)""",
    ],
    ids=["a flipped byte", "cut off", "another data key", "another version", "swapped", "plain"],
)
async def test_a_row_that_somebody_has_changed_is_damage_and_never_an_answer(
    encrypted: EncryptedRegion, change: str
) -> None:
    await encrypted.put("one")
    await encrypted.put("two")
    await attacked(encrypted, change)
    with pytest.raises((DamagedItemError, InternalServerError)):
        await encrypted.get("one")
    with pytest.raises((DamagedItemError, InternalServerError)):
        await encrypted.region.call("Scan", TableName="Orders")
    with pytest.raises((DamagedItemError, InternalServerError)):
        await encrypted.region.call("Query", TableName="Orders", IndexName="All", **QUERY)


async def test_an_index_entry_and_a_record_of_the_log_that_somebody_has_changed_are_damage(
    encrypted: EncryptedRegion,
) -> None:
    await encrypted.put("one")
    await encrypted.put("two")
    name = next(
        name
        for (name,) in apsw.Connection(str(encrypted.folder / "region.sqlite")).execute(
            "SELECT name FROM sqlite_master WHERE name LIKE '%:Orders:Some'"
        )
    )
    swap = f'UPDATE "{name}" SET image = (SELECT image FROM "{name}" AS o WHERE o.key <> "{name}".key)'
    await attacked(encrypted, swap, "UPDATE log SET old_image = image, checksum = NULL WHERE kind = 0")
    with pytest.raises((DamagedItemError, InternalServerError)):
        await encrypted.region.call("Query", TableName="Orders", IndexName="Some", **QUERY)
    with pytest.raises(DamagedLogError, match="is not what was written there"):
        encrypted.region.engine.store.read_log(0, limit=10, bytes_max=1 << 20)


async def test_the_doctor_counts_damaged_items_with_the_keyring_and_is_quiet_without(
    encrypted: EncryptedRegion,
) -> None:
    for number in range(3):
        await encrypted.put(f"key-{number}")
    flip = "UPDATE ITEMS SET image = CAST(substr(image, 1, 40) || x'0001' || substr(image, 43) AS BLOB)"
    await attacked(encrypted, flip, open_again=False)
    connection = apsw.Connection(str(encrypted.folder / "region.sqlite"))
    keys = SealedKeys(connection.execute, encrypted.keyring(), encrypted.region.engine.rng, "us-east-1")
    assert list(damage(connection, "here", keys)) == ["3 encrypted items of Orders are not what was written there"]
    assert list(damage(connection, "here")) == []
    connection.close()
    encrypted.open()


@pytest.mark.parametrize("state", ["disabled", "to be deleted", "gone", "keyring lost", "encryption off"])
async def test_a_table_whose_master_key_is_gone_answers_nothing_and_comes_back_whole(
    encrypted: EncryptedRegion, state: str
) -> None:
    await encrypted.put("one")
    ring = encrypted.ring.read_bytes()
    if state == "disabled":
        encrypted.change(ORDERS, enabled=False)
    elif state == "to be deleted":
        encrypted.change(ORDERS, deletion_ms=encrypted.now_ms + 1000)
    elif state == "gone":
        encrypted.change(ORDERS, deletion_ms=encrypted.now_ms)
    elif state == "keyring lost":
        encrypted.ring.unlink()
    if state == "encryption off":
        await encrypted.close()
        encrypted.open(encrypted=False)
    await encrypted.follow()
    description: dict[str, Any] = (await encrypted.region.call("DescribeTable", TableName="Orders"))["Table"]
    assert description["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    assert description["SSEDescription"]["InaccessibleEncryptionDateTime"] > 0
    requests: list[tuple[str, dict[str, Any]]] = [
        ("GetItem", {"Key": {"id": {"S": "one"}}}),
        ("PutItem", {"Item": {"id": {"S": "two"}}}),
        ("Scan", {}),
        ("UpdateTable", {"DeletionProtectionEnabled": True}),
    ]
    for operation, request in requests:
        with pytest.raises(KeyUnavailableError, match=r"^KMS key (disabled|invalid state|access denied) error: "):
            await encrypted.region.call(operation, TableName="Orders", **request)
    stream = description["LatestStreamArn"]
    iterator = {"StreamArn": stream, "ShardIteratorType": "TRIM_HORIZON"}
    shards = (await encrypted.region.engine.execute("DescribeStream", {"StreamArn": stream}))["StreamDescription"]
    for shard in shards["Shards"]:
        found = await encrypted.region.engine.execute("GetShardIterator", {**iterator, "ShardId": shard["ShardId"]})
        try:
            records = await encrypted.region.engine.execute("GetRecords", {"ShardIterator": found["ShardIterator"]})
        except KeyUnavailableError:
            continue
        assert records["Records"] == []
    records = encrypted.region.engine.store.read_log(0, limit=10, bytes_max=1 << 20)
    assert [record.image for record in records if record.kind == 0] == [UNREADABLE]
    encrypted.ring.touch(mode=0o600)
    encrypted.ring.write_bytes(ring)
    if state == "encryption off":
        await encrypted.close()
        encrypted.open()
    await encrypted.follow()
    assert await encrypted.get("one") == f"{NEEDLE} one"
    described = (await encrypted.region.call("DescribeTable", TableName="Orders"))["Table"]
    assert described["TableStatus"] == "ACTIVE"
    assert "InaccessibleEncryptionDateTime" not in described["SSEDescription"]


async def test_a_key_that_cannot_be_used_makes_no_table_and_changes_none(encrypted: EncryptedRegion) -> None:
    await encrypted.put("one")
    for name in ("alias/nobody", "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"):
        wanted = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": name}
        with pytest.raises(KeyUnavailableError, match="does not exist"):
            await encrypted.region.call("CreateTable", **{**TABLE, "TableName": "More", "SSESpecification": wanted})
        with pytest.raises(KeyUnavailableError, match="does not exist"):
            await encrypted.region.call("UpdateTable", TableName="Orders", SSESpecification=wanted)
    assert (await encrypted.region.call("ListTables"))["TableNames"] == ["Orders"]
    assert await encrypted.get("one") == f"{NEEDLE} one"


def sealed_with(encrypted: EncryptedRegion) -> set[int]:
    """Return the numbers of the data keys that anything in the file is sealed with."""
    connection = apsw.Connection(str(encrypted.folder / "region.sqlite"))
    found: set[int] = set()
    places = [("log", "image"), ("log", "old_image"), ("conflicts", "loser_image")]
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    places += [(name, "image") for name in names if name[0].isdigit() and not name.endswith(":All")]
    for table, column in places:
        for (value,) in connection.execute(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL'):
            if isinstance(value, bytes) and value[0] == 1:
                found.add(int.from_bytes(value[1:5], "big"))
    return found


async def test_a_rotated_master_key_gives_a_new_data_key_and_the_old_one_goes_when_nothing_needs_it(
    encrypted: EncryptedRegion,
) -> None:
    for number in range(100):
        await encrypted.put(f"key-{number}")
    before = sealed_with(encrypted)
    encrypted.rotate(ORDERS)
    encrypted.region.engine.store.refresh_keys()
    assert await encrypted.region.engine.transact(follow)
    assert await encrypted.get("key-99") == f"{NEEDLE} key-99", "what is not sealed anew yet is read as before"
    assert len(sealed_with(encrypted)) == 2
    await encrypted.put("meanwhile")
    await encrypted.follow()
    after = sealed_with(encrypted)
    assert len(before) == len(after) == 1
    assert before != after
    connection = apsw.Connection(str(encrypted.folder / "region.sqlite"))
    assert {
        number
        for (number,) in connection.execute(
            "SELECT number FROM data_keys WHERE table_id IN (SELECT id FROM tables WHERE name = 'Orders')"
        )
    } == after
    for number in (0, 50, 99):
        assert await encrypted.get(f"key-{number}") == f"{NEEDLE} key-{number}"
    found = await encrypted.region.engine.execute("Query", {"TableName": "Orders", "IndexName": "Some", **QUERY})
    assert found["Count"] == 101
    assert list(damage(connection, "here")) == []


async def test_another_master_key_takes_a_table_over_so_that_the_first_may_go(encrypted: EncryptedRegion) -> None:
    await encrypted.put("one")
    await encrypted.region.call("UpdateTable", TableName="Orders", SSESpecification={"Enabled": True})
    await encrypted.follow()
    encrypted.change(ORDERS, deletion_ms=encrypted.now_ms)
    await encrypted.follow()
    assert await encrypted.get("one") == f"{NEEDLE} one"


async def test_a_table_from_before_encryption_is_encrypted_while_it_is_used(tmp_path: Path) -> None:
    made = EncryptedRegion(tmp_path)
    await made.close()
    made.open(encrypted=False)
    await made.region.call("CreateTable", **TABLE)
    for number in range(80):
        await made.put(f"key-{number}")
    await made.close()
    assert made.seen() == ["region.sqlite"]
    made.open()
    assert await made.region.engine.transact(follow)
    assert await made.get("key-79") == f"{NEEDLE} key-79"
    await made.put("key-80")
    await made.follow()
    await made.close()
    made.open()  # Which writes the file anew, for what was left in its unused parts.
    assert await made.get("key-79") == f"{NEEDLE} key-79"
    assert made.seen() == []
    await made.close()
    assert made.seen() == []


async def test_the_data_key_of_a_deleted_table_goes_with_the_last_that_is_left_of_it(
    encrypted: EncryptedRegion,
) -> None:
    await encrypted.put("one")
    await encrypted.region.call("DeleteTable", TableName="Orders")
    await encrypted.follow()
    connection = apsw.Connection(str(encrypted.folder / "region.sqlite"))
    keys = "SELECT count(*) FROM data_keys"
    assert connection.execute(keys).get == 1, "its records in the log may still be asked for"
    connection.close()
    await attacked(encrypted, "DELETE FROM log", "DELETE FROM log_blocks")
    connection = apsw.Connection(str(encrypted.folder / "region.sqlite"))
    assert connection.execute(keys).get == 0


async def test_a_write_that_is_rolled_back_leaves_the_keys_as_they_were(encrypted: EncryptedRegion) -> None:
    await encrypted.put("one")

    def broken(context: Any) -> None:
        context.transaction.sealing.follow(list(context.catalogue.by_name.values()), 0)
        raise DamagedItemError("on purpose")

    encrypted.rotate(ORDERS)
    encrypted.region.engine.store.refresh_keys()
    with pytest.raises((DamagedItemError, InternalServerError)):
        await encrypted.region.engine.transact(broken)
    assert await encrypted.get("one") == f"{NEEDLE} one"
    await encrypted.follow()
    assert await encrypted.get("one") == f"{NEEDLE} one"


async def test_an_encrypted_backup_is_restored_by_who_has_its_key_and_by_nobody_else(
    encrypted: EncryptedRegion,
) -> None:
    await encrypted.put("one")
    made = await encrypted.region.call("CreateBackup", TableName="Orders", BackupName="kept")
    encrypted.region.archivist.start()
    await encrypted.region.idle()
    request = {"TargetTableName": "Again", "BackupArn": made["BackupDetails"]["BackupArn"]}
    await encrypted.region.call("RestoreTableFromBackup", **request)
    await encrypted.region.idle()
    assert [NEEDLE.encode() in image for _, image in encrypted.region.rows("Again")] == [True]
    encrypted.change(ORDERS, enabled=False)
    await encrypted.follow()
    override = {"SSESpecificationOverride": {"Enabled": True}}
    await encrypted.region.call("RestoreTableFromBackup", **{**request, "TargetTableName": "Never"}, **override)
    await encrypted.region.idle()
    assert any("cannot be read: KMS key disabled" in reason for reason in encrypted.region.failures())


async def test_values_in_the_clear_under_no_data_key_are_damage_where_none_are_to_be_taken_over(
    encrypted: EncryptedRegion,
) -> None:
    await encrypted.put("one")
    plain = """UPDATE ITEMS SET image = CAST('{"id":{"S":"one"},"kind":{"S":"k"},"secret":{"S":"forged"}}' AS BLOB)"""
    await attacked(encrypted, "DELETE FROM data_keys", plain, open_again=False)
    encrypted.open(adopts=False)
    await encrypted.follow()
    with pytest.raises((DamagedItemError, InternalServerError)):
        await encrypted.get("one")


async def test_who_reads_an_older_state_is_not_disturbed_by_a_rotation(encrypted: EncryptedRegion) -> None:
    for number in range(50):
        await encrypted.put(f"key-{number}")
    engine = encrypted.region.engine
    snapshot = engine.store.snapshot(engine.catalogue.by_name["Orders"], items=True)
    encrypted.rotate(ORDERS)
    await encrypted.follow()
    assert all(NEEDLE.encode() in image for _, image, _ in snapshot.items(b"", 100))
    snapshot.close()


async def test_a_closed_table_does_not_hold_up_what_others_have_under_way(encrypted: EncryptedRegion) -> None:
    await encrypted.put("one", at={"N": "1"})
    more = {**TABLE, "TableName": "More", "SSESpecification": {"Enabled": False}}
    await encrypted.region.call("CreateTable", **more)
    item = {"id": {"S": "two"}, "kind": {"S": "k"}, "at": {"N": "1700000000"}}
    await encrypted.region.call("PutItem", TableName="More", Item=item)
    index = {
        "IndexName": "New",
        "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    for table in ("Orders", "More"):
        ttl = {"Enabled": True, "AttributeName": "at"}
        await encrypted.region.call("UpdateTimeToLive", TableName=table, TimeToLiveSpecification=ttl)
        await encrypted.region.call(
            "UpdateTable",
            TableName=table,
            AttributeDefinitions=TABLE["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[{"Create": index}],
        )
    encrypted.change(ORDERS, enabled=False)
    await encrypted.follow()
    while await encrypted.region.engine.transact(advance) == 0:
        pass
    assert encrypted.region.entries("More", "New")
    while await encrypted.region.engine.transact(sweep) == 0:
        pass
    assert encrypted.region.rows("More") == []
