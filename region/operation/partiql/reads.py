"""SELECT: one item, ranges of partitions, or a whole table or index, page by page.

What: a clause that confines the partition key reads ranges of those partitions, down to single items, any other the
whole source; each as Query and Scan read their pages.

Invariants: ranges are read in one order, which depends on the statement and the schema alone, so that a token can say
in which of them to go on. Without ORDER BY partitions come in the order of a Scan.

Source: AWS developer guide, "PartiQL select statements for DynamoDB", "PartiQL arithmetic, comparison, and logical
operators for DynamoDB" (pages of statements with IN); wording as DynamoDB Local sends it.
"""

from __future__ import annotations

from typing import Any, Final

from region.errors import ValidationError
from region.expression.operators import sort_value
from region.model import keys
from region.model.change import Response
from region.model.table import Index, KeySchema, Table
from region.model.values import AttributeValue
from region.operation.capacity.consumption import Consumption
from region.operation.context import Context
from region.operation.item import page
from region.operation.item.page import Range, Shape
from region.operation.partiql import token as partiql_token
from region.operation.partiql.binding import Bound, compile_condition, table_of
from region.operation.partiql.token import INVALID, Position
from region.operation.transaction.actions import Get
from region.partiql import KeyPlan, Select, full_key, key_plan, selection

SEVERAL_RANGES_ITEMS_MAX: Final = 10
"""How many items a page has that is read from several ranges, as AWS documents it for IN."""


def select(context: Context, bound: Bound, statement: Select) -> Response:
    """Read one page of what a SELECT asks for.

    Raises:
        ValidationError: the statement does not fit its table, or its token is none.
        ResourceNotFoundError: there is no such table.
    """
    projection = selection(statement.paths)
    filter_ = None if statement.where is None else compile_condition(bound, statement.where)
    table = table_of(context, statement.table)
    request = {**bound.request, "TableName": statement.table, "IndexName": statement.index}
    index = page.index_of(request, table)
    for part in (filter_, projection):
        if part is not None:
            part.refuse_nested_keys(table.keys.names)
    schema = table.keys if index is None else index.keys
    types = {name: table.types[name] for name in (*schema.names, *table.keys.names)}
    plan = key_plan(statement.where, schema, types, bound.values)
    reverse = _reverse(statement, schema, plan)
    residual = None if plan.residual is None else compile_condition(bound, plan.residual)
    shape = page.shape_of(request, table, index, residual, projection)
    ranges = _ranges(table, index, plan, statement, reverse=reverse)
    return _pages(context, request, Consumption(table, statement.table), ranges, shape, exact=plan.exact and not index)


def single(table: Table, bound: Bound, statement: Select) -> Get | None:
    """Return the read of the one item that a SELECT names by its primary key and nothing else, or ``None``."""
    if statement.index is not None or statement.order:
        return None
    found = full_key(statement.where, table.keys, table.types, bound.values)
    if found is None or found.residual is not None:
        return None
    return Get({"TableName": statement.table}, found.key, selection(statement.paths))


def _reverse(statement: Select, schema: KeySchema, plan: KeyPlan) -> bool:
    """Return whether ORDER BY wants the sort key descending.

    Raises:
        ValidationError: the order is by what is no key, or in partitions that are not named.
    """
    directions: set[bool] = set()
    for name, descending in statement.order:
        if name not in schema.names:
            raise ValidationError(f"Variable reference {name} in ORDER BY clause must be part of the primary key")
        if name in schema.range:
            directions.add(descending)
    if statement.order and plan.partitions is None:
        raise ValidationError(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
        )
    if len(directions) > 1:
        raise ValidationError("The attributes of one sort key must be ordered in the same direction")
    return True in directions


def _ranges(table: Table, index: Index | None, plan: KeyPlan, statement: Select, *, reverse: bool) -> list[Range]:
    """Return the ranges to read, in their order."""
    if plan.partitions is None:
        lower, upper = keys.segment_bounds(0, 1)
        return [Range(table, index, lower, upper)]
    schema = table.keys if index is None else index.keys
    partitions = sorted(plan.partitions, key=lambda partition: keys.partition(partition.hash_values))
    for name, descending in reversed(statement.order):
        if name in schema.hash:
            position = schema.hash.index(name)
            partitions.sort(key=lambda partition: _order(partition.hash_values[position]), reverse=descending)
    return [
        Range(table, index, lower, upper, reverse=reverse)
        for partition in partitions
        for lower, upper in (partition.ranges[::-1] if reverse else partition.ranges)
    ]


def _order(value: AttributeValue) -> Any:
    ((kind, content),) = value.items()
    return sort_value(kind, content)


def _pages(
    context: Context,
    request: dict[str, Any],
    consumption: Consumption,
    ranges: list[Range],
    shape: Shape,
    *,
    exact: bool,
) -> Response:
    """Read ranges until the page is full; ``exact`` says that a range ends with its first item."""
    position = _position(request, ranges)
    limit = request.get("Limit")
    if len(ranges) > 1:
        limit = min(limit or SEVERAL_RANGES_ITEMS_MAX, SEVERAL_RANGES_ITEMS_MAX)
    mode = request.get("ReturnConsumedCapacity")
    reading = {**request, "ReturnConsumedCapacity": "INDEXES"}
    items: list[Any] = []
    scanned = 0
    stop: Position | None = None
    for number in range(position.range, len(ranges)):
        range_ = ranges[number]
        if number == position.range and position.key is not None:
            range_ = _rest(range_, position)
        reading["Limit"] = None if limit is None else limit - scanned
        answer = page.read(context, reading, range_, shape)
        items += answer["Items"]
        scanned += answer["ScannedCount"]
        _add(consumption, answer["ConsumedCapacity"])
        if "LastEvaluatedKey" in answer and not exact:
            stop = Position(number, answer["LastEvaluatedKey"])
        elif scanned == limit and number + 1 < len(ranges):
            stop = Position(number + 1, None)
        if stop is not None:
            break
    response: Response = {"Items": items}
    context.usages[consumption.table.name].returned["ExecuteStatement"].add(len(items))
    if stop is not None:
        response["NextToken"] = partiql_token.encode(request, stop)
        if stop.key is not None:
            response["LastEvaluatedKey"] = stop.key
    if mode is not None and mode != "NONE":
        response["ConsumedCapacity"] = consumption.report(mode)
    return response


def _position(request: dict[str, Any], ranges: list[Range]) -> Position:
    token = request.get("NextToken")
    if token is None:
        return Position(0, None)
    position = partiql_token.decode(request, token)
    if position.range >= len(ranges):
        raise ValidationError(INVALID)
    return position


def _rest(range_: Range, position: Position) -> Range:
    """Return what of a range is behind a position in it."""
    key = page.start_key(range_, position.key or {}, INVALID)
    if not page.contains(range_, key):
        raise ValidationError(INVALID)
    return page.after(range_, key)


def _add(consumption: Consumption, report: dict[str, Any]) -> None:
    """Add what the reading of one range consumed."""
    consumption.table_units += report["Table"]["CapacityUnits"]
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        for name, share in report.get(member, {}).items():
            consumption.add_index(consumption.table.indexes[name], share["CapacityUnits"])
