"""GlobalSecondaryIndexUpdates: indexes created, filled, changed and deleted while the table is in use."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import PROVISIONED, US, Replica, TestFleet, attributes, index, keys, simple_table, units

from region.errors import DynamoError, LimitExceededError, ResourceNotFoundError, ValidationError
from region.events import BackfillFinished
from region.operation.archive import progress

INVALID = "One or more parameter values were invalid: "
ONE_AT_A_TIME = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
DELAY_MS = 1000


@pytest.fixture
def region() -> Replica:
    region = TestFleet()[US]
    region.call(
        "CreateTable",
        **simple_table(AttributeDefinitions=attributes("a", "b"), GlobalSecondaryIndexes=[index("old", "b")]),
    )
    return region


def update(region: Replica, *updates: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = region.call(
        "UpdateTable", TableName="table", GlobalSecondaryIndexUpdates=list(updates), **more
    )["TableDescription"]
    return answer


def create(name: str = "new", *names: str, **more: Any) -> dict[str, Any]:
    return {"Create": index(name, *(names or ("c",)), **more)}


def delete(name: str = "old") -> dict[str, Any]:
    return {"Delete": {"IndexName": name}}


def described(region: Replica) -> dict[str, dict[str, Any]]:
    return {it["IndexName"]: it for it in region.describe().get("GlobalSecondaryIndexes", [])}


REFUSED: list[tuple[str, list[dict[str, Any]], dict[str, Any], type[DynamoError], str]] = [
    (
        "an update without an action",
        [{}],
        {},
        ValidationError,
        f"{INVALID}One of GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Update, "
        "GlobalSecondaryIndexUpdate.Delete must not be null",
    ),
    ("two creates", [create("gg1"), create("gg2")], {}, LimitExceededError, ONE_AT_A_TIME),
    ("a create and a delete", [create("gg1"), delete()], {}, LimitExceededError, ONE_AT_A_TIME),
    ("a create and a delete in one", [{**create("gg1"), **delete()}], {}, LimitExceededError, ONE_AT_A_TIME),
    (
        "two updates of one index",
        [{"Update": {"IndexName": "old"}}, {"Update": {"IndexName": "old"}}],
        {},
        ValidationError,
        f"{INVALID}Only one global secondary index update per index is allowed simultaneously. Index: old",
    ),
    (
        "a create without definitions",
        [create()],
        {},
        ValidationError,
        f"{INVALID}AttributeDefinitions must be specified when creating an index: new",
    ),
    (
        "a key without a definition",
        [create()],
        {"AttributeDefinitions": attributes("a")},
        ValidationError,
        "Invalid KeySchema: Some index key attribute have no definition",
    ),
    (
        "a key with another type than it has",
        [create("new", "b")],
        {"AttributeDefinitions": attributes("b:N")},
        ValidationError,
        "invalid attribute, SchemaElement redefined should be of same type as previously defined",
    ),
    (
        "a definition that nothing uses",
        [create()],
        {"AttributeDefinitions": attributes("a", "c", "z")},
        ValidationError,
        f"{INVALID}Some AttributeDefinitions are not used. AttributeDefinitions: [a, c, z], keys used: [a, b, c]",
    ),
    (
        "an index that is there",
        [create("old", "b")],
        {"AttributeDefinitions": attributes("b")},
        ValidationError,
        "Attempting to create an index which already exists",
    ),
    (
        "throughput of an index of an on-demand table",
        [create(ProvisionedThroughput=units(1, 1))],
        {"AttributeDefinitions": attributes("c")},
        ValidationError,
        f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
        "PAY_PER_REQUEST",
    ),
    (
        "the deletion of a missing index",
        [delete("nope")],
        {},
        ResourceNotFoundError,
        "Requested resource not found: Index: nope not found",
    ),
    (
        "an update that changes nothing",
        [{"Update": {"IndexName": "old"}}],
        {},
        ValidationError,
        f"{INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: old",
    ),
]


@pytest.mark.parametrize(
    ("updates", "more", "error", "message"), [pytest.param(u, m, e, t, id=i) for i, u, m, e, t in REFUSED]
)
def test_an_index_update_is_refused(
    region: Replica, updates: list[dict[str, Any]], more: dict[str, Any], error: type[DynamoError], message: str
) -> None:
    with pytest.raises(error) as caught:
        update(region, *updates, **more)
    assert caught.value.message == message
    assert list(described(region)) == ["old"]


def test_a_new_index_is_filled_in_chunks_with_what_was_there_and_what_came_meanwhile(
    region: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "CHUNK_ITEMS", 3)
    for number in range(10):
        region.put({"a": {"S": f"a{number}"}, "c": {"S": f"c{number}"}})
    region.put({"a": {"S": "sparse"}})
    region.put({"a": {"S": "wrong type"}, "c": {"N": "1"}})
    answer = update(region, create(), AttributeDefinitions=attributes("a", "c"))
    (new,) = [it for it in answer["GlobalSecondaryIndexes"] if it["IndexName"] == "new"]
    assert (answer["TableStatus"], new["IndexStatus"], new["Backfilling"]) == ("UPDATING", "CREATING", False)
    assert region.describe()["TableStatus"] == "ACTIVE"
    assert region.work(progress.advance) == 0
    shown = described(region)["new"]
    assert (shown["IndexStatus"], shown["Backfilling"], 0 < shown["ItemCount"] < 10) == ("CREATING", True, True)
    region.put({"a": {"S": "a5"}, "c": {"S": "changed"}})
    region.put({"a": {"S": "late"}, "c": {"S": "late"}})
    assert region.progress() is None
    shown = described(region)["new"]
    assert shown["IndexStatus"] == "ACTIVE"
    assert "Backfilling" not in shown
    found = {item["c"]["S"] for item in region.entries("new")}
    assert found == {f"c{number}" for number in range(10) if number != 5} | {"changed", "late"}
    assert BackfillFinished("table", "new", 11) in region.events


def test_backfill_goes_on_after_a_restart(region: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "CHUNK_ITEMS", 2)
    for number in range(5):
        region.put({"a": {"S": f"a{number}"}, "c": {"S": "same"}})
    update(region, create(), AttributeDefinitions=attributes("c"))
    region.work(progress.advance)
    region.catalogue = type(region.catalogue)(region.store.tables())
    region.progress()
    assert len(region.entries("new")) == 5


def test_only_one_index_is_created_at_a_time_but_one_that_is_being_filled_may_be_deleted(region: Replica) -> None:
    region.put({"a": {"S": "x"}, "c": {"S": "y"}})
    update(region, create(), AttributeDefinitions=attributes("c"))
    with pytest.raises(LimitExceededError):
        update(region, create("newer"), AttributeDefinitions=attributes("c"))
    with pytest.raises(LimitExceededError):
        update(region, delete("old"))
    update(region, delete("new"))
    assert list(described(region)) == ["old"]
    assert region.progress() is None


def test_a_deleted_index_stands_in_the_answer_and_is_gone_with_its_attributes(region: Replica) -> None:
    region.put({"a": {"S": "x"}, "b": {"S": "y"}})
    answer = update(region, delete())
    (old,) = answer["GlobalSecondaryIndexes"]
    assert (old["IndexName"], old["IndexStatus"], old["ItemCount"]) == ("old", "DELETING", 1)
    assert answer["AttributeDefinitions"] == attributes("a", "b")
    after = region.describe()
    assert "GlobalSecondaryIndexes" not in after
    assert after["AttributeDefinitions"] == attributes("a")


def test_a_deleted_index_may_be_created_again_with_other_keys(region: Replica) -> None:
    region.put({"a": {"S": "x"}, "b": {"S": "y"}, "c": {"S": "z"}})
    update(region, delete())
    update(region, create("old", "c"), AttributeDefinitions=attributes("c"))
    region.progress()
    assert described(region)["old"]["KeySchema"] == keys("c")
    assert len(region.entries("old")) == 1


def test_a_new_index_of_a_provisioned_table_needs_throughput() -> None:
    region = TestFleet()[US]
    region.call("CreateTable", **simple_table(**PROVISIONED))
    with pytest.raises(ValidationError) as caught:
        update(region, create("new", "a"), AttributeDefinitions=attributes("a"))
    assert caught.value.message == (
        f"{INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: new"
    )


def test_throughput_of_an_index_changes_on_its_own() -> None:
    region = TestFleet()[US]
    indexes = [index("g", "a", ProvisionedThroughput=units(1, 2))]
    region.call("CreateTable", **simple_table(**PROVISIONED, GlobalSecondaryIndexes=indexes))
    with pytest.raises(ValidationError, match="The provisioned throughput for the index g will not change"):
        update(region, {"Update": {"IndexName": "g", "ProvisionedThroughput": units(1, 2)}})
    update(region, {"Update": {"IndexName": "g", "ProvisionedThroughput": units(3, 2)}})
    assert described(region)["g"]["ProvisionedThroughput"]["ReadCapacityUnits"] == 3
    assert region.describe()["ProvisionedThroughput"]["ReadCapacityUnits"] == 5


def test_on_demand_limits_and_warm_throughput_of_an_index_change(region: Replica) -> None:
    update(
        region,
        {
            "Update": {
                "IndexName": "old",
                "OnDemandThroughput": {"MaxWriteRequestUnits": 9},
                "WarmThroughput": {"ReadUnitsPerSecond": 20_000},
            }
        },
    )
    shown = described(region)["old"]
    assert shown["OnDemandThroughput"] == {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 9}
    assert shown["WarmThroughput"]["ReadUnitsPerSecond"] == 20_000


def test_a_table_has_twenty_indexes_at_most() -> None:
    region = TestFleet()[US]
    region.call("CreateTable", **simple_table(GlobalSecondaryIndexes=[index(f"g{i}", "a") for i in range(20)]))
    with pytest.raises(LimitExceededError) as caught:
        update(region, create("new", "a"), AttributeDefinitions=attributes("a"))
    assert caught.value.message == (
        "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of 20"
    )


def test_with_delays_an_index_is_creating_and_deleting_until_they_have_passed() -> None:
    fleet = TestFleet(transition_ms=DELAY_MS)
    region = fleet[US]
    region.call("CreateTable", **simple_table())
    fleet.tick(DELAY_MS)
    update(region, create(), AttributeDefinitions=attributes("c"))
    assert region.progress() == DELAY_MS
    assert described(region)["new"]["IndexStatus"] == "CREATING"
    fleet.tick(DELAY_MS)
    assert described(region)["new"]["IndexStatus"] == "ACTIVE"
    update(region, delete("new"))
    assert described(region)["new"]["IndexStatus"] == "DELETING"
    assert region.describe()["AttributeDefinitions"] == attributes("a", "c")
    fleet.time.advance(DELAY_MS)
    region.progress()
    assert described(region) == {}
