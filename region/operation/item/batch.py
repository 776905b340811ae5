"""BatchGetItem and BatchWriteItem.

What: a batch of writes is checked whole before its first write, so a request that is refused has changed nothing. All
writes of one batch share the engine's transaction but promise no atomicity to the caller, as on AWS.

Source: AWS API reference, "BatchGetItem", "BatchWriteItem"; facts: 100 keys, 25 writes, 16 MB, no duplicates.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from region.errors import ValidationError
from region.expression import Placeholders, Projection
from region.model import image as images
from region.model import limits, values
from region.model.change import Response
from region.model.table import Table
from region.model.values import Item
from region.operation.capacity.consumption import Consumption, read_units
from region.operation.context import Context
from region.operation.item import parameters
from region.operation.item.items import collections_written

_MORE_THAN_ONE = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)
_DUPLICATES = "Provided list of item keys contains duplicates"


class _Read(NamedTuple):
    """What is asked of one table: the keys as given and encoded, and how to answer."""

    name: str
    table: Table
    request: dict[str, Any]
    keys: list[tuple[Item, bytes]]
    projection: Projection | None


class _Write(NamedTuple):
    """One write of a batch, ready: an item to put, or ``None`` to delete; ``name`` is the table as it was given."""

    name: str
    table: Table
    key: bytes
    key_item: Item
    item: Item | None
    size: int


def batch_get_item(context: Context, request: dict[str, Any]) -> Response:
    """Read up to 100 items of several tables; what does not fit into 16 MB is answered as unprocessed."""
    reads = plan_reads(context, request["RequestItems"])
    responses: dict[str, list[Any]] = {}
    unprocessed: dict[str, Any] = {}
    consumed: list[Consumption] = []
    total = 0
    for read in reads:
        found = responses[read.name] = []
        consistent = bool(read.request.get("ConsistentRead"))
        consumption = Consumption(read.table, read.name)
        consumed.append(consumption)
        for position, (_, key) in enumerate(read.keys):
            stored = context.reader.get(read.table, key)
            size = stored.size if stored is not None and stored.image is not None else 0
            if total + size > limits.BATCH_BYTES_MAX:
                left = [key_item for key_item, _ in read.keys[position:]]
                unprocessed[read.name] = {**read.request, "Keys": left}
                break
            total += size
            consumption.table_units += read_units(size, consistent=consistent)
            if stored is not None and stored.image is not None:
                found.append(
                    images.splice(stored.image)
                    if read.projection is None
                    else read.projection.apply(images.decode(stored.image))
                )
        context.usages[read.table.name].add(consumption, writes=False)
    response: Response = {"Responses": responses, "UnprocessedKeys": unprocessed}
    return _with_capacity(response, request, consumed)


def plan_reads(context: Context, items: dict[str, dict[str, Any]]) -> list[_Read]:
    """Check the reads of a batch and return them, table by table."""
    if sum(len(read["Keys"]) for read in items.values()) > limits.BATCH_GET_KEYS_MAX:
        raise ValidationError("Too many items requested for the BatchGetItem call")
    parsed: list[tuple[str, dict[str, Any], Projection | None]] = []
    for name, read in items.items():
        parameters.refuse_mixed(read)
        placeholders = Placeholders.of_projection(read)
        projection = parameters.projection_of(read, placeholders)
        placeholders.finish()
        for key in read["Keys"]:
            values.normalise_item(key)
        parsed.append((name, read, projection))
    reads: list[_Read] = []
    seen: set[tuple[int, bytes]] = set()
    for name, read, projection in parsed:
        table = context.table(name)
        if projection is not None:
            projection.refuse_nested_keys(table.keys.names)
        keys = [(key, table.key_of(key)) for key in read["Keys"]]
        for _, key in keys:
            if (table.id, key) in seen:
                raise ValidationError(_DUPLICATES)
            seen.add((table.id, key))
        reads.append(_Read(name, table, read, keys, projection))
    return reads


def batch_write_item(context: Context, request: dict[str, Any]) -> Response:
    """Put and delete up to 25 items of several tables."""
    writes = plan_writes(context, request["RequestItems"])
    mode = request.get("ReturnConsumedCapacity")
    reporting = mode is not None and mode != "NONE"
    consumed: dict[str, Consumption] = {}
    for write in writes:
        incumbent = context.reader.get(write.table, write.key)
        old_item: Item | None = None
        if incumbent is not None and incumbent.image is not None and write.table.indexes:
            old_item = images.decode(incumbent.image)
        image = None if write.item is None else images.encode(write.item)
        context.write(write.table, write.key, image, write.size, incumbent, item=write.item, old_item=old_item)
        if reporting:
            consumption = consumed.get(write.name)
            if consumption is None:
                consumption = consumed[write.name] = Consumption(write.table, write.name)
            consumption.add_write(old_item, incumbent.size if incumbent else 0, write.item, write.size)
    response: Response = {"UnprocessedItems": {}}
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        metrics = collections_written(context, ((write.name, write.table, write.key_item) for write in writes))
        if metrics:
            response["ItemCollectionMetrics"] = metrics
    return _with_capacity(response, request, list(consumed.values()))


def plan_writes(context: Context, items: dict[str, list[dict[str, Any]]]) -> list[_Write]:
    """Check the writes of a batch and return them in their order."""
    if sum(map(len, items.values())) > limits.BATCH_WRITE_ITEMS_MAX:
        raise ValidationError("Too many items requested for the BatchWriteItem call")
    parsed: list[tuple[str, Item | None, Item, int]] = []
    for name, requests in items.items():
        for entry in requests:
            put, delete = entry.get("PutRequest"), entry.get("DeleteRequest")
            if (put is None) == (delete is None):
                raise ValidationError(_MORE_THAN_ONE)
            if put is not None:
                item: Item = put["Item"]
                size = values.normalise_item(item)
                if size > limits.ITEM_BYTES_MAX:
                    raise ValidationError("Item size has exceeded the maximum allowed size")
                parsed.append((name, item, item, size))
            elif delete is not None:
                values.normalise_item(delete["Key"])
                parsed.append((name, None, delete["Key"], 0))
    writes: list[_Write] = []
    seen: set[tuple[int, bytes]] = set()
    for name, item_or_none, key_item, size in parsed:
        table = context.table(name)
        key = table.key_of(key_item) if item_or_none is None else table.check_item_keys(key_item)
        if (table.id, key) in seen:
            raise ValidationError(_DUPLICATES)
        seen.add((table.id, key))
        writes.append(_Write(name, table, key, key_item, item_or_none, size))
    return writes


def _with_capacity(response: Response, request: dict[str, Any], consumed: list[Consumption]) -> Response:
    mode = request.get("ReturnConsumedCapacity")
    if mode is not None and mode != "NONE":
        response["ConsumedCapacity"] = [consumption.report(mode) for consumption in consumed]
    return response
