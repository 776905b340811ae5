"""The file: whose it is, how it is opened, what survives, and what its failures look like."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from replica_tables import (
    EVERYTHING,
    PEER,
    REGION,
    contents,
    create,
    delete,
    global_index,
    opened,
    put,
    query,
    song,
    statistics_by_hand,
    table_record,
)
from sqlite_utils import Database

from region.errors import DefectError, StoreError
from region.model.table import Table
from region.store import schema
from region.store.sqlite import Durability, SqliteStore

KEYS = global_index("Keys", "genre", projection="KEYS_ONLY")
ALL = global_index("All", "genre")
HERE = Path(__file__).parent
ROOT = HERE.parents[2]

WRITER = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from replica_tables import *

store = opened(Path(sys.argv[1]), durability="normal")
record = table_record(indexes=(global_index("Keys", "genre", projection="KEYS_ONLY"), global_index("All", "genre")))
table = create(store, record)
dies_in_commit = int(sys.argv[4])
number = 0
while True:
    transaction = store.begin()
    for _ in range(20):
        number += 1
        put(transaction, table, song("Nina", str(number % 150), genre=f"g{number % 7}", text="x" * (number % 900)))
        if number % 5 == 0:
            delete(transaction, table, song("Nina", str(number % 150)))
    transaction.save_meta("written", str(transaction.log_head()))
    if number // 20 == dies_in_commit:
        store._connection.set_commit_hook(lambda: os.kill(os.getpid(), signal.SIGKILL))
    store.commit()
    print(store.log_head(), flush=True)
"""


