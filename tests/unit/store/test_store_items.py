"""Items, tombstones, the log and statistics through one transaction after another."""

from __future__ import annotations

from pathlib import Path

import pytest
from replica_tables import (
    EVERYTHING,
    PEER,
    REGION,
    THIRD,
    change_of,
    contents,
    create,
    delete,
    global_index,
    opened,
    put,
    song,
    statistics_by_hand,
    stored,
    table_record,
)

from region.errors import DefectError, StoreError
from region.model import image as images
from region.model import keys, settings
from region.model.change import CAUSE_EXPIRY, ITEM, TABLE, Change, Conflict, Cursor, Grant, StoredItem
from region.model.settings import Register
from region.model.table import Table
from region.model.version import Version

BY_GENRE = global_index("ByGenre", "genre", "year", projection="ALL")
PATHS = pytest.mark.parametrize("in_memory", [True, False], ids=["memory", "file"])


@PATHS
def test_put_writes_row_index_entry_and_log_record_together(tmp_path: Path, in_memory: bool) -> None:
    store = opened(None if in_memory else tmp_path / "r.db")
    table = create(store, table_record(indexes=(global_index("ByGenre", "genre"),)))
    item = song("Nina", "Sinnerman", genre="jazz")
    transaction = store.begin()
    sequence = put(transaction, table, item, hlc=5 << 16, request_id="request-1", group="group-1")
    assert transaction.log_head() == sequence == 1
    store.commit()

    key = table.check_item_keys(item)
    assert store.get(table, key) == stored(item, Version(5 << 16, REGION))
    assert contents(store, table) == contents(store, table, "ByGenre") == [item]
    (record,) = store.read_log(0, **EVERYTHING)
    assert (record.sequence, record.kind, record.table_uid, record.key) == (1, ITEM, table.uid, key)
    assert (record.image, record.size) == (images.encode(item), 32)
    assert (record.version, record.old_image, record.group) == (Version(5 << 16, REGION), None, "group-1")
    assert record.request_id == "request-1"
    store.close()


@PATHS
def test_rollback_undoes_row_index_log_statistics_and_catalogue(tmp_path: Path, in_memory: bool) -> None:
    store = opened(None if in_memory else tmp_path / "r.db")
    table = create(store, table_record(indexes=(global_index("ByGenre", "genre"),)))
    put(store.begin(), table, song("Nina", "Sinnerman", genre="jazz"))
    store.commit()
    transaction = store.begin()
    put(transaction, table, song("Nina", "Feeling Good", genre="jazz"))
    delete(transaction, table, song("Nina", "Sinnerman"))
    transaction.insert_table(table_record("Films", uid="uid-films"))
    transaction.save_meta("colour", "blue")
    assert transaction.statistics(table, None)[0] == 1
    assert transaction.log_head() == 3
    store.rollback()

    assert store.log_head() == 1
    assert contents(store, table, "ByGenre") == [song("Nina", "Sinnerman", genre="jazz")]
    assert store.statistics(table, None) == statistics_by_hand(store, table)
    assert [record.name for record in store.tables()] == ["Music"]
    assert store.meta("colour") is None
    assert put(store.begin(), table, song("Nina", "Again")) == 2
    store.commit()
    store.close()


def test_a_deletion_in_a_replicated_table_leaves_a_tombstone_and_elsewhere_nothing() -> None:
    store = opened(None)
    plain = create(store, table_record())
    replicated = create(store, table_record("Global", uid="uid-global", replicated=True))
    item = song("Nina", "Sinnerman")
    key = plain.check_item_keys(item)
    transaction = store.begin()
    for table in (plain, replicated):
        put(transaction, table, item)
        delete(transaction, table, item, hlc=2, cause=CAUSE_EXPIRY)
    delete(transaction, replicated, song("Nina", "Never seen"), hlc=3, origin=PEER)
    store.commit()

    assert store.get(plain, key) is None
    assert store.get(replicated, key) == StoredItem(None, 0, Version(2, REGION))
    assert contents(store, replicated) == []
    assert store.scan_versions(plain, b"", 10) == []
    assert [version.version.hlc for _, version in store.scan_versions(replicated, b"", 10)] in ([2, 3], [3, 2])
    assert store.statistics(replicated, None) == (0, 0)
    assert [record.cause for record in store.read_log(0, **EVERYTHING)] == [0, 1, 0, 1, 0]
    transaction = store.begin()
    put(transaction, replicated, item, hlc=4)
    store.commit()
    assert store.statistics(replicated, None) == statistics_by_hand(store, replicated)
    assert store.statistics(replicated, None)[0] == 1


@pytest.mark.parametrize(
    ("view", "kept"), [("NEW_AND_OLD_IMAGES", True), ("OLD_IMAGE", True), ("KEYS_ONLY", False), (None, False)]
)
def test_old_images_are_logged_only_where_a_stream_shows_them(view: str | None, kept: bool) -> None:
    store = opened(None)
    table = create(store, table_record(stream=view))
    transaction = store.begin()
    before = song("Nina", "Sinnerman", year=1965)
    put(transaction, table, before)
    put(transaction, table, song("Nina", "Sinnerman", year=1966), hlc=2)
    store.commit()
    assert store.read_log(1, **EVERYTHING)[0].old_image == (images.encode(before) if kept else None)


