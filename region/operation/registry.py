"""The table of built operations: what the engine runs, and whether it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from region.model.change import Response
from region.operation import account, batch, items, legacy_global, query, table_update, tables, tags
from region.operation.context import Context

Run = Callable[[Context, dict[str, Any]], Response]


class Operation(NamedTuple):
    """One operation of the service model: its name, whether it needs the writer, and its function."""

    name: str
    writes: bool
    run: Run


def _table(*operations: Operation) -> dict[str, Operation]:
    return {operation.name: operation for operation in operations}


OPERATIONS: Final[dict[str, Operation]] = _table(
    Operation("GetItem", writes=False, run=items.get_item),
    Operation("PutItem", writes=True, run=items.put_item),
    Operation("UpdateItem", writes=True, run=items.update_item),
    Operation("DeleteItem", writes=True, run=items.delete_item),
    Operation("Query", writes=False, run=query.query),
    Operation("Scan", writes=False, run=query.scan),
    Operation("BatchGetItem", writes=False, run=batch.batch_get_item),
    Operation("BatchWriteItem", writes=True, run=batch.batch_write_item),
    Operation("CreateTable", writes=True, run=tables.create_table),
    Operation("DescribeTable", writes=False, run=tables.describe_table),
    Operation("ListTables", writes=False, run=tables.list_tables),
    Operation("UpdateTable", writes=True, run=table_update.update_table),
    Operation("DeleteTable", writes=True, run=tables.delete_table),
    Operation("TagResource", writes=True, run=tags.tag_resource),
    Operation("UntagResource", writes=True, run=tags.untag_resource),
    Operation("ListTagsOfResource", writes=False, run=tags.list_tags_of_resource),
    Operation("DescribeEndpoints", writes=False, run=account.describe_endpoints),
    Operation("DescribeLimits", writes=False, run=account.describe_limits),
    Operation("CreateGlobalTable", writes=False, run=legacy_global.create_global_table),
    Operation("UpdateGlobalTable", writes=False, run=legacy_global.update_global_table),
    Operation("DescribeGlobalTable", writes=False, run=legacy_global.describe_global_table),
    Operation("DescribeGlobalTableSettings", writes=False, run=legacy_global.describe_global_table_settings),
    Operation("UpdateGlobalTableSettings", writes=False, run=legacy_global.update_global_table_settings),
    Operation("ListGlobalTables", writes=False, run=legacy_global.list_global_tables),
)
