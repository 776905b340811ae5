"""The page cache holds as much memory as it is told, also of a file that was made a moment ago."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from region.randomness import SeededRng
from region.store import opening

CACHE_KIB = 2048
ROW_BYTES = 4000


@pytest.mark.parametrize("new", [True, False])
def test_a_cache_is_as_large_as_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, new: bool) -> None:
    monkeypatch.setattr(opening, "_CACHE_KIB", CACHE_KIB)
    path = tmp_path / "r.db"
    connection = opening.open_file(path, "us-east-1", "normal", SeededRng(1))
    if not new:
        connection.close()
        connection = opening.open_file(path, "us-east-1", "normal", SeededRng(1))
    connection.execute("CREATE TABLE filler (n INTEGER PRIMARY KEY, text BLOB)")
    for number in range(3 * CACHE_KIB * 1024 // ROW_BYTES):
        connection.execute("INSERT INTO filler VALUES (?, zeroblob(?))", (number, ROW_BYTES))
    held, _ = connection.status(apsw.SQLITE_DBSTATUS_CACHE_USED)
    assert held <= 1.2 * CACHE_KIB * 1024
    connection.close()
