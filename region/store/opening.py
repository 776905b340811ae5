"""Opening a replica's database: whose it is, how old its layout is, and how SQLite is set up.

What: a file is looked at first, made or migrated where that is needed, and only then opened for service. Foreign,
newer and damaged files are refused before anything is written to them.

Invariant: no two SQLite libraries hold the file open at the same time (``region.store.migration``).

Hazard: SQLite turns the size of its cache into a number of pages once, so the connection that lays a file out, and so
sets its page size, is not the one that serves: its cache would be twice as large as it was told.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import apsw

from region.errors import StoreError
from region.model import lineage as lineages
from region.randomness import Rng
from region.store import schema
from region.store.failure import failure
from region.store.sealing import VACUUM

_SYNCHRONOUS: Final = {"full": "FULL", "normal": "NORMAL", "memory": "OFF"}
_CACHE_KIB: Final = 208 * 1024
"""Room for the inner pages of a million items of 1 KB, which hold whole rows: with half of it every read of a large
table waits for several pages. It is taken as it is used."""
_READER_CACHE_KIB: Final = 4 * 1024
CHECKPOINT_PAGES: Final = 1000
"""How many pages are committed between two checkpoints: 8 MB. Twice as many double the longest pauses."""
_BUSY_TIMEOUT_MS: Final = 1000
_STATEMENTS: Final = 512


def _initial(region: str, rng: Rng) -> dict[str, str]:
    return {"region": region, "epoch": rng.token(8), "next_id": "1"}


def open_memory(region: str, rng: Rng) -> apsw.Connection:
    """Make a private database in memory."""
    connection = apsw.Connection(":memory:", statementcachesize=_STATEMENTS)
    _make(connection, region, rng)
    return connection


def _make(connection: apsw.Connection, region: str, rng: Rng) -> None:
    """Lay out an empty database, all at once or not at all."""
    connection.execute(f"PRAGMA page_size = {schema.PAGE_BYTES}")
    with connection:
        for statement in (statement for statements in schema.MIGRATIONS for statement in statements):
            connection.execute(statement)
        for name, value in {**_initial(region, rng), "schema_version": str(schema.VERSION)}.items():
            connection.execute(schema.SAVE_META, (name, value))


def open_file(path: Path, region: str, durability: str, rng: Rng) -> apsw.Connection:
    """Open a region's file for service; make it where it is missing or empty, migrate it where it is old.

    Raises:
        StoreError: it is not for us to open, or cannot be read; the message says what to do.
    """
    try:
        version = _check(path, region)
        if 0 < version < schema.VERSION:
            # Imported where it is needed: it costs a tenth of a second, and other files do without.
            from region.store.migration import migrate  # noqa: PLC0415

            migrate(path, version)
        if not version:
            fresh = _connect(path, _READER_CACHE_KIB)
            _make(fresh, region, rng)
            fresh.close()
        connection = _connect(path, _CACHE_KIB)
        mode = connection.execute("PRAGMA journal_mode = WAL").get
        if mode != "wal":
            connection.close()
            raise StoreError(f"the file system of {path} has no shared memory for SQLite's WAL: use a local disk")
        connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        if version:
            _begin_life(connection, rng)
    except apsw.Error as error:
        raise failure(error, "opening", str(path)) from error
    return connection


def _begin_life(connection: apsw.Connection, rng: Rng) -> None:
    """Give the file a new life, before anything can be written in it (:mod:`region.model.lineage`)."""
    rows: list[tuple[Any, ...]] = connection.execute("SELECT name, value FROM meta").fetchall()
    meta = dict(rows)
    head, tail = connection.execute("SELECT coalesce(max(sequence), 0), coalesce(min(sequence) - 1, 0) FROM log").get
    lineage = lineages.decode(meta.get(lineages.META), meta["epoch"]).begun(rng.token(8), head, tail)
    connection.execute(schema.SAVE_META, (lineages.META, lineages.encode(lineage)))


def clear_unused(connection: apsw.Connection) -> None:
    """Write the file anew where its unused parts may hold what is encrypted by now; else do nothing."""
    if connection.execute("SELECT value FROM meta WHERE name = ?", (VACUUM,)).get == "due":
        connection.execute(schema.SAVE_META, (VACUUM, "done"))
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def connect_reader(path: Path) -> apsw.Connection:
    """Open a second connection, for reading beside an open transaction."""
    try:
        connection = _connect(path, _READER_CACHE_KIB)
        connection.execute("PRAGMA query_only = 1")
    except apsw.Error as error:
        raise failure(error, "opening a second connection", str(path)) from error
    return connection


def connect_copying(path: Path) -> apsw.Connection:
    """Open a connection for checkpoints. It syncs the log before it copies, and the file after."""
    connection = _connect(path, _READER_CACHE_KIB)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _connect(path: Path, cache_kib: int) -> apsw.Connection:
    connection = apsw.Connection(str(path), statementcachesize=_STATEMENTS)
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


def _check(path: Path, region: str) -> int:
    """Return the layout's number of a file that is ours to open, 0 where there is none yet."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    connection = _connect(path, _READER_CACHE_KIB)
    try:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            return 0
        if "meta" not in names or connection.pragma("application_id") != schema.APPLICATION_ID:
            raise StoreError(f"{path} is a database of another program: choose another path")
        rows: list[tuple[Any, ...]] = connection.execute("SELECT name, value FROM meta").fetchall()
        return _check_meta(path, region, dict(rows))
    finally:
        connection.close()


def _check_meta(path: Path, region: str, meta: Mapping[str, str]) -> int:
    owner, version = meta["region"], int(meta["schema_version"])
    if version > schema.VERSION:
        raise StoreError(
            f"{path} has layout {version} and this program knows layouts up to {schema.VERSION}: "
            "start it with the newer version of Atoll that wrote it"
        )
    if owner != region:
        raise StoreError(
            f"{path} belongs to region {owner}, not to {region}: start it as {owner}, "
            f"or give {region} a file of its own"
        )
    return version