def run_writer(path: Path, *, dies_in_commit: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(ROOT), str(HERE), str(dies_in_commit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def only_table(store: SqliteStore) -> Table:
    (record,) = store.tables()
    return Table(record)


@pytest.mark.parametrize("dies_in_commit", [40, 0], ids=["killed in the midst of a commit", "killed at any moment"])
def test_kill_9_keeps_every_acknowledged_commit_and_exact_statistics(tmp_path: Path, dies_in_commit: int) -> None:
    path = tmp_path / "r.db"
    acknowledged = 0
    with run_writer(path, dies_in_commit=dies_in_commit) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            acknowledged = int(line)
            if not dies_in_commit and acknowledged > 900:
                break
        writer.kill()
    assert acknowledged > 800
    store = opened(path)
    table = only_table(store)
    assert store.log_head() == int(store.meta("written") or 0) >= acknowledged
    records = store.read_log(0, **EVERYTHING)
    assert [record.sequence for record in records] == list(range(1, store.log_head() + 1))
    last = {record.key: record.image for record in records}
    assert {entry.key: entry.image for entry in store.scan(table, None, b"", None)} == {
        key: image for key, image in last.items() if image is not None
    }
    for index in (None, "Keys", "All"):
        chosen = None if index is None else table.indexes[index]
        assert store.statistics(table, chosen) == statistics_by_hand(store, table, index)
    store.close()


def test_everything_is_there_after_closing_and_opening_again(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record(indexes=(KEYS,), replicated=True))
    transaction = store.begin()
    put(transaction, table, song("Nina", "a", genre="jazz"))
    put(transaction, table, song("Nina", "b", genre="jazz"))
    delete(transaction, table, song("Nina", "b"), hlc=2)
    transaction.save_meta("colour", "blue")
    store.commit()
    before = (store.epoch, store.tables(), store.read_log(0, **EVERYTHING), store.scan_versions(table, b"", 9))
    figures = store.statistics(table, None), store.statistics(table, table.indexes["Keys"])
    store.close()
    store.close()
    assert not (tmp_path / "r.db-wal").exists()
    store = opened(tmp_path / "r.db", seed=8)
    table = only_table(store)
    assert (store.epoch, store.tables(), store.read_log(0, **EVERYTHING), store.scan_versions(table, b"", 9)) == before
    assert (store.statistics(table, None), store.statistics(table, table.indexes["Keys"])) == figures
    store.close()


def test_every_file_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    stores = [opened(tmp_path / "a.db", seed=1), opened(tmp_path / "b.db", seed=2), opened(None, seed=3)]
    assert len({store.epoch for store in stores}) == 3
    for store in stores:
        assert store.meta("epoch") == store.epoch
        store.close()


@pytest.mark.parametrize(
    ("durability", "synchronous", "syncs"), [("full", 2, True), ("normal", 1, False), ("memory", 0, False)]
)
def test_sqlite_is_set_up_as_measured(tmp_path: Path, durability: Durability, synchronous: int, syncs: bool) -> None:
    store = opened(tmp_path / "deep" / "folder" / "r.db", durability=durability)
    for name, value in (("page_size", 8192), ("journal_mode", "wal"), ("synchronous", synchronous)):
        assert store._connection.pragma(name) == value
    assert store._connection.pragma("wal_autocheckpoint") == 1000
    assert store.syncs_at_commit is syncs
    store.close()


def test_a_database_in_memory_and_a_file_have_the_same_layout(tmp_path: Path) -> None:
    layouts = []
    for store in (opened(None), opened(tmp_path / "r.db")):
        layouts.append(store._connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall())
        assert store._connection.pragma("page_size") == 8192
        assert store.meta("schema_version") == str(schema.VERSION)
        store.close()
    assert layouts[0] == layouts[1]


def test_the_wal_stays_bounded_while_reads_and_writes_go_on(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    table = create(store, table_record())
    item = song("Nina", "a", text="x" * 100_000)
    key = table.check_item_keys(item)
    for hlc in range(300):
        put(store.begin(), table, item, hlc=hlc)
        before = store.get(table, key)
        store.commit()
        after = store.get(table, key)
        assert (before and before.version.hlc, after and after.version.hlc) == (hlc - 1 if hlc else None, hlc)
    assert (tmp_path / "r.db").stat().st_size > 20_000_000
    assert (tmp_path / "r.db-wal").stat().st_size < 12_000_000
    store.close()


# Who may open a file.


def test_a_file_is_served_by_one_store_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    store = opened(path)
    with pytest.raises(StoreError, match=r"served already \(by process \d+\): stop that process"):
        opened(path)
    program = "import sys; sys.path[:0] = sys.argv[2:]; from replica_tables import *; opened(Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(path), str(ROOT), str(HERE)]
    other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.returncode != 0
    assert "is being served already" in other.stderr
    store.close()
    opened(path).close()


def test_a_file_of_another_region_is_refused_and_stays_usable_for_its_own(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    opened(path).close()
    with pytest.raises(StoreError, match=f"belongs to region {REGION}, not to {PEER}: start it as {REGION}"):
        opened(path, region=PEER)
    opened(path).close()


def test_a_file_of_a_newer_layout_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    opened(path).close()
    database = Database(path)
    with database.atomic():
        database.execute(schema.SAVE_META, ["schema_version", "99"])
    database.close()
    before = path.read_bytes()
    known = f"layout 99 and this program knows layouts up to {schema.VERSION}: start it with the newer"
    with pytest.raises(StoreError, match=known):
        opened(path)
    assert path.read_bytes() == before


def test_a_file_of_an_older_layout_is_migrated_and_a_failed_migration_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.db"
    store = opened(path)
    create(store, table_record())
    epoch = store.epoch
    store.close()
    second = ("CREATE TABLE extra (name TEXT)", "INSERT INTO extra VALUES ('new')")
    newer = schema.VERSION + 1
    monkeypatch.setattr(schema, "VERSION", newer)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, (*second, "NO SQL")))
    with pytest.raises(StoreError, match="cannot migrate"):
        opened(path)
    assert query(path, "SELECT name FROM sqlite_master WHERE name = 'extra'") == []
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS[:-1], second))
    store = opened(path)
    assert (store.epoch, store.meta("schema_version")) == (epoch, str(newer))
    assert [record.name for record in store.tables()] == ["Music"]
    store.close()
    assert query(path, "SELECT name FROM extra") == [("new",)]


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("This is no database, but it is longer than a header of SQLite. " * 200)
    with pytest.raises(StoreError, match="no SQLite database"):
        opened(text)
    foreign = tmp_path / "foreign.db"
    database = Database(foreign)
    database["meta"].insert({"name": "x"})
    database.close()
    with pytest.raises(StoreError, match="a database of another program: choose another path"):
        opened(foreign)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose a folder that is writable"):
        opened(tmp_path / "file" / "r.db")


