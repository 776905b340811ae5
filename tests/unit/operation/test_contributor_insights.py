"""Contributor Insights: the states of tables and indexes as AWS reports them."""

from __future__ import annotations

from typing import Any

import pytest
from control_plane import EU, START_MS, US, Replica, TestFleet, attributes, index, keys, simple_table

from region.errors import ResourceNotFoundError, ValidationError
from region.operation import OPERATIONS

MODE = {"ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS"}


def call(replica: Replica, operation: str, **request: Any) -> dict[str, Any]:
    answer: dict[str, Any] = replica.work(lambda context: OPERATIONS[operation].run(context, request))
    return answer


def update(replica: Replica, action: str, **more: Any) -> dict[str, Any]:
    request = {"TableName": "table", "ContributorInsightsAction": action, **more}
    return call(replica, "UpdateContributorInsights", **request)


def described(replica: Replica, **more: Any) -> dict[str, Any]:
    return call(replica, "DescribeContributorInsights", TableName="table", **more)


def listed(replica: Replica, **request: Any) -> list[tuple[str, str]]:
    """Return the names of all pages."""
    names = []
    while True:
        answer = call(replica, "ListContributorInsights", **request)
        names += [(it["TableName"], it.get("IndexName", "")) for it in answer["ContributorInsightsSummaries"]]
        if "NextToken" not in answer:
            return names
        request["NextToken"] = answer["NextToken"]


@pytest.fixture
def us() -> Replica:
    """A table with a sort key and a global index without one."""
    replica = TestFleet()[US]
    replica.call(
        "CreateTable",
        **simple_table(
            AttributeDefinitions=attributes("a", "b", "g"),
            KeySchema=keys("a", "b"),
            GlobalSecondaryIndexes=[index("one", "g")],
            LocalSecondaryIndexes=[index("local", "a", "g")],
        ),
    )
    return replica


def test_insights_are_off_until_they_are_switched_on(us: Replica) -> None:
    assert described(us) == {"TableName": "table", "ContributorInsightsStatus": "DISABLED"}
    assert update(us, "DISABLE") == {"TableName": "table", "ContributorInsightsStatus": "DISABLED"}
    assert update(us, "ENABLE") == {"TableName": "table", "ContributorInsightsStatus": "ENABLING", **MODE}
    assert described(us) == {
        "TableName": "table",
        "ContributorInsightsStatus": "ENABLED",
        **MODE,
        "LastUpdateDateTime": START_MS / 1000,
        "ContributorInsightsRuleList": [
            f"DynamoDBContributorInsights-{kind}-table-{START_MS}" for kind in ("PKC", "PKT", "SKC", "SKT")
        ],
    }
    assert update(us, "ENABLE")["ContributorInsightsStatus"] == "ENABLED"


def test_switched_off_they_keep_their_mode_and_the_time(us: Replica) -> None:
    update(us, "ENABLE")
    us.fleet.time.advance(1000)
    assert update(us, "DISABLE") == {"TableName": "table", "ContributorInsightsStatus": "DISABLING", **MODE}
    assert described(us) == {
        "TableName": "table",
        "ContributorInsightsStatus": "DISABLED",
        **MODE,
        "LastUpdateDateTime": (START_MS + 1000) / 1000,
    }
    assert update(us, "DISABLE")["ContributorInsightsStatus"] == "DISABLED"


def test_another_mode_keeps_the_rules_that_it_shares(us: Replica) -> None:
    update(us, "ENABLE")
    us.fleet.time.advance(1000)
    answer = update(us, "ENABLE", ContributorInsightsMode="THROTTLED_KEYS")
    assert answer["ContributorInsightsStatus"] == "ENABLING"
    assert described(us)["ContributorInsightsRuleList"] == [
        f"DynamoDBContributorInsights-{kind}-table-{START_MS}" for kind in ("PKT", "SKT")
    ]
    assert update(us, "ENABLE")["ContributorInsightsMode"] == "ACCESSED_AND_THROTTLED_KEYS"