def test_version_vectors_survive_in_rows_and_in_the_log() -> None:
    store = opened(None)
    table = create(store, table_record(replicated=True))
    item = song("Nina", "Sinnerman")
    put(store.begin(), table, item, hlc=9, vector={PEER: 4, THIRD: 1 << 57})
    store.commit()
    expected = Version(9, REGION, {PEER: 4, THIRD: 1 << 57})
    ((key, row),) = store.scan_versions(table, b"", 10)
    assert (key, row.version) == (table.check_item_keys(item), expected)
    assert store.read_log(0, **EVERYTHING)[0].version == expected


def test_scan_is_lazy_bounded_and_runs_both_ways() -> None:
    store = opened(None)
    table = create(store, table_record())
    transaction = store.begin()
    for number in range(20):
        put(transaction, table, song("Nina", f"song {number:02}"))
    store.commit()
    titles = [item["song"]["S"] for item in contents(store, table)]
    assert titles == [f"song {number:02}" for number in range(20)]
    assert [item["song"]["S"] for item in contents(store, table, reverse=True)] == titles[::-1]
    fifth = table.check_item_keys(song("Nina", "song 05"))
    eighth = table.check_item_keys(song("Nina", "song 08"))
    between = [images.decode(entry.image)["song"]["S"] for entry in store.scan(table, None, fifth, eighth)]
    assert between == ["song 05", "song 06", "song 07"]
    back = store.scan(table, None, fifth, eighth, reverse=True)
    assert next(back).key == table.check_item_keys(song("Nina", "song 07"))
    partition = keys.partition(({"S": "Nina"},))
    assert len(list(store.scan(table, None, partition, keys.successor(partition)))) == 20


def test_scan_versions_pages_through_everything_in_key_order() -> None:
    store = opened(None)
    table = create(store, table_record(replicated=True))
    transaction = store.begin()
    for number in range(10):
        put(transaction, table, song("Nina", f"song {number}"))
    delete(transaction, table, song("Nina", "song 4"), hlc=2)
    store.commit()
    first = store.scan_versions(table, b"", 6)
    second = store.scan_versions(table, first[-1][0], 6)
    assert [row.image is None for _, row in first + second] == [number == 4 for number in range(10)]
    assert [key for key, _ in first + second] == sorted(key for key, _ in first + second)


def test_sequences_are_dense_over_commits_rollbacks_tables_and_reopening(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record())
    for number in range(30):
        transaction = store.begin()
        put(transaction, table, song("Nina", f"song {number}"))
        transaction.log_table(table, table.registers, Version(number, REGION))
        if number % 3:
            store.rollback()
        else:
            store.commit()
        if number % 10 == 9:
            store.close()
            store = opened(tmp_path / "r.db")
    assert [record.sequence for record in store.read_log(0, **EVERYTHING)] == list(range(1, 21))
    assert store.log_head() == 20
    assert store.log_tail() == 0
    store.close()


def test_an_empty_log_has_head_and_tail_zero() -> None:
    store = opened(None)
    assert (store.log_head(), store.log_tail(), store.read_log(0, **EVERYTHING)) == (0, 0, [])


def test_read_log_respects_count_and_bytes_and_yields_at_least_one() -> None:
    store = opened(None)
    table = create(store, table_record())
    transaction = store.begin()
    for number in range(10):
        put(transaction, table, song("Nina", f"song {number}", text="x" * 1000))
    store.commit()
    assert [r.sequence for r in store.read_log(3, limit=4, bytes_max=1 << 30)] == [4, 5, 6, 7]
    assert [r.sequence for r in store.read_log(0, limit=100, bytes_max=3500)] == [1, 2, 3]
    assert [r.sequence for r in store.read_log(8, limit=100, bytes_max=1)] == [9]
    assert [r.sequence for r in store.read_log(8, limit=100, bytes_max=1, origin=REGION)] == [9]


def test_read_log_by_origin_finds_what_comes_after_it_was_found_idle() -> None:
    store = opened(None)
    table = create(store, table_record(replicated=True))
    written: dict[str, list[int]] = {REGION: [], PEER: [], THIRD: []}
    plan = [REGION, PEER, PEER, THIRD, PEER, REGION, PEER, PEER, THIRD, THIRD, REGION]
    for number, origin in enumerate(plan):
        transaction = store.begin()
        written[origin].append(put(transaction, table, song("a", str(number)), hlc=number + 1, origin=origin))
        pending = [r.sequence for r in transaction.read_log(0, **EVERYTHING, origin=origin)]
        assert pending == written[origin]
        if number % 4 == 3:
            written[origin].pop()
            store.rollback()
        else:
            store.commit()
        for each, sequences in written.items():
            for after in range(store.log_head() + 1):
                found = [r.sequence for r in store.read_log(after, **EVERYTHING, origin=each)]
                assert found == [sequence for sequence in sequences if sequence > after]
    limited = store.read_log(0, limit=1, bytes_max=1 << 30, origin=PEER)
    assert [r.sequence for r in limited] == written[PEER][:1]


