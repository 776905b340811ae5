"""GetItem, PutItem, UpdateItem and DeleteItem.

What: each is one read of the item under its key and at most one write over it. The order of checks is AWS's: the values
themselves, the expressions, the table, the key against the schema, the condition.

Hazard: the request is brought to canonical form in place.

Source: AWS API reference of the four operations; facts on return values, "UPDATED_OLD and UPDATED_NEW".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from region.errors import ConditionalCheckFailedError, ValidationError
from region.expression import Condition, DocumentPath, Placeholders, Update, touched
from region.model import image as images
from region.model import keys, limits, values
from region.model.change import Response, StoredItem
from region.model.table import Table
from region.model.values import Item
from region.operation.capacity.consumption import (
    GIGABYTE,
    Consumption,
    collection_metrics,
    has_local_indexes,
    read_units,
    write_units,
)
from region.operation.context import Context
from region.operation.item import parameters

_EXPRESSION_MEMBERS: Final = frozenset(
    ("ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", *parameters.LEGACY)
)


def get_item(context: Context, request: dict[str, Any]) -> Response:
    """Read one item by its key."""
    projection = None
    if "ProjectionExpression" in request or "ExpressionAttributeNames" in request or "AttributesToGet" in request:
        parameters.refuse_mixed(request)
        placeholders = Placeholders.of_projection(request)
        projection = parameters.projection_of(request, placeholders)
        placeholders.finish()
    key = request["Key"]
    values.normalise_item(key)
    table = context.table(request["TableName"])
    if projection is not None:
        projection.refuse_nested_keys(table.keys.names)
    stored = context.reader.get(table, table.key_of(key))
    response: Response = {}
    size = 0
    if stored is not None and stored.image is not None:
        size = stored.size
        if projection is None:
            response["Item"] = images.splice(stored.image)
        else:
            response["Item"] = projection.apply(images.decode(stored.image))
    consistent = request.get("ConsistentRead", False)
    context.usages[table.name].got(size, consistent)
    mode = request.get("ReturnConsumedCapacity")
    if mode is not None and mode != "NONE":
        consumption = Consumption(table, request["TableName"])
        consumption.table_units = read_units(size, consistent=consistent)
        response["ConsumedCapacity"] = consumption.report(mode)
    return response


def put_item(context: Context, request: dict[str, Any]) -> Response:
    """Write a whole item, replacing the one under its key."""
    return_values = _old_or_none(request)
    item: Item = request["Item"]
    size = values.normalise_item(item)
    condition = None if _EXPRESSION_MEMBERS.isdisjoint(request) else _write_condition(request)
    if size > limits.ITEM_BYTES_MAX:
        raise ValidationError("Item size has exceeded the maximum allowed size")
    table = context.table(request["TableName"])
    key = table.check_item_keys(item)
    if condition is not None:
        condition.refuse_nested_keys(table.keys.names)
    incumbent = context.reader.get(table, key)
    old_item = _old_item(request, table, incumbent, condition)
    _check(context, table, incumbent, condition, old_item, request)
    context.write(table, key, images.encode(item), size, incumbent, item=item, old_item=old_item, condition=condition)
    response: Response = {}
    if return_values == "ALL_OLD" and incumbent is not None and incumbent.image is not None:
        response["Attributes"] = images.splice(incumbent.image)
    return _report(context, request, response, table, old_item, incumbent, item, size)


def delete_item(context: Context, request: dict[str, Any]) -> Response:
    """Delete the item under a key, if there is one."""
    return_values = _old_or_none(request)
    key_item: Item = request["Key"]
    values.normalise_item(key_item)
    condition = None if _EXPRESSION_MEMBERS.isdisjoint(request) else _write_condition(request)
    table = context.table(request["TableName"])
    key = table.key_of(key_item)
    if condition is not None:
        condition.refuse_nested_keys(table.keys.names)
    incumbent = context.reader.get(table, key)
    old_item = _old_item(request, table, incumbent, condition)
    _check(context, table, incumbent, condition, old_item, request)
    context.write(table, key, None, 0, incumbent, old_item=old_item, condition=condition)
    response: Response = {}
    if return_values == "ALL_OLD" and incumbent is not None and incumbent.image is not None:
        response["Attributes"] = images.splice(incumbent.image)
    return _report(context, request, response, table, old_item, incumbent, None, 0, key_item=key_item)


def update_item(context: Context, request: dict[str, Any]) -> Response:
    """Change attributes of the item under a key, or create it."""
    key_item: Item = request["Key"]
    values.normalise_item(key_item)
    parameters.refuse_mixed(request)
    placeholders = Placeholders.of(request, "UpdateExpression", "ConditionExpression")
    update = parameters.update_of(request, placeholders)
    condition = parameters.condition_of(request, placeholders)
    placeholders.finish()
    table = context.table(request["TableName"])
    key = table.key_of(key_item)
    if update is not None:
        update.refuse_keys(table.keys.names)
    if condition is not None:
        condition.refuse_nested_keys(table.keys.names)
    incumbent = context.reader.get(table, key)
    old_item = images.decode(incumbent.image) if incumbent is not None and incumbent.image is not None else None
    _check(context, table, incumbent, condition, old_item, request)
    item, paths, size = updated(table, update, old_item, key_item)
    context.write(table, key, images.encode(item), size, incumbent, item=item, old_item=old_item, condition=condition)
    response = _update_attributes(request.get("ReturnValues"), old_item, item, paths)
    return _report(context, request, response, table, old_item, incumbent, item, size)


def updated(
    table: Table, update: Update | None, old_item: Item | None, key_item: Item
) -> tuple[Item, tuple[DocumentPath, ...], int]:
    """Return what an update makes of an item, the paths it touches, and the new item's size in bytes.

    Raises:
        ValidationError: in AWS's words, when the item does not have what the update needs, or would become invalid.
    """
    paths: tuple[DocumentPath, ...] = ()
    if update is None:
        item = old_item if old_item is not None else dict(key_item)
    else:
        item, paths = update.apply(old_item, key_item)
        if table.indexes:
            _check_updated_index_keys(table, update, item)
        _check_nesting(item, paths)
    size = values.item_size(item)
    if size > limits.ITEM_BYTES_MAX:
        raise ValidationError("Item size to update has exceeded the maximum allowed size")
    return item, paths, size


def _update_attributes(
    return_values: str | None, old_item: Item | None, item: Item, paths: tuple[DocumentPath, ...]
) -> Response:
    if return_values is None or return_values == "NONE":
        return {}
    if return_values == "ALL_NEW":
        return {"Attributes": item}
    if return_values == "ALL_OLD":
        return {} if old_item is None else {"Attributes": old_item}
    attributes = touched(item if return_values == "UPDATED_NEW" else old_item or {}, paths)
    return {"Attributes": attributes} if attributes else {}


def _old_or_none(request: Mapping[str, Any]) -> str:
    return_values: str = request.get("ReturnValues") or "NONE"
    if return_values not in ("NONE", "ALL_OLD"):
        raise ValidationError("Return values set to invalid value")
    return return_values


def _write_condition(request: Mapping[str, Any]) -> Condition | None:
    parameters.refuse_mixed(request)
    placeholders = Placeholders.of(request, "ConditionExpression")
    condition = parameters.condition_of(request, placeholders)
    placeholders.finish()
    return condition


def _old_item(
    request: Mapping[str, Any], table: Table, incumbent: StoredItem | None, condition: Condition | None
) -> Item | None:
    """Decode the incumbent where something needs its attributes: a condition, an index, or the capacity report."""
    if incumbent is None or incumbent.image is None:
        return None
    if condition is None and not table.indexes:
        return None
    return images.decode(incumbent.image)


def _check(
    context: Context,
    table: Table,
    incumbent: StoredItem | None,
    condition: Condition | None,
    old_item: Item | None,
    request: Mapping[str, Any],
) -> None:
    """Refuse a write whose condition does not hold; it has cost what a write of the item that is there costs."""
    if condition is None or condition.matches(old_item):
        return
    context.usages[table.name].writes.add(write_units(incumbent.size if incumbent else 0))
    if old_item is not None and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
        raise ConditionalCheckFailedError(Item=old_item)
    raise ConditionalCheckFailedError


def _check_updated_index_keys(table: Table, update: Update, item: Item) -> None:
    """Check the index keys that the update has changed, with the words AWS has for an update.

    Others are left alone: an item may be older than an index that it does not fit into.
    """
    changed = {name: item[name] for name in update.top_level_names if name in item}
    for index in table.indexes.values() if update.by_expression else ():
        for name in index.keys.names:
            if name in changed and not changed[name].get(kind := table.types[name], True):
                raise ValidationError(
                    "One or more parameter values are not valid. The update expression attempted to update a "
                    "secondary index key to a value that is not supported. The AttributeValue for a key attribute "
                    f"cannot contain an empty {'string' if kind == 'S' else 'binary'} value."
                )
    table.check_index_keys(changed)


def _check_nesting(item: Item, paths: tuple[DocumentPath, ...]) -> None:
    """Refuse an item in which a path has put a value, itself not too deep, deeper than the limit."""
    for name in {str(path[0]) for path in paths if len(path) > 1}:
        if name in item:
            values.check_nesting(item[name])


def _report(
    context: Context,
    request: Mapping[str, Any],
    response: Response,
    table: Table,
    old_item: Item | None,
    incumbent: StoredItem | None,
    item: Item | None,
    size: int,
    *,
    key_item: Item | None = None,
) -> Response:
    """Add what the request asked to be told of its cost."""
    mode = request.get("ReturnConsumedCapacity")
    if mode is not None and mode != "NONE":
        consumption = Consumption(table, request["TableName"])
        consumption.add_write(old_item, incumbent.size if incumbent else 0, item, size)
        response["ConsumedCapacity"] = consumption.report(mode)
    if request.get("ReturnItemCollectionMetrics") == "SIZE" and has_local_indexes(table):
        response["ItemCollectionMetrics"] = item_collection_metrics(context, table, item or key_item or {})
    return response


def item_collection_metrics(context: Context, table: Table, item: Item) -> dict[str, Any]:
    """Estimate the collection that an item belongs to: the table's items and index entries of its partition.

    The answer is in whole gigabytes. Where the table with its local indexes is below one, so is the collection, and
    nothing is read: reading it with each of its writes would make their cost quadratic.
    """
    sources = [None, *(index for index in table.indexes.values() if not index.global_)]
    size = sum(context.reader.statistics(table, source)[1] for source in sources)
    if size >= GIGABYTE:
        prefix = keys.partition((item[table.hash_name],))
        upper = keys.successor(prefix)
        size = sum(entry.size for source in sources for entry in context.reader.scan(table, source, prefix, upper))
    return collection_metrics(table, item, size)


def collections_written(
    context: Context, written: Iterable[tuple[str, Table, Item]]
) -> dict[str, list[dict[str, Any]]]:
    """Measure every collection that several writes belong to, once, by the name under which its table was given."""
    metrics: dict[str, list[dict[str, Any]]] = {}
    measured: set[tuple[int, str]] = set()
    for called, table, item in written:
        collection = (table.id, str(item[table.hash_name]))
        if has_local_indexes(table) and collection not in measured:
            measured.add(collection)
            metrics.setdefault(called, []).append(item_collection_metrics(context, table, item))
    return metrics
