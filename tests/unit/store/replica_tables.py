"""Tables, items and changes for the tests of the store, built from the real model."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from region.model import image as images
from region.model import settings, values
from region.model.change import Change, StoredItem
from region.model.settings import Register
from region.model.table import IndexState, LocalState, Table, TableRecord
from region.model.values import Item
from region.model.version import EMPTY_VECTOR, Version
from region.randomness import SeededRng
from region.store.port import Reader, Transaction
from region.store.sqlite import Durability, SqliteStore, open_store

REGION = "us-east-1"
PEER = "eu-west-1"
THIRD = "ap-northeast-1"
EVERYTHING = {"limit": 1_000_000, "bytes_max": 1 << 40}


def opened(path: Path | None, *, durability: Durability = "normal", region: str = REGION, seed: int = 7) -> SqliteStore:
    return open_store(path, region=region, durability=durability, rng=SeededRng(seed))


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask a file that no store has open, with the SQLite library that people have."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def attribute(name: str, kind: str = "S") -> dict[str, str]:
    return {"AttributeName": name, "AttributeType": kind}


def key_elements(hash_names: tuple[str, ...], range_names: tuple[str, ...] = ()) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": "HASH"} for name in hash_names] + [
        {"AttributeName": name, "KeyType": "RANGE"} for name in range_names
    ]


def global_index(
    name: str,
    hash_name: str,
    range_name: str | None = None,
    *,
    kind: str = "S",
    projection: str = "ALL",
    include: tuple[str, ...] = (),
) -> dict[str, Any]:
    names = (hash_name,) if range_name is None else (hash_name, range_name)
    return {
        "IndexName": name,
        "AttributeDefinitions": [attribute(each, kind) for each in names],
        "KeySchema": key_elements((hash_name,), names[1:]),
        "Projection": {"ProjectionType": projection, **({"NonKeyAttributes": list(include)} if include else {})},
    }


def table_record(
    name: str = "Music",
    *,
    uid: str = "uid-music",
    range_name: str | None = "song",
    indexes: tuple[dict[str, Any], ...] = (),
    local_indexes: tuple[dict[str, Any], ...] = (),
    replicated: bool = False,
    stream: str | None = None,
) -> TableRecord:
    names = ["artist"] + ([range_name] if range_name else [])
    local_names = [e["AttributeName"] for each in local_indexes for e in each["KeySchema"]]
    definition = {
        "AttributeDefinitions": [attribute(each) for each in dict.fromkeys(names + local_names)],
        "KeySchema": key_elements(("artist",), tuple(names[1:])),
        "LocalSecondaryIndexes": [
            {key: value for key, value in each.items() if key != "AttributeDefinitions"} for each in local_indexes
        ],
    }
    registers = {settings.DEFINITION: Register(1, REGION, definition)}
    for each in indexes:
        registers[settings.INDEX + each["IndexName"]] = Register(1, REGION, each)
    if replicated:
        registers[settings.REPLICA + REGION] = Register(1, REGION, {})
    if stream:
        registers[settings.STREAM] = Register(1, REGION, {"StreamEnabled": True, "StreamViewType": stream})
    states = {each["IndexName"]: IndexState(0, "ACTIVE") for each in (*indexes, *local_indexes)}
    local = LocalState(table_id="table-id", created_ms=1, indexes=states)
    return TableRecord(id=0, uid=uid, name=name, registers=registers, local=local)


def create(store: SqliteStore, record: TableRecord) -> Table:
    """Insert a table in a transaction of its own."""
    record = store.begin().insert_table(record)
    store.commit()
    return Table(record)


def song(artist: str, title: str, **attributes: str | int) -> Item:
    item: Item = {"artist": {"S": artist}, "song": {"S": title}}
    for name, value in attributes.items():
        item[name] = {"S": value} if isinstance(value, str) else {"N": str(value)}
    return item


def change_of(
    reader: Reader,
    table: Table,
    key: bytes,
    item: Item | None,
    *,
    hlc: int = 1,
    origin: str = REGION,
    vector: Mapping[str, int] = EMPTY_VECTOR,
    decoded: bool = False,
    **more: Any,
) -> Change:
    """Return the change of an item over what the reader holds now."""
    incumbent = reader.get(table, key)
    image = None if item is None else images.encode(item)
    size = 0 if item is None else values.item_size(item)
    if decoded:
        more["item"] = item
        if incumbent is not None and incumbent.image is not None:
            more["old_item"] = images.decode(incumbent.image)
    return Change(table, key, image, size, Version(hlc, origin, vector), incumbent, **more)


def put(transaction: Transaction, table: Table, item: Item, **more: Any) -> int:
    return transaction.put(change_of(transaction, table, table.check_item_keys(item), item, **more))


def delete(transaction: Transaction, table: Table, item: Item, **more: Any) -> int:
    return transaction.put(change_of(transaction, table, table.key_of(table.key_attributes(item)), None, **more))


def contents(reader: Reader, table: Table, index: str | None = None, **more: Any) -> list[Item]:
    """Return the decoded items of a whole table or index in scan order."""
    chosen = None if index is None else table.indexes[index]
    return [images.decode(entry.image) for entry in reader.scan(table, chosen, b"", None, **more)]


def stored(item: Item | None, version: Version) -> StoredItem:
    if item is None:
        return StoredItem(None, 0, version)
    return StoredItem(images.encode(item), values.item_size(item), version)


def statistics_by_hand(reader: Reader, table: Table, index: str | None = None) -> tuple[int, int]:
    """Count what a scan shows, to hold against the counters."""
    chosen = None if index is None else table.indexes[index]
    sizes = [entry.size for entry in reader.scan(table, chosen, b"", None)]
    return len(sizes), sum(sizes)
