"""One page of a Query or Scan: what is read, filtered, projected and counted.

What: a page ends at ``Limit`` items read, after the item that carries the sum of sizes over 1 MB where others follow,
or at the end of the range; all three are counted before the filter. Items that a local index must fetch from the table
count for the 1 MB too. Pages without filter and projection splice stored images into the answer and decode nothing but
the last key.

Source: AWS API reference, "Query" and "Scan"; developer guide, "Paginating table query results".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from region.errors import ValidationError
from region.expression import Condition, Projection
from region.model import image as images
from region.model import limits
from region.model.change import Entry, Response
from region.model.table import Index, Table
from region.model.values import INVALID, Item
from region.operation.capacity.consumption import Consumption, read_units
from region.operation.context import Context

INVALID_START: Final = "The provided starting key is invalid"
_PROJECTIONS: Final = ("ProjectionExpression", "AttributesToGet")


@dataclass(frozen=True, slots=True)
class Range:
    """What to read: a half-open range of keys of a table or index, and in which direction."""

    table: Table
    index: Index | None
    lower: bytes
    upper: bytes | None
    reverse: bool = False


class Shape(NamedTuple):
    """What to answer with: the filter, the projection, whether items are answered at all, and from where."""

    filter: Condition | None
    projection: Projection | None
    count_only: bool
    fetch_base: bool
    """Whether a local index does not carry what is asked for, so that every item is fetched from the table."""


def shape_of(
    request: dict[str, Any],
    table: Table,
    index: Index | None,
    filter_: Condition | None,
    projection: Projection | None,
) -> Shape:
    """Work out what an index can answer, and refuse what it cannot, in AWS's words."""
    select = request.get("Select")
    fetch_base = False
    if index is not None and index.carried is not None:
        if filter_ is not None and (missing := sorted(filter_.top_level_names - index.carried)):
            raise ValidationError(
                f"{INVALID}Secondary index {index.name} does not project one or more filter attributes: "
                f"[{', '.join(missing)}]"
            )
        wanted = frozenset() if projection is None else projection.top_level_names - index.carried
        if index.global_:
            if select == "ALL_ATTRIBUTES":
                raise ValidationError(
                    f"{INVALID}Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
                    "because its projection type is not ALL"
                )
            if wanted:
                raise ValidationError(
                    f"{INVALID}Global secondary index {index.name} does not project [{', '.join(sorted(wanted))}]"
                )
        fetch_base = bool(wanted) or select == "ALL_ATTRIBUTES"
    return Shape(filter_, projection, select == "COUNT", fetch_base)


