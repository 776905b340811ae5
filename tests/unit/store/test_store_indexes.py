"""Secondary indexes: what an index holds after writes, backfills and changes of the table's settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec
import pytest
from replica_tables import (
    EVERYTHING,
    REGION,
    change_of,
    contents,
    create,
    delete,
    global_index,
    key_elements,
    opened,
    put,
    song,
    statistics_by_hand,
    table_record,
)

from region.errors import DefectError
from region.model import settings, values
from region.model.settings import Register
from region.model.table import IndexState, Table, TableRecord
from region.model.values import Item
from region.store.sqlite import SqliteStore

ALL = global_index("All", "genre", "label")
KEYS = global_index("Keys", "genre", projection="KEYS_ONLY")
SOME = global_index("Some", "genre", projection="INCLUDE", include=("price",))
LOCAL = {**global_index("Local", "artist", "year"), "KeySchema": key_elements(("artist",), ("year",))}


def written_rows(store: SqliteStore) -> int:
    """The rows that SQLite has changed so far."""
    connection: apsw.Connection = store._connection
    return connection.total_changes()


def with_index(record: TableRecord, number: int, description: dict[str, Any], after: str | None) -> TableRecord:
    name = description["IndexName"]
    states = {**record.local.indexes, name: IndexState(number, "CREATING", after)}
    return msgspec.structs.replace(
        record,
        registers={**record.registers, settings.INDEX + name: Register(2, REGION, description)},
        local=msgspec.structs.replace(record.local, indexes=states),
    )


def without_index(record: TableRecord, name: str) -> TableRecord:
    states = {each: state for each, state in record.local.indexes.items() if each != name}
    return msgspec.structs.replace(
        record,
        registers={**record.registers, settings.INDEX + name: Register(3, REGION, None)},
        local=msgspec.structs.replace(record.local, indexes=states),
    )


def titles(items: Iterable[Item]) -> list[str]:
    return [item["song"]["S"] for item in items]


def test_an_index_holds_the_items_with_all_its_key_attributes_in_its_own_order() -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(ALL,), local_indexes=(LOCAL,)))
    transaction = store.begin()
    put(transaction, table, song("Nina", "a", genre="jazz", label="2", year="1970"))
    put(transaction, table, song("Nina", "b", genre="jazz", label="1", year="1960"))
    put(transaction, table, song("Nina", "c", genre="jazz"))
    put(transaction, table, song("Nina", "d", label="1"))
    store.commit()
    assert titles(contents(store, table, "All")) == ["b", "a"]
    assert titles(contents(store, table, "All", reverse=True)) == ["a", "b"]
    assert titles(contents(store, table, "Local")) == ["b", "a"]


@pytest.mark.parametrize("decoded", [True, False], ids=["decoded by the caller", "decoded by the store"])
@pytest.mark.parametrize("description", [ALL, KEYS, SOME], ids=["ALL", "KEYS_ONLY", "INCLUDE"])
def test_an_index_follows_updates_moves_and_deletions(description: dict[str, Any], decoded: bool) -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(description,)))
    name = description["IndexName"]
    steps = [
        song("Nina", "a", genre="jazz", label="1", price=1, text="x"),
        song("Nina", "a", genre="jazz", label="1", price=2, text="x"),
        song("Nina", "a", genre="jazz", label="1", price=2, text="longer"),
        song("Nina", "a", genre="soul", label="1", price=2, text="longer"),
        song("Nina", "a", label="1", price=2),
        song("Nina", "a", genre="soul", label="1", price=2),
    ]
    for hlc, item in enumerate(steps):
        transaction = store.begin()
        put(transaction, table, item, hlc=hlc, decoded=decoded)
        store.commit()
        carried = table.indexes[name].project(item)
        assert contents(store, table, name) == ([carried] if "genre" in item else [])
        assert store.statistics(table, table.indexes[name]) == statistics_by_hand(store, table, name)
        if "genre" in item:
            assert store.statistics(table, table.indexes[name]) == (1, values.item_size(carried))
    delete(store.begin(), table, steps[-1], hlc=9, decoded=decoded)
    store.commit()
    assert contents(store, table, name) == []
    assert store.statistics(table, table.indexes[name]) == (0, 0)


def test_a_write_that_does_not_concern_an_index_writes_no_index_row() -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(ALL, KEYS, SOME)))
    transaction = store.begin()
    put(transaction, table, song("Nina", "a", genre="jazz", label="1", price=1))
    before = written_rows(store)
    put(transaction, table, song("Nina", "a", genre="jazz", label="1", price=1, text="new"), hlc=2)
    assert written_rows(store) - before == 2, "the item row and the log record"
    before = written_rows(store)
    put(transaction, table, song("Nina", "a", genre="jazz", label="1", price=2, text="new"), hlc=3)
    assert written_rows(store) - before == 3, "the item row, the log record and the entry that carries the price"
    store.commit()
    assert [entry.image for entry in store.scan(table, table.indexes["All"], b"", None)] == [
        entry.image for entry in store.scan(table, None, b"", None)
    ]


@pytest.mark.parametrize(
    "genre",
    [{"N": "1"}, {"S": ""}, {"S": "x" * 2049}, {"S": "ä" * 1025}, {"M": {}}, {"NULL": True}],
    ids=["number", "empty", "too long", "too long in UTF-8", "map", "null"],
)
def test_an_item_whose_index_key_is_not_valid_is_left_out(genre: dict[str, Any]) -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(KEYS,)))
    good, bad = song("Nina", "a", genre="jazz"), {**song("Nina", "a"), "genre": genre}
    key = table.key_of(table.key_attributes(good))
    for hlc, item in enumerate((bad, good, bad)):
        transaction = store.begin()
        transaction.put(change_of(transaction, table, key, item, hlc=hlc))
        store.commit()
        assert titles(contents(store, table, "Keys")) == (["a"] if item is good else [])
    assert store.statistics(table, table.indexes["Keys"]) == (0, 0)


def test_the_longest_valid_index_keys_are_indexed_and_ranges_are_held_to_1024_bytes() -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(ALL,)))
    transaction = store.begin()
    put(transaction, table, song("Nina", "fits", genre="x" * 2048, label="y" * 1024))
    long = song("Nina", "too long", genre="x" * 2048, label="y" * 1025)
    transaction.put(change_of(transaction, table, table.key_of(table.key_attributes(long)), long))
    store.commit()
    assert titles(contents(store, table, "All")) == ["fits"]


def backfilled(store: SqliteStore, table: Table, name: str, *, limit: int) -> int:
    """Run a backfill to its end in transactions of ``limit`` items; return how many it took."""
    after: bytes | None = b""
    rounds = 0
    while after is not None:
        after = store.begin().backfill(table, table.indexes[name], after, limit)
        store.commit()
        rounds += 1
    return rounds


@pytest.mark.parametrize("description", [ALL, KEYS, SOME], ids=["ALL", "KEYS_ONLY", "INCLUDE"])
def test_an_index_created_online_holds_what_one_from_the_start_would(description: dict[str, Any]) -> None:
    store = opened(None)
    name = description["IndexName"]
    before = create(store, table_record(replicated=True))
    transaction = store.begin()
    items = [
        song("Nina", f"{n:02}", **({"genre": f"g{n % 3}", "label": "l", "price": n} if n % 4 else {"price": n}))
        for n in range(20)
    ]
    for item in items:
        put(transaction, before, item)
    put(transaction, before, {**song("Nina", "wrong type"), "genre": {"N": "1"}})
    delete(transaction, before, items[7], hlc=2)
    store.commit()

    transaction = store.begin()
    record = with_index(before.record, transaction.next_index_id(), description, "")
    transaction.save_table(record)
    table = Table(record)
    position = transaction.backfill(table, table.indexes[name], b"", 10)
    assert position is not None
    # Items behind and ahead of the position are changed, moved, deleted and added while the backfill is under way.
    for n in (1, 2, 15, 17):
        put(transaction, table, song("Nina", f"{n:02}", genre="g1", label="l", price=100), hlc=3)
    put(transaction, table, song("Nina", "17", genre="g2", label="l", price=101), hlc=4)
    for n in (3, 18):
        delete(transaction, table, items[n], hlc=5)
    put(transaction, table, song("Nina", "00a", genre="g1", label="l"), hlc=6)
    put(transaction, table, song("Nina", "99", genre="g1", label="l"), hlc=6)
    put(transaction, table, song("Nina", "19", price=1), hlc=6)
    store.commit()
    assert store.statistics(table, table.indexes[name]) == statistics_by_hand(store, table, name)
    while position is not None:
        position = store.begin().backfill(table, table.indexes[name], position, 3)
        store.commit()

    index = table.indexes[name]
    live = [item for item in contents(store, table) if "S" in item.get("genre", {})]
    by_key = sorted(live, key=lambda item: index.entry_key(item, table.check_item_keys(item)) or b"")
    assert contents(store, table, name) == [index.project(item) for item in by_key]
    assert store.statistics(table, index) == statistics_by_hand(store, table, name)


def test_a_backfill_ends_with_none_and_can_be_repeated() -> None:
    store = opened(None)
    before = create(store, table_record())
    transaction = store.begin()
    for n in range(9):
        put(transaction, before, song("Nina", str(n), genre="jazz"))
    record = with_index(before.record, transaction.next_index_id(), KEYS, "")
    transaction.save_table(record)
    store.commit()
    table = Table(record)
    assert backfilled(store, table, "Keys", limit=3) == 4
    assert backfilled(store, table, "Keys", limit=100) == 1
    assert len(contents(store, table, "Keys")) == 9
    assert store.statistics(table, table.indexes["Keys"]) == statistics_by_hand(store, table, "Keys")


def test_a_backfill_stops_early_where_items_are_large() -> None:
    store = opened(None)
    before = create(store, table_record())
    transaction = store.begin()
    for n in range(9):
        put(transaction, before, song("Nina", str(n), genre="jazz", lyrics="la" * 150_000))
    record = with_index(before.record, transaction.next_index_id(), KEYS, "")
    transaction.save_table(record)
    store.commit()
    table = Table(record)
    assert backfilled(store, table, "Keys", limit=100) == 3
    assert len(contents(store, table, "Keys")) == 9


def test_dropping_an_index_and_making_it_again_gives_it_new_empty_storage() -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(KEYS, ALL)))
    put(store.begin(), table, song("Nina", "a", genre="jazz", label="l"))
    store.commit()
    transaction = store.begin()
    dropped = without_index(table.record, "Keys")
    transaction.save_table(dropped)
    number = transaction.next_index_id()
    assert number > max(state.id for state in table.local.indexes.values())
    again = with_index(dropped, number, KEYS, "")
    transaction.save_table(again)
    store.commit()
    fresh = Table(again)
    assert contents(store, fresh, "Keys") == []
    assert titles(contents(store, fresh, "All")) == ["a"]
    assert list(store.scan(table, table.indexes["Keys"], b"", None)) == [], "an older catalogue finds it empty"
    assert len(store.read_log(0, **EVERYTHING)) == 1


def test_an_index_with_a_number_never_given_out_is_refused() -> None:
    store = opened(None)
    table = create(store, table_record())
    with pytest.raises(DefectError, match="never given out"):
        store.begin().save_table(with_index(table.record, 99, KEYS, None))
    store.rollback()
