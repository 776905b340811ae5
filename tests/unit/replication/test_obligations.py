"""Obligations: what has to be fetched is planned in the transaction that makes it necessary, and survives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.model import settings
from region.model.change import Cursor
from region.model.settings import DEFINITION, REPLICA, Register
from region.operation.context import Context, RegionSettings
from region.operation.replica import replicas
from region.randomness import SeededRng
from region.store.sqlite import open_store
from replication import obligations
from replication.message import Position
from replication.obligations import BEGINNING, EVERYTHING, Plan
from replication.settling import least

EAST, WEST, NORTH, SOUTH = "us-east-1", "us-west-2", "eu-north-1", "sa-east-1"
UID, NAME = "uid", "songs"
START_MS = 1_700_000_000_000


@pytest.fixture
def engine() -> Iterator[Engine]:
    """The engine of west, without links."""
    rng = SeededRng(1)
    source = ManualClock(START_MS)
    store = open_store(None, region=WEST, durability="memory", rng=rng)
    clock = HybridLogicalClock(WEST, source, persist=store.save_ceiling)
    yield Engine(store=store, clock=clock, source=source, settings=RegionSettings(region=WEST), rng=rng)
    store.close()


def registers(stamp: int = 1, **members: str | None) -> dict[str, Register]:
    definition = {
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    }
    names = {"east": EAST, "west": WEST, "north": NORTH, "south": SOUTH}
    found = {
        REPLICA + names[it]: Register(stamp, EAST, status and {"RegionName": names[it], "ReplicaStatus": status})
        for it, status in members.items()
    }
    return {
        DEFINITION: Register(1, EAST, definition),
        settings.BILLING: Register(1, EAST, {"BillingMode": "PAY_PER_REQUEST"}),
        **found,
    }


async def merge(engine: Engine, stamp: int = 1, **members: str | None) -> Plan | None:
    given = registers(stamp, **members)
    await engine.transact(lambda context: obligations.merge(context, UID, NAME, given))
    return obligations.load(engine.store, UID)


async def save(engine: Engine, plan: Plan, **fields: Any) -> None:
    changed = msgspec.structs.replace(plan, **fields)
    await engine.transact(lambda context: obligations.save(context, changed))


async def test_a_replica_that_is_asked_for_needs_a_snapshot(engine: Engine) -> None:
    plan = await merge(engine, east="ACTIVE", west="CREATING")
    assert plan is not None
    assert plan.creating
    assert plan.snapshot
    assert not plan.done


async def test_a_table_of_others_is_nothing_to_plan_for(engine: Engine) -> None:
    assert await merge(engine, east="ACTIVE", north="ACTIVE") is None
    assert engine.catalogue.by_uid == {}


async def test_a_member_whose_file_was_lost_needs_a_snapshot_too(engine: Engine) -> None:
    plan = await merge(engine, east="ACTIVE", west="ACTIVE")
    assert plan is not None
    assert plan.snapshot


async def ready(engine: Engine) -> None:
    plan = await merge(engine, east="ACTIVE", west="CREATING")
    assert plan is not None
    await save(engine, plan, creating=False, snapshot=False)
    await engine.transact(lambda context: replicas.replica_ready(context, UID))
    assert obligations.load(engine.store, UID) is None


async def test_a_region_newly_met_owes_its_own_changes_from_the_beginning(engine: Engine) -> None:
    await ready(engine)
    plan = await merge(engine, 2, north="ACTIVE", south=None)
    assert plan is not None
    assert plan.owed == {NORTH: BEGINNING, SOUTH: BEGINNING}
    assert not plan.creating
    assert not plan.snapshot


async def test_a_region_met_before_the_snapshot_began_is_counted_by_the_snapshot(engine: Engine) -> None:
    before = await merge(engine, east="ACTIVE", west="CREATING")
    assert await merge(engine, 2, north="ACTIVE") == before
    assert before is not None
    await save(engine, before, vector={EAST: Position("e", 4)})
    plan = await merge(engine, 3, south="ACTIVE")
    assert plan is not None
    assert plan.owed == {SOUTH: BEGINNING}


async def test_a_region_that_cannot_be_compared_owes_all_it_wrote_and_holds_the_safe_time(engine: Engine) -> None:
    await ready(engine)
    plan = await merge(engine, 2, north="ACTIVE", south="ACTIVE")
    assert plan is not None
    # What a pause noted is less than what is missing, and what a detachment noted is more.
    await save(engine, plan, owed={NORTH: Position("e", 7), SOUTH: EVERYTHING}, hold_hlc=50)
    for peer in (NORTH, SOUTH):
        await engine.transact(lambda context, peer=peer: obligations.owe_all(context, UID, peer, 40))
    plan = obligations.load(engine.store, UID)
    assert plan is not None
    assert plan.owed == {NORTH: BEGINNING, SOUTH: EVERYTHING}
    assert plan.hold_hlc == 40


async def test_where_a_region_that_cannot_be_compared_has_left_the_others_owe_what_they_hold(engine: Engine) -> None:
    await ready(engine)
    plan = await merge(engine, 2, north="ACTIVE", south=None)
    assert plan is not None
    await save(engine, plan, owed={})
    await engine.transact(lambda context: obligations.owe_all(context, UID, SOUTH, 40))
    plan = obligations.load(engine.store, UID)
    assert plan is not None
    assert plan.owed == {SOUTH: BEGINNING, NORTH: EVERYTHING, EAST: EVERYTHING}


async def test_added_again_before_word_of_the_removal_came_begins_anew(engine: Engine) -> None:
    await ready(engine)
    far = engine.clock.now() + (1 << 20)
    plan = await merge(engine, far, west="CREATING")
    assert plan is not None
    assert plan.creating
    assert plan.snapshot


async def test_a_table_that_is_removed_is_planned_for_no_more(engine: Engine) -> None:
    await merge(engine, east="ACTIVE", west="CREATING")
    far = engine.clock.now() + (1 << 20)
    assert await merge(engine, far, west="DELETING") is None
    assert engine.catalogue.by_uid[UID].record.dropped


async def test_a_donor_promises_no_more_than_it_has_itself(engine: Engine) -> None:
    await ready(engine)
    plan = await merge(engine, 2, north="ACTIVE")
    assert plan is not None
    await save(engine, plan, owed={NORTH: Position("n", 5)})

    def cursors(context: Context) -> None:
        context.transaction.save_cursor(Cursor(NORTH, "n", 10, 0))
        context.transaction.save_cursor(Cursor(EAST, "e", 7, 0))

    await engine.transact(cursors)
    vector = obligations.vector(engine.store, engine.catalogue.by_uid[UID], WEST)
    assert vector == {
        NORTH: Position("n", 5),
        EAST: Position("e", 7),
        WEST: Position(engine.store.epoch, engine.store.log_head()),
    }


def test_what_two_parts_of_a_snapshot_include_is_the_least_of_both() -> None:
    one = {EAST: Position("e", 5), NORTH: Position("n", 1), WEST: Position("w", 3)}
    other = {EAST: Position("e", 4), NORTH: Position("new", 9)}
    assert least(one, other) == {EAST: Position("e", 4)}
    assert least(None, one) == one


async def test_registers_that_hold_nothing_new_are_known(engine: Engine) -> None:
    given = registers(east="ACTIVE", north="ACTIVE")
    assert obligations.knows(None, given, WEST)
    assert not obligations.knows(None, registers(west="CREATING"), WEST)
    await ready(engine)
    table = engine.catalogue.by_uid[UID]
    assert obligations.knows(table, registers(east="ACTIVE", west="CREATING"), WEST)
    assert not obligations.knows(table, given, WEST)
    assert not obligations.knows(table, registers(table.registers[REPLICA + EAST].hlc + 1, east="ACTIVE"), WEST)
