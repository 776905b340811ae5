"""The table of built operations: what the engine runs, and whether it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from region.model.change import Response
from region.operation import account
from region.operation.archive import backups, continuous_backups, exports, imports, restoration
from region.operation.context import Context
from region.operation.item import batch, items, query
from region.operation.partiql import statements
from region.operation.partiql import transaction as partiql_transaction
from region.operation.replica import legacy_global
from region.operation.setting import (
    auto_scaling,
    contributor_insights,
    kinesis_destination,
    resource_policy,
    time_to_live,
)
from region.operation.stream import streams
from region.operation.table import table_update, tables, tags
from region.operation.transaction import transactions

Run = Callable[[Context, dict[str, Any]], Response]
Writes = Callable[[dict[str, Any]], bool]


class Operation(NamedTuple):
    """One operation of the service model: its name, whether it needs the writer, and its function.

    Where a request alone tells whether it writes, as in PartiQL, ``writes`` is asked with it.
    """

    name: str
    writes: bool | Writes
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
    Operation("TransactGetItems", writes=False, run=transactions.transact_get_items),
    Operation("TransactWriteItems", writes=True, run=transactions.transact_write_items),
    Operation("CreateTable", writes=True, run=tables.create_table),
    Operation("DescribeTable", writes=False, run=tables.describe_table),
    Operation("ListTables", writes=False, run=tables.list_tables),
    Operation("UpdateTable", writes=True, run=table_update.update_table),
    Operation("DeleteTable", writes=True, run=tables.delete_table),
    Operation("TagResource", writes=True, run=tags.tag_resource),
    Operation("UntagResource", writes=True, run=tags.untag_resource),
    Operation("ListTagsOfResource", writes=False, run=tags.list_tags_of_resource),
    Operation("UpdateTimeToLive", writes=True, run=time_to_live.update_time_to_live),
    Operation("DescribeTimeToLive", writes=False, run=time_to_live.describe_time_to_live),
    Operation("DescribeTableReplicaAutoScaling", writes=False, run=auto_scaling.describe_table_replica_auto_scaling),
    Operation("UpdateTableReplicaAutoScaling", writes=True, run=auto_scaling.update_table_replica_auto_scaling),
    Operation("PutResourcePolicy", writes=True, run=resource_policy.put_resource_policy),
    Operation("GetResourcePolicy", writes=False, run=resource_policy.get_resource_policy),
    Operation("DeleteResourcePolicy", writes=True, run=resource_policy.delete_resource_policy),
    Operation("UpdateContributorInsights", writes=True, run=contributor_insights.update_contributor_insights),
    Operation("DescribeContributorInsights", writes=False, run=contributor_insights.describe_contributor_insights),
    Operation("ListContributorInsights", writes=False, run=contributor_insights.list_contributor_insights),
    Operation(
        "EnableKinesisStreamingDestination", writes=True, run=kinesis_destination.enable_kinesis_streaming_destination
    ),
    Operation(
        "DisableKinesisStreamingDestination", writes=True, run=kinesis_destination.disable_kinesis_streaming_destination
    ),
    Operation(
        "UpdateKinesisStreamingDestination", writes=True, run=kinesis_destination.update_kinesis_streaming_destination
    ),
    Operation(
        "DescribeKinesisStreamingDestination",
        writes=False,
        run=kinesis_destination.describe_kinesis_streaming_destination,
    ),
    Operation("CreateBackup", writes=True, run=backups.create_backup),
    Operation("DescribeBackup", writes=False, run=backups.describe_backup),
    Operation("ListBackups", writes=False, run=backups.list_backups),
    Operation("DeleteBackup", writes=True, run=backups.delete_backup),
    Operation("RestoreTableFromBackup", writes=True, run=restoration.restore_table_from_backup),
    Operation("UpdateContinuousBackups", writes=True, run=continuous_backups.update_continuous_backups),
    Operation("DescribeContinuousBackups", writes=False, run=continuous_backups.describe_continuous_backups),
    Operation("RestoreTableToPointInTime", writes=True, run=continuous_backups.restore_table_to_point_in_time),
    Operation("ExportTableToPointInTime", writes=True, run=exports.export_table_to_point_in_time),
    Operation("DescribeExport", writes=False, run=exports.describe_export),
    Operation("ListExports", writes=False, run=exports.list_exports),
    Operation("ImportTable", writes=True, run=imports.import_table),
    Operation("DescribeImport", writes=False, run=imports.describe_import),
    Operation("ListImports", writes=False, run=imports.list_imports),
    Operation("DescribeEndpoints", writes=False, run=account.describe_endpoints),
    Operation("DescribeLimits", writes=False, run=account.describe_limits),
    Operation("CreateGlobalTable", writes=False, run=legacy_global.create_global_table),
    Operation("UpdateGlobalTable", writes=False, run=legacy_global.update_global_table),
    Operation("DescribeGlobalTable", writes=False, run=legacy_global.describe_global_table),
    Operation("DescribeGlobalTableSettings", writes=False, run=legacy_global.describe_global_table_settings),
    Operation("UpdateGlobalTableSettings", writes=False, run=legacy_global.update_global_table_settings),
    Operation("ListGlobalTables", writes=False, run=legacy_global.list_global_tables),
    Operation("ExecuteStatement", writes=statements.statement_writes, run=statements.execute_statement),
    Operation("BatchExecuteStatement", writes=statements.batch_writes, run=statements.batch_execute_statement),
    Operation(
        "ExecuteTransaction",
        writes=partiql_transaction.transaction_writes,
        run=partiql_transaction.execute_transaction,
    ),
    Operation("ListStreams", writes=False, run=streams.list_streams),
    Operation("DescribeStream", writes=False, run=streams.describe_stream),
    Operation("GetShardIterator", writes=False, run=streams.get_shard_iterator),
    Operation("GetRecords", writes=False, run=streams.get_records),
)
