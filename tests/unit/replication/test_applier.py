"""The applier against a model: whatever the order and however often changes arrive, replicas end as the rule says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.model.change import CAUSE_EXPIRY, ITEM, Conflict, Cursor
from region.model.settings import REPLICA, Register
from region.model.table import Table
from region.operation.context import RegionSettings
from region.operation.replica import replicas
from region.operation.table import records
from region.randomness import SeededRng
from region.store.sqlite import open_store
from replication import applier, conflicts, obligations
from replication.applier import Outcome
from replication.message import Shipped
from replication.sink import Piece, Work
from replication.source import shipped

REGIONS = ("us-east-1", "us-west-2", "eu-north-1")
TABLE = "songs"
START_MS = 1_700_000_000_000
Write = tuple[int, str]


class Replica:
    """One region's engine and store, without links."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.source = ManualClock(START_MS)
        rng = SeededRng(seed)
        self.store = open_store(None, region=name, durability="memory", rng=rng)
        clock = HybridLogicalClock(name, self.source, persist=self.store.save_ceiling)
        self.engine = Engine(
            store=self.store, clock=clock, source=self.source, settings=RegionSettings(region=name), rng=rng
        )

    @property
    def table(self) -> Table:
        return self.engine.catalogue.by_name[TABLE]

    async def put(self, key: str, text: str, **more: str) -> None:
        item = {"pk": {"S": key}, "text": {"S": text}, **{name: {"S": value} for name, value in more.items()}}
        await self.engine.execute("PutItem", {"TableName": TABLE, "Item": item})

    async def delete(self, key: str) -> None:
        await self.engine.execute("DeleteItem", {"TableName": TABLE, "Key": {"pk": {"S": key}}})

    def own(self) -> list[Shipped]:
        """The changes of items that this region made itself."""
        log = self.store.read_log(0, limit=1_000_000, bytes_max=1 << 40, origin=self.name)
        return [shipped(record, 0) for record in log if record.kind == ITEM]

    async def receive(self, origin: str, changes: list[Shipped], uid: str | None = None) -> Outcome:
        cursor = Cursor(origin, "epoch", changes[-1].sequence, 0)
        work = Work([Piece([(uid or self.table.uid, TABLE)], changes)], cursor, 1, 0)
        outcome: Outcome = await self.engine.transact(lambda context: applier.apply(context, work))
        return outcome

    def rows(self) -> dict[bytes, tuple[Any, ...]]:
        return {
            key: (it.image, it.version.hlc, it.version.origin, it.version.full_vector())
            for key, it in self.store.scan_versions(self.table, b"", 1000)
        }

    def conflicts(self) -> list[Conflict]:
        return [conflict for _, conflict in self.store.conflicts(0, 100_000)]


async def global_table(regions: Sequence[str] = REGIONS) -> list[Replica]:
    """Replicas of one table, ready for use: three unless told otherwise."""
    all_ = [Replica(name, seed) for seed, name in enumerate(regions)]
    first = all_[0]
    await first.engine.execute(
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    )
    members = {
        REPLICA + name: Register(1, first.name, {"RegionName": name, "ReplicaStatus": "ACTIVE"}) for name in regions
    }
    table = first.table
    registers = {**table.registers, **members}
    await first.engine.transact(lambda context: records.save(context, table, registers))
    for replica in all_[1:]:
        await replica.engine.transact(lambda context: obligations.merge(context, table.uid, TABLE, registers))
        await replica.engine.transact(lambda context: replicas.replica_ready(context, table.uid))
    return all_


def play(scenario: Callable[[list[Replica]], Awaitable[None]]) -> None:
    async def run() -> None:
        all_ = await global_table()
        try:
            await scenario(all_)
        finally:
            for replica in all_:
                await replica.engine.close()

    asyncio.run(run())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete", "deliver", "again", "tick"]),
        st.integers(0, 2),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_replicas_end_alike_and_as_the_greatest_timestamp_says(steps: list[tuple[Any, ...]], order: Any) -> None:
    async def scenario(all_: list[Replica]) -> None:
        sent = {(source.name, sink.name): 0 for source in all_ for sink in all_}
        for number, (what, at, other, key) in enumerate(steps):
            replica, source = all_[at], all_[other]
            if what == "put":
                await replica.put(f"k{key}", f"{number}")
            elif what == "delete":
                await replica.delete(f"k{key}")
            elif what == "tick":
                replica.source.advance(1 + key)
            elif replica is not source:
                changes = source.own()
                after = sent[source.name, replica.name] if what == "deliver" else 0
                if changes[after:]:
                    await replica.receive(source.name, changes[after:])
                    sent[source.name, replica.name] = len(changes)
        deliveries = [(source, sink) for source in all_ for sink in all_ if source is not sink]
        order.shuffle(deliveries)
        for source, sink in deliveries:
            if changes := source.own():
                await sink.receive(source.name, changes)
        winners: dict[bytes, tuple[Write, bytes | None]] = {}
        vectors: dict[bytes, dict[str, int]] = {}
        for source in all_:
            for change in source.own():
                write = ((change.hlc, source.name), change.image)
                winners[change.key] = max(winners.get(change.key, write), write, key=lambda it: it[0])
                vector = vectors.setdefault(change.key, {})
                vector[source.name] = max(vector.get(source.name, 0), change.hlc)
        expected = {key: (image, *write, vectors[key]) for key, (write, image) in winners.items()}
        assert [replica.rows() for replica in all_] == [expected] * 3

    play(scenario)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_every_lost_write_or_one_built_on_it_is_in_some_feed(steps: list[tuple[Any, ...]]) -> None:
    async def scenario(all_: list[Replica]) -> None:
        parents: dict[Write, Write | None] = {}

        async def write(replica: Replica, key: str, text: str) -> None:
            before = {it: row[1:3] for it, row in replica.rows().items()}
            await replica.put(key, text)
            change = replica.own()[-1]
            parents[change.hlc, replica.name] = before.get(change.key)

        def line(last: Write | None) -> set[Write]:
            """The write, what it was written over, and so on back."""
            found = set()
            while last is not None:
                found.add(last)
                last = parents[last]
            return found

        for number, (what, at, other, key) in enumerate(steps):
            if what in ("put", "delete"):
                await write(all_[at], f"k{key}", f"{number}")
            elif at != other and (changes := all_[other].own()):
                await all_[at].receive(all_[other].name, changes)
        for source in all_:
            for sink in all_:
                if source is not sink and (changes := source.own()):
                    await sink.receive(source.name, changes)
        kept: set[Write] = set().union(*[line(row[1:3]) for row in all_[0].rows().values()])
        losers = [conflict.loser.version.timestamp for replica in all_ for conflict in replica.conflicts()]
        reported: set[Write] = set().union(*[line(loser) for loser in losers])
        assert set(parents) <= kept | reported

    play(scenario)


