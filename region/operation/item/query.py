"""Query and Scan: a range of keys, read page by page.

Source: AWS API reference, "Query", "Scan"; developer guide, "Working with scans" (parallel scan).
"""

from __future__ import annotations

from typing import Any, Final

from region.errors import ValidationError
from region.expression import Condition, Placeholders, Projection
from region.model import keys, values
from region.model.change import Response
from region.operation.context import Context
from region.operation.item import page, parameters
from region.operation.item.page import Range, Shape

_SCAN_EXPRESSIONS: Final = parameters.LEGACY | {
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
}


def query(context: Context, request: dict[str, Any]) -> Response:
    """Read the items of one partition of a table or index, in the order of the sort key."""
    page.check_select(request)
    parameters.refuse_mixed(request)
    parameters.require_key_condition(request)
    placeholders = Placeholders.of(request, "FilterExpression", "KeyConditionExpression", "ProjectionExpression")
    condition = parameters.key_condition_of(request, placeholders)
    filter_, projection = _filter_and_projection(request, placeholders)
    table = context.table(request["TableName"])
    index = page.index_of(request, table)
    schema = table.keys if index is None else index.keys
    resolved = condition.resolve(schema.hash, schema.range, table.types)
    if filter_ is not None:
        filter_.refuse_nested_keys(table.keys.names)
        filter_.refuse_keys(schema.names, called=parameters.filter_name(request))
    if projection is not None:
        projection.refuse_nested_keys(table.keys.names)
    shape = page.shape_of(request, table, index, filter_, projection)
    lower, upper = resolved.bounds()
    range_ = Range(table, index, lower, upper, reverse=request.get("ScanIndexForward") is False)
    start = request.get("ExclusiveStartKey")
    if start is not None:
        values.normalise_item(start)
        key = page.start_key(range_, start, page.INVALID_START)
        if not page.contains(range_, key):
            raise ValidationError(
                "The provided starting key does not match the range key predicate"
                if key.startswith(keys.partition(resolved.hash_values))
                else "The provided starting key is outside query boundaries based on provided conditions"
            )
        range_ = page.after(range_, key)
    return _read(context, "Query", request, range_, shape)


def scan(context: Context, request: dict[str, Any]) -> Response:
    """Read a whole table or index, or one of its segments, in the order of the partition keys' hashes."""
    page.check_select(request)
    parameters.refuse_mixed(request)
    filter_, projection = None, None
    if not _SCAN_EXPRESSIONS.isdisjoint(request):
        placeholders = Placeholders.of(request, "FilterExpression", "ProjectionExpression")
        filter_, projection = _filter_and_projection(request, placeholders)
    segment, total = _segment(request)
    table = context.table(request["TableName"])
    index = page.index_of(request, table)
    for expression in (filter_, projection):
        if expression is not None:
            expression.refuse_nested_keys(table.keys.names)
    shape = page.shape_of(request, table, index, filter_, projection)
    lower, upper = keys.segment_bounds(segment, total)
    range_ = Range(table, index, lower, upper)
    start = request.get("ExclusiveStartKey")
    if start is not None:
        values.normalise_item(start)
        key = page.start_key(range_, start, f"{page.INVALID_START}: The provided key element does not match the schema")
        if not page.contains(range_, key):
            raise ValidationError(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
                f"correct Segment. TotalSegments: {total} Segment: {segment}"
            )
        range_ = page.after(range_, key)
    return _read(context, "Scan", request, range_, shape)


def _read(context: Context, operation: str, request: dict[str, Any], range_: Range, shape: Shape) -> Response:
    """Read the page, and count what it answers."""
    response = page.read(context, request, range_, shape)
    context.usages[range_.table.name].returned[operation].add(response["Count"])
    return response


def _filter_and_projection(
    request: dict[str, Any], placeholders: Placeholders
) -> tuple[Condition | None, Projection | None]:
    filter_ = parameters.filter_of(request, placeholders)
    projection = parameters.projection_of(request, placeholders)
    placeholders.finish()
    return filter_, projection


def _segment(request: dict[str, Any]) -> tuple[int, int]:
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is None and total is None:
        return 0, 1
    if total is None:
        raise ValidationError(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
            "present"
        )
    if segment is None:
        raise ValidationError(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
            "present"
        )
    if segment >= total:
        raise ValidationError(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment, total
