"""Reads: from the caches where that is allowed, from the region otherwise.

What: eventually consistent GetItem and BatchGetItem use the item cache, where an item is held whole and projected when
it is asked for. Eventually consistent Query and Scan use the query cache, by their parameters as they came. Strongly
consistent reads and TransactGetItems go to the region and leave nothing behind.

Invariant: the two caches know nothing of each other: no query answers a get, and no write changes a query's result.

Source: AWS developer guide, "DAX and DynamoDB consistency models".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from atoll.dax import frames, requests, responses, shared
from atoll.dax.cache import Lease
from atoll.dax.expressions import Path, Writer
from atoll.dax.frames import MalformedError
from atoll.dax.item_keys import KeySchema
from atoll.dax.requests import Arguments
from atoll.dax.responses import OK
from atoll.dax.shared import Shared, binary, name
from region.errors import ValidationError
from region.model.values import Item

BATCH_KEYS_MAX: Final = 100
_PLAIN_OPTIONS_BYTES: Final = 64
_REMEMBERED: Final = 8192
_FOUND: Final = OK + b"\xa1" + frames.encode(responses.ITEM)
_NONE: Final = OK + b"\xa0"


@lru_cache(256)
def _remembered(encoded: bytes) -> dict[int, Any]:
    return requests.options(encoded)


def _options(encoded: bytes) -> dict[int, Any]:
    """Return optional parameters, which are not to be changed; short ones are mostly those of the request before."""
    return _remembered(encoded) if len(encoded) <= _PLAIN_OPTIONS_BYTES else requests.options(encoded)


class _Asked(NamedTuple):
    """What a GetItem asks for; ``plain`` is one of a whole item, and of nothing about it."""

    table: str
    key: bytes
    given: Mapping[int, Any]
    consistent: bool
    plain: bool


@lru_cache(_REMEMBERED)
def _asked(arguments: Arguments) -> _Asked:
    given = _options(arguments[2])
    plain = requests.PROJECTION not in given and not given.get(requests.CAPACITY)
    return _Asked(name(arguments[0]), binary(arguments[1]), given, bool(given.get(requests.CONSISTENT)), plain)


class Reads:
    """The four reads, and the one of a transaction."""

    def __init__(self, parts: Shared) -> None:
        self._parts = parts
        self._items = parts.items
        self._queries = parts.queries
        self._schema = parts.upstream.schema

    # From the caches, without waiting

    def held_item(self, arguments: Arguments) -> bytes | None:
        """Return the answer to a GetItem that the item cache has, ``None`` where it has to be fetched."""
        asked = _asked(arguments)
        schema = self._schema(asked.table)
        if schema is None or asked.consistent:
            return None
        entry = self._items.get(asked.table, schema.canonical(asked.key))
        if entry is None:
            return None
        if asked.plain:
            return _NONE if entry.value is None else _FOUND + entry.value
        return self._item(asked, schema, entry.value, None)

    def held_result(self, arguments: Arguments) -> bytes | None:
        """Return the answer to a Query or Scan that the query cache has; one that is consistent it never has."""
        entry = self._queries.get(name(arguments[0]), _parameters(arguments))
        return None if entry is None else entry.value

    # From the region

    async def get(self, arguments: Arguments) -> bytes:
        """GetItem."""
        asked = _asked(arguments)
        schema = await self._parts.schema(asked.table)
        shared.projection(asked.given.get(requests.PROJECTION))
        key = schema.canonical(asked.key)
        entry = None if asked.consistent else self._items.get(asked.table, key)
        if entry is not None:  # Only the schema had to be fetched.
            return self._item(asked, schema, entry.value, None)
        body: dict[str, Any] = {"TableName": asked.table, "Key": schema.unpack(key)}
        body.update(requests.parameters(asked.given, Writer()))
        lease = None if asked.consistent else self._items.lease(asked.table, key)
        answer = await self._fetch("GetItem", body, lease)
        held = self._parts.lists.held(answer.get("Item"), schema.names)
        if lease is not None:
            self._items.settle(lease, held)
        return self._item(asked, schema, held, answer.get("ConsumedCapacity"))

    async def find(self, operation: str, arguments: Arguments) -> bytes:
        """Query or Scan."""
        table, given = name(arguments[0]), requests.options(arguments[-1])
        schema = await self._parts.schema(table)
        writer = Writer()
        body: dict[str, Any] = {"TableName": table, **requests.parameters(given, writer)}
        if operation == "Query" and (condition := frames.decode(arguments[1])) is not None:
            body["KeyConditionExpression"] = writer.condition(condition)
        wanted = shared.projection(given.get(requests.PROJECTION))
        if wanted is not None:
            shared.projected(body, wanted, writer)
        index = "IndexName" in body
        if requests.START_KEY in given:
            body["ExclusiveStartKey"] = responses.start_key(given[requests.START_KEY], schema, index=index)
        shared.placeholders(body, writer)
        lease = None if body.get("ConsistentRead") else self._queries.lease(table, _parameters(arguments))
        answer = await self._fetch(operation, body, lease)
        members = self._result(answer, schema, wanted, index=index)
        if lease is not None:
            free = responses.nothing_consumed(table, body.get("ReturnConsumedCapacity", "NONE"))
            self._queries.settle(lease, OK + responses.mapping(_with_capacity(members, free)))
        return OK + responses.mapping(_with_capacity(members, answer.get("ConsumedCapacity")))

    async def get_batch(self, arguments: Arguments) -> bytes:
        """BatchGetItem: every item by itself from the cache, the others in one request."""
        asked = shared.mapped(arguments[0])
        tables = [_Batch(self._parts, table, await self._parts.schema(table), each) for table, each in asked.items()]
        if sum(len(each) for each in tables) > BATCH_KEYS_MAX:
            raise ValidationError("Too many items requested for the BatchGetItem call")
        body = {each.table: wanted for each in tables if (wanted := each.wanted()) is not None}
        request = {"RequestItems": body, **requests.parameters(_options(arguments[1]), Writer())}
        answer: dict[str, Any] = {}
        if body:
            try:
                answer = await self._parts.upstream.call("BatchGetItem", request)
            except BaseException:
                for each in tables:
                    each.release()
                raise
        found, left = answer.get("Responses", {}), answer.get("UnprocessedKeys", {})
        for each in tables:
            each.take(found.get(each.table, []), left.get(each.table, {}).get("Keys", []))
        unprocessed = {each.table: each.unprocessed() for each in tables if each.left}
        return (
            OK
            + responses.array(
                (
                    responses.by_table({each.table: each.answered() for each in tables}),
                    responses.by_table(unprocessed),
                )
            )
            + responses.capacities(answer.get("ConsumedCapacity", ()))
        )

    async def get_transaction(self, arguments: Arguments) -> bytes:
        """TransactGetItems: from the region, and nothing is kept."""
        tables = [requests.text(each) for each in shared.listed(arguments[0])]
        keys = shared.listed(arguments[1])
        projections = frames.decode(arguments[2]) or [None] * len(tables)
        if not isinstance(projections, list) or not len(tables) == len(keys) == len(projections):
            raise MalformedError("a transaction whose lists are not of one length")
        wanted = [shared.projection(each) for each in projections]
        schemas = [await self._parts.schema(table) for table in tables]
        gets = [
            {"Get": {"TableName": table, "Key": schema.unpack(_bytes(key))}}
            for table, schema, key in zip(tables, schemas, keys, strict=True)
        ]
        request = {"TransactItems": gets, **requests.parameters(_options(arguments[3]), Writer())}
        answer = await self._parts.upstream.call("TransactGetItems", request)
        items = []
        for found, schema, paths in zip(answer["Responses"], schemas, wanted, strict=True):
            item = found.get("Item")
            if item is None:
                items.append(responses.NULL)
            elif paths is not None:
                items.append(responses.projected(item, paths))
            else:
                items.append(self._parts.lists.held(item, schema.names) or responses.NULL)
        consumed = responses.transacted(answer.get("ConsumedCapacity", ()))
        return OK + responses.array((responses.array(items), consumed))

    # Inside

    async def _fetch(self, operation: str, body: Mapping[str, Any], lease: Lease | None) -> dict[str, Any]:
        try:
            return await self._parts.upstream.call(operation, body)
        except BaseException:
            if lease is not None:
                (self._items if operation == "GetItem" else self._queries).release(lease)
            raise

    def _item(self, asked: _Asked, schema: KeySchema, held: bytes | None, consumed: Mapping[str, Any] | None) -> bytes:
        """Write the answer to a GetItem of an item that is held, or was just fetched."""
        members: dict[int, bytes] = {}
        if held is not None:
            wanted = shared.projection(asked.given.get(requests.PROJECTION))
            if wanted is None:
                members[responses.ITEM] = held
            else:
                item = {**schema.unpack(asked.key), **self._parts.lists.unpack(binary(held))}
                members[responses.ITEM] = responses.projected(item, wanted)
        if asked.given.get(requests.CAPACITY):
            wish = requests.parameters(asked.given, Writer())["ReturnConsumedCapacity"]
            members = _with_capacity(members, consumed or responses.nothing_consumed(asked.table, wish))
        return OK + responses.mapping(members)

    def _result(
        self, answer: Mapping[str, Any], schema: KeySchema, wanted: list[Path] | None, *, index: bool
    ) -> dict[int, bytes]:
        members = {
            responses.COUNT: frames.encode(answer["Count"]),
            responses.SCANNED: frames.encode(answer["ScannedCount"]),
        }
        if "Items" in answer:
            lists = self._parts.lists
            members[responses.ITEMS] = responses.array(
                responses.result(item, schema, lists, wanted) for item in answer["Items"]
            )
        if "LastEvaluatedKey" in answer:
            members[responses.LAST_KEY] = responses.last_key(answer["LastEvaluatedKey"], schema, index=index)
        return members


class _Batch:
    """The part of a BatchGetItem that is of one table."""

    def __init__(self, parts: Shared, table: str, schema: KeySchema, asked: list[Any]) -> None:
        if len(asked) != 3 or not isinstance(asked[2], list):
            raise MalformedError("a table of a batch without its keys")
        self.table = table
        self.left: list[bytes] = []
        self._parts = parts
        self._schema = schema
        self._consistent = bool(asked[0])
        self._paths = shared.projection(asked[1])
        keys = [schema.canonical(_bytes(key)) for key in asked[2]]
        if len(set(keys)) != len(keys):
            raise ValidationError("Provided list of item keys contains duplicates")
        self._found: dict[bytes, bytes | None] = {}
        self._missing: dict[bytes, Lease | None] = {}
        for key in keys:
            entry = None if self._consistent else parts.items.get(table, key)
            if entry is not None:
                self._found[key] = entry.value
            else:
                self._missing[key] = None

    def __len__(self) -> int:
        return len(self._found) + len(self._missing)

    def wanted(self) -> dict[str, Any] | None:
        """Return what is to be fetched, ``None`` for nothing; it is under lease from here on."""
        if not self._missing:
            return None
        if not self._consistent:
            for key in self._missing:
                self._missing[key] = self._parts.items.lease(self.table, key)
        return {"Keys": [self._schema.unpack(key) for key in self._missing], "ConsistentRead": self._consistent}

    def release(self) -> None:
        """Give up: the request has failed."""
        for lease in self._missing.values():
            if lease is not None:
                self._parts.items.release(lease)

    def take(self, items: list[Item], left: list[Item]) -> None:
        """Take what was fetched, and what the region has left for another request."""
        found = {self._schema.pack(item): self._parts.lists.held(item, self._schema.names) for item in items}
        self.left = [self._schema.pack(key) for key in left]
        for key, lease in self._missing.items():
            if key in self.left:
                if lease is not None:
                    self._parts.items.release(lease)
                continue
            self._found[key] = found.get(key)
            if lease is not None:
                self._parts.items.settle(lease, found.get(key))

    def unprocessed(self) -> bytes:
        """Write the keys that are left."""
        return frames.encode(self.left)

    def answered(self) -> bytes:
        """Write the items that were found."""
        parts: list[bytes] = []
        for key, held in self._found.items():
            if held is None:
                continue
            if self._paths is None:
                parts += (frames.encode(key), held)
            else:
                item = {**self._schema.unpack(key), **self._parts.lists.unpack(binary(held))}
                parts.append(responses.projected(item, self._paths))
        return responses.array(parts)


def _parameters(arguments: Arguments) -> bytes:
    """Return what a result is held under: all parameters, as they came."""
    return b"".join(arguments[1:]) if len(arguments) > 2 else b"\x00" + arguments[1]


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedError("a key that is no byte string")
    return value


def _with_capacity(members: dict[int, bytes], consumed: Mapping[str, Any] | None) -> dict[int, bytes]:
    return members if consumed is None else {**members, responses.CAPACITY: responses.capacity(consumed)}
