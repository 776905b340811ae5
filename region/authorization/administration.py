"""What operations on tables, backups, exports, imports, global tables and streams need.

Source: AWS service authorization reference, "Actions, resources, and condition keys for Amazon DynamoDB"; AWS developer
guide, "Global tables: IAM permissions", "Restoring a table from a backup".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from region.authorization.demand import EVERYTHING, Demand, Demands, Request, Tags, canonical, of_arn, place
from region.errors import DynamoError
from region.operation.archive import names
from region.operation.context import Context
from region.operation.stream import iterators

RESTORING: Final = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
"""What is needed of a table that a restore makes, beside the restore itself."""
_REPLICA: Final = {
    "Create": ("CreateTable", "CreateTableReplica", *RESTORING),
    "Delete": ("DeleteTable", "DeleteTableReplica"),
    "Disassociate": ("DeleteTableReplica",),
}
"""What is needed of a replica, in its region, to make it or to end it."""


def unbound(operation: str) -> Demands:
    """Return what an operation needs that is about no resource in particular."""
    demand = Demand(f"dynamodb:{operation}", EVERYTHING)
    return lambda _context, _request: (demand,)


def on_table(operation: str, member: str = "TableName") -> Demands:
    """Return what an operation on the table in a member of its request needs."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        resource, table = place(context, request[member])
        yield Demand(f"dynamodb:{operation}", resource, table)

    return demands


def on_table_or_index(operation: str) -> Demands:
    """Return what an operation on a table, or on the index that it names, needs."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        resource, table = place(context, request["TableName"])
        if request.get("IndexName"):
            resource = f"{resource}/index/{request['IndexName']}"
        yield Demand(f"dynamodb:{operation}", resource, table)

    return demands


def on_arn(operation: str, member: str) -> Demands:
    """Return what an operation on the table, stream, export or import of an ARN needs."""
    return lambda context, request: (of_arn(context, f"dynamodb:{operation}", request[member]),)


def on_backup(operation: str) -> Demands:
    """Return what an operation on a backup needs."""
    return lambda context, request: (Demand(f"dynamodb:{operation}", _backup(context, request["BackupArn"])),)


def on_global_table(operation: str, *, with_table: bool = False) -> Demands:
    """Return what an operation of the first version of global tables needs."""

    def demands(context: Context, request: Request) -> Iterator[Demand]:
        name = request["GlobalTableName"]
        account = context.settings.account
        yield Demand(f"dynamodb:{operation}", f"arn:aws:dynamodb::{account}:global-table/{name}")
        if with_table:
            resource, table = place(context, name)
            yield Demand(f"dynamodb:{operation}", resource, table)

    return demands


def create_table(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what CreateTable needs, with its tags and its policy."""
    resource, table = place(context, request["TableName"])
    brought = _brought(request.get("Tags"))
    yield Demand("dynamodb:CreateTable", resource, table, details=lambda: brought)
    if request.get("Tags"):
        yield Demand("dynamodb:TagResource", resource, table, details=lambda: brought)
    if request.get("ResourcePolicy"):
        yield Demand("dynamodb:PutResourcePolicy", resource, table)


def update_table(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what UpdateTable needs: here, and in the regions in which it makes or ends replicas."""
    resource, table = place(context, request["TableName"])
    yield Demand("dynamodb:UpdateTable", resource, table)
    name = resource.rpartition("/")[2]
    for update in request.get("ReplicaUpdates") or ():
        for kind, actions in _REPLICA.items():
            region = (update.get(kind) or {}).get("RegionName")
            if region is None:
                continue
            replica = f"arn:aws:dynamodb:{region}:{context.settings.account}:table/{name}"
            for action in actions:
                yield Demand(f"dynamodb:{action}", replica, table if replica == resource else None)


def tag_resource(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what TagResource needs."""
    brought = _brought(request["Tags"])
    yield of_arn(context, "dynamodb:TagResource", request["ResourceArn"], lambda: brought)


def untag_resource(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what UntagResource needs."""
    brought = Tags(request["TagKeys"])
    yield of_arn(context, "dynamodb:UntagResource", request["ResourceArn"], lambda: brought)


def restore_from_backup(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what RestoreTableFromBackup needs: of the backup, and of the table that it makes."""
    yield Demand("dynamodb:RestoreTableFromBackup", _backup(context, request["BackupArn"]))
    yield from _made(context, "RestoreTableFromBackup", request["TargetTableName"])


def restore_to_point_in_time(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what RestoreTableToPointInTime needs: of the table whose past it is, and of the one that it makes."""
    source = request.get("SourceTableArn") or request.get("SourceTableName")
    if source is not None:
        resource, table = place(context, source)
        yield Demand("dynamodb:RestoreTableToPointInTime", resource, table)
    yield from _made(context, "RestoreTableToPointInTime", request["TargetTableName"])


def import_table(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what ImportTable needs: an import of a table that is not there yet has no name."""
    resource, table = place(context, request["TableCreationParameters"]["TableName"])
    yield Demand("dynamodb:ImportTable", f"{resource}/import/*", table)


def get_records(context: Context, request: Request) -> Iterator[Demand]:
    """Yield what GetRecords needs of the stream of its iterator. What is no iterator gives nothing."""
    try:
        stream = iterators.decode(request["ShardIterator"]).arn
    except DynamoError:
        return
    yield of_arn(context, "dynamodb:GetRecords", stream)


def _made(context: Context, operation: str, name: str) -> Iterator[Demand]:
    resource, table = place(context, name)
    for action in (operation, *RESTORING):
        yield Demand(f"dynamodb:{action}", resource, table)


def _brought(tags: list[dict[str, Any]] | None) -> Tags:
    return Tags({tag["Key"]: tag["Value"] for tag in tags or ()})


def _backup(context: Context, given: str) -> str:
    """Return the ARN of a backup in this region, wherever it was made."""
    try:
        table, backup_id = names.backup_parts(given)
    except DynamoError:
        return canonical(context, given)
    return names.backup_arn(context, table, backup_id)
