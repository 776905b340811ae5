"""Answers in CBOR, as DAX's clients read them.

What: a successful answer begins with an empty array, then comes what the operation has. Single operations answer a map
by numbers; batches and transactions have forms of their own. Items stand without their keys where the client knows
them.

Source: the assemblers and decoders of amazon-dax-client 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from atoll.dax import frames, values
from atoll.dax.expressions import Path
from atoll.dax.item_keys import KeySchema
from atoll.dax.values import AttributeLists
from region.expression import paths
from region.model.values import Item

OK: Final = b"\x80"
NULL: Final = b"\xf6"
ITEM, CAPACITY, ATTRIBUTES, METRICS, ITEMS, COUNT, LAST_KEY, SCANNED = 0, 1, 2, 3, 7, 8, 9, 10
_MAP_CODES: Final = {"TableName": 4, "CapacityUnits": 1, "ReadCapacityUnits": 2, "WriteCapacityUnits": 3}
_INDEX_CODES: Final = {"GlobalSecondaryIndexes": 6, "LocalSecondaryIndexes": 7}
_TABLE_CODE: Final = 5

encode = frames.encode


def mapping(members: Mapping[int, bytes]) -> bytes:
    """Write a map whose values are encoded already."""
    return _head(5, len(members)) + b"".join([encode(number) + value for number, value in members.items()])


def array(items: Iterable[bytes]) -> bytes:
    """Write an array whose items are encoded already."""
    listed = list(items)
    return _head(4, len(listed)) + b"".join(listed)


def by_table(members: Mapping[str, bytes]) -> bytes:
    """Write a map by the names of tables whose values are encoded already."""
    return _head(5, len(members)) + b"".join([encode(name) + value for name, value in members.items()])


def _head(major: int, count: int) -> bytes:
    if count < 24:
        return bytes([major << 5 | count])
    return bytes([major << 5 | 26]) + count.to_bytes(4)


def projected(item: Item, wanted: list[Path]) -> bytes:
    """Write what an item has of some paths: each value by the place of its path in the projection."""
    found = {}
    for place, path in enumerate(wanted):
        value = paths.read(item, path)
        if value is not None:
            found[place] = values.to_cbor(value)
    return encode(found)


def result(item: Item, schema: KeySchema, lists: AttributeLists, wanted: list[Path] | None) -> bytes:
    """Write an item that a query or a scan has found: its key and its attributes, or what was asked of it."""
    if wanted is not None:
        return projected(item, wanted)
    return array((encode(schema.pack(item)), lists.held(item, schema.names) or NULL))


def capacity(consumed: Mapping[str, Any] | None) -> bytes:
    """Write the capacity that a single operation or a table of a batch has consumed."""
    if consumed is None:
        return NULL
    table = consumed.get("Table")
    parts = [
        encode(consumed["TableName"]),
        encode(float(consumed["CapacityUnits"])),
        NULL if table is None else encode(float(table["CapacityUnits"])),
    ]
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        indexes = consumed.get(kind)
        parts.append(
            NULL if indexes is None else encode({name: float(each["CapacityUnits"]) for name, each in indexes.items()})
        )
    return encode(b"".join(parts))


def nothing_consumed(table: str, wanted: str) -> dict[str, Any] | None:
    """Return the capacity of what was answered from the cache, as far as it was asked for."""
    if wanted == "NONE":
        return None
    consumed: dict[str, Any] = {"TableName": table, "CapacityUnits": 0.0}
    if wanted == "INDEXES":
        consumed["Table"] = {"CapacityUnits": 0.0}
    return consumed


def capacities(consumed: Iterable[Mapping[str, Any]]) -> bytes:
    """Write the capacities of a batch, a table each."""
    return array(capacity(each) for each in consumed)


def transacted(consumed: Iterable[Mapping[str, Any]]) -> bytes:
    """Write the capacities of a transaction, which have another form."""
    return encode([_by_codes(each) for each in consumed])


def _by_codes(consumed: Mapping[str, Any]) -> dict[int, Any]:
    found: dict[int, Any] = {
        code: consumed[name] if name == "TableName" else float(consumed[name])
        for name, code in _MAP_CODES.items()
        if name in consumed
    }
    if "Table" in consumed:
        found[_TABLE_CODE] = _by_codes(consumed["Table"])
    for name, code in _INDEX_CODES.items():
        if name in consumed:
            found[code] = {index: _by_codes(each) for index, each in consumed[name].items()}
    return found


def metrics(collection: Mapping[str, Any]) -> bytes:
    """Write the metrics of an item collection."""
    (value,) = collection["ItemCollectionKey"].values()
    low, high = collection["SizeEstimateRangeGB"]
    return encode(encode(values.to_cbor(value)) + encode(float(low)) + encode(float(high)))


def metrics_by_table(collections: Mapping[str, Iterable[Mapping[str, Any]]]) -> bytes:
    """Write the metrics of item collections of several tables."""
    return by_table({table: array(metrics(each) for each in found) for table, found in collections.items()})


def last_key(key: Item, schema: KeySchema, *, index: bool) -> bytes:
    """Write where a query or a scan goes on: in an index by name, else as a key."""
    if index:
        return encode(encode({name: values.to_cbor(value) for name, value in key.items()}))
    return encode(schema.pack(key))


def start_key(packed: bytes, schema: KeySchema, *, index: bool) -> Item:
    """Read what :func:`last_key` wrote.

    Raises:
        MalformedError: it is none.
    """
    if not isinstance(packed, bytes):
        raise frames.MalformedError("a start key that is none")
    if not index:
        return schema.unpack(packed)
    value = values.to_json(frames.decode(packed))
    if "M" not in value:
        raise frames.MalformedError("a start key that is no map")
    key: Item = value["M"]
    return key