def test_an_index_has_insights_of_its_own(us: Replica) -> None:
    update(us, "ENABLE", IndexName="one")
    assert described(us)["ContributorInsightsStatus"] == "DISABLED"
    answer = described(us, IndexName="one")
    assert answer["ContributorInsightsStatus"] == "ENABLED"
    assert answer["ContributorInsightsRuleList"] == [
        f"DynamoDBContributorInsights-{kind}-table-one-{START_MS}" for kind in ("PKC", "PKT")
    ]
    us.call("UpdateTable", TableName="table", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "one"}}])
    with pytest.raises(ResourceNotFoundError):
        described(us, IndexName="one")
    us.call(
        "UpdateTable",
        TableName="table",
        AttributeDefinitions=attributes("a", "b", "g"),
        GlobalSecondaryIndexUpdates=[{"Create": index("one", "g")}],
    )
    with pytest.raises(ValidationError, match="IndexStatus must be ACTIVE"):
        update(us, "ENABLE", IndexName="one")
    us.progress()
    assert described(us, IndexName="one")["ContributorInsightsStatus"] == "DISABLED"


@pytest.mark.parametrize("name", ["ghost", "local"])
def test_only_global_indexes_have_insights(us: Replica, name: str) -> None:
    for operation in ("UpdateContributorInsights", "DescribeContributorInsights"):
        with pytest.raises(ResourceNotFoundError) as caught:
            call(us, operation, TableName="table", IndexName=name, ContributorInsightsAction="ENABLE")
        assert caught.value.message == f"Requested resource not found: Index: {name} not found for table: table"


def test_a_listing_shows_what_is_on_table_by_table_in_pages(us: Replica) -> None:
    us.call("CreateTable", **simple_table("another"))
    us.call("CreateTable", **simple_table("third"))
    for request in ({}, {"IndexName": "one"}, {"TableName": "third"}, {"TableName": "another"}):
        update(us, "ENABLE", **request)
    update(us, "DISABLE", TableName="third")
    everything = [("another", ""), ("table", ""), ("table", "one")]
    assert listed(us) == listed(us, MaxResults=1) == listed(us, MaxResults=2) == everything
    assert listed(us, TableName="table") == everything[1:]
    assert listed(us, TableName="third") == []
    with pytest.raises(ResourceNotFoundError):
        listed(us, TableName="absent")
    for request in ({"NextToken": "x"}, {"MaxResults": 0}):
        with pytest.raises(ValidationError):
            listed(us, **request)


def test_insights_stay_in_their_region(us: Replica) -> None:
    update(us, "ENABLE")
    us.call("UpdateTable", TableName="table", ReplicaUpdates=[{"Create": {"RegionName": EU}}])
    us.fleet.ship()
    assert described(us.fleet[EU]) == {"TableName": "table", "ContributorInsightsStatus": "DISABLED"}


def test_a_slow_region_shows_the_transitions() -> None:
    us = TestFleet(US, transition_ms=500)[US]
    us.call("CreateTable", **simple_table())
    with pytest.raises(ValidationError, match="TableStatus must be ACTIVE"):
        update(us, "ENABLE")
    us.fleet.tick(500)
    update(us, "ENABLE")
    assert described(us)["ContributorInsightsStatus"] == update(us, "ENABLE")["ContributorInsightsStatus"] == "ENABLING"
    us.fleet.tick(500)
    assert described(us)["ContributorInsightsStatus"] == "ENABLED"
    update(us, "DISABLE")
    assert described(us)["ContributorInsightsStatus"] == "DISABLING"
    assert listed(us) == [("table", "")]
    us.fleet.tick(500)
    assert listed(us) == []


def test_the_names_of_rules_are_no_longer_than_cloudwatch_takes_and_stay_different() -> None:
    replica = TestFleet()[US]
    names = []
    for table in ("t" * 255, "t" * 254 + "u"):
        replica.call("CreateTable", **simple_table(TableName=table))
        call(replica, "UpdateContributorInsights", TableName=table, ContributorInsightsAction="ENABLE")
        names += call(replica, "DescribeContributorInsights", TableName=table)["ContributorInsightsRuleList"]
    assert [len(name) for name in names] == [128] * 4
    assert len(set(names)) == 4