def test_read_table_log_shows_items_of_one_table_and_origin_in_a_range() -> None:
    store = opened(None)
    music = create(store, table_record(replicated=True))
    films = create(store, table_record("Films", uid="uid-films", replicated=True))
    transaction = store.begin()
    for number in range(12):
        table = (music, films)[number % 2]
        put(transaction, table, song("a", str(number)), origin=(REGION, PEER)[number % 3 == 0])
    transaction.log_table(music, music.registers, Version(99, REGION))
    store.commit()
    found = store.read_table_log(music.uid, 1, 9, limit=100, origin=REGION)
    assert [record.sequence for record in found] == [3, 5, 9]
    assert [r.sequence for r in store.read_table_log(music.uid, 0, 99, limit=2, origin=REGION)] == [3, 5]
    assert store.read_table_log("unknown", 0, 99, limit=2, origin=REGION) == []


def test_log_table_carries_the_registers() -> None:
    store = opened(None)
    table = create(store, table_record())
    registers = {**table.registers, settings.TTL: Register(7, PEER, {"AttributeName": "expires"})}
    sequence = store.begin().log_table(table, registers, Version(7, PEER, {REGION: 3}))
    store.commit()
    (record,) = store.read_log(0, **EVERYTHING)
    assert (record.sequence, record.kind, record.table_uid, record.key) == (sequence, TABLE, table.uid, b"")
    assert record.image is not None
    assert settings.decode(record.image) == registers
    assert record.version == Version(7, PEER, {REGION: 3})


def test_an_incumbent_that_is_not_stored_is_a_defect_and_breaks_the_transaction() -> None:
    store = opened(None)
    table = create(store, table_record())
    item = song("Nina", "Sinnerman")
    key = table.check_item_keys(item)
    wrong = Change(table, key, images.encode(item), 9, Version(2, REGION), stored(item, Version(1, REGION)))
    transaction = store.begin()
    with pytest.raises(DefectError, match="incumbent"):
        transaction.put(wrong)
    with pytest.raises(StoreError, match="rolled back"):
        put(transaction, table, song("Nina", "Other"))
    with pytest.raises(StoreError, match="rolled back"):
        store.commit()
    store.rollback()
    assert store.log_head() == 0
    transaction = store.begin()
    put(transaction, table, item)
    hidden = Change(table, key, images.encode(item), 9, Version(2, REGION), None)
    with pytest.raises(DefectError, match="UNIQUE"):
        transaction.put(hidden)
    store.rollback()
    assert contents(store, table) == []


def test_cursors_conflicts_and_meta_are_kept(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(replicated=True))
    transaction = store.begin()
    transaction.save_cursor(Cursor(PEER, "epoch-1", 10, 100))
    transaction.save_cursor(Cursor(THIRD, "epoch-2", 3, 50))
    transaction.save_cursor(Cursor(PEER, "epoch-1", 12, 130))
    winner = stored(song("Nina", "Sinnerman", year=1965), Version(20, PEER, {REGION: 5}))
    first = Conflict(table.uid, b"key", winner, StoredItem(None, 0, Version(19, REGION)), 3, ("year",), "w", None)
    grants = (Grant(19, REGION, "attribute_not_exists(id)", None), Grant(20, PEER, "attribute_not_exists(id)", "w"))
    second = Conflict(table.uid, b"key", winner, winner, 0, (), None, "l", 7, "a = :1", None, grants)
    recorded = [transaction.record_conflict(each, kept=10, since_ms=0) for each in (first, second)]
    assert recorded == [1, 2]
    transaction.save_meta("colour", "blue")
    store.commit()
    store.close()
    store = opened(tmp_path / "r.db")
    assert store.cursors() == {PEER: Cursor(PEER, "epoch-1", 12, 130), THIRD: Cursor(THIRD, "epoch-2", 3, 50)}
    assert store.conflicts(0, 10) == [(1, first), (2, second)]
    assert store.conflicts(1, 10) == [(2, second)]
    assert store.meta("colour") == "blue"
    assert store.meta("region") == REGION
    store.close()


def test_a_large_item_comes_back_whole() -> None:
    store = opened(None)
    table = create(store, table_record(indexes=(BY_GENRE,)))
    item = song("Nina", "long", genre="jazz", year="1965", text="ä" * 200_000)
    put(store.begin(), table, item)
    store.commit()
    assert contents(store, table) == contents(store, table, "ByGenre") == [item]


def test_two_transactions_at_once_are_refused() -> None:
    store = opened(None)
    store.begin()
    with pytest.raises(DefectError):
        store.begin()
    store.rollback()
    store.rollback()
    with pytest.raises(DefectError):
        store.commit()


def test_a_store_in_memory_is_not_read_from_outside_of_its_open_transaction() -> None:
    store = opened(None)
    table: Table = create(store, table_record())
    transaction = store.begin()
    with pytest.raises(DefectError, match="memory"):
        store.get(table, b"key")
    assert change_of(transaction, table, b"key", None).incumbent is None
    store.commit()
    assert store.get(table, b"key") is None
