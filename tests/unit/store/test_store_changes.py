"""Changes of one table as its streams read them: their effect, a range of key hashes, and where a page ends."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from replica_tables import PEER, REGION, change_of, create, delete, opened, put, song, table_record

from region.model.change import INSERTED, MODIFIED, REMOVED, UNCHANGED
from region.model.keys import HASH_BYTES
from region.model.version import Version
from region.store.sqlite import SqliteStore

ALL = (bytes(HASH_BYTES), b"\xff" * HASH_BYTES)
PAGE: dict[str, Any] = {"hashes": ALL, "limit": 1000, "bytes_max": 1 << 20}


def test_a_log_record_says_what_the_change_did_whether_or_not_old_images_are_kept() -> None:
    for stream in (None, "KEYS_ONLY", "NEW_AND_OLD_IMAGES"):
        store = opened(None)
        table = create(store, table_record(replicated=True, stream=stream))
        transaction = store.begin()
        put(transaction, table, song("a", "b"), hlc=1)
        put(transaction, table, song("a", "b", v="longer"), hlc=2)
        put(transaction, table, song("a", "b", v="longer"), hlc=3, origin=PEER)
        delete(transaction, table, song("a", "b"), hlc=4)
        delete(transaction, table, song("a", "b"), hlc=5, origin=PEER)
        put(transaction, table, song("a", "b"), hlc=6)
        transaction.log_table(table, table.registers, Version(7, REGION))
        store.commit()
        records = store.read_log(0, limit=100, bytes_max=1 << 20)
        effects = [INSERTED, MODIFIED, UNCHANGED, REMOVED, UNCHANGED, INSERTED, UNCHANGED]
        assert [record.effect for record in records] == effects
        small, large = records[0].size, records[1].size
        assert [record.old_size for record in records] == [0, small, large, large, 0, 0, 0]
        effective, position = store.read_changes(table.uid, 0, 7, **PAGE)
        assert [record.sequence for record in effective] == [1, 2, 4, 6]
        assert position == 7


@pytest.fixture
def two_tables() -> tuple[SqliteStore, str]:
    """A store whose log alternates between two tables; return it and the uid of the one with the odd sequences."""
    store = opened(None)
    tables = [create(store, table_record(name, uid=name, replicated=True)) for name in ("odd", "even")]
    transaction = store.begin()
    for number in range(1, 41):
        put(transaction, tables[(number + 1) % 2], song(f"artist-{number}", "x"), hlc=number)
    store.commit()
    return store, "odd"


def test_a_page_ends_at_its_bound_its_limit_or_its_size_and_says_so(two_tables: tuple[SqliteStore, str]) -> None:
    store, uid = two_tables
    for more, expected, position in (
        ({}, list(range(11, 21, 2)), 20),
        ({"limit": 2}, [11, 13], 13),
        ({"limit": 5}, [11, 13, 15, 17, 19], 19),
        ({"bytes_max": 1}, [11], 11),
    ):
        records, reached = store.read_changes(uid, 10, 20, **{**PAGE, **more})
        assert [record.sequence for record in records] == expected
        assert reached == position
    assert store.read_changes("never heard of", 0, 20, **PAGE) == ([], 20)


@given(st.lists(st.integers(0, 2 ** (8 * HASH_BYTES) - 1), max_size=4))
def test_ranges_that_touch_hold_every_change_once(cuts: list[int]) -> None:
    store = opened(None)
    table = create(store, table_record())
    transaction = store.begin()
    for number in range(20):
        put(transaction, table, song(f"artist-{number}", "x"), hlc=number + 1)
    store.commit()
    bounds = [0, *sorted(set(cuts) - {0}), 2 ** (8 * HASH_BYTES)]
    found: list[int] = []
    for lower, upper in pairwise(bounds):
        hashes = (lower.to_bytes(HASH_BYTES, "big"), (upper - 1).to_bytes(HASH_BYTES, "big"))
        records, _ = store.read_changes(table.uid, 0, 20, **{**PAGE, "hashes": hashes})
        assert all(hashes[0] <= record.key[:HASH_BYTES] <= hashes[1] for record in records)
        found += [record.sequence for record in records]
    assert sorted(found) == list(range(1, 21))


def test_an_open_transaction_shows_nothing_of_itself_from_outside(tmp_path: Path) -> None:
    store = opened(tmp_path / "region.sqlite")
    table = create(store, table_record())
    transaction = store.begin()
    transaction.put(change_of(transaction, table, table.check_item_keys(song("a", "b")), song("a", "b")))
    assert store.read_changes(table.uid, 0, 10, **PAGE) == ([], 10)
    assert len(transaction.read_changes(table.uid, 0, 10, **PAGE)[0]) == 1
    store.commit()
    assert len(store.read_changes(table.uid, 0, 10, **PAGE)[0]) == 1
    store.close()


def test_a_write_is_found_by_its_timestamp_among_those_of_others_and_not_where_it_is_not() -> None:
    store = opened(None)
    table = create(store, table_record(replicated=True))
    made: dict[tuple[int, str], int] = {}
    transaction = store.begin()
    for number in range(1, 200):
        origin = (REGION, PEER, PEER)[number % 3]
        made[10 * number, origin] = put(transaction, table, song(f"{number}", "x"), hlc=10 * number, origin=origin)
    for number in range(200, 5200):
        put(transaction, table, song(f"{number % 7}", "y", n=number), hlc=10 * number, origin="us-gov-east-1")
    late = put(
        transaction, table, song("late", "z"), hlc=99_999, origin=PEER, request_id="r", condition="c", applied_ms=5
    )
    store.commit()
    for (hlc, origin), sequence in made.items():
        found = store.find_write(hlc, origin)
        assert found is not None, (hlc, origin)
        assert (found.sequence, found.version.timestamp) == (sequence, (hlc, origin))
    found = store.find_write(99_999, PEER)
    assert found is not None
    assert (found.sequence, found.request_id, found.condition, found.applied_ms) == (late, "r", "c", 5)
    for hlc in (5, 11, 1995, 51_991, 100_000):
        assert store.find_write(hlc, PEER) is None
    assert store.find_write(10, "nowhere") is None


def test_the_records_of_a_key_come_newest_first_from_the_searched_range_alone() -> None:
    store = opened(None)
    table = create(store, table_record())
    transaction = store.begin()
    for number in range(1, 31):
        put(transaction, table, song(("a", "b", "c")[number % 3], "x", n=number), hlc=number)
    store.commit()
    key = table.key_of({"artist": {"S": "a"}, "song": {"S": "x"}})
    assert [it.sequence for it in store.read_key_log(table.uid, key, 3, 15, limit=10)] == [15, 12, 9, 6]
    assert [it.sequence for it in store.read_key_log(table.uid, key, 0, 30, limit=2)] == [30, 27]
    assert store.read_key_log("another", key, 0, 30, limit=2) == []
