"""One item written in several regions at once, through the real engine, store and applier, however it is delivered."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from test_applier import START_MS, Replica, play

from region.model.change import ITEM, StoredItem
from replication.message import Shipped
from replication.source import shipped

SEED = 20_261_123
ROUNDS = 10_000
Stamp = tuple[int, str]


class Writer:
    """Writes in one region, and keeps what it has to ship."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.shipped_to = replica.store.log_head()

    def new(self) -> list[Shipped]:
        """The changes made here since the last call, as the log has them."""
        log = self.replica.store.read_log(self.shipped_to, limit=1000, bytes_max=1 << 30, origin=self.replica.name)
        self.shipped_to = self.replica.store.log_head()
        return [shipped(record, 0) for record in log if record.kind == ITEM]


def held(replica: Replica, key: bytes) -> StoredItem:
    stored = replica.store.get(replica.table, key)
    assert stored is not None
    return stored


def set_clocks(all_: Sequence[Replica], now_ms: int, rng: random.Random) -> None:
    """Let every region's wall clock show a time within two seconds of the true one, forwards or backwards."""
    for replica in all_:
        replica.source.set(now_ms + rng.randint(-2000, 2000))


def test_the_greater_timestamp_wins_everywhere_ten_thousand_times_in_any_order_of_delivery() -> None:
    async def scenario(all_: list[Replica]) -> None:
        rng = random.Random(SEED)
        writers = [Writer(replica) for replica in all_]
        now_ms = START_MS
        earlier: list[tuple[Stamp, Shipped]] = []
        lost: set[Stamp] = set()
        for number in range(ROUNDS):
            now_ms += rng.randint(0, 3)
            set_clocks(all_, now_ms, rng)
            made: dict[Stamp, Shipped] = {}
            for writer in rng.sample(writers, 2):
                await writer.replica.put("contended", f"round {number} in {writer.replica.name}")
                (change,) = writer.new()
                made[change.hlc, writer.replica.name] = change
            deliveries = [(stamp, replica) for stamp in made for replica in all_ if replica.name != stamp[1]]
            deliveries += rng.choices(deliveries, k=rng.randrange(2))
            rng.shuffle(deliveries)
            for stamp, replica in deliveries:
                await replica.receive(stamp[1], [made[stamp]])
            if earlier and rng.random() < 0.2:
                (_, origin), change = rng.choice(earlier)
                await next(it for it in all_ if it.name != origin).receive(origin, [change])
            winner, loser = max(made), min(made)
            where = f"seed {SEED}, round {number}: {sorted(made)}"
            first, *others = (held(replica, made[winner].key) for replica in all_)
            assert (first.version.timestamp, first.image) == (winner, made[winner].image), where
            for other in others:
                assert (other.version.timestamp, other.image) == (winner, first.image), where
                assert other.version.full_vector() == first.version.full_vector(), where
            lost.add(loser)
            earlier = [*earlier[-50:], *made.items()]
        assert {it.loser.version.timestamp for replica in all_ for it in replica.conflicts()} == lost

    play(scenario)


def test_writes_delivered_long_after_each_other_and_out_of_order_still_end_alike() -> None:
    async def scenario(all_: list[Replica]) -> None:
        rng = random.Random(SEED + 1)
        writers = [Writer(replica) for replica in all_]
        in_flight: list[tuple[Replica, str, Shipped]] = []
        made: dict[bytes, dict[Stamp, Any]] = {}
        for number in range(3000):
            set_clocks(all_, START_MS + number, rng)
            writer = rng.choice(writers)
            key = f"key {rng.randrange(5)}"
            if rng.random() < 0.2:
                await writer.replica.delete(key)
            else:
                await writer.replica.put(key, f"write {number}")
            for change in writer.new():
                made.setdefault(change.key, {})[change.hlc, writer.replica.name] = change.image
                in_flight += [(it, writer.replica.name, change) for it in all_ if it is not writer.replica]
            if number % 7 == 0:
                rng.shuffle(in_flight)
            for _ in range(rng.randrange(4) if len(in_flight) > 30 else 0):
                sink, origin, change = in_flight.pop()
                await sink.receive(origin, [change])
        rng.shuffle(in_flight)
        for sink, origin, change in in_flight:
            await sink.receive(origin, [change])
        assert all_[0].rows() == all_[1].rows() == all_[2].rows(), f"seed {SEED + 1}"
        for place, writes in made.items():
            stored = held(all_[0], place)
            winner = max(writes)
            assert (stored.version.timestamp, stored.image) == (winner, writes[winner]), f"seed {SEED + 1}: {place!r}"

    play(scenario)
