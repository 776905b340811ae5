"""Clocks that are wrong: a region that is ten minutes behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from settled import assert_converged

from atoll import Cluster
from atoll.config import ClockConfig, Config

RIGHT, BEHIND = "us-east-1", "eu-west-1"
TEN_MINUTES_MS = 600_000
KEY = {"id": {"S": "1"}}


@pytest.fixture(scope="module")
def skewed() -> Iterator[Cluster]:
    """Two regions, one of them ten minutes behind, and bounds that let it hear from the other."""
    template = Config(clock=ClockConfig(drift_warn_ms=TEN_MINUTES_MS, drift_park_ms=6 * TEN_MINUTES_MS))
    offsets = {BEHIND: -TEN_MINUTES_MS}
    with Cluster((RIGHT, BEHIND), clock_offset_ms=offsets, template=template, announce=False) as running:
        running.create_global_table("orders")
        yield running


def test_the_clock_is_wrong_indeed(skewed: Cluster) -> None:
    right, behind = (skewed.admin(region).status().clock.wall_ms for region in (RIGHT, BEHIND))
    assert right - behind > TEN_MINUTES_MS // 2


def test_a_write_made_after_having_read_a_newer_one_is_never_lost(skewed: Cluster) -> None:
    right, behind = skewed.client(RIGHT), skewed.client(BEHIND)
    for number in range(20):
        right.put_item(TableName="orders", Item={**KEY, "by": {"S": RIGHT}, "n": {"N": str(number)}})
        skewed.wait_converged("orders")
        read = behind.get_item(TableName="orders", Key=KEY)["Item"]
        assert read["by"] == {"S": RIGHT}
        behind.put_item(TableName="orders", Item={**read, "by": {"S": BEHIND}})
        assert_converged(skewed, "orders")
        assert right.get_item(TableName="orders", Key=KEY)["Item"] == {
            **KEY,
            "by": {"S": BEHIND},
            "n": {"N": str(number)},
        }
    assert skewed.admin(RIGHT).conflicts() == []


def test_a_delete_made_after_having_read_is_never_undone(skewed: Cluster) -> None:
    right, behind = skewed.client(RIGHT), skewed.client(BEHIND)
    right.put_item(TableName="orders", Item={"id": {"S": "deleted"}})
    skewed.wait_converged("orders")
    behind.delete_item(TableName="orders", Key={"id": {"S": "deleted"}})
    assert_converged(skewed, "orders")
    assert "Item" not in right.get_item(TableName="orders", Key={"id": {"S": "deleted"}})


def test_what_a_region_wrote_survives_its_restart_in_order(skewed: Cluster) -> None:
    behind = skewed.client(BEHIND)
    behind.put_item(TableName="orders", Item={"id": {"S": "restart"}, "n": {"N": "1"}})
    skewed.kill(BEHIND)
    skewed.restart(BEHIND)
    skewed.client(BEHIND).put_item(TableName="orders", Item={"id": {"S": "restart"}, "n": {"N": "2"}})
    assert_converged(skewed, "orders")
    assert skewed.client(RIGHT).get_item(TableName="orders", Key={"id": {"S": "restart"}})["Item"]["n"] == {"N": "2"}


def test_beyond_the_bound_the_link_parks_and_says_so() -> None:
    with Cluster((RIGHT, BEHIND), clock_offset_ms={BEHIND: -TEN_MINUTES_MS}, announce=False) as cluster:
        client = cluster.client(RIGHT)
        client.create_table(
            TableName="orders",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.update_table(TableName="orders", ReplicaUpdates=[{"Create": {"RegionName": BEHIND}}])
        while state(cluster) != "parked":
            pass
        assert "orders" not in cluster.client(BEHIND).list_tables()["TableNames"]


def state(cluster: Cluster) -> str:
    """Return the state of the link into the region that is behind, as that region sees it."""
    return next(link.state for link in cluster.admin(BEHIND).status().links if link.sink == BEHIND)
