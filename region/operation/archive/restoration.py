"""RestoreTableFromBackup: a new table, made of a backup; and what it shares with a restore to a point in time.

What: the settings of the source become those of a new, independent table of this region, as AWS restores them: keys,
indexes, capacity, class and encryption, each of which the request may override. Streams, TTL, replicas, auto scaling,
tags and point-in-time recovery are not restored. The table stays CREATING while the archivist fills it.

Invariants: everything is checked before the first write. The table, its ``RestoreSummary`` and the job are saved in one
transaction, so that what was promised goes on after a crash.

Source: AWS API reference, RestoreTableFromBackup; developer guide, "Restoring a DynamoDB table"; the project's facts on
global tables ("Backup"); messages as AWS sends them where they are public.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from region.errors import TableAlreadyExistsError, ValidationError
from region.model import job, settings
from region.model.change import Response
from region.model.job import Job
from region.model.settings import Registers
from region.model.table import CREATING, Table
from region.model.values import INVALID
from region.operation.archive import backups
from region.operation.archive import names as archive_names
from region.operation.capacity import throughput
from region.operation.context import Context
from region.operation.replica import replicas
from region.operation.table import options, records, tables
from region.operation.table.description import RESTORE, describe

UNSUPPORTED: Final = ("VectorIndexOverride",)

Request = dict[str, Any]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is restored from: settings, and words for the ``RestoreSummary`` and the job."""

    table_name: str
    registers: Registers
    kms_key: str | None
    restored_ms: int
    """The moment whose state is restored."""
    backup_arn: str | None = None
    details: Mapping[str, Any] = {}
    """Where the archivist finds the items."""


def restore_table_from_backup(context: Context, request: Request) -> Response:
    """Make a new table of a backup; the answer shows it CREATING.

    Raises:
        TableAlreadyExistsError: there is a table of the target's name.
        BackupNotFoundError: there is no such backup, or it is damaged.
        BackupInUseError: it is still being made.
        ValidationError: an override is wrong.
    """
    target = context.table_name(request["TargetTableName"])
    options.refuse_unsupported(request, UNSUPPORTED, "RestoreTableFromBackup")
    check_free(context, target)
    manifest = backups.available(context, request["BackupArn"])
    source = Source(
        table_name=manifest.table.name,
        registers=manifest.settings,
        kms_key=manifest.kms_key,
        restored_ms=manifest.created_ms,
        backup_arn=archive_names.backup_arn(context, manifest.table.name, manifest.id),
        details={"backup": manifest.id},
    )
    return begin(context, target, source, request)


def check_free(context: Context, target: str) -> None:
    """Refuse a target that is there already."""
    if target in context.catalogue.by_name:
        raise TableAlreadyExistsError(f"Table already exists: {target}")


def begin(context: Context, target: str, source: Source, request: Request) -> Response:
    """Make the new table and the job that fills it; return the operation's answer."""
    creation = _creation(source, request)
    values = tables.shared_settings(creation)
    summary: dict[str, Any] = {
        "SourceTableArn": archive_names.table_arn(context, source.table_name),
        "RestoreDateTime": source.restored_ms / 1000,
        "RestoreInProgress": True,
    }
    if source.backup_arn is not None:
        summary["SourceBackupArn"] = source.backup_arn
    local = tables.local_state(context, creation)
    local = msgspec.structs.replace(local, status=CREATING, status_until_ms=0, extra={**local.extra, RESTORE: summary})
    table = tables.insert(context, target, values, local)
    work = Job(
        arn=archive_names.table_arn(context, target),
        kind=job.RESTORE,
        table_uid=table.uid,
        table_name=target,
        started_ms=context.now_ms(),
        details=source.details,
    )
    context.save_job(work, queued=True)
    return {"TableDescription": describe(context, table)}


def finish(context: Context, work: Job) -> None:
    """All items of a restore are there: the table is ACTIVE, and the job is forgotten."""
    context.delete_job(work.arn)
    table = context.catalogue.by_uid[work.table_uid]
    summary = {**table.local.extra[RESTORE], "RestoreInProgress": False}
    replicas.replica_ready(context, records.save_extra(context, table, RESTORE, summary).uid)


def give_up(context: Context, work: Job, reason: str) -> None:
    """A restore cannot be completed: its table goes, and the job says why."""
    context.save_job(msgspec.structs.replace(work, status=job.FAILED, ended_ms=context.now_ms(), reason=reason))
    table = context.catalogue.by_uid.get(work.table_uid)
    if table is not None and not table.record.dropped:
        records.drop(context, table)


