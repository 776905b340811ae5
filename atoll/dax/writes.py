"""Writes: to the region first, then to the item cache; never to the query cache.

What: what the region has accepted is held as it is there now: a put as it was sent, a deletion as an item that does not
exist, an update as the region answers it. Where the answer does not show the whole item (an update that asks for old or
some values, a transaction) it is dropped, and fetched anew in the background with a read of the same isolation.

Invariants: a write that the region refused changes nothing here. One of which it is not known whether it happened
leaves nothing behind. The answer to a client comes after its own write is in the cache, or out of it.

Source: AWS developer guide, "How DAX processes writes".
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from atoll.dax import frames, requests, responses, shared
from atoll.dax.cache import Lease
from atoll.dax.errors import RegionError, UnansweredError
from atoll.dax.expressions import Writer
from atoll.dax.frames import MalformedError
from atoll.dax.item_keys import KeySchema
from atoll.dax.requests import Arguments
from atoll.dax.responses import OK
from atoll.dax.shared import Shared, binary, name
from region.model.values import Item, normalise_item

_CHECK, _PUT, _DELETE, _UPDATE = 12, 2, 7, 9
"""What an item of a transaction is, by number."""
_ACTIONS: Final = {_CHECK: "ConditionCheck", _PUT: "Put", _DELETE: "Delete", _UPDATE: "Update"}
_ALL_OLD: Final = 2
_WHOLE: Final = ("NONE", "ALL_NEW")
_SOME: Final = ("UPDATED_OLD", "UPDATED_NEW")


class Writes:
    """The writes. :meth:`stop` ends what they do in the background."""

    def __init__(self, parts: Shared) -> None:
        self._parts = parts
        self._lists = parts.lists
        self._items = parts.items
        self._background: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Fetch nothing more in the background."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    async def put(self, arguments: Arguments) -> bytes:
        """PutItem."""
        table = name(arguments[0])
        schema = await self._parts.schema(table)
        key = schema.canonical(binary(arguments[1]))
        item = {**schema.unpack(key), **self._lists.unpack(binary(arguments[2]))}
        body = self._body({"TableName": table, "Item": item}, arguments[3])
        answer = await self._write("PutItem", body, [(table, key)], {(table, key): self._held(item, schema)})
        return self._answer(answer, body, schema)

    async def delete(self, arguments: Arguments) -> bytes:
        """DeleteItem."""
        table = name(arguments[0])
        schema = await self._parts.schema(table)
        key = schema.canonical(binary(arguments[1]))
        body = self._body({"TableName": table, "Key": schema.unpack(key)}, arguments[2])
        answer = await self._write("DeleteItem", body, [(table, key)], {(table, key): None})
        return self._answer(answer, body, schema)

    async def update(self, arguments: Arguments) -> bytes:
        """UpdateItem."""
        table = name(arguments[0])
        schema = await self._parts.schema(table)
        key = schema.canonical(binary(arguments[1]))
        body = self._body({"TableName": table, "Key": schema.unpack(key)}, arguments[2])
        wish = body.get("ReturnValues", "NONE")
        place = (table, key)
        if wish not in _WHOLE:
            answer = await self._write("UpdateItem", body, [place], {})
            self._refresh([(table, schema, key)])
            return self._answer(answer, body, schema)
        lease = self._items.lease(table, key, writing=True)
        answer = await self._send("UpdateItem", {**body, "ReturnValues": "ALL_NEW"}, [lease])
        self._items.settle(lease, self._lists.held(answer["Attributes"], schema.names))
        if wish == "NONE":
            del answer["Attributes"]
        return self._answer(answer, body, schema)

    async def write_batch(self, arguments: Arguments) -> bytes:
        """BatchWriteItem."""
        items: dict[str, list[dict[str, Any]]] = {}
        held: dict[tuple[str, bytes], bytes | None] = {}
        schemas: dict[str, KeySchema] = {}
        for table, asked in shared.mapped(arguments[0]).items():
            schema = schemas[table] = await self._parts.schema(table)
            items[table] = []
            if len(asked) % 2:
                raise MalformedError("a batch whose writes are not in pairs")
            for packed, content in zip(asked[::2], asked[1::2], strict=False):
                if not isinstance(packed, bytes) or not isinstance(content, bytes | None):
                    raise MalformedError("a write of a batch that is none")
                key = schema.canonical(packed)
                if content is None:
                    items[table].append({"DeleteRequest": {"Key": schema.unpack(key)}})
                    held[table, key] = None
                else:
                    item = {**schema.unpack(key), **self._lists.unpack(content)}
                    items[table].append({"PutRequest": {"Item": item}})
                    held[table, key] = self._held(item, schema)
        body = {"RequestItems": items, **requests.parameters(requests.options(arguments[1]), Writer())}
        leases = {place: self._items.lease(*place, writing=True) for place in held}
        answer = await self._send("BatchWriteItem", body, list(leases.values()))
        left = answer.get("UnprocessedItems", {})
        unprocessed = {table: self._left(each, schemas[table]) for table, each in left.items()}
        for place, lease in leases.items():
            if any(key == place[1] for key, _ in unprocessed.get(place[0], ())):
                self._items.release(lease)
            else:
                self._items.settle(lease, held[place])
        return b"".join(
            (
                OK,
                responses.by_table(
                    {
                        table: responses.array(frames.encode(part) for pair in each for part in pair)
                        for table, each in unprocessed.items()
                    }
                ),
                responses.capacities(answer.get("ConsumedCapacity", ())),
                responses.metrics_by_table(answer.get("ItemCollectionMetrics", {})),
            )
        )

    async def write_transaction(self, arguments: Arguments) -> bytes:
        """TransactWriteItems."""
        operations, tables, keys, contents, _, failures, conditions, updates = (
            frames.decode(each) for each in arguments[:8]
        )
        count = len(operations) if isinstance(operations, list) else 0
        rows = [each or [None] * count for each in (operations, tables, keys, contents, failures, conditions, updates)]
        if not count or not all(isinstance(row, list) and len(row) == count for row in rows):
            raise MalformedError("a transaction whose lists are not of one length")
        actions, changed = [], []
        for operation, table_raw, key_raw, content, failure, condition, update in zip(*rows, strict=True):
            table = requests.text(table_raw)
            schema = await self._parts.schema(table)
            if not isinstance(operation, int) or operation not in _ACTIONS:
                raise MalformedError("an item of a transaction that is no action")
            if not isinstance(key_raw, bytes) or not isinstance(content, bytes | None):
                raise MalformedError("an item of a transaction without a key, or with another content than an item")
            key = schema.canonical(key_raw)
            action: dict[str, Any] = {"TableName": table}
            if operation == _PUT:
                action["Item"] = {**schema.unpack(key), **self._lists.unpack(content or b"")}
            else:
                action["Key"] = schema.unpack(key)
            writer = Writer()
            if condition is not None:
                action["ConditionExpression"] = writer.condition(condition)
            if update is not None:
                action["UpdateExpression"] = writer.update(update)
            if failure == _ALL_OLD:
                action["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            shared.placeholders(action, writer)
            actions.append({_ACTIONS[operation]: action})
            if operation != _CHECK:
                changed.append((table, schema, key))
        body = {"TransactItems": actions, **requests.parameters(requests.options(arguments[8]), Writer())}
        answer = await self._write("TransactWriteItems", body, [(table, key) for table, _, key in changed], {})
        self._refresh(changed)
        return OK + responses.array(
            (
                responses.array([]),
                responses.transacted(answer.get("ConsumedCapacity", ())),
                responses.metrics_by_table(answer.get("ItemCollectionMetrics", {})),
            )
        )

    def reasons(self, error: RegionError) -> list[Any] | None:
        """Return why a transaction was cancelled as DAX tells it: code, message and item, one after the other."""
        found = error.fields.get("CancellationReasons")
        if found is None:
            return None
        told: list[Any] = []
        for reason in found:
            item = reason.get("Item")
            # The key, which the client knows, is among the attributes here: which ones are the key's is not at hand.
            told += [reason.get("Code"), reason.get("Message"), None if item is None else self._lists.pack(item, ())]
        return told

    # Inside

    def _body(self, body: dict[str, Any], encoded: bytes) -> dict[str, Any]:
        writer = Writer()
        body.update(requests.parameters(requests.options(encoded), writer))
        shared.placeholders(body, writer)
        return body

    def _held(self, item: Item, schema: KeySchema) -> bytes | None:
        """Return what the region will hold of an item; one that it will refuse is refused as it would."""
        normalise_item(item)
        return self._lists.held(item, schema.names)

    async def _write(
        self,
        operation: str,
        body: dict[str, Any],
        places: list[tuple[str, bytes]],
        held: dict[tuple[str, bytes], bytes | None],
    ) -> dict[str, Any]:
        """Write to the region; then hold what is known of each place, and drop the others."""
        leases = [self._items.lease(*place, writing=True) for place in dict.fromkeys(places)]
        answer = await self._send(operation, body, leases)
        for lease in leases:
            if lease.place in held:
                self._items.settle(lease, held[lease.place])
            else:
                self._items.release(lease, changed=True)
        return answer

    async def _send(self, operation: str, body: dict[str, Any], leases: list[Lease]) -> dict[str, Any]:
        """Send a write; where it fails its leases end, and what may have changed is dropped."""
        try:
            return await self._parts.upstream.call(operation, body)
        except BaseException as error:
            definite = isinstance(error, RegionError) and error.definite
            for lease in leases:
                self._items.release(lease, changed=not definite)
            raise

    def _answer(self, answer: dict[str, Any], body: dict[str, Any], schema: KeySchema) -> bytes:
        members: dict[int, bytes] = {}
        attributes = answer.get("Attributes")
        if attributes is not None:
            some = body.get("ReturnValues") in _SOME
            packed = self._lists.pack_some(attributes) if some else self._lists.pack(attributes, schema.names)
            members[responses.ATTRIBUTES] = frames.encode(packed)
        if "ConsumedCapacity" in answer:
            members[responses.CAPACITY] = responses.capacity(answer["ConsumedCapacity"])
        if "ItemCollectionMetrics" in answer:
            members[responses.METRICS] = responses.metrics(answer["ItemCollectionMetrics"])
        return OK + responses.mapping(members)

    def _left(self, left: list[dict[str, Any]], schema: KeySchema) -> list[tuple[bytes, bytes | None]]:
        """Return what of a batch the region has not done, as it came."""
        pairs: list[tuple[bytes, bytes | None]] = []
        for each in left:
            if "PutRequest" in each:
                item = each["PutRequest"]["Item"]
                normalise_item(item)
                pairs.append((schema.pack(item), self._lists.pack(item, schema.names)))
            else:
                key = each["DeleteRequest"]["Key"]
                normalise_item(key)
                pairs.append((schema.pack(key), None))
        return pairs

    def _refresh(self, changed: list[tuple[str, KeySchema, bytes]]) -> None:
        """Fetch items anew in the background, which were dropped."""
        task = asyncio.create_task(self._fetch(changed))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _fetch(self, changed: list[tuple[str, KeySchema, bytes]]) -> None:
        leases = [self._items.lease(table, key) for table, _, key in changed]
        gets = [{"Get": {"TableName": table, "Key": schema.unpack(key)}} for table, schema, key in changed]
        try:
            answer = await self._parts.upstream.call("TransactGetItems", {"TransactItems": gets})
        except (RegionError, UnansweredError):
            # The next read fetches what this one did not.
            for lease in leases:
                self._items.release(lease)
            return
        for lease, found, (_, schema, _) in zip(leases, answer["Responses"], changed, strict=True):
            self._items.settle(lease, self._lists.held(found.get("Item"), schema.names))
