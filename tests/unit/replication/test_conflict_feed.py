"""The conflict feed: who asked for what, which condition was granted twice, and how much is kept."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from test_applier import TABLE, Replica, play

from region.errors import ReplicationError
from region.events import Committed, Event
from region.expression.rendering import show
from region.model.change import Conflict
from region.model.feed import ConflictSettings
from region.operation.context import Context
from replication import applier
from replication.conflicts import double_granted
from replication.events import Conflicted
from replication.message import Row


async def acquire(replica: Replica, owner: str, request_id: str, condition: str = "attribute_not_exists(pk)") -> None:
    request: dict[str, Any] = {
        "TableName": TABLE,
        "Item": {"pk": {"S": "lock"}, "holder": {"S": owner}},
        "ConditionExpression": condition,
    }
    await replica.engine.execute("PutItem", request, request_id)


async def touch(replica: Replica, text: str, request_id: str) -> None:
    request: dict[str, Any] = {
        "TableName": TABLE,
        "Key": {"pk": {"S": "lock"}},
        "UpdateExpression": "SET touched = :t",
        "ExpressionAttributeValues": {":t": {"S": text}},
    }
    await replica.engine.execute("UpdateItem", request, request_id)


async def exchange(one: Replica, other: Replica) -> None:
    mine, theirs = one.own(), other.own()
    await other.receive(one.name, mine)
    await one.receive(other.name, theirs)


def granted(conflict: Conflict) -> list[tuple[str, str]]:
    return sorted((show(grant.condition), grant.request_id or "") for grant in conflict.grants)


def test_an_entry_names_both_requests_and_their_conditions_in_either_region() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await acquire(east, "ann", "request of ann")
        west.source.advance(40)
        await acquire(west, "bob", "request of bob", "attribute_not_exists(holder)")
        await exchange(east, west)
        for replica in (east, west):
            (conflict,) = replica.conflicts()
            assert (conflict.winner_request_id, conflict.loser_request_id) == ("request of bob", "request of ann")
            assert conflict.winner_condition == "attribute_not_exists(holder)"
            assert conflict.loser_condition == "attribute_not_exists(pk)"
            assert conflict.grants == (), "these are different conditions"
            assert conflict.recorded_ms == replica.source.now_ms()

    play(scenario)


def test_a_lock_that_two_regions_granted_is_a_double_grant_in_both_feeds() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, north = all_
        await acquire(east, "ann", "1")
        west.source.advance(40)
        await acquire(west, "bob", "2")
        await exchange(east, west)
        await north.receive(east.name, east.own())
        outcome = await north.receive(west.name, west.own())
        for replica in all_:
            (conflict,) = replica.conflicts()
            assert granted(conflict) == [("attribute_not_exists(pk)", "1"), ("attribute_not_exists(pk)", "2")]
        assert outcome.conflicts[0].double_grant

    play(scenario)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (
            "PutItem",
            {
                "TableName": TABLE,
                "Item": {"pk": {"S": "lock"}, "holder": {"S": "bob"}},
                "Expected": {"pk": {"Exists": False}},
            },
        ),
        (
            "UpdateItem",
            {
                "TableName": TABLE,
                "Key": {"pk": {"S": "lock"}},
                "UpdateExpression": "SET holder = :h",
                "ConditionExpression": "attribute_not_exists(#p)",
                "ExpressionAttributeNames": {"#p": "pk"},
                "ExpressionAttributeValues": {":h": {"S": "bob"}},
            },
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {
                        "Put": {
                            "TableName": TABLE,
                            "Item": {"pk": {"S": "lock"}, "holder": {"S": "bob"}},
                            "ConditionExpression": "attribute_not_exists(pk)",
                        }
                    }
                ]
            },
        ),
        ("ExecuteStatement", {"Statement": f"INSERT INTO {TABLE} VALUE {{'pk': 'lock', 'holder': 'bob'}}"}),
    ],
)
def test_a_grant_is_the_same_in_whatever_words_it_was_asked_for(operation: str, request_: dict[str, Any]) -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await acquire(east, "ann", "1")
        west.source.advance(40)
        await west.engine.execute(operation, copy.deepcopy(request_), "2")
        await exchange(east, west)
        for replica in (east, west):
            (conflict,) = replica.conflicts()
            assert granted(conflict) == [("attribute_not_exists(pk)", "1"), ("attribute_not_exists(pk)", "2")]

    play(scenario)


def test_a_double_grant_is_found_beneath_later_writes_of_both_regions() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await acquire(east, "ann", "1")
        await touch(east, "by ann", "1b")
        west.source.advance(40)
        await acquire(west, "bob", "2")
        await touch(west, "by bob", "2b")
        await exchange(east, west)
        for replica in (east, west):
            found = [conflict for conflict in replica.conflicts() if conflict.grants]
            assert [granted(conflict) for conflict in found] == [
                [("attribute_not_exists(pk)", "1"), ("attribute_not_exists(pk)", "2")]
            ]

    play(scenario)


def test_a_lock_granted_again_after_the_first_grant_was_known_is_none() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await acquire(east, "ann", "1")
        await exchange_one_way(east, west)
        await west.delete("lock")
        await acquire(west, "bob", "2")
        await touch(east, "still here", "3")
        await exchange(east, west)
        assert [conflict.grants for replica in (east, west) for conflict in replica.conflicts()] != []
        assert not any(conflict.grants for replica in (east, west) for conflict in replica.conflicts())

    play(scenario)


def test_a_conflict_is_told_of_once_it_is_durable_however_the_change_came() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, north = all_
        told: list[tuple[str, Event]] = []
        for replica in all_:
            replica.engine.events.subscribe(lambda event, name=replica.name: told.append((name, event)))
        for replica in all_:
            await replica.put("k", replica.name)
            replica.source.advance(3)
        told.clear()
        table, changes = west.table, east.own()
        await west.engine.transact(lambda context: applier.apply_range(context, east.name, table, changes))
        rows = [Row(change.key, change.image, change.size, change.hlc, east.name, None) for change in changes]
        await north.engine.transact(lambda context: applier.apply_rows(context, east.name, north.table, rows))
        found = [(name, type(event)) for name, event in told]
        assert found == [
            (west.name, Committed),
            (west.name, Conflicted),
            (north.name, Committed),
            (north.name, Conflicted),
        ]

    play(scenario)


def test_what_was_rolled_back_is_not_told_of() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        await east.put("k", "east")
        await west.put("k", "west")
        told: list[Event] = []
        west.engine.events.subscribe(told.append)

        def fail(context: Context) -> None:
            applier.apply_range(context, east.name, west.table, east.own())
            raise ReplicationError("and then it fails")

        with pytest.raises(ReplicationError):
            await west.engine.transact(fail)
        assert west.conflicts() == []
        assert not any(isinstance(event, Conflicted) for event in told)

    play(scenario)


async def exchange_one_way(source: Replica, sink: Replica) -> None:
    await sink.receive(source.name, source.own())


@pytest.mark.parametrize(
    ("condition", "one", "other", "is_double"),
    [
        ("attribute_not_exists(pk)", b'{"pk":{"S":"a"}}', b'{"pk":{"S":"a"},"x":{"N":"1"}}', True),
        ("attribute_exists(pk)", b'{"pk":{"S":"a"}}', b'{"pk":{"S":"a"},"x":{"N":"1"}}', False),
        ('v = :1\n{":1":{"N":"3"}}', b'{"v":{"N":"4"}}', b'{"v":{"N":"4"},"x":{"N":"1"}}', True),
        ('money >= :1\n{":1":{"N":"50"}}', b'{"money":{"N":"40"}}', b'{"money":{"N":"30"}}', True),
        ('money >= :1\n{":1":{"N":"20"}}', b'{"money":{"N":"40"}}', b'{"money":{"N":"30"}}', False),
        ("attribute_exists(pk)", None, b'{"pk":{"S":"a"}}', False),
    ],
)
def test_a_double_grant_is_what_one_region_would_not_have_granted_twice(
    condition: str, one: bytes | None, other: bytes | None, is_double: bool
) -> None:
    assert double_granted(condition, one, condition, other) == is_double


def test_conditions_that_differ_in_values_alone_ask_for_the_same_thing() -> None:
    lease = "attribute_not_exists(holder) OR ends < :1\n"
    one, other = b'{"holder":{"S":"a"},"ends":{"N":"70"}}', b'{"holder":{"S":"b"},"ends":{"N":"75"}}'
    assert double_granted(lease + '{":1":{"N":"40"}}', one, lease + '{":1":{"N":"45"}}', other)
    assert not double_granted(lease + '{":1":{"N":"40"}}', one, lease + '{":1":{"N":"71"}}', other)
    assert not double_granted(lease + '{":1":{"N":"40"}}', one, "attribute_not_exists(holder)", other)


def test_the_oldest_entries_go_and_how_many_is_known() -> None:
    async def scenario(all_: list[Replica]) -> None:
        east, west, _ = all_
        east.engine.reading.settings = settings = msgspec.structs.replace(
            east.engine.settings, conflicts=ConflictSettings(kept=5, kept_ms=60_000)
        )
        east.engine.settings = settings
        for number in range(9):
            await east.put(f"k{number}", "east")
            await west.put(f"k{number}", "west")
        await east.receive(west.name, west.own())
        assert [number for number, _ in east.store.conflicts(0, 100)] == [5, 6, 7, 8, 9]
        assert east.store.conflict_range() == (4, 9)
        later_ms = east.source.now_ms() + 1
        assert east.store.conflicts(0, 100, since_ms=later_ms) == []
        assert east.store.conflict_range(later_ms) == (9, 9), "all of them are past their age"
        east.source.advance(60_001)
        west.source.advance(60_001)
        await east.put("late", "east")
        await west.put("late", "west")
        await east.receive(west.name, west.own()[-1:])
        assert [number for number, _ in east.store.conflicts(0, 100)] == [10]
        uid, key = west.table.uid, west.own()[-1].key
        assert [number for number, _ in east.store.conflicts(0, 9, table_uid=uid, key=key)] == [10]
        assert east.store.conflicts(0, 9, table_uid=uid, key=b"another") == []
        assert east.store.conflicts(0, 9, table_uid="another") == []

    play(scenario)