def test_a_conflict_is_recorded_with_both_sides_and_what_was_lost() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await east.put("a", "east", kept="1", lost="2")
        west.source.advance(40)
        await west.put("a", "west", kept="1")
        outcome = await west.receive(east.name, east.own())
        assert (outcome.applied, outcome.stale) == (0, 1)
        (conflict,) = west.conflicts()
        assert conflict.attributes_lost == ("lost", "text")
        assert conflict.margin_ms == 40
        assert conflict.winner.version.origin == west.name
        assert conflict.loser.image == east.own()[0].image
        (event,) = outcome.conflicts
        assert (event.winner, event.loser, event.margin_ms) == (west.name, east.name, 40)
        (row,) = west.rows().values()
        assert row[3].keys() == {east.name, west.name}, "the loser is known to the winner's vector"
        head = west.store.log_head()
        assert not (await west.receive(east.name, east.own())).conflicts
        assert west.store.log_head() == head
        outcome = await east.receive(west.name, west.own())
        assert outcome.applied == 1
        assert east.rows() == west.rows()

    play(scenario)


def test_what_wins_is_logged_with_its_origin_and_is_never_this_regions_own() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await east.put("a", "1")
        await west.receive(east.name, east.own())
        assert west.own() == []
        (logged,) = [it for it in west.store.read_log(0, limit=100, bytes_max=1 << 20) if it.kind == ITEM]
        assert logged.version.origin == east.name
        assert west.store.cursors()[east.name].sequence == east.own()[-1].sequence
        await west.put("a", "2")
        assert west.own()[0].vector == {east.name: east.own()[0].hlc}

    play(scenario)


def test_a_local_write_is_later_than_everything_applied() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        east.source.advance(3000)
        await east.put("a", "1")
        await west.receive(east.name, east.own())
        await west.put("b", "2")
        assert west.own()[0].hlc > east.own()[0].hlc

    play(scenario)


def test_changes_of_a_table_that_is_not_held_are_skipped_and_the_cursor_moves() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await east.put("a", "1")
        outcome = await west.receive(east.name, east.own(), uid="unheard of")
        assert (outcome.applied, outcome.skipped) == (0, 1)
        assert west.rows() == {}
        assert west.store.cursors()[east.name].sequence == east.own()[-1].sequence

    play(scenario)


def test_an_expiry_keeps_its_cause() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await east.put("a", "1")
        (change,) = east.own()
        expired = Shipped(9, 0, 0, change.key, None, 0, change.hlc + 1, None, CAUSE_EXPIRY, None, None)
        await west.receive(east.name, [change, expired])
        assert west.store.read_log(0, limit=100, bytes_max=1 << 20)[-1].cause == CAUSE_EXPIRY

    play(scenario)


def test_own_changes_that_come_home_are_not_logged_again() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, *_ = all_
        await east.put("a", "1")
        own = east.own()
        home = [Shipped(1, 0, 0, b"another key", own[0].image, 5, own[0].hlc, None, 0, None, None)]
        head = east.store.log_head()
        await east.engine.transact(lambda context: applier.apply_range(context, east.name, east.table, home))
        assert len(east.rows()) == 2
        assert east.store.log_head() == head

    play(scenario)


@pytest.mark.parametrize(
    ("winner", "loser", "lost"),
    [
        (b'{"a":{"S":"1"}}', b'{"a":{"S":"1"},"b":{"S":"2"}}', ("b",)),
        (b'{"a":{"S":"1"}}', b'{"a":{"S":"2"}}', ("a",)),
        (None, b'{"a":{"S":"1"}}', ("a",)),
        (b'{"a":{"S":"1"}}', None, ()),
    ],
)
def test_the_attributes_lost_are_those_that_the_winner_does_not_hold_alike(
    winner: bytes | None, loser: bytes | None, lost: tuple[str, ...]
) -> None:
    assert conflicts.attributes_lost(winner, loser) == lost
