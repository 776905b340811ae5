"""With AWS-like delays, tables and replicas go through AWS's states, and answer in each as AWS does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lifecycle import connect, create, eventually, item, members, refusal, replicate

from atoll import Cluster
from atoll.config import Config

US, EU = "us-east-1", "eu-west-1"
TRANSITION_MS = 2000


@pytest.fixture(scope="module")
def slow() -> Iterator[Cluster]:
    """Two regions whose tables take their time, as AWS's do."""
    template = Config(transition_ms=TRANSITION_MS)
    with Cluster((US, EU), template=template, announce=False) as cluster:
        yield cluster


def history(cluster: Cluster, table: str, end: tuple[dict[str, str], ...]) -> list[tuple[dict[str, str], ...]]:
    """What both regions say of a table, again and again until the end; the same said twice counts once."""
    seen: list[tuple[dict[str, str], ...]] = []

    def ended() -> bool:
        now = tuple(members(cluster, region, table) for region in cluster.regions)
        if not seen or seen[-1] != now:
            seen.append(now)
        return now == end

    eventually(ended, f"{table} never was {end}, but {seen}")
    return seen


def test_with_delays_tables_and_replicas_go_through_aws_states(slow: Cluster) -> None:
    client, replica = connect(slow, US), connect(slow, EU)
    table = create(slow, US)
    assert members(slow, US, table) == {US: "CREATING"}
    name, _ = refusal(client.put_item, TableName=table, Item=item("1", 1))
    assert name == "ResourceNotFoundException"
    assert history(slow, table, ({US: "ACTIVE"}, {}))[0] == ({US: "CREATING"}, {})
    client.put_item(TableName=table, Item=item("1", 1))

    answer = replicate(slow, US, table, "Create", EU)
    assert (answer["TableStatus"], answer["GlobalTableVersion"], answer["Replicas"]) == ("UPDATING", "2019.11.21", [])
    in_use = ("ResourceInUseException", "The resource which you are attempting to change is in use.")
    delete = [{"Delete": {"RegionName": EU}}]
    assert refusal(client.update_table, TableName=table, ReplicaUpdates=delete) == in_use
    client.put_item(TableName=table, Item=item("2", 2))
    eventually(lambda: members(slow, EU, table).get(EU) == "CREATING", "the replica is being made")
    assert members(slow, US, table) == {US: "UPDATING", EU: "CREATING"}
    for call, request in (
        (replica.get_item, {"Key": {"id": {"S": "1"}}}),
        (replica.put_item, {"Item": item("3", 3)}),
        (replica.update_table, {"TableClass": "STANDARD"}),
    ):
        assert refusal(call, TableName=table, **request)[0] == "ResourceNotFoundException"
    assert refusal(replica.delete_table, TableName=table)[0] == "ResourceInUseException"
    both = ({US: "ACTIVE", EU: "ACTIVE"}, {EU: "ACTIVE", US: "ACTIVE"})
    assert all(it[0].get(EU) in ("CREATING", "ACTIVE") for it in history(slow, table, both))
    assert slow.wait_converged(table).items == 2

    answer = replicate(slow, US, table, "Delete", EU)
    assert (answer["TableStatus"], answer["Replicas"][0]["ReplicaStatus"]) == ("UPDATING", "DELETING")
    seen = history(slow, table, ({US: "ACTIVE"}, {}))
    assert seen[0][0] == {US: "UPDATING", EU: "DELETING"}
    assert any(it[1].get(EU) == "DELETING" for it in seen)
    assert client.delete_table(TableName=table)["TableDescription"]["TableStatus"] == "DELETING"
    assert refusal(client.get_item, TableName=table, Key={"id": {"S": "1"}})[0] == "ResourceNotFoundException"
    assert history(slow, table, ({}, {}))[0] == ({US: "DELETING"}, {})
