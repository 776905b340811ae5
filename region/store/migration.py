"""Making a replica's database file, and bringing one of an older layout up to date, with sqlite-utils.

Invariants: a file is made or migrated in one transaction, so a crash leaves the old layout or the new one. The
connection is closed before anybody opens the file with apsw: two SQLite libraries in one process that hold one file
open take each other's locks away (POSIX advisory locks belong to the process).

Hazard: importing sqlite-utils takes a tenth of a second, so only those who make or migrate a file import this module.

Source: https://sqlite-utils.datasette.io/, "How To Corrupt An SQLite Database File", section 2.2.1.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from sqlite_utils import Database

from region.errors import StoreError
from region.store import schema


def migrate(path: Path, version: int, initial: Mapping[str, str]) -> None:
    """Bring the file from layout ``version`` (0: an empty or missing file) to the present one.

    ``initial`` is the content of ``meta`` in a new file.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        database = Database(path)
        try:
            if version == 0:
                database.execute(f"PRAGMA page_size = {schema.PAGE_BYTES}")
            with database.atomic():
                for statements in schema.MIGRATIONS[version:]:
                    for statement in statements:
                        database.execute(statement)
                for name, value in {**(initial if version == 0 else {}), "schema_version": schema.VERSION}.items():
                    database.execute(schema.SAVE_META, [name, str(value)])
        finally:
            database.close()
    except sqlite3.Error as error:
        raise StoreError(
            f"cannot make or migrate the database file {path}: {error}; nothing of it was kept; "
            "check that the folder is writable and has room"
        ) from error
