"""Failures of the disk, the file and other programs: what they look like, and that the store goes on after them."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from replica_tables import contents, create, global_index, opened, put, query, song, statistics_by_hand, table_record

from region.errors import DefectError, StoreError

ALL = global_index("All", "genre")


def test_a_full_disk_is_definite_and_the_store_goes_on_after_a_rollback(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(indexes=(ALL,)))
    put(store.begin(), table, song("Nina", "a", genre="jazz"))
    store.commit()
    pages = store._connection.pragma("page_count")
    store._connection.pragma("max_page_count", pages + 2)
    transaction = store.begin()

    def fill() -> None:
        for number in range(100):
            put(transaction, table, song("Nina", str(number), genre="jazz", text="x" * 5000))

    with pytest.raises(StoreError, match="the disk is full") as caught:
        fill()
    assert caught.value.definite
    with pytest.raises(StoreError, match="rolled back"):
        store.commit()
    store.rollback()
    assert store.log_head() == 1
    assert contents(store, table) == contents(store, table, "All") == [song("Nina", "a", genre="jazz")]
    assert store.statistics(table, None) == statistics_by_hand(store, table)
    store._connection.pragma("max_page_count", 1_000_000)
    put(store.begin(), table, song("Nina", "b", genre="jazz"))
    store.commit()
    assert store.log_head() == 2
    store.close()


def test_a_commit_that_fails_is_rolled_back_and_the_next_one_works(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record())
    put(store.begin(), table, song("Nina", "a"))
    store._connection.set_commit_hook(lambda: True)
    with pytest.raises(DefectError, match="COMMIT"):
        store.commit()
    store.rollback()
    with pytest.raises(DefectError, match="COMMIT"):
        store.save_ceiling(9)
    store._connection.set_commit_hook(None)
    assert (store.log_head(), contents(store, table), store.load_ceiling()) == (0, [], 0)
    put(store.begin(), table, song("Nina", "b"))
    store.commit()
    assert contents(store, table) == [song("Nina", "b")]
    store.close()


@pytest.mark.parametrize("damaged", ["1:Music", "log", "meta"])
def test_damage_is_reported_and_not_read_over(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "r.db"
    store = opened(path)
    table = create(store, table_record())
    put(store.begin(), table, song("Nina", "a"))
    store.commit()
    store.close()
    ((page,),) = query(path, f"SELECT rootpage FROM sqlite_master WHERE name = '{damaged}'")
    with path.open("r+b") as file:
        file.seek((page - 1) * 8192)
        file.write(b"\xa5" * 8192)

    def read() -> None:
        store = opened(path)
        try:
            contents(store, table)
        finally:
            store.close()

    for _ in range(2):
        with pytest.raises(StoreError, match=r"the file is damaged .*restore a copy"):
            read()


def test_another_program_that_writes_to_the_file_is_noticed_and_survived(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    store._connection.set_busy_timeout(0)
    table = create(store, table_record())
    store.get(table, b"a key")
    other = apsw.Connection(str(tmp_path / "r.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds a lock"):
        put(store.begin(), table, song("Nina", "a"))
    store.rollback()
    store.get(table, b"a key")
    other.execute("INSERT INTO meta VALUES ('graffiti', 'x')")
    other.execute("COMMIT")
    other.close()
    with pytest.raises(StoreError, match="another program"):
        put(store.begin(), table, song("Nina", "a"))
    store.rollback()
    put(store.begin(), table, song("Nina", "a"))
    store.commit()
    assert (store.log_head(), store.meta("graffiti")) == (1, "x")
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record())
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.get(table, b"key")
