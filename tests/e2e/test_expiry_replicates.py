"""Time to live over three real regions: what expires in one is gone in all, and a later renewal survives in all."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest
from settled import assert_converged

from atoll import Cluster
from atoll.config import Config, TtlConfig

KEY = {"id": {"S": "1"}}
SECONDS_AHEAD = 1000
_names = (f"expiring-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def fleet() -> Iterator[Cluster]:
    """Three regions that sweep often and let TTL be changed at any time."""
    with Cluster(template=Config(ttl=TtlConfig(sweep_ms=50, change_ms=0)), announce=False) as running:
        yield running


@pytest.fixture
def table(fleet: Cluster) -> str:
    """The name of a fresh table that all regions hold, with TTL switched on in the first and arrived everywhere."""
    name = next(_names)
    fleet.create_global_table(name)
    fleet.client(fleet.regions[0]).update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    for region in fleet.regions:
        while status(fleet, region, name) != {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}:
            pass
    return name


def status(fleet: Cluster, region: str, table: str) -> dict[str, Any]:
    answer: dict[str, Any] = fleet.client(region).describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return answer


def item(by: str, seconds: int) -> dict[str, Any]:
    """Return the item, to expire so many seconds from now."""
    return {**KEY, "by": {"S": by}, "expires": {"N": str(int(time.time()) + seconds)}}


def holders(fleet: Cluster, table: str) -> dict[str, str]:
    """Return whose write each region that has the item holds."""
    answers = {region: fleet.client(region).get_item(TableName=table, Key=KEY) for region in fleet.regions}
    return {region: answer["Item"]["by"]["S"] for region, answer in answers.items() if "Item" in answer}


def until_gone(fleet: Cluster, region: str, table: str) -> None:
    while "Item" in fleet.client(region).get_item(TableName=table, Key=KEY):
        pass


def test_an_item_that_expires_disappears_everywhere_and_leaves_tombstones(fleet: Cluster, table: str) -> None:
    writer = fleet.client(fleet.regions[1])
    writer.put_item(TableName=table, Item=item("short", 1))
    writer.put_item(TableName=table, Item={**item("long", SECONDS_AHEAD), "id": {"S": "2"}})
    for region in fleet.regions:
        until_gone(fleet, region, table)
    held = assert_converged(fleet, table)
    for records in held.values():
        assert sorted(record.image is None for record in records) == [False, True]
    assert all(fleet.admin(region).conflicts() == [] for region in fleet.regions)


def test_an_item_that_one_region_alone_expires_disappears_in_those_that_cannot_sweep_it(fleet: Cluster) -> None:
    name = next(_names)
    here, *others = fleet.regions
    fleet.create_global_table(name)
    client = fleet.client(here)
    fleet.pause(here, direction="out", seconds=60)
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    client.put_item(TableName=name, Item=item("before", -1))
    until_gone(fleet, here, name)
    fleet.client(others[0]).put_item(TableName=name, Item={**KEY, "by": {"S": "elsewhere"}})
    fleet.resume(here, direction="out")
    held = assert_converged(fleet, name)
    assert holders(fleet, name) == dict.fromkeys(fleet.regions, "elsewhere")
    assert all(len(records) == 1 for records in held.values())


def test_a_later_renewal_elsewhere_survives_everywhere(fleet: Cluster, table: str) -> None:
    here, there, _ = fleet.regions
    fleet.client(there).put_item(TableName=table, Item=item("first", 1))
    fleet.wait_converged(table)
    fleet.pause(here, seconds=60)
    until_gone(fleet, here, table)
    fleet.client(there).put_item(TableName=table, Item=item("renewed", SECONDS_AHEAD))
    fleet.resume(here)
    assert_converged(fleet, table)
    assert holders(fleet, table) == dict.fromkeys(fleet.regions, "renewed")


def test_a_renewal_from_before_the_expiry_of_a_later_write_does_not_bring_the_item_back(
    fleet: Cluster, table: str
) -> None:
    here, there, _ = fleet.regions
    fleet.pause(here, seconds=60)
    fleet.client(there).put_item(TableName=table, Item=item("renewed", SECONDS_AHEAD))
    fleet.client(here).put_item(TableName=table, Item=item("short", -1))
    until_gone(fleet, here, table)
    fleet.resume(here)
    assert_converged(fleet, table)
    assert holders(fleet, table) == {}


def test_ttl_switched_off_in_one_region_is_off_in_all(fleet: Cluster, table: str) -> None:
    fleet.client(fleet.regions[2]).update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires"}
    )
    for region in fleet.regions:
        while status(fleet, region, table) != {"TimeToLiveStatus": "DISABLED"}:
            pass
    fleet.client(fleet.regions[0]).put_item(TableName=table, Item=item("expired", -1))
    assert_converged(fleet, table)
    assert holders(fleet, table) == dict.fromkeys(fleet.regions, "expired")
