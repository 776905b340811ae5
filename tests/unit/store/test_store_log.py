"""The change log: what it finds of one table, what it trims, and what it makes of a row that somebody has changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from replica_tables import EVERYTHING, PEER, REGION, create, opened, put, query, song, table_record

from region.errors import DamagedLogError
from region.model.lineage import Life, Lineage
from region.store import log
from region.store.sqlite import SqliteStore
from region.store.verification import damage


def filled(path: Path | None, records: int, *, commits: int = 1) -> SqliteStore:
    store = opened(path)
    table = create(store, table_record(replicated=True))
    for commit in range(commits):
        transaction = store.begin()
        for number in range(commit * records // commits, (commit + 1) * records // commits):
            origin = (REGION, PEER)[number % 3 == 0]
            put(transaction, table, song(f"a{number}", "t"), hlc=number + 1, origin=origin)
        store.commit()
    return store


def test_a_range_of_one_table_and_origin_is_found_through_blocks(tmp_path: Path) -> None:
    records = 3 * log.BLOCK_RECORDS // 2
    store = filled(tmp_path / "r.db", records, commits=3)
    other = create(store, table_record("Other", uid="uid-other"))
    transaction = store.begin()
    last = put(transaction, other, song("x", "t"), hlc=99_999)
    store.commit()
    for origin in (REGION, PEER):
        expected = [it.sequence for it in store.read_log(0, **EVERYTHING, origin=origin) if it.table_uid == "uid-music"]
        for after, upto, limit in (
            (0, last, 9999),
            (1000, 1100, 9999),
            (1020, last, 10),
            (1023, 1024, 9),
            (1024, 1024, 9),
        ):
            found = store.read_table_log("uid-music", after, upto, limit=limit, origin=origin)
            assert [it.sequence for it in found] == [n for n in expected if after < n <= upto][:limit]
    assert [it.sequence for it in store.read_table_log("uid-other", 0, last, limit=9, origin=REGION)] == [last]
    store.close()
    assert len(query(tmp_path / "r.db", "SELECT * FROM log_blocks")) == 5


def test_trimming_goes_in_steps_and_leaves_the_last_row(tmp_path: Path) -> None:
    store = filled(tmp_path / "r.db", 50)
    before = store.log_bytes()
    steps = 0
    more = True
    while more:
        more = store.begin().trim_log(999, 20)
        store.commit()
        steps += 1
    assert (steps, store.log_tail(), store.log_head()) == (3, 49, 50)
    assert store.log_bytes() < before
    store.begin().trim_log(999, 20)
    store.commit()
    store.close()
    store = opened(tmp_path / "r.db")
    assert (store.log_tail(), store.log_head()) == (49, 50)
    store.close()


def test_trimming_below_the_tail_does_nothing() -> None:
    store = filled(None, 10)
    store.begin().trim_log(5, 100)
    store.commit()
    assert store.begin().trim_log(3, 100) is False
    store.commit()
    assert store.log_tail() == 5


@pytest.mark.parametrize(
    "damage",
    [
        'SET image = CAST(\'{"artist":{"S":"liar"}}\' AS BLOB)',
        "SET hlc = hlc + 1",
        "SET origin = 'elsewhere'",
        "SET vector = x'ff'",
        "SET key = x'00'",
        "SET table_id = 77",
        "SET image = NULL",
    ],
)
def test_a_row_that_is_not_what_was_written_is_refused_by_its_number(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "r.db"
    filled(path, 10).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE log {damage} WHERE sequence = 7")
        database.commit()
    store = opened(path)
    assert len(store.read_log(0, limit=6, bytes_max=1 << 20)) == 6
    with pytest.raises(DamagedLogError, match="record 7 of the change log is damaged") as raised:
        store.read_log(0, **EVERYTHING)
    assert raised.value.sequence == 7
    store.close()


lives = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=6)


@given(before=lives, lost=lives, after=lives)
def test_a_position_holds_exactly_where_the_log_is_still_the_same(
    before: list[tuple[int, int]], lost: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    """A file lives some lives, is copied, goes on for a while, and is then put back; ``(records, _)`` a life each."""

    def live(lineage: Lineage, head: int, lives: list[tuple[int, int]], name: str) -> tuple[Lineage, int, list[Life]]:
        positions = []
        for number, (records, back) in enumerate(lives):
            lineage = lineage.begun(f"{name}{number}", head, 0)
            head += records
            positions += [Life(lineage.current, head), Life(lineage.current, max(0, head - back))]
        return lineage, head, positions

    lineage, copied, shared = live(Lineage((Life("first", 0),)), 0, before, "before")
    _, _, gone = live(lineage, copied, lost, "lost")
    restored, _, own = live(lineage.begun("restored", copied, 0), copied, after, "after")
    assert all(restored.holds(it.name, it.after) for it in [*shared, *own])
    assert not any(restored.holds(it.name, it.after) for it in gone)
    assert not restored.holds(lineage.current, copied + 1), "the copied life's own lost end"
    assert restored.holds(lineage.current, copied)


def test_every_opening_of_a_file_is_a_life_of_its_own(tmp_path: Path) -> None:
    store = filled(tmp_path / "r.db", 5)
    first = store.lineage()
    assert first.current == store.epoch
    store.close()
    store = opened(tmp_path / "r.db", seed=8)
    assert store.lineage().lives == (*first.lives, Life(store.lineage().current, 5))
    assert store.lineage().holds(store.epoch, 5)
    assert not store.lineage().holds(store.epoch, 6)
    store.begin().renew_lineage("anew")
    store.rollback()
    assert store.lineage().holds(store.epoch, 5)
    store.begin().renew_lineage("anew")
    store.commit()
    assert store.lineage().current == "anew"
    assert store.lineage().holds("anew", 5)
    assert not store.lineage().holds(store.epoch, 1)
    assert not store.lineage().lost(store.epoch, 5)
    assert store.lineage().lost(store.epoch, 6)
    store.close()


def test_a_healthy_file_is_verified_and_a_changed_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = opened(path)
    record = table_record(replicated=True)
    local = msgspec.structs.replace(record.local, digest_after=None)
    table = create(store, msgspec.structs.replace(record, local=local))
    transaction = store.begin()
    for number in range(600):
        put(transaction, table, song(f"a{number}", "t"), hlc=number + 1)
    store.commit()
    store.close()

    def found() -> list[str]:
        with closing(apsw.Connection(str(path))) as connection:
            return list(damage(connection, str(path)))

    assert found() == []
    with closing(sqlite3.connect(path)) as database:
        database.execute('DELETE FROM "1:Music" WHERE hlc = 7')
        database.execute("UPDATE log SET hlc = 0 WHERE sequence IN (5, 6, 300, 600)")
        database.commit()
    assert found() == [
        "1 of 4096 leaves of the digest of Music are not those of its rows",
        *(f"record {n} of the change log is damaged: its checksum does not match" for n in (5, 6, 300, 600)),
    ]
