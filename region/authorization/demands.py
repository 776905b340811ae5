"""Every operation, and what it needs."""

from __future__ import annotations

from typing import Final

from region.authorization import administration, items, statements
from region.authorization.administration import on_arn, on_backup, on_global_table, on_table, on_table_or_index, unbound
from region.authorization.demand import Demands

DEMANDS: Final[dict[str, Demands]] = {
    **{name: items.one_item(name) for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")},
    **{name: items.range_read(name) for name in ("Query", "Scan")},
    **{name: items.transaction(name) for name in ("TransactGetItems", "TransactWriteItems")},
    "BatchGetItem": items.batch_get,
    "BatchWriteItem": items.batch_write,
    "ExecuteStatement": statements.execute,
    "BatchExecuteStatement": statements.several("Statements", None),
    "ExecuteTransaction": statements.several("TransactStatements", "ExecuteTransaction"),
    "CreateTable": administration.create_table,
    "UpdateTable": administration.update_table,
    "TagResource": administration.tag_resource,
    "UntagResource": administration.untag_resource,
    "RestoreTableFromBackup": administration.restore_from_backup,
    "RestoreTableToPointInTime": administration.restore_to_point_in_time,
    "ImportTable": administration.import_table,
    "GetRecords": administration.get_records,
    **{
        name: on_table(name)
        for name in (
            "DescribeTable",
            "DeleteTable",
            "DescribeTimeToLive",
            "UpdateTimeToLive",
            "DescribeContinuousBackups",
            "UpdateContinuousBackups",
            "CreateBackup",
            "DescribeTableReplicaAutoScaling",
            "UpdateTableReplicaAutoScaling",
            "DescribeKinesisStreamingDestination",
            "EnableKinesisStreamingDestination",
            "DisableKinesisStreamingDestination",
            "UpdateKinesisStreamingDestination",
        )
    },
    **{name: on_table_or_index(name) for name in ("DescribeContributorInsights", "UpdateContributorInsights")},
    "ExportTableToPointInTime": on_table("ExportTableToPointInTime", "TableArn"),
    "DescribeExport": on_arn("DescribeExport", "ExportArn"),
    "DescribeImport": on_arn("DescribeImport", "ImportArn"),
    **{
        name: on_arn(name, "ResourceArn")
        for name in ("ListTagsOfResource", "PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy")
    },
    **{name: on_arn(name, "StreamArn") for name in ("DescribeStream", "GetShardIterator")},
    **{name: on_backup(name) for name in ("DescribeBackup", "DeleteBackup")},
    **{name: on_global_table(name, with_table=True) for name in ("CreateGlobalTable", "UpdateGlobalTable")},
    **{
        name: on_global_table(name)
        for name in ("DescribeGlobalTable", "DescribeGlobalTableSettings", "UpdateGlobalTableSettings")
    },
    **{
        name: unbound(name)
        for name in (
            "ListTables",
            "ListBackups",
            "ListExports",
            "ListImports",
            "ListGlobalTables",
            "ListStreams",
            "ListContributorInsights",
            "DescribeLimits",
            "DescribeEndpoints",
        )
    },
}
