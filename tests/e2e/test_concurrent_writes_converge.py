"""Fifty keys, three regions, two thousand writes at once, links paused and resumed at random: what is left is right.

The truth is read from the regions' own logs once their processes are gone: every log names each write's request, so
that acknowledged writes and their timestamps are known without trusting what the regions answer.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from atoll import Cluster
from atoll.composition import DATABASE
from region.model.change import ITEM, Conflict, LogRecord
from region.model.version import Version
from region.randomness import SeededRng
from region.store.sqlite import open_store

SEED = 20_261_123
REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
TABLE = "contended"
KEYS = 50
WRITES = 700
"""In each region."""
PAUSES = 14
Stamp = tuple[int, str]


class Progress:
    """How many writes have been answered, for a nemesis that acts at certain numbers and never by the clock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._over = False

    def step(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def reached(self, count: int) -> bool:
        """Wait until so many writes have been answered; ``False`` if there will be no more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._over or self._count >= count, 120) and not self._over


def write(client: Any, rng: random.Random, region: str, number: int) -> str | None:
    """Put, update or delete one of the keys; return the request's id, ``None`` where the condition failed."""
    key = {"id": {"S": f"key {rng.randrange(KEYS)}"}}
    mark = {"S": f"{region} {number}"}
    kind = rng.random()
    try:
        if kind < 0.4:
            answer = client.put_item(
                TableName=TABLE, Item={**key, "mark": mark, "size": {"S": "x" * rng.randrange(300)}}
            )
        elif kind < 0.75:
            answer = client.update_item(
                TableName=TABLE,
                Key=key,
                UpdateExpression="SET mark = :mark ADD writes :one",
                ExpressionAttributeValues={":mark": mark, ":one": {"N": "1"}},
            )
        elif kind < 0.85:
            answer = client.update_item(
                TableName=TABLE,
                Key=key,
                UpdateExpression="SET mark = :mark",
                ConditionExpression="attribute_exists(writes)",
                ExpressionAttributeValues={":mark": mark},
            )
        else:
            answer = client.delete_item(TableName=TABLE, Key=key)
    except client.exceptions.ConditionalCheckFailedException:
        return None
    return str(answer["ResponseMetadata"]["RequestId"])


def write_all(cluster: Cluster, region: str, progress: Progress, acknowledged: dict[str, list[str]]) -> None:
    client = cluster.client(region)
    rng = random.Random(f"{SEED} {region}")
    for number in range(WRITES):
        request_id = write(client, rng, region, number)
        if request_id is not None:
            acknowledged[region].append(request_id)
        progress.step()


def disturb(cluster: Cluster, progress: Progress) -> None:
    """Pause links and whole regions and resume them, at random numbers of writes."""
    rng = random.Random(SEED)
    links = [f"{source}->{sink}" for source in REGIONS for sink in REGIONS if source != sink]
    paused: list[str] = []
    for count in sorted(rng.sample(range(len(REGIONS) * WRITES), PAUSES)):
        if not progress.reached(count):
            return
        if paused and rng.random() < 0.45:
            cluster.resume(paused.pop(rng.randrange(len(paused))))
        else:
            paused.append(rng.choice([*links, *REGIONS]))
            cluster.pause(paused[-1])


class Aftermath(NamedTuple):
    """What the regions held when all had settled, and what their files hold after their end."""

    acknowledged: dict[str, list[str]]
    dumps: dict[str, list[Any]]
    scans: dict[str, list[Any]]
    feeds: dict[str, list[dict[str, Any]]]
    feed_after_restart: list[dict[str, Any]]
    logs: dict[str, list[LogRecord]]
    conflicts: dict[str, list[Conflict]]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    folder = tmp_path_factory.mktemp("contended")
    offsets = {"eu-west-1": -700, "ap-northeast-1": 300}
    acknowledged: dict[str, list[str]] = {region: [] for region in REGIONS}
    with Cluster(REGIONS, data=folder, clock_offset_ms=offsets, announce=False) as cluster:
        cluster.create_global_table(TABLE)
        progress = Progress()
        writers = [
            threading.Thread(target=write_all, args=(cluster, region, progress, acknowledged)) for region in REGIONS
        ]
        nemesis = threading.Thread(target=disturb, args=(cluster, progress))
        for thread in (nemesis, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        progress.end()
        nemesis.join()
        for region in REGIONS:
            cluster.resume(region)
        cluster.wait_converged(TABLE)
        dumps = {region: [as_tuple(it) for it in cluster.admin(region).dump(TABLE)] for region in REGIONS}
        scans = {region: cluster.client(region).scan(TableName=TABLE)["Items"] for region in REGIONS}
        feeds = {region: feed(cluster, region) for region in REGIONS}
        cluster.kill(REGIONS[1])
        cluster.restart(REGIONS[1])
        feed_after_restart = feed(cluster, REGIONS[1])
    logs, conflicts = {}, {}
    for region in REGIONS:
        logs[region], conflicts[region] = read_file(folder / region, region)
    return Aftermath(acknowledged, dumps, scans, feeds, feed_after_restart, logs, conflicts)


def as_tuple(record: Any) -> Any:
    return record.key, record.hlc, record.origin, record.vector, record.image_bytes()


def feed(cluster: Cluster, region: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    while page := cluster.admin(region).conflicts(after=entries[-1]["number"] if entries else 0, limit=500):
        entries += page
    return entries


def read_file(folder: Path, region: str) -> tuple[list[LogRecord], list[Conflict]]:
    store = open_store(folder / DATABASE, region=region, durability="normal", rng=SeededRng(1))
    try:
        records = store.read_log(0, limit=1_000_000, bytes_max=1 << 40)
        return [it for it in records if it.kind == ITEM], [it for _, it in store.conflicts(0, 1_000_000)]
    finally:
        store.close()


def own_writes(aftermath: Aftermath) -> dict[bytes, dict[Stamp, LogRecord]]:
    """Every write by its key and timestamp, as its origin logged it."""
    writes: dict[bytes, dict[Stamp, LogRecord]] = defaultdict(dict)
    for region, records in aftermath.logs.items():
        for record in records:
            if record.version.origin == region:
                writes[record.key][record.version.timestamp] = record
    return writes


def test_all_regions_hold_the_same_items_versions_and_tombstones(aftermath: Aftermath) -> None:
    first, *others = (aftermath.dumps[region] for region in REGIONS)
    assert len(first) > KEYS * 0.9, f"seed {SEED}"
    assert any(image is None for *_, image in first), f"seed {SEED}: no tombstone is left to compare"
    assert all(other == first for other in others), f"seed {SEED}"
    scans = [sorted(items, key=lambda item: item["id"]["S"]) for items in aftermath.scans.values()]
    assert scans[0] == scans[1] == scans[2], f"seed {SEED}"
    assert len(scans[0]) == sum(image is not None for *_, image in first)


def test_every_acknowledged_write_is_in_the_log_of_its_region_with_rising_timestamps(aftermath: Aftermath) -> None:
    for region in REGIONS:
        own = [it for it in aftermath.logs[region] if it.version.origin == region]
        stamps = [it.version.hlc for it in own]
        assert stamps == sorted(set(stamps)), f"seed {SEED}"
        acknowledged = aftermath.acknowledged[region]
        logged = [it.request_id for it in own]
        assert [it for it in acknowledged if it in set(logged)] == logged, f"seed {SEED}: order or an unknown write"
        # What is acknowledged and not logged changed nothing: deletions of what was not there.
        assert len(acknowledged) - len(logged) < WRITES * 0.15, f"seed {SEED}"


def test_the_winner_of_every_key_is_the_write_with_the_greatest_timestamp(aftermath: Aftermath) -> None:
    writes = own_writes(aftermath)
    dump = {bytes.fromhex(key): (hlc, origin, image) for key, hlc, origin, _, image in aftermath.dumps[REGIONS[0]]}
    assert dump.keys() == writes.keys()
    for key, found in writes.items():
        winner = max(found)
        assert dump[key] == (*winner, found[winner].image), f"seed {SEED}: {key!r}"


def test_every_entry_of_a_feed_is_of_two_concurrent_writes_and_names_the_greater_as_winner(
    aftermath: Aftermath,
) -> None:
    writes = own_writes(aftermath)
    total = 0
    for region in REGIONS:
        for entry in aftermath.conflicts[region]:
            winner, loser = (writes[entry.key][side.version.timestamp] for side in (entry.winner, entry.loser))
            assert winner.version.timestamp > loser.version.timestamp, f"seed {SEED}"
            assert not covers(winner.version, loser.version), f"seed {SEED}"
            assert not covers(loser.version, winner.version), f"seed {SEED}"
            assert (entry.winner.image, entry.loser.image) == (winner.image, loser.image), f"seed {SEED}"
            known = {None, winner.request_id, loser.request_id}
            assert {entry.winner_request_id, entry.loser_request_id} <= known, f"seed {SEED}"
            total += 1
    assert total > 100, f"seed {SEED}: hardly any conflicts, so this test proves little"


def covers(version: Version, other: Version) -> bool:
    return version.covers(other.hlc, other.origin)


def test_every_lost_write_or_one_built_on_it_is_in_the_feed_of_a_region(aftermath: Aftermath) -> None:
    writes = own_writes(aftermath)
    parents = replaced(aftermath)
    losers: dict[bytes, list[Version]] = defaultdict(list)
    for entries in aftermath.conflicts.values():
        for entry in entries:
            losers[entry.key].append(writes[entry.key][entry.loser.version.timestamp].version)
    unreported = 0
    for key, found in writes.items():
        survivors = set()
        stamp: Stamp | None = max(found)
        while stamp is not None:
            survivors.add(stamp)
            stamp = parents[key, stamp]
        for lost in found.keys() - survivors:
            if any(covers(loser, found[lost].version) for loser in losers[key]):
                continue
            # A deletion that loses to another deletion has lost nothing, and is not reported.
            deletions = [it for stamp, it in found.items() if it.image is None and stamp not in survivors]
            assert any(covers(it.version, found[lost].version) for it in deletions), f"seed {SEED}: {key!r} {lost}"
            unreported += 1
    assert unreported < sum(map(len, losers.values())) / 4


def replaced(aftermath: Aftermath) -> dict[tuple[bytes, Stamp], Stamp | None]:
    """For every write, the one whose image it replaced in its region, according to that region's log."""
    parents: dict[tuple[bytes, Stamp], Stamp | None] = {}
    for region, records in aftermath.logs.items():
        current: dict[bytes, Stamp] = {}
        for record in records:
            stamp = record.version.timestamp
            if record.version.origin == region:
                parents[record.key, stamp] = current.get(record.key)
            current[record.key] = stamp
    return parents


def test_the_feeds_of_the_admin_address_are_what_the_files_hold_and_outlive_a_kill(aftermath: Aftermath) -> None:
    for region in REGIONS:
        told = [
            (entry["key"], entry["winner"]["hlc"], entry["winner"]["origin"], entry["loser"]["hlc"], entry["margin_ms"])
            for entry in aftermath.feeds[region]
        ]
        kept = [
            (it.key.hex(), it.winner.version.hlc, it.winner.version.origin, it.loser.version.hlc, it.margin_ms)
            for it in aftermath.conflicts[region]
        ]
        assert told == kept, f"seed {SEED}"
    assert aftermath.feed_after_restart == aftermath.feeds[REGIONS[1]]
