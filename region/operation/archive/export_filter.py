"""FilterSpecification: which items of a table an export holds, and how much of each.

What: a key condition, a filter and a projection, in the expression language of Query, judged item by item.

Source: AWS API reference, FilterSpecification of ExportTableToPointInTime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from region.expression import Condition, Placeholders, Projection
from region.model.table import Table
from region.model.values import Item
from region.operation.item import parameters


class ExportFilter:
    """The items that an export holds."""

    def __init__(
        self, table: Table, bounds: tuple[bytes, bytes | None], filter_: Condition | None, projection: Projection | None
    ) -> None:
        self._table = table
        self._lower, self._upper = bounds
        self._filter = filter_
        self._projection = projection

    def chosen(self, item: Item) -> Item | None:
        """Return what is exported of an item, ``None`` where it is left out."""
        key = self._table.key_of(self._table.key_attributes(item))
        if key < self._lower or (self._upper is not None and key >= self._upper):
            return None
        if self._filter is not None and not self._filter.matches(item):
            return None
        return item if self._projection is None else self._projection.apply(item)


def parse(specification: Mapping[str, Any], table: Table) -> ExportFilter:
    """Check a FilterSpecification against its table.

    Raises:
        ValidationError: an expression is wrong, or does not fit the table's keys.
    """
    placeholders = Placeholders.of(specification, "FilterExpression", "KeyConditionExpression", "ProjectionExpression")
    bounds: tuple[bytes, bytes | None] = b"", None
    if specification.get("KeyConditionExpression") is not None:
        condition = parameters.key_condition_of(specification, placeholders)
        bounds = condition.resolve(table.keys.hash, table.keys.range, table.types).bounds()
    filter_ = parameters.filter_of(specification, placeholders)
    projection = parameters.projection_of(specification, placeholders)
    placeholders.finish()
    if filter_ is not None:
        filter_.refuse_nested_keys(table.keys.names)
    if projection is not None:
        projection.refuse_nested_keys(table.keys.names)
    return ExportFilter(table, bounds, filter_, projection)
