from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import apsw
import pytest

from chaos.checker import judge, replica
from chaos.checker.evidence import Evidence
from chaos.checker.replica import Replica
from clock import HybridLogicalClock, ManualClock
from region.engine import Engine
from region.model import expiry
from region.operation.context import RegionSettings
from region.randomness import SeededRng
from region.store.sqlite import open_store

TABLE = "songs"
START_MS = 1_700_000_000_000


def attribute(name: str, kind: str = "S") -> dict[str, str]:
    return {"AttributeName": name, "AttributeType": kind}


def keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": n, "KeyType": kind} for n, kind in zip(names, ("HASH", "RANGE"), strict=False)]


async def region(path: Path) -> Engine:
    """A region with a table of two items, an index, and time to live; its file is open."""
    source = ManualClock(START_MS)
    store = open_store(path, region="east", durability="normal", rng=SeededRng(1))
    clock = HybridLogicalClock("east", source, ceiling=store.load_ceiling(), persist=store.save_ceiling)
    engine = Engine(store=store, clock=clock, source=source, settings=RegionSettings(region="east"), rng=SeededRng(2))
    index = {"IndexName": "by-genre", "KeySchema": keys("genre", "pk"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    await engine.execute(
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("pk"), attribute("sk", "N"), attribute("genre")],
            "KeySchema": keys("pk", "sk"),
            "GlobalSecondaryIndexes": [index],
        },
    )
    ttl = {"Enabled": True, "AttributeName": "expires"}
    await engine.execute("UpdateTimeToLive", {"TableName": TABLE, "TimeToLiveSpecification": ttl})
    for name, genre in (("a", "jazz"), ("b", "folk")):
        item: dict[str, Any] = {"pk": {"S": name}, "sk": {"N": "1"}, "genre": {"S": genre}, "tag": {"S": f"t-{name}"}}
        item["expires"] = {"N": "1800000000"}
        await engine.execute("PutItem", {"TableName": TABLE, "Item": item}, request_id=f"put-{name}")
    engine.start()
    while (state := expiry.state_of(engine.catalogue.by_name[TABLE].local)) is None or state.built_after is not None:
        await engine.transact(lambda context: None)
    return engine


def entries_of(path: Path, ending: str) -> str:
    connection = apsw.Connection(str(path))
    names = [str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    return next(name for name in names if name.endswith(ending))


def spoil(path: Path, statement: str) -> Replica:
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    connection.close()
    return replica.read(path)


def found(held: Replica) -> list[str]:
    return [str(it) for it in judge(Evidence([], {"east": held}), ["convergence"])]


async def test_a_file_says_what_the_region_wrote_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "east.db"
    engine = await region(path)
    held = replica.read(path)  # The region is still running: what a crash would leave now is what is read.
    rows = held.named(TABLE)
    assert rows is not None
    assert [(rows.text(it.key), replica.tag_of(it.image), it.request_id) for it in held.log if it.kind == 0] == [
        ("a/1", "t-a", "put-a"),
        ("b/1", "t-b", "put-b"),
    ]
    assert {rows.text(key): replica.tag_of(it.image) for key, it in rows.items.items()} == {"a/1": "t-a", "b/1": "t-b"}
    assert len(rows.entries["by-genre"]) == len(rows.expiries or ()) == 2
    assert (held.region, held.epoch, held.head, held.tail) == ("east", engine.store.epoch, engine.store.log_head(), 0)
    await engine.close()
    assert found(replica.read(path)) == found(held) == []
    before = path.read_bytes()
    replica.read(path)
    assert path.read_bytes() == before


async def test_a_copy_of_a_running_regions_file_is_read_with_its_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "east.db"
    engine = await region(path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("east.db", "east.db-wal"):
        shutil.copyfile(tmp_path / name, copy / name)
    one, other = replica.read(copy / "east.db"), replica.read(path)
    assert one.log == other.log
    assert [it.items for it in one.tables.values()] == [it.items for it in other.tables.values()]
    assert len(one.log) > 2
    await engine.close()


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ValueError, match="cannot be read as the database of a region"):
        replica.read(path)
    with pytest.raises(ValueError, match="there is no file"):
        replica.read(tmp_path / "missing.db")


async def test_index_entries_expiries_and_statistics_that_the_items_do_not_say_are_named(tmp_path: Path) -> None:
    path = tmp_path / "east.db"
    await (await region(path)).close()
    index, expiries = entries_of(path, ":by-genre"), entries_of(path, ":expiries")
    cases = {
        f'UPDATE "{index}" SET size = size + 1 WHERE key = (SELECT min(key) FROM "{index}")': [
            "in the index by-genre of songs is not what the item says"
        ],
        f'DELETE FROM "{index}" WHERE key = (SELECT min(key) FROM "{index}")': [
            "in the index by-genre of songs is missing"
        ],
        f'INSERT INTO "{index}" SELECT x\'00\', base, size, image FROM "{index}" LIMIT 1': [
            "in the index by-genre of songs belongs to no item"
        ],
        f'DELETE FROM "{expiries}"': ["the expiry of a/1 of songs at 1800000000 s is missing", "the expiry of b/1"],
        f'INSERT INTO "{expiries}" SELECT 7, key FROM "{expiries}" LIMIT 1': ["at 7 s belongs to no item"],
        "UPDATE counters SET items = items + 1": [
            "table songs counts (items, bytes) (3,",
            "index by-genre of table songs",
        ],
    }
    for number, (statement, sentences) in enumerate(cases.items()):
        spoiled = tmp_path / f"{number}.db"
        shutil.copyfile(path, spoiled)
        said = found(spoil(spoiled, statement))
        assert len(said) >= len(sentences), statement
        for sentence in sentences:
            assert any(sentence in it for it in said), (statement, said)
