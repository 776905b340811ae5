"""A consumer that follows the lineage of shards reads every change once and each item's in order, whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from stream_worker import Worker

from atoll import Cluster
from atoll.config import Config, StreamsConfig

HERE, THERE = "us-east-1", "eu-west-1"
DEADLINE_S = 60.0
ONCE = ClientConfig(retries={"total_max_attempts": 1})
# A shard lives for a fraction of a second, and covers so little that the table's growth splits it.
QUICK = StreamsConfig(shards=1, shard_ms=400, shard_bytes=1500)
ITEMS = 12
MANY, SOME = 25, 10


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(regions=(HERE, THERE), announce=False, template=Config(streams=QUICK)) as cluster:
        yield cluster


def streams_client(cluster: Cluster, region: str) -> Any:
    return boto3.client(
        "dynamodbstreams",
        endpoint_url=cluster.endpoint(region),
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=ONCE,
    )


class Writer(threading.Thread):
    """Writes every item of one name again and again with the next number; some of them it deletes between."""

    def __init__(self, cluster: Cluster, region: str, table: str, name: str, rounds: int) -> None:
        super().__init__(name=f"writer of {name} in {region}")
        self.client = cluster.client(region, config=ONCE)
        self.table = table
        self.rounds = rounds
        self.items = [f"{name}-{number}" for number in range(ITEMS)]
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            for number in range(self.rounds):
                for position, item in enumerate(self.items):
                    if position % 4 == 0 and number % 5 == 4:
                        self._until_done(self.client.delete_item, Key={"id": {"S": item}})
                    value = {"id": {"S": item}, "n": {"N": str(number)}, "filling": {"S": "x" * 200}}
                    self._until_done(self.client.put_item, Item=value)
        except BaseException as error:
            self.error = error
            raise

    def finished(self) -> bool:
        assert self.error is None
        return not self.is_alive()

    def _until_done(self, call: Callable[..., Any], **request: Any) -> None:
        """Repeat a write until it is acknowledged; one that had been done already changes nothing the second time."""
        deadline = time.monotonic() + DEADLINE_S
        pause = threading.Event()
        while True:
            try:
                call(TableName=self.table, **request)
            except (BotoCoreError, ClientError):
                assert time.monotonic() < deadline
                pause.wait(0.01)
            else:
                return


def consume(worker: Worker, done: Callable[[], bool]) -> None:
    """Let a worker go on until a condition holds."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not done():
        assert time.monotonic() < deadline, "the consumer never saw what it waits for"
        if not worker.round():
            pause.wait(0.01)


def drain(worker: Worker, cluster: Cluster, region: str, table: str) -> dict[str, Any]:
    """Let a worker go on until it knows the table as it is now; return the table."""
    pages = cluster.client(region).get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    stored = {item["id"]["S"]: item for page in pages for item in page["Items"]}
    consume(worker, lambda: last_images(worker) == stored)
    return stored


def last_images(worker: Worker) -> dict[str, Any]:
    last = {item: changes[-1].get("NewImage") for item, changes in worker.by_item("id").items()}
    return {item: image for item, image in last.items() if image is not None}


def assert_unbroken(worker: Worker) -> None:
    """Each record of an item begins with the image that the one before ended with: none is missing, none came twice."""
    assert len({record["eventID"] for record in worker.records}) == len(worker.records)
    for changes in worker.by_item("id").values():
        image = None
        for change in changes:
            assert change.get("OldImage") == image
            image = change.get("NewImage")
            assert image != change.get("OldImage")
        numbers = [change["SequenceNumber"] for change in changes]
        assert numbers == sorted(numbers)


def assert_lineage(worker: Worker) -> None:
    """Shards closed and were followed by one child or, at least once, by two."""
    parents = [parent for parent in worker.parents.values() if parent]
    children = {parents.count(parent) for parent in parents}
    assert {2} <= children <= {1, 2}
    assert sum(checkpoint == "SHARD_END" for checkpoint in worker.leases.values()) >= 3


def test_a_consumer_reads_everything_once_across_shard_ends_splits_and_a_kill(cluster: Cluster) -> None:
    client = cluster.client(HERE)
    description = client.create_table(
        TableName="orders",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    first = Worker(streams_client(cluster, HERE), description["LatestStreamArn"])
    writer = Writer(cluster, HERE, "orders", "item", MANY)
    writer.start()
    consume(first, lambda: len(first.records) > 60)
    cluster.kill(HERE)
    consume(first, lambda: first.failures > 0)
    cluster.restart(HERE)
    consume(first, lambda: len(first.records) > 120)
    # The first worker is gone; another takes its leases over, and goes on behind its checkpoints.
    second = Worker(first.streams, first.arn, first.leases)
    second.records = first.records
    consume(second, writer.finished)
    drain(second, cluster, HERE, "orders")
    assert_unbroken(second)
    assert_lineage(second)
    for position, changes in enumerate(second.by_item("id")[item] for item in writer.items):
        written = [change["NewImage"]["n"]["N"] for change in changes if "NewImage" in change]
        assert written == [str(number) for number in range(MANY)]
        assert len(changes) - len(written) == (MANY // 5 if position % 4 == 0 else 0)


def test_a_replicas_stream_has_local_and_replicated_changes_once_and_in_order(cluster: Cluster) -> None:
    cluster.create_global_table("carts", hash_key="id", regions=(HERE, THERE))
    clients = {region: cluster.client(region) for region in (HERE, THERE)}
    arns = {
        region: client.describe_table(TableName="carts")["Table"]["LatestStreamArn"]
        for region, client in clients.items()
    }
    workers = {region: Worker(streams_client(cluster, region), arn) for region, arn in arns.items()}
    # Both write items of their own, and both the same ones.
    writers = [
        Writer(cluster, region, "carts", name, SOME)
        for region, name in ((HERE, "here"), (THERE, "there"), (HERE, "both"), (THERE, "both"))
    ]
    for writer in writers:
        writer.start()
    consume(workers[THERE], lambda: len(workers[THERE].records) > 100)
    cluster.kill(THERE)
    consume(workers[HERE], lambda: len(workers[HERE].records) > 100)
    cluster.restart(THERE)
    for worker in workers.values():
        consume(worker, lambda: all(writer.finished() for writer in writers))
    cluster.wait_converged("carts")
    for region, worker in workers.items():
        stored = drain(worker, cluster, region, "carts")
        assert len(stored) == 3 * ITEMS
        assert_unbroken(worker)
        assert_lineage(worker)
        assert {record["awsRegion"] for record in worker.records} == {region}
        for name in ("here", "there"):
            for number in range(ITEMS):
                changes = worker.by_item("id")[f"{name}-{number}"]
                written = [int(change["NewImage"]["n"]["N"]) for change in changes if "NewImage" in change]
                assert written == list(range(SOME))