def test_an_empty_file_is_made_into_a_database(tmp_path: Path) -> None:
    (tmp_path / "r.db").touch()
    opened(tmp_path / "r.db").close()


# Reads beside a commit.


class HeldCommit:
    """A commit that another thread has begun and that stands still in its midst until it is let go."""

    def __init__(self, store: SqliteStore) -> None:
        self._reached, self._go = threading.Event(), threading.Event()
        store._connection.set_commit_hook(self._hold)
        self._thread = threading.Thread(target=store.commit)
        self._thread.start()
        assert self._reached.wait(10)

    def _hold(self) -> bool:
        self._reached.set()
        self._go.wait(10)
        return False

    def finish(self) -> None:
        self._go.set()
        self._thread.join()


def test_reads_see_the_last_commit_while_another_thread_commits(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db", durability="full")
    table = create(store, table_record(indexes=(KEYS,)))
    old, new = song("Nina", "a", genre="jazz"), song("Nina", "a", genre="soul")
    key = table.check_item_keys(old)
    put(store.begin(), table, old, hlc=1)
    store.commit()
    transaction = store.begin()
    put(transaction, table, new, hlc=2)
    transaction.insert_table(table_record("Other", uid="uid-other"))
    transaction.save_meta("region", "somewhere else")
    reads: list[Callable[[], object]] = [
        lambda: store.get(table, key),
        lambda: contents(store, table),
        lambda: contents(store, table, "Keys"),
        lambda: store.scan_versions(table, b"", 9),
        lambda: store.statistics(table, None),
        lambda: store.read_log(0, **EVERYTHING),
        lambda: store.read_log(0, **EVERYTHING, origin=REGION),
        lambda: store.read_table_log(table.uid, 0, 9, limit=9, origin=REGION),
        lambda: (store.log_head(), store.log_tail()),
        lambda: [record.name for record in store.tables()],
        lambda: (store.cursors(), store.conflicts(0, 9), store.meta("region"), store.load_ceiling()),
    ]
    while_open = [read() for read in reads]
    commit = HeldCommit(store)
    in_flight = [read() for read in reads]
    with pytest.raises(DefectError):
        store.begin()
    commit.finish()
    assert while_open == in_flight
    assert contents(store, table) == [new]
    assert (store.log_head(), contents(store, table, "Keys")) == (2, [new])
    assert [r.sequence for r in store.read_log(1, **EVERYTHING, origin=REGION)] == [2]
    store.close()


def test_a_ceiling_saved_while_another_thread_commits_waits_and_is_kept(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db", durability="full")
    table = create(store, table_record())
    put(store.begin(), table, song("Nina", "a"))
    commit = HeldCommit(store)
    saving = threading.Thread(target=store.save_ceiling, args=(77,))
    saving.start()
    assert store.load_ceiling() == 0
    commit.finish()
    saving.join()
    assert store.load_ceiling() == 77
    store.close()


def test_a_ceiling_is_saved_with_the_open_transaction_or_at_once(tmp_path: Path) -> None:
    store = opened(tmp_path / "r.db")
    assert store.load_ceiling() == 0
    store.save_ceiling(5)
    store.begin()
    store.save_ceiling(9)
    assert store.load_ceiling() == 5
    store.rollback()
    assert store.load_ceiling() == 5
    store.begin()
    store.save_ceiling(11)
    store.commit()
    store.save_ceiling(12)
    store.close()
    store = opened(tmp_path / "r.db")
    assert store.load_ceiling() == 12
    store.close()
