"""CreateTable: names, what it makes, and how it shows it."""

from __future__ import annotations

import pytest
from control_plane import (
    PROVISIONED,
    START_MS,
    US,
    Replica,
    TestFleet,
    attributes,
    included,
    index,
    keys,
    simple_table,
    units,
    wide,
)

from region.errors import LimitExceededError, ResourceInUseError, ValidationError
from region.model import limits, settings


@pytest.fixture
def region() -> Replica:
    return TestFleet()[US]


@pytest.mark.parametrize("name", ["ab", "a b c", "x" * 256, "täble"])
def test_a_table_name_has_3_to_255_plain_characters(region: Replica, name: str) -> None:
    with pytest.raises(ValidationError, match="between 3 and 255 characters"):
        region.call("CreateTable", **simple_table(name))


def test_a_table_name_is_taken_once(region: Replica) -> None:
    region.call("CreateTable", **simple_table("table"))
    with pytest.raises(ResourceInUseError) as caught:
        region.call("CreateTable", **simple_table("table"))
    assert caught.value.message == "Table already exists: table"


def test_a_wrong_parameter_is_reported_before_the_name_is_looked_up(region: Replica) -> None:
    region.call("CreateTable", **simple_table("table"))
    with pytest.raises(ValidationError):
        region.call("CreateTable", **simple_table("table", KeySchema=keys("b")))


def test_a_region_holds_2500_tables(region: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TABLES_MAX", 1)
    region.call("CreateTable", **simple_table("one"))
    with pytest.raises(LimitExceededError):
        region.call("CreateTable", **simple_table("two"))


def test_the_answer_shows_creating_and_the_table_is_active_at_once(region: Replica) -> None:
    answer = region.call("CreateTable", **simple_table("table"))["TableDescription"]
    assert answer["TableStatus"] == "CREATING"
    assert region.describe("table") == {
        "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        "TableName": "table",
        "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
        "TableStatus": "ACTIVE",
        "CreationDateTime": START_MS / 1000,
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "TableSizeBytes": 0,
        "ItemCount": 0,
        "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/table",
        "TableId": answer["TableId"],
        "BillingModeSummary": {
            "BillingMode": "PAY_PER_REQUEST",
            "LastUpdateToPayPerRequestDateTime": START_MS / 1000,
        },
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
        "DeletionProtectionEnabled": False,
    }


def test_a_provisioned_table_shows_its_throughput_and_no_billing_summary(region: Replica) -> None:
    region.call("CreateTable", **simple_table(**PROVISIONED))
    described = region.describe()
    assert described["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **units(5, 6)}
    assert "BillingModeSummary" not in described
    assert described["WarmThroughput"] == {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 6, "Status": "ACTIVE"}


def test_indexes_are_described_with_their_own_numbers(region: Replica) -> None:
    answer = region.call(
        "CreateTable",
        **simple_table(
            "table",
            AttributeDefinitions=attributes("a", "b", "c:N"),
            KeySchema=keys("a", "b"),
            LocalSecondaryIndexes=[index("local", "a", "c", kind="KEYS_ONLY")],
            GlobalSecondaryIndexes=[index("global", "c", OnDemandThroughput={"MaxReadRequestUnits": 7})],
        ),
    )["TableDescription"]
    assert answer["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
    region.put({"a": {"S": "x"}, "b": {"S": "y"}, "c": {"N": "1"}}, "table")
    described = region.describe("table")
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/table/index/"
    (local,) = described["LocalSecondaryIndexes"]
    (global_,) = described["GlobalSecondaryIndexes"]
    assert (local["IndexArn"], local["ItemCount"]) == (arn + "local", 1)
    assert global_["IndexSizeBytes"] > 0
    assert {k: v for k, v in global_.items() if k not in ("IndexSizeBytes", "KeySchema", "Projection")} == {
        "IndexName": "global",
        "ItemCount": 1,
        "IndexArn": arn + "global",
        "IndexStatus": "ACTIVE",
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "OnDemandThroughput": {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": -1},
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
    }
    assert described["AttributeDefinitions"] == attributes("a", "b", "c:N")


def test_an_index_may_have_four_hash_and_four_range_keys(region: Replica) -> None:
    region.call("CreateTable", **simple_table(**wide(4, 4)))
    assert len(region.table().indexes["wide"].keys.names) == 8


def test_one_hundred_projected_attributes_are_allowed(region: Replica) -> None:
    region.call("CreateTable", **simple_table(GlobalSecondaryIndexes=[included(f"g{i}", 20) for i in range(5)]))
    assert len(region.table().indexes) == 5


def test_options_are_kept_and_described(region: Replica) -> None:
    region.call(
        "CreateTable",
        **simple_table(
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "abc"},
            TableClass="STANDARD_INFREQUENT_ACCESS",
            DeletionProtectionEnabled=True,
            OnDemandThroughput={"MaxReadRequestUnits": 5, "MaxWriteRequestUnits": -1},
            WarmThroughput={"ReadUnitsPerSecond": 13_000},
            Tags=[{"Key": "k", "Value": "v"}],
        ),
    )
    described = region.describe()
    assert described["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert described["LatestStreamLabel"] == "2026-11-23T06:30:00.123"
    assert described["LatestStreamArn"] == described["TableArn"] + "/stream/2026-11-23T06:30:00.123"
    assert described["SSEDescription"] == {
        "Status": "ENABLED",
        "SSEType": "KMS",
        "KMSMasterKeyArn": "arn:aws:kms:us-east-1:000000000000:key/abc",
    }
    assert described["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    assert described["OnDemandThroughput"] == {"MaxReadRequestUnits": 5, "MaxWriteRequestUnits": -1}
    assert described["WarmThroughput"]["ReadUnitsPerSecond"] == 13_000
    assert described["DeletionProtectionEnabled"] is True
    tags = region.call("ListTagsOfResource", ResourceArn=described["TableArn"])
    assert tags == {"Tags": [{"Key": "k", "Value": "v"}]}


def test_a_new_table_is_announced_with_its_shared_settings_alone(region: Replica) -> None:
    region.call("CreateTable", **simple_table(DeletionProtectionEnabled=True, Tags=[{"Key": "k", "Value": "v"}]))
    (record,) = region.announcements()
    assert sorted(settings.decode(record.image)) == ["billing", "definition"]


def test_a_table_survives_a_restart(region: Replica) -> None:
    region.call("CreateTable", **simple_table(GlobalSecondaryIndexes=[index("g", "a")]))
    before = region.describe()
    region.catalogue = type(region.catalogue)(region.store.tables())
    assert region.describe() == before
