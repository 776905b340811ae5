"""Random histories of two to five regions, through the real engine, store and applier: the feeds against the truth.

What is true is kept beside the regions: which writes each write was made with the knowledge of. Two writes of an item
are concurrent if neither knew of the other.
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, NamedTuple

import pytest
from test_applier import TABLE, Replica, global_table

from region.errors import ConditionalCheckFailedError
from region.model.change import Conflict

REGIONS = ("a-region", "b-region", "c-region", "d-region", "e-region")
KEYS = ("k0", "k1", "k2")
HISTORIES = 120
STEPS = 60
Stamp = tuple[int, str]


class Made(NamedTuple):
    """A write, and all that was known of its item where it was made."""

    key: bytes
    stamp: Stamp
    known: frozenset[Stamp]
    conditional: bool
    deletion: bool


class World:
    """Some regions, what each of them knows of each item, and everything that was written."""

    def __init__(self, all_: list[Replica], rng: random.Random) -> None:
        self.all = all_
        self.random = rng
        self.made: dict[Stamp, Made] = {}
        self.knows: dict[tuple[str, bytes], set[Stamp]] = defaultdict(set)
        self.arrived = {(source.name, sink.name): 0 for source in all_ for sink in all_}

    async def write(self, replica: Replica, what: str, number: int) -> None:
        key = self.random.choice(KEYS)
        before = len(replica.own())
        request: dict[str, Any] = {"TableName": TABLE}
        if what == "delete":
            await replica.delete(key)
        elif what == "lock":
            request["Item"] = {"pk": {"S": key}, "held": {"S": f"{number} in {replica.name}"}}
            request["ConditionExpression"] = "attribute_not_exists(held)"
            try:
                await replica.engine.execute("PutItem", request, f"request {number}")
            except ConditionalCheckFailedError:
                return
        elif what == "release":
            request["Key"] = {"pk": {"S": key}}
            request["UpdateExpression"] = "REMOVE held SET freed = :n"
            request["ExpressionAttributeValues"] = {":n": {"N": str(number)}}
            await replica.engine.execute("UpdateItem", request, f"request {number}")
        else:
            await replica.put(key, f"{number} in {replica.name}")
        own = replica.own()
        if len(own) > before:
            change = own[-1]
            stamp = (change.hlc, replica.name)
            known = self.knows[replica.name, change.key]
            self.made[stamp] = Made(
                change.key, stamp, frozenset(known), change.condition is not None, change.image is None
            )
            known.add(stamp)

    async def deliver(self, source: Replica, sink: Replica, *, again: bool = False) -> None:
        """Let a part of what a region has written arrive, in order; ``again`` from the beginning."""
        own = source.own()
        after = 0 if again else self.arrived[source.name, sink.name]
        upto = self.random.randint(after, len(own))
        await self.receive(source, sink, after, upto)

    async def receive(self, source: Replica, sink: Replica, after: int, upto: int) -> None:
        changes = source.own()[after:upto]
        if not changes:
            return
        await sink.receive(source.name, changes)
        self.arrived[source.name, sink.name] = max(upto, self.arrived[source.name, sink.name])
        for change in changes:
            made = self.made[change.hlc, source.name]
            self.knows[sink.name, change.key] |= made.known | {made.stamp}

    async def finish(self) -> None:
        """Let everything arrive everywhere, in a random order."""
        links = [(source, sink) for source in self.all for sink in self.all if source is not sink]
        self.random.shuffle(links)
        for source, sink in links:
            await self.receive(source, sink, self.arrived[source.name, sink.name], len(source.own()))

    def concurrent(self, one: Stamp, other: Stamp) -> bool:
        return one not in self.made[other].known and other not in self.made[one].known

    def lost_to_a_deletion_alike(self, stamp: Stamp) -> bool:
        """Whether a write is a deletion, and so is one that it was concurrent with."""
        one = self.made[stamp]
        return one.deletion and any(
            other.deletion and other.key == one.key and self.concurrent(stamp, other.stamp)
            for other in self.made.values()
            if other is not one
        )

    def conflicts(self) -> list[Conflict]:
        return [conflict for replica in self.all for conflict in replica.conflicts()]


async def history(seed: int) -> World:
    rng = random.Random(seed)
    all_ = await global_table(REGIONS[: rng.randint(2, 5)])
    world = World(all_, rng)
    for number in range(STEPS):
        for replica in all_:
            replica.source.advance(rng.randint(0, 2))
        replica, other = rng.choice(all_), rng.choice(all_)
        what = rng.choice(["put", "put", "delete", "lock", "lock", "release", "deliver", "deliver", "deliver", "again"])
        if what not in ("deliver", "again"):
            await world.write(replica, what, number)
        elif replica is not other:
            await world.deliver(replica, other, again=what == "again")
    await world.finish()
    return world


def lost_writes(world: World) -> set[Stamp]:
    """The writes that no region shows in the end, and that what is shown does not build on."""
    rows = world.all[0].rows()
    assert all(replica.rows() == rows for replica in world.all)
    kept: set[Stamp] = set()
    for _, hlc, origin, _ in rows.values():
        kept |= {(hlc, origin)} | world.made[hlc, origin].known
    return world.made.keys() - kept


@pytest.mark.parametrize("part", range(4))
async def test_no_loss_is_missed_by_all_feeds_and_no_entry_is_false(part: int) -> None:
    entries = grants = 0
    for seed in range(part, HISTORIES, 4):
        world = await history(seed)
        try:
            conflicts = world.conflicts()
            for conflict in conflicts:
                winner, loser = conflict.winner.version.timestamp, conflict.loser.version.timestamp
                assert winner > loser, f"seed {seed}"
                assert world.concurrent(winner, loser), f"seed {seed}: a false entry of {winner} and {loser}"
                for one, other in pairs(conflict):
                    assert world.concurrent(one, other), f"seed {seed}: a false double grant"
                    assert world.made[one].conditional
                    assert world.made[other].conditional
            told = {conflict.loser.version.timestamp for conflict in conflicts}
            lost = lost_writes(world)
            # A deletion that lost to another one has left what its writer wanted, and is no loss.
            alike = {stamp for stamp in lost if world.lost_to_a_deletion_alike(stamp)}
            built_on_told = (told | alike).union(*(world.made[stamp].known for stamp in told | alike))
            assert lost <= built_on_told, f"seed {seed}: a loss that is in no feed"
            found = {frozenset(pair) for conflict in conflicts for pair in pairs(conflict)}
            assert double_grants(world) <= found, f"seed {seed}: a double grant that is in no feed"
            entries += len(conflicts)
            grants += len(found)
        finally:
            for replica in world.all:
                await replica.engine.close()
    assert entries > 100, "hardly any conflicts, so this proves little"
    assert grants > 20


def pairs(conflict: Conflict) -> list[tuple[Stamp, Stamp]]:
    """The pairs of writes that an entry calls a double grant: the first of its grants with each other one."""
    stamps = [(grant.hlc, grant.origin) for grant in conflict.grants]
    return [(stamps[0], other) for other in stamps[1:]]


def double_grants(world: World) -> set[frozenset[Stamp]]:
    locks = [made for made in world.made.values() if made.conditional]
    return {
        frozenset((one.stamp, other.stamp))
        for number, one in enumerate(locks)
        for other in locks[number + 1 :]
        if one.key == other.key and world.concurrent(one.stamp, other.stamp)
    }
