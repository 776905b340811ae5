"""CreateBackup, DescribeBackup, ListBackups and DeleteBackup.

What: a request saves a job; the archivist does the work beside the region's clients. A backup that is done is known by
its manifest in the archive (:mod:`region.archive.port`), so one that a person has copied there counts like any other.

Invariants: a backup holds what was committed when CreateBackup was answered, and nothing later, unless the region was
killed before it was done: then it is made anew and says so by its creation time. The id of a backup stays the same in
every region; its ARN names the region that is asked.

Source: AWS API reference, the four operations; messages as AWS sends them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from region.errors import BackupInUseError, BackupNotFoundError
from region.model import backup, job, recovery, settings
from region.model.backup import Manifest
from region.model.change import Response
from region.model.job import Job
from region.model.table import Table
from region.operation.archive import names as archive_names
from region.operation.capacity import throughput
from region.operation.context import Context
from region.operation.table.description import encryption

LIST_LIMIT: Final = 100
CREATING: Final = "CREATING"
AVAILABLE: Final = "AVAILABLE"
DELETED: Final = "DELETED"
ALL: Final = "ALL"
ALWAYS_MS: Final = 1 << 48
"""A time after every commit."""

Request = dict[str, Any]


def create_backup(context: Context, request: Request) -> Response:
    """Begin a backup of a table as it is now.

    Raises:
        TableNotFoundError: there is no such table.
        TableInUseError: it is being created or deleted.
    """
    table = archive_names.source_table(context, request["TableName"])
    manifest = manifest_of(context, table, request["BackupName"], backup.USER)
    context.save_job(job_of(context, manifest), queued=True)
    return {"BackupDetails": _details(context, manifest, CREATING)}


def describe_backup(context: Context, request: Request) -> Response:
    """Return everything about a backup.

    Raises:
        BackupNotFoundError: there is none, or it is damaged.
    """
    manifest, status = _find(context, request["BackupArn"])
    return {"BackupDescription": _describe(context, manifest, status)}


def list_backups(context: Context, request: Request) -> Response:
    """Return a page of backups, oldest first."""
    kind = request.get("BackupType") or backup.USER
    name = context.table_name(request["TableName"]) if request.get("TableName") else None
    lower, upper = request.get("TimeRangeLowerBound"), request.get("TimeRangeUpperBound")
    start = request.get("ExclusiveStartBackupArn")
    after = archive_names.backup_parts(start)[1] if start is not None else ""
    found = [
        (manifest, status)
        for manifest, status in _all(context)
        if manifest.id > after
        and kind in (ALL, manifest.kind)
        and name in (None, manifest.table.name)
        and (lower is None or manifest.created_ms >= lower * 1000)
        and (upper is None or manifest.created_ms < upper * 1000)
    ]
    page = found[: request.get("Limit") or LIST_LIMIT]
    answer: Response = {"BackupSummaries": [_summary(context, manifest, status) for manifest, status in page]}
    if len(page) < len(found):
        answer["LastEvaluatedBackupArn"] = answer["BackupSummaries"][-1]["BackupArn"]
    return answer


def delete_backup(context: Context, request: Request) -> Response:
    """Delete a backup; its files go right after.

    Raises:
        BackupNotFoundError: there is none.
        BackupInUseError: it is being made, or a table is being restored from it.
    """
    manifest, status = _find(context, request["BackupArn"])
    arn = archive_names.backup_arn(context, manifest.table.name, manifest.id)
    if status == CREATING:
        raise BackupInUseError(f"Backup is being created: {arn}")
    if any(it.details.get("backup") == manifest.id for it in running_restores(context)):
        raise BackupInUseError(f"Backup is being restored to a table: {arn}")
    context.save_job(job_of(context, manifest, kind=job.DELETION), queued=True)
    return {"BackupDescription": _describe(context, manifest, DELETED)}


def available(context: Context, arn: str) -> Manifest:
    """Return the manifest of a backup that can be restored from.

    Raises:
        BackupNotFoundError: there is none, or it is damaged; the message says how that shows.
        BackupInUseError: it is still being made.
    """
    manifest, status = _find(context, arn)
    if status != AVAILABLE:
        raise BackupInUseError(f"Backup is being created: {arn}")
    return manifest


def running_restores(context: Context) -> list[Job]:
    """Return the restores that are under way."""
    return [it for it in context.reader.archive.jobs(job.RESTORE) if it.status == job.IN_PROGRESS]


def manifest_of(context: Context, table: Table, name: str, kind: str) -> Manifest:
    """Return the manifest of a backup of a table as it is now, without its data."""
    items, size_bytes = context.reader.statistics(table, None)
    now_ms = context.now_ms()
    return Manifest(
        id=archive_names.new_id(context.rng, now_ms),
        name=name,
        kind=kind,
        region=context.settings.region,
        created_ms=now_ms,
        expires_ms=now_ms + backup.SYSTEM_KEPT_MS if kind == backup.SYSTEM else None,
        table=backup.Figures(
            name=table.name,
            id=table.local.table_id,
            uid=table.uid,
            created_ms=table.local.created_ms,
            items=items,
            size_bytes=size_bytes,
        ),
        settings=dict(table.registers),
        kms_key=table.local.extra.get("KMSMasterKeyId"),
    )


def job_of(context: Context, manifest: Manifest, *, kind: str = job.BACKUP) -> Job:
    """Return the job of making, or of deleting, a backup."""
    return Job(
        arn=archive_names.backup_arn(context, manifest.table.name, manifest.id),
        kind=kind,
        table_uid=manifest.table.uid,
        table_name=manifest.table.name,
        started_ms=manifest.created_ms,
        details={"manifest": msgspec.to_builtins(manifest)},
    )


def save_last(context: Context, table: Table) -> None:
    """Have a last backup made of a table that is about to be deleted, if it has point-in-time recovery, as AWS does."""
    if recovery.state_of(table.local) is None:
        return
    manifest = manifest_of(context, table, f"{table.name}$DeletedTableBackup", backup.SYSTEM)
    work = job_of(context, manifest)
    past = {"history": table.uid, "at_ms": ALWAYS_MS, "upto": context.reader.log_head()}
    context.save_job(msgspec.structs.replace(work, details={**work.details, **past}), queued=True)


def manifest_in(work: Job) -> Manifest:
    """Return the manifest in a job of making or deleting a backup."""
    return msgspec.convert(work.details["manifest"], Manifest)


def _all(context: Context) -> Iterator[tuple[Manifest, str]]:
    """Iterate over all backups in the order of their ids, with their states."""
    known: dict[str, tuple[Manifest, str]] = {
        backup_id: (manifest, AVAILABLE)
        for backup_id, manifest in context.shelf.backups().items()
        if manifest.expires_ms is None or manifest.expires_ms > context.now_ms()
    }
    for work in context.reader.archive.jobs(job.BACKUP, job.DELETION):
        manifest = manifest_in(work)
        if work.kind == job.DELETION:
            known.pop(manifest.id, None)
        elif work.status == job.IN_PROGRESS:
            known[manifest.id] = manifest, CREATING
    for backup_id in sorted(known):
        yield known[backup_id]


def _find(context: Context, arn: str) -> tuple[Manifest, str]:
    table, wanted = archive_names.backup_parts(arn)
    for manifest, status in _all(context):
        if (manifest.table.name, manifest.id) == (table, wanted):
            problem = context.shelf.problem(wanted) if status == AVAILABLE else None
            if problem is None:
                return manifest, status
            break
    else:
        problem = context.shelf.problem(wanted)
    raise BackupNotFoundError(f"Backup not found: {arn}" + (f" ({problem})" if problem else ""))


def _details(context: Context, manifest: Manifest, status: str) -> dict[str, Any]:
    details: dict[str, Any] = {
        "BackupArn": archive_names.backup_arn(context, manifest.table.name, manifest.id),
        "BackupName": manifest.name,
        "BackupSizeBytes": manifest.table.size_bytes,
        "BackupStatus": status,
        "BackupType": manifest.kind,
        "BackupCreationDateTime": manifest.created_ms / 1000,
    }
    if manifest.expires_ms is not None:
        details["BackupExpiryDateTime"] = manifest.expires_ms / 1000
    return details


def _summary(context: Context, manifest: Manifest, status: str) -> dict[str, Any]:
    return {
        "TableName": manifest.table.name,
        "TableId": manifest.table.id,
        "TableArn": archive_names.table_arn(context, manifest.table.name),
        **_details(context, manifest, status),
    }


def _describe(context: Context, manifest: Manifest, status: str) -> dict[str, Any]:
    return {
        "BackupDetails": _details(context, manifest, status),
        "SourceTableDetails": _source(context, manifest),
        "SourceTableFeatureDetails": _features(context, manifest),
    }


def _source(context: Context, manifest: Manifest) -> dict[str, Any]:
    table, billing = manifest.table, manifest.settings[settings.BILLING].value
    answer = {
        "TableName": table.name,
        "TableId": table.id,
        "TableArn": archive_names.table_arn(context, table.name),
        "TableSizeBytes": table.size_bytes,
        "KeySchema": manifest.settings[settings.DEFINITION].value["KeySchema"],
        "TableCreationDateTime": table.created_ms / 1000,
        "ProvisionedThroughput": _units(billing),
        "ItemCount": table.items,
        "BillingMode": billing["BillingMode"],
    }
    limits = _value(manifest, settings.ON_DEMAND)
    if limits:
        answer["OnDemandThroughput"] = throughput.describe_on_demand(limits)
    return answer


def _features(context: Context, manifest: Manifest) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    local = manifest.settings[settings.DEFINITION].value.get("LocalSecondaryIndexes")
    if local:
        answer["LocalSecondaryIndexes"] = [
            {name: index[name] for name in ("IndexName", "KeySchema", "Projection")} for index in local
        ]
    global_ = settings.family(manifest.settings, settings.INDEX)
    if global_:
        answer["GlobalSecondaryIndexes"] = [_global_index(index) for index in global_.values()]
    stream, ttl = _value(manifest, settings.STREAM), _value(manifest, settings.TTL)
    if stream:
        answer["StreamDescription"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    answer["TimeToLiveDescription"] = (
        {"TimeToLiveStatus": "ENABLED", "AttributeName": ttl["AttributeName"]}
        if ttl
        else {"TimeToLiveStatus": "DISABLED"}
    )
    if _value(manifest, settings.SSE):
        answer["SSEDescription"] = encryption(context, manifest.kms_key)
    return answer


def _global_index(index: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
    answer["ProvisionedThroughput"] = _units(index.get("ProvisionedThroughput") or {})
    if index.get("OnDemandThroughput"):
        answer["OnDemandThroughput"] = throughput.describe_on_demand(index["OnDemandThroughput"])
    return answer


def _units(value: Mapping[str, Any]) -> dict[str, int]:
    return {name: value.get(name, 0) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _value(manifest: Manifest, name: str) -> Any:
    register = manifest.settings.get(name)
    return register.value if register else None