def target_of(context: Context, work: Job) -> Table:
    """Return the table that a job fills."""
    return context.catalogue.by_uid[work.table_uid]


def _creation(source: Source, request: Request) -> dict[str, Any]:
    """Return the CreateTable request that makes the target."""
    registers = source.registers
    definition = registers[settings.DEFINITION].value
    billing = registers[settings.BILLING].value
    mode = request.get("BillingModeOverride") or billing["BillingMode"]
    local = _chosen(
        definition.get("LocalSecondaryIndexes") or (), request.get("LocalSecondaryIndexOverride"), source.table_name
    )
    present = list(settings.family(registers, settings.INDEX).values())
    global_ = _chosen(present, request.get("GlobalSecondaryIndexOverride"), source.table_name)
    creation: dict[str, Any] = {
        "AttributeDefinitions": _definitions(definition, local, global_),
        "KeySchema": definition["KeySchema"],
        "BillingMode": mode,
        "LocalSecondaryIndexes": local or None,
        "GlobalSecondaryIndexes": [_index_for_mode(index, mode) for index in global_] or None,
        "ProvisionedThroughput": request.get("ProvisionedThroughputOverride") or _units(billing, mode),
        "OnDemandThroughput": request.get("OnDemandThroughputOverride") or _limits(registers, mode),
        "SSESpecification": request.get("SSESpecificationOverride") or _encryption(source),
    }
    class_ = registers.get(settings.TABLE_CLASS)
    if class_ is not None and class_.value:
        creation["TableClass"] = class_.value["TableClass"]
    return creation


def _chosen(
    present: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]] | None, table_name: str
) -> list[dict[str, Any]]:
    """Return the indexes to restore: all, or those that the override names, which must be as they were."""
    if wanted is None:
        return [dict(index) for index in present]
    by_name = {index["IndexName"]: index for index in present}
    chosen = []
    for index in wanted:
        known = by_name.get(index["IndexName"])
        if known is None or any(_plain(known[part]) != _plain(index[part]) for part in ("KeySchema", "Projection")):
            raise ValidationError(
                f"{INVALID}Index override: {index['IndexName']} does not match an index of the source table "
                f"{table_name}"
            )
        throughputs = {n: index.get(n) or known.get(n) for n in ("ProvisionedThroughput", "OnDemandThroughput")}
        chosen.append({**known, **throughputs})
    return chosen


def _plain(value: Any) -> Any:
    """Return a projection with its names in order, which means the same; anything else as it is."""
    if isinstance(value, Mapping) and value.get("NonKeyAttributes"):
        return {**value, "NonKeyAttributes": sorted(value["NonKeyAttributes"])}
    return value


def _definitions(
    definition: Mapping[str, Any], local: Sequence[Mapping[str, Any]], global_: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Return the definitions of exactly the attributes that the restored keys and indexes use."""
    types = {it["AttributeName"]: it["AttributeType"] for it in definition["AttributeDefinitions"]}
    for index in global_:
        types.update({it["AttributeName"]: it["AttributeType"] for it in index["AttributeDefinitions"]})
    schemas = [definition["KeySchema"], *(index["KeySchema"] for index in (*local, *global_))]
    used = {element["AttributeName"] for elements in schemas for element in elements}
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items() if name in used]


def _index_for_mode(index: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return an index with the throughput that belongs to the billing mode of the target."""
    answer = {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
    if mode == throughput.PROVISIONED and index.get("ProvisionedThroughput"):
        answer["ProvisionedThroughput"] = _units(index["ProvisionedThroughput"], mode)
    elif mode == throughput.PAY_PER_REQUEST and index.get("OnDemandThroughput"):
        answer["OnDemandThroughput"] = throughput.describe_on_demand(
            {**throughput.NO_LIMITS, **index["OnDemandThroughput"]}
        )
    return answer


def _units(value: Mapping[str, Any], mode: str) -> dict[str, int] | None:
    if mode != throughput.PROVISIONED or "ReadCapacityUnits" not in value:
        return None
    return {name: value[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _limits(registers: Registers, mode: str) -> dict[str, int] | None:
    register = registers.get(settings.ON_DEMAND)
    if mode != throughput.PAY_PER_REQUEST or register is None or not register.value:
        return None
    return throughput.describe_on_demand(register.value)


def _encryption(source: Source) -> dict[str, Any] | None:
    register = source.registers.get(settings.SSE)
    if register is None or not register.value:
        return None
    specification: dict[str, Any] = {"Enabled": True, "SSEType": register.value["SSEType"]}
    if source.kms_key:
        specification["KMSMasterKeyId"] = source.kms_key
    return specification
