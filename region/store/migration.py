"""Bringing a replica's database file of an older layout up to date, with sqlite-utils.

Invariants: a file is migrated in one transaction, so a crash leaves the old layout or the new one. The
connection is closed before anybody opens the file with apsw: two SQLite libraries in one process that hold one file
open take each other's locks away (POSIX advisory locks belong to the process).

Hazard: importing sqlite-utils takes a tenth of a second, so only those who migrate a file import this module.

Source: https://sqlite-utils.datasette.io/, "How To Corrupt An SQLite Database File", section 2.2.1.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlite_utils import Database

from region.errors import StoreError
from region.store import schema


def migrate(path: Path, version: int) -> None:
    """Bring the file from layout ``version`` to the present one.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        database = Database(path)
        try:
            with database.atomic():
                for statements in schema.MIGRATIONS[version:]:
                    for statement in statements:
                        database.execute(statement)
                database.execute(schema.SAVE_META, ["schema_version", str(schema.VERSION)])
        finally:
            database.close()
    except sqlite3.Error as error:
        raise StoreError(
            f"cannot migrate the database file {path}: {error}; it is as it was; "
            "check that the folder is writable and has room"
        ) from error