def check_select(request: dict[str, Any]) -> None:
    """Refuse combinations of ``Select`` with other parameters, in AWS's words."""
    select = request.get("Select")
    if select is None:
        return
    projected = next((name for name in _PROJECTIONS if request.get(name) is not None), None)
    if select == "SPECIFIC_ATTRIBUTES" and projected is None:
        raise ValidationError(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    if projected is not None and select != "SPECIFIC_ATTRIBUTES":
        what = "only the Count" if select == "COUNT" else select
        raise ValidationError(f"Cannot specify the {projected} when choosing to get {what}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and request.get("IndexName") is None:
        raise ValidationError("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")


def index_of(request: dict[str, Any], table: Table) -> Index | None:
    """Return the index that the request names, once it can be read."""
    name = request.get("IndexName")
    if name is None:
        return None
    index = table.indexes.get(name)
    if index is None:
        raise ValidationError(f"The table does not have the specified index: {name}")
    if index.global_ and request.get("ConsistentRead"):
        raise ValidationError("Consistent reads are not supported on global secondary indexes")
    if index.backfilling:
        raise ValidationError(f"Cannot read from backfilling global secondary index: {name}")
    return index


def read(context: Context, request: dict[str, Any], range_: Range, shape: Shape) -> Response:
    """Read one page and build the whole answer."""
    mode: str = request.get("ReturnConsumedCapacity") or "NONE"
    reported = mode != "NONE"
    consumption = Consumption(range_.table, request["TableName"]) if reported or shape.fetch_base else None
    consistent = bool(request.get("ConsistentRead"))
    limit = request.get("Limit")
    if consumption is not None and shape.fetch_base:
        entries, items, more = _fetch(context, range_, limit, shape, consumption, consistent=consistent)
        size = sum([entry.size for entry in entries])
        fetched = consumption.table_units
    else:
        entries, size, more = _take(context, range_, limit)
        items = _select(entries, shape)
        fetched = 0.0
    response: Response = {"Count": len(items), "ScannedCount": len(entries)}
    if not shape.count_only:
        response["Items"] = items
    if more:
        response["LastEvaluatedKey"] = _key_of(range_, images.decode(entries[-1].image))
    units = read_units(size, consistent=consistent)
    context.usages[range_.table.name].read(range_.index, units, fetched)
    if consumption is not None and reported:
        if range_.index is None:
            consumption.table_units = units
        else:
            consumption.add_index(range_.index, units)
        response["ConsumedCapacity"] = consumption.report(mode)
    return response


def _take(context: Context, range_: Range, limit: int | None) -> tuple[list[Entry], int, bool]:
    """Read entries until the page is full; return them, their size, and whether the page ended before the range did."""
    scan = context.reader.scan(range_.table, range_.index, range_.lower, range_.upper, reverse=range_.reverse)
    entries: list[Entry] = []
    size = 0
    for entry in scan:
        if size > limits.PAGE_BYTES_MAX:
            release(scan)
            return entries, size, True
        entries.append(entry)
        size += entry.size
        if len(entries) == limit:
            release(scan)
            return entries, size, True
    return entries, size, False


def _select(entries: list[Entry], shape: Shape) -> list[Any]:
    """Return what is answered of the entries, or as many items when only their number is."""
    filter_, projection = shape.filter, shape.projection
    if filter_ is None and projection is None:
        return entries if shape.count_only else [images.splice(entry.image) for entry in entries]
    items: list[Any] = []
    for entry in entries:
        item = images.decode(entry.image)
        if filter_ is None or filter_.matches(item):
            items.append(item if projection is None else projection.apply(item))
    return items


def _fetch(
    context: Context, range_: Range, limit: int | None, shape: Shape, consumption: Consumption, *, consistent: bool
) -> tuple[list[Entry], list[Any], bool]:
    """Read entries of a local index and the items they stand for until the page is full, as :func:`_take` does.

    The filter sees what the index carries, so that only what passes it is fetched.
    """
    table, filter_, projection = range_.table, shape.filter, shape.projection
    scan = context.reader.scan(table, range_.index, range_.lower, range_.upper, reverse=range_.reverse)
    entries: list[Entry] = []
    items: list[Any] = []
    size = 0
    for entry in scan:
        if size > limits.PAGE_BYTES_MAX:
            release(scan)
            return entries, items, True
        entries.append(entry)
        size += entry.size
        item = images.decode(entry.image)
        if filter_ is None or filter_.matches(item):
            base = context.reader.get(table, table.key_of(table.key_attributes(item)))
            if base is not None and base.image is not None:
                size += base.size
                item = images.decode(base.image)
                consumption.table_units += read_units(base.size, consistent=consistent)
            items.append(item if projection is None else projection.apply(item))
        if len(entries) == limit:
            release(scan)
            return entries, items, True
    return entries, items, False


def release(scan: Iterator[Entry]) -> None:
    """Release a scan that is not read to its end."""
    close = getattr(scan, "close", None)
    if close is not None:
        close()


def _key_of(range_: Range, item: Item) -> Item:
    names = range_.table.keys.names if range_.index is None else range_.index.keys.names + range_.table.keys.names
    return {name: item[name] for name in names}


def start_key(range_: Range, start: Item, complaint: str) -> bytes:
    """Return the key at which an ``ExclusiveStartKey`` (canonical) stands in its source.

    Raises:
        ValidationError: it does not fit the key schema, which is told with ``complaint``; or one of its values cannot
            be a key.
    """
    table, index = range_.table, range_.index
    names = set(table.keys.names if index is None else table.keys.names + index.keys.names)
    if set(start) != names or any(table.types[name] not in start[name] for name in names):
        raise ValidationError(complaint)
    try:
        base_key = table.key_of(table.key_attributes(start))
    except ValidationError as error:
        raise ValidationError(f"{INVALID_START}: {error}") from error
    entry_key = base_key if index is None else index.entry_key(start, base_key)
    if entry_key is None:
        raise ValidationError(complaint)
    return entry_key


def after(range_: Range, start: bytes) -> Range:
    """Return the rest of a range behind a start key."""
    if range_.reverse:
        return replace(range_, upper=start)
    return replace(range_, lower=start + b"\x00")


def contains(range_: Range, key: bytes) -> bool:
    """Whether a key lies in a range."""
    return range_.lower <= key and (range_.upper is None or key < range_.upper)
