"""kill -9 under load: what was acknowledged is there afterwards, everywhere, and nobody starts from scratch."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from settled import assert_converged

from atoll import Cluster
from atoll.failure import RemedyError
from atoll.remote import RequestError
from chaos.checker.durability import Write, losses, phantoms

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
VICTIM = REGIONS[0]
WRITES_BEFORE = 300
KEYS = 40


class Writer(threading.Thread):
    """Writes to one region as fast as it answers, and keeps the history; a region that is down is tried again."""

    def __init__(self, cluster: Cluster, region: str) -> None:
        super().__init__()
        self.history: list[Write] = []
        self.acknowledged = 0
        self.enough = threading.Event()
        self._region = region
        self._caller = cluster.caller(region)
        self._end = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            if self._end.is_set():
                break
            key, value = f"key-{number % KEYS}", f"{self._region}-{number}"
            invoked, returned = time.monotonic(), None
            try:
                self._caller.call("PutItem", {"TableName": "load", "Item": {"id": {"S": key}, "value": {"S": value}}})
                returned = time.monotonic()
                self.acknowledged += 1
            except RequestError as error:
                raise AssertionError(f"a write was refused: {error}") from error
            except RemedyError:
                pass
            self.history.append(Write(key, value, invoked, returned))
            if self.acknowledged >= WRITES_BEFORE:
                self.enough.set()
        self._caller.close()

    def end(self) -> None:
        self._end.set()
        self.join()


def bootstraps(cluster: Cluster, region: str) -> float:
    (line,) = [
        line for line in cluster.admin(region).metrics().splitlines() if line.startswith("atoll_bootstraps_total ")
    ]
    return float(line.split()[1])


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_no_acknowledged_write_is_lost_when_a_region_is_killed_under_load(durability: str) -> None:
    with Cluster(REGIONS, durability=durability, announce=False) as cluster:  # type: ignore[arg-type]  # one of three
        cluster.create_global_table("load")
        epoch, fetched = cluster.admin(VICTIM).health().epoch, bootstraps(cluster, REGIONS[1])
        writers = [Writer(cluster, region) for region in REGIONS[:2]]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.enough.wait()
        cluster.kill(VICTIM)
        cluster.restart(VICTIM)
        for writer in writers:
            writer.enough.clear()
        for writer in writers:
            writer.end()
        held = assert_converged(cluster, "load")

        history = [write for writer in writers for write in writer.history]
        finals = {
            region: {
                each["id"]["S"]: each["value"]["S"]
                for each in cluster.client(region).scan(TableName="load", ConsistentRead=True)["Items"]
            }
            for region in REGIONS
        }
        feed = [
            (each["loser"]["image"]["id"]["S"], each["loser"]["image"]["value"]["S"])
            for region in REGIONS
            for each in all_conflicts(cluster, region)
        ]
        assert losses(history, finals, feed) == []
        assert phantoms(history, finals) == []
        assert len(held[VICTIM]) == KEYS
        assert cluster.admin(VICTIM).health().epoch == epoch
        assert bootstraps(cluster, VICTIM) == 0
        assert bootstraps(cluster, REGIONS[1]) == fetched


def all_conflicts(cluster: Cluster, region: str) -> list[dict[str, dict[str, dict[str, dict[str, str]]]]]:
    found: list[dict[str, dict[str, dict[str, dict[str, str]]]]] = []
    client = cluster.admin(region)
    after = 0
    while page := client.conflicts(after, 1000):
        found += page
        after = page[-1]["number"]
    return found


def test_a_region_comes_back_on_its_ports_and_catches_up() -> None:
    with Cluster(REGIONS[:2], announce=False) as cluster:
        cluster.create_global_table("orders")
        endpoint, admin = cluster.endpoint(VICTIM), cluster.admin(VICTIM).url
        cluster.kill(VICTIM)
        assert cluster.status()[VICTIM] is None
        cluster.client(REGIONS[1]).put_item(TableName="orders", Item={"id": {"S": "while it was down"}})
        cluster.restart(VICTIM)
        assert (cluster.endpoint(VICTIM), cluster.admin(VICTIM).url) == (endpoint, admin)
        assert_converged(cluster, "orders")
        assert cluster.client(VICTIM).scan(TableName="orders")["Count"] == 1
