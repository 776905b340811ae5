"""Changes reach a Kinesis stream: in AWS's format, each item's in order, and none is lost, whatever happens."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from kinesis_server import (
    ACCESS_KEY_ID,
    INTERNAL,
    LOSE_ANSWER,
    PARTIAL,
    SECRET,
    THROTTLE,
    KinesisServer,
    Received,
)
from lifecycle import eventually

from atoll import Cluster
from atoll.config import Config, KinesisConfig, load
from atoll.failure import ConfigError
from atoll.report import KinesisReport

HERE, THERE = "us-east-1", "eu-west-1"
_numbers = itertools.count()


def arn(stream: str, region: str = HERE) -> str:
    return f"arn:aws:kinesis:{region}:000000000000:stream/{stream}"


@pytest.fixture(scope="module")
def server() -> Iterator[KinesisServer]:
    with KinesisServer() as running:
        yield running
    assert running.complaints == []


@pytest.fixture(scope="module")
def regions(server: KinesisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two regions that deliver to the server."""
    kinesis = KinesisConfig(endpoint=server.url, access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET)
    data = tmp_path_factory.mktemp("regions")
    with Cluster((HERE, THERE), data=data, template=Config(kinesis=kinesis), announce=False) as running:
        yield running


class Site:
    """A table of both regions and a stream of its own, which the changes in the first region go to."""

    def __init__(self, cluster: Cluster, server: KinesisServer) -> None:
        self.cluster = cluster
        self.server = server
        self.name = f"things-{next(_numbers)}"
        server.streams[self.name] = []
        self.client = cluster.client(HERE)
        cluster.create_global_table(self.name)

    def enable(self, region: str = HERE, **configuration: Any) -> None:
        client = self.cluster.client(region)
        given = {"EnableKinesisStreamingConfiguration": configuration} if configuration else {}
        client.enable_kinesis_streaming_destination(TableName=self.name, StreamArn=arn(self.name, region), **given)
        self.wait_status("ACTIVE", region)

    def described(self, region: str = HERE) -> dict[str, Any]:
        answer = self.cluster.client(region).describe_kinesis_streaming_destination(TableName=self.name)
        found: dict[str, Any] = answer["KinesisDataStreamDestinations"][0]
        return found

    def wait_status(self, status: str, region: str = HERE) -> None:
        eventually(lambda: self.described(region)["DestinationStatus"] == status, f"the destination is {status}")

    def report(self) -> KinesisReport:
        (report,) = [it for it in self.cluster.admin(HERE).kinesis() if it.table == self.name]
        return report

    def put(self, key: str, **more: Any) -> None:
        self.client.put_item(TableName=self.name, Item={"id": {"S": key}, **more})

    def received(self) -> list[Received]:
        return self.server.streams[self.name]

    def wait_records(self, count: int) -> list[dict[str, Any]]:
        self.server.wait(lambda: len(self.received()) >= count)
        return [it.body for it in self.received()]


@pytest.fixture
def site(regions: Cluster, server: KinesisServer) -> Site:
    return Site(regions, server)


def test_each_change_becomes_a_record_in_the_format_of_aws(site: Site) -> None:
    site.put("before")
    site.enable()
    site.put("a", n={"N": "1"})
    site.put("a", n={"N": "2"}, binary={"B": b"\x00\xff"})
    site.client.delete_item(TableName=site.name, Key={"id": {"S": "a"}})
    site.wait_records(3)
    site.client.update_kinesis_streaming_destination(
        TableName=site.name,
        StreamArn=arn(site.name),
        UpdateKinesisStreamingConfiguration={"ApproximateCreationDateTimePrecision": "MICROSECOND"},
    )
    site.put("b")
    insert, modify, remove, precise = site.wait_records(4)
    created = insert["dynamodb"].pop("ApproximateCreationDateTime")
    assert 1_700_000_000_000 < created < 10_000_000_000_000
    assert precise["dynamodb"]["ApproximateCreationDateTime"] > 1_700_000_000_000_000
    assert precise["dynamodb"]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert len(insert.pop("eventID")) == 36
    assert insert == {
        "awsRegion": HERE,
        "eventName": "INSERT",
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": site.name,
        "dynamodb": {
            "Keys": {"id": {"S": "a"}},
            "NewImage": {"id": {"S": "a"}, "n": {"N": "1"}},
            "SizeBytes": 9,
            "ApproximateCreationDateTimePrecision": "MILLISECOND",
        },
        "eventSource": "aws:dynamodb",
    }
    assert modify["eventName"] == "MODIFY"
    assert modify["dynamodb"]["OldImage"] == {"id": {"S": "a"}, "n": {"N": "1"}}
    assert modify["dynamodb"]["NewImage"] == {"id": {"S": "a"}, "n": {"N": "2"}, "binary": {"B": "AP8="}}
    assert (remove["eventName"], "NewImage" in remove["dynamodb"]) == ("REMOVE", False)
    assert len({it.partition_key for it in site.received()[:3]}) == 1


