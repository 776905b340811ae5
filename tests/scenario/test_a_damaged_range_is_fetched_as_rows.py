"""A piece of a log that cannot be read is answered as one that is gone: whoever asks copies the rows instead."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from fleet import EAST, TABLE, Fleet

from replication import donor
from replication.message import Fetch, FetchRefused


async def test_a_range_with_a_damaged_record_is_refused_as_truncated(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "east.sqlite"
    east = await fleet.add(EAST, path=file)
    await east.create_table()
    await east.put("precious")
    await fleet.regions.pop(EAST).stop()
    with closing(sqlite3.connect(file)) as database:
        damage = "UPDATE log SET image = replace(image, 'precious', 'pr3cious') WHERE instr(image, 'precious')"
        assert database.execute(damage).rowcount == 1
        database.commit()
    east = await fleet.add(EAST, path=file)
    table = east.engine.catalogue.by_name[TABLE]
    fetch = Fetch(1, table.uid, TABLE, b"{}", b"", first=False, range_after=0, range_epoch="")
    answer = donor.answer(east.engine, fetch, "us-west-2", records_max=64, bytes_max=1 << 20)
    assert isinstance(answer, FetchRefused)
    assert answer.truncated
    assert "is damaged" in answer.reason
