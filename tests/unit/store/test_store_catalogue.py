"""The catalogue: numbers, storage per table, names that differ in case only, and what a person sees in the file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from replica_tables import (
    EVERYTHING,
    REGION,
    contents,
    create,
    global_index,
    opened,
    put,
    query,
    song,
    table_record,
)

from region.errors import DefectError
from region.model.table import Table
from region.model.version import Version
from region.store.catalogue import DROPPED_AT_ONCE

ALL_HASHES = (b"\x00", b"\xff" * 8)
KEYS = global_index("Keys", "genre", projection="KEYS_ONLY")
ALL = global_index("All", "genre")


def test_insert_table_gives_numbers_that_are_never_given_again(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    seen: set[int] = set()
    for round_ in range(6):
        transaction = store.begin()
        record = transaction.insert_table(table_record(f"T{round_}", uid=f"uid-{round_}", indexes=(KEYS, ALL)))
        numbers = {record.id, transaction.next_index_id(), *(state.id for state in record.local.indexes.values())}
        assert len(numbers) == 4
        assert not numbers & seen
        seen |= numbers
        if round_ % 2:
            store.rollback()
        else:
            store.commit()
        if round_ == 2:
            store.close()
            store = opened(tmp_path / "r.db")
    assert [record.name for record in store.tables()] == ["T0", "T2", "T4"]
    store.close()


def test_records_come_back_as_they_were_saved(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(indexes=(KEYS,), replicated=True, stream="KEYS_ONLY"))
    changed = msgspec.structs.replace(
        table.record, local=msgspec.structs.replace(table.local, tags={"a": "b"}, extra={"x": [1]})
    )
    store.begin().save_table(changed)
    store.commit()
    store.close()
    store = opened(tmp_path / "r.db")
    assert store.tables() == [changed]
    store.close()


def test_names_that_differ_in_case_only_are_different_tables() -> None:
    store = opened(None)
    upper = create(store, table_record("Music", uid="uid-1", indexes=(KEYS,)))
    lower = create(store, table_record("music", uid="uid-2", indexes=(global_index("keys", "genre"),)))
    transaction = store.begin()
    put(transaction, upper, song("Nina", "upper", genre="jazz"))
    put(transaction, lower, song("Nina", "lower", genre="jazz"))
    store.commit()
    assert contents(store, upper) == [song("Nina", "upper", genre="jazz")]
    assert contents(store, lower, "keys") == [song("Nina", "lower", genre="jazz")]


def test_drop_table_deletes_storage_and_keeps_the_record_and_the_log(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(indexes=(KEYS,)))
    put(store.begin(), table, song("Nina", "a", genre="jazz"))
    store.commit()
    scan_before = store.scan(table, None, b"", None)
    store.begin().drop_table(table.record)
    store.rollback()
    assert len(list(scan_before)) == 1
    store.begin().drop_table(table.record)
    store.commit()

    (record,) = store.tables()
    assert (record.uid, record.dropped, record.registers) == (table.uid, True, table.registers)
    assert [each.table_uid for each in store.read_log(0, **EVERYTHING)] == [table.uid]
    assert store.statistics(table, None) == (0, 0)
    key = table.check_item_keys(song("Nina", "a"))
    assert store.get(table, key) is None, "a reader with an older catalogue finds it empty"
    assert contents(store, table) == contents(store, table, "Keys") == store.scan_versions(table, b"", 9) == []
    store.close()
    assert query(tmp_path / "r.db", "SELECT name FROM sqlite_master WHERE name LIKE '%Music%'") == []


def test_a_dropped_table_comes_back_empty_under_its_number(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(indexes=(KEYS,)))
    put(store.begin(), table, song("Nina", "a", genre="jazz"))
    store.commit()
    transaction = store.begin()
    transaction.drop_table(table.record)
    back = Table(transaction.insert_table(table.record))
    put(transaction, back, song("Nina", "b", genre="jazz"))
    store.commit()
    assert back.id == table.id
    assert back.indexes["Keys"].id != table.indexes["Keys"].id
    assert contents(store, back) == [song("Nina", "b", genre="jazz")]
    assert store.statistics(back, back.indexes["Keys"])[0] == 1
    assert [each.table_uid for each in store.read_log(0, **EVERYTHING)] == [table.uid, table.uid]
    store.close()


def test_a_record_inserted_as_dropped_has_no_storage_until_it_is_inserted_again() -> None:
    store = opened(None)
    known = msgspec.structs.replace(table_record(indexes=(KEYS,)), dropped=True)
    known = store.begin().insert_table(known)
    store.commit()
    assert [record.dropped for record in store.tables()] == [True]
    store.begin().save_table(msgspec.structs.replace(known, registers={**known.registers}))
    store.commit()
    table = create(store, msgspec.structs.replace(known, dropped=False))
    assert (table.id, contents(store, table)) == (known.id, [])


def test_inserting_twice_and_saving_what_is_not_there_are_defects() -> None:
    store = opened(None)
    create(store, table_record())
    with pytest.raises(DefectError, match="twice"):
        store.begin().insert_table(table_record())
    store.rollback()
    with pytest.raises(DefectError, match="saved"):
        store.begin().save_table(table_record("Other", uid="uid-other"))
    store.rollback()
    with pytest.raises(DefectError, match="before it is inserted"):
        store.begin().log_table(Table(table_record("Other", uid="uid-other")), {}, Version(1, REGION))
    store.rollback()
    assert [record.name for record in store.tables()] == ["Music"]


def test_a_person_reads_the_file_with_any_sqlite_tool(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = opened(path)
    music = create(store, table_record(indexes=(KEYS, ALL)))
    other = create(store, table_record("MUSIC", uid="uid-2"))
    hlc = 1_700_000_000_123 << 16
    put(store.begin(), music, song("Nina", "Sinnerman", genre="jazz"), hlc=hlc)
    store.commit()
    store.close()
    names = {name for (name,) in query(path, "SELECT name FROM sqlite_master")}
    numbers = {name: state.id for name, state in music.local.indexes.items()}
    expected = {f"{music.id}:Music", f"{numbers['Keys']}:Music:Keys", f"{numbers['All']}:Music:All", "items of Music"}
    assert expected | {f"items of MUSIC ({other.id})"} <= names
    ((item, written, origin),) = query(path, 'SELECT item, written, origin FROM "items of Music"')
    assert item == '{"artist":{"S":"Nina"},"genre":{"S":"jazz"},"song":{"S":"Sinnerman"}}'
    assert (written, origin) == ("2023-11-14 22:13:20.123", REGION)
    assert query(path, "SELECT name, dropped FROM tables") == [("Music", 0), ("MUSIC", 0)]
    store = opened(path)
    store.begin().drop_table(music.record)
    store.commit()
    store.close()
    assert query(path, "SELECT name FROM sqlite_master WHERE type = 'view'") == [(f"items of MUSIC ({other.id})",)]


def test_a_separated_table_keeps_its_storage_and_its_rows_of_the_log_keep_their_uid(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(indexes=(KEYS,), replicated=True))
    put(store.begin(), table, song("Abba", "One"))
    store.commit()
    head = store.log_head()
    kept = Table(msgspec.structs.replace(table.record, uid="its own"))

    def separate() -> None:
        local = msgspec.structs.replace(table.local, indexes={})
        left = msgspec.structs.replace(table.record, dropped=True, local=local)
        assert store.begin().separate_table(left, kept.record).id != table.id

    separate()
    store.rollback()
    assert store.read_log(head - 1, **EVERYTHING)[0].table_uid == table.uid
    separate()
    store.commit()
    put(store.begin(), kept, song("Abba", "Two"))
    store.commit()
    for _ in range(2):
        assert [record.table_uid for record in store.read_log(head - 1, **EVERYTHING)] == [table.uid, "its own"]
        for uid in (table.uid, "its own"):
            assert len(store.read_table_log(uid, 0, head + 9, limit=9, origin=REGION)) == 1
        changes, _ = store.read_changes("its own", 0, head + 9, hashes=ALL_HASHES, **EVERYTHING)
        assert len(changes) == 2
        assert store.statistics(kept, None)[0] == 2
        assert [(it.uid, it.dropped) for it in store.tables()] == [("its own", False), (table.uid, True)]
        store.close()
        store = opened(tmp_path / "r.db")
    store.close()


def test_a_large_table_goes_little_by_little_and_may_come_back_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = opened(path)
    table = create(store, table_record(replicated=True, indexes=(global_index("ByGenre", "genre"),)))
    transaction = store.begin()
    for number in range(DROPPED_AT_ONCE + 500):
        put(transaction, table, song(f"a{number}", "t", genre="g"), hlc=number + 1)
    store.commit()
    transaction = store.begin()
    transaction.drop_table(table.record)
    back = Table(transaction.insert_table(msgspec.structs.replace(table.record, id=0)))
    put(transaction, back, song("again", "t", genre="g"), hlc=10_000)
    store.commit()
    assert (back.id, contents(store, back)) == (table.id, [song("again", "t", genre="g")])
    assert contents(store, table) == contents(store, back)
    steps = 0
    while store.begin().clear_garbage(400):
        store.commit()
        steps += 1
        if steps == 3:
            store.close()
            store = opened(path)
    store.commit()
    assert steps > 2 * DROPPED_AT_ONCE // 400
    assert contents(store, Table(store.tables()[0])) == [song("again", "t", genre="g")]
    store.close()
    assert not [name for (name,) in query(path, "SELECT name FROM sqlite_master") if "garbage" in name]