def test_what_another_region_wrote_is_delivered_here_too(site: Site) -> None:
    site.enable(THERE)
    site.put("a")
    (record,) = site.wait_records(1)
    assert (record["awsRegion"], record["dynamodb"]["Keys"]) == (THERE, {"id": {"S": "a"}})


def test_through_every_failure_each_item_arrives_whole_and_in_order(site: Site) -> None:
    site.enable()
    rng = random.Random(3)
    site.server.faults.extend([THROTTLE, "", PARTIAL, PARTIAL, "", LOSE_ANSWER, "", INTERNAL, PARTIAL])
    written: dict[str, list[int]] = {}
    for number in range(120):
        key = rng.choice("abcde")
        site.put(key, n={"N": str(number)})
        written.setdefault(key, []).append(number)

    def arrived() -> dict[str, list[int]]:
        found: dict[str, dict[int, None]] = {}
        for record in site.received():
            image = record.body["dynamodb"]["NewImage"]
            found.setdefault(image["id"]["S"], {})[int(image["n"]["N"])] = None
        return {key: list(numbers) for key, numbers in found.items()}

    # A record that comes again because its answer was lost stands where it came first.
    site.server.wait(lambda: arrived() == written)
    assert not site.server.faults
    report = site.report()
    assert report.retried > 0
    assert (report.lost, report.status) == (0, "ACTIVE")


def test_kill_9_loses_nothing_and_repeats_with_the_same_ids(site: Site) -> None:
    site.enable()
    site.put("a")
    site.wait_records(1)
    site.server.hold()
    for number in range(20):
        site.put(f"held-{number}")
    eventually(lambda: site.report().oldest_s is not None, "the stream is behind")
    site.cluster.kill(HERE)
    site.server.release()
    site.cluster.restart(HERE)
    site.server.wait(lambda: len({it.body["dynamodb"]["Keys"]["id"]["S"] for it in site.received()}) == 21)
    ids: dict[str, set[str]] = {}
    for it in site.received():
        ids.setdefault(it.body["dynamodb"]["Keys"]["id"]["S"], set()).add(it.body["eventID"])
    assert all(len(found) == 1 for found in ids.values())
    assert site.described()["DestinationStatus"] == "ACTIVE"


def test_a_stream_that_is_not_there_fails_to_be_enabled_with_the_reason(site: Site) -> None:
    del site.server.streams[site.name]
    site.client.enable_kinesis_streaming_destination(TableName=site.name, StreamArn=arn(site.name))
    site.wait_status("ENABLE_FAILED")
    assert site.described()["DestinationStatusDescription"] == (
        f"ResourceNotFoundException: Stream {site.name} under account 000000000000 not found."
    )
    site.server.streams[site.name] = []
    site.enable()
    site.put("a")
    site.wait_records(1)


def test_what_changes_while_it_is_off_is_not_delivered(site: Site) -> None:
    site.enable()
    site.put("a")
    site.wait_records(1)
    site.client.disable_kinesis_streaming_destination(TableName=site.name, StreamArn=arn(site.name))
    site.wait_status("DISABLED")
    assert [it for it in site.cluster.admin(HERE).kinesis() if it.table == site.name] == []
    site.put("b")
    site.enable()
    site.put("c")
    assert [it["dynamodb"]["Keys"]["id"]["S"] for it in site.wait_records(2)] == ["a", "c"]


def test_it_is_counted_under_the_names_of_aws(site: Site) -> None:
    site.enable()
    site.put("a", fill={"S": "x" * 1500})
    site.wait_records(1)
    labels = f'{{stream="{arn(site.name)}",table="{site.name}"}}'
    eventually(lambda: site.report().units == 2, "what arrived is counted")
    text = site.cluster.admin(HERE).metrics()
    assert f"atoll_kinesis_units_total{labels} 2.0" in text
    assert f"atoll_kinesis_records_total{labels} 1.0" in text
    assert f"atoll_kinesis_failed_records_total{labels} 0.0" in text
    assert f"atoll_kinesis_oldest_unreplicated_seconds{labels}" in text
    cloudwatch: Any = boto3.client(
        "cloudwatch",
        endpoint_url=site.cluster.endpoint(HERE),
        region_name=HERE,
        aws_access_key_id="a",
        aws_secret_access_key="a",
    )
    own = [{"Name": "TableName", "Value": site.name}]
    (metric,) = cloudwatch.list_metrics(MetricName="ConsumedChangeDataCaptureUnits", Dimensions=own)["Metrics"]
    now = datetime.now(UTC)
    points = cloudwatch.get_metric_statistics(
        **metric,
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    assert sum(point["Sum"] for point in points) == 2


def test_the_secret_is_never_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {}, {"kinesis.secret_access_key": ["hunter2"]})
    assert "hunter2" not in str(caught.value)
