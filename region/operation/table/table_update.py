"""UpdateTable: changes of a table's settings, indexes and replicas.

What: a request is checked on its own, then against the table, and becomes a set of registers to write (shared by all
replicas) and a new local state (this region's own). ReplicaUpdates have their own module.

Invariants: every check comes before the first write; a request that names nothing to change is refused; the answer
shows AWS's transitional states.

Source: AWS API reference, UpdateTable; the project's facts on global tables (what synchronises).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from region.errors import ValidationError
from region.model import settings
from region.model.change import Response
from region.model.table import CREATING, DELETING, UPDATING, LocalState, Table
from region.model.values import INVALID
from region.operation.capacity import overrides, throughput
from region.operation.context import Context
from region.operation.replica import disassociation, replica_update
from region.operation.setting import auto_scaling
from region.operation.table import encryption, index_update, options, records
from region.operation.table.description import describe, others
from region.operation.table.lookup import changeable

UNSUPPORTED: Final = ("GlobalTableSettingsReplicationMode", "VectorIndexUpdates")
PROTECTION: Final = "DisassociationProtectionEnabled"
CHANGES: Final = (
    "ProvisionedThroughput",
    "BillingMode",
    "StreamSpecification",
    "GlobalSecondaryIndexUpdates",
    "SSESpecification",
    "ReplicaUpdates",
    "TableClass",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "WarmThroughput",
    "MultiRegionConsistency",
    "GlobalTableWitnessUpdates",
    PROTECTION,
)

Request = dict[str, Any]


def update_table(context: Context, request: Request) -> Response:
    """Change a table; the answer shows it UPDATING.

    Raises:
        ValidationError: a parameter is wrong, not supported, or changes nothing.
        ResourceNotFoundError: there is no such table or index.
        ResourceInUseError: the table is being created, updated or deleted.
        LimitExceededError: another index is being created or deleted.
    """
    name = context.table_name(request["TableName"])
    _check_request(request)
    if request.get("ReplicaUpdates"):
        return replica_update.update(context, name, request)
    if request.get(PROTECTION) is not None:
        return disassociation.set_protection(context, name, enabled=request[PROTECTION])
    updates = request.get("GlobalSecondaryIndexUpdates") or []
    index_update.check_request(updates)
    stream = request.get("StreamSpecification")
    wanted_stream = options.stream_value(stream, creating=False)
    table = changeable(context, name)
    hlc = records.next_hlc(context, table.registers)
    mode = request.get("BillingMode") or table.setting(settings.BILLING)["BillingMode"]
    now_ms = context.now_ms()
    own = overrides.own(context.settings.region, table)
    values = _billing_changes(context, table, request, mode, hlc, own)
    values |= index_update.changes(table, updates, request.get("AttributeDefinitions"), mode, hlc, now_ms, own)
    values |= auto_scaling.follow_indexes(context, table, values, mode)
    if stream is not None:
        _check_stream(context, table, wanted_stream)
        values[settings.STREAM] = wanted_stream
    if request.get("SSESpecification"):
        encryption.require(context, request["SSESpecification"])
    local = _local_changes(table, request)
    values |= _other_changes(table, request, mode, hlc, now_ms)
    deleted = _deleted(context, table, values)
    changed = _apply(context, table, values, local, hlc)
    return {"TableDescription": _answer(context, table, changed, deleted, updating=bool(values))}


def _check_request(request: Request) -> None:
    options.refuse_unsupported(request, UNSUPPORTED, "UpdateTable")
    named = [name for name in CHANGES if request.get(name) not in (None, [])]
    if not named:
        raise ValidationError(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )
    if PROTECTION in named and len(named) > 1:
        raise ValidationError(
            f"{INVALID}Disassociation protection modification must be the only operation in the request"
        )
    replica_update.check_consistency(request)
    if "ReplicaUpdates" in named:
        replica_update.check_request(request, named)


def _billing_changes(
    context: Context, table: Table, request: Request, mode: str, hlc: int, own: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the registers that a change of billing mode or of the table's throughput writes, those of indexes too."""
    old = table.setting(settings.BILLING)
    new = request.get("ProvisionedThroughput")
    switched = mode != old["BillingMode"]
    if mode == throughput.PAY_PER_REQUEST or switched:
        throughput.check_table_billing(mode, new)
    elif new:
        throughput.check_units(new)
    if switched and mode == throughput.PROVISIONED:
        _check_index_throughput(table, request)
        if others(context, table):
            replica_update.require_auto_scaling(table, mode)
    own_read = None if switched else own.get(overrides.READ)
    if not switched and new:
        index_update.check_different(old, new, "the table", "table", own_read)
    values: dict[str, Any] = {}
    if switched:
        for name, index in settings.family(table.registers, settings.INDEX).items():
            values[settings.INDEX + name] = index_update.for_mode(index, mode)
        if table.setting(settings.ON_DEMAND):
            values[settings.ON_DEMAND] = None
    if new:
        value = throughput.provisioned_value(None if switched else old, new, hlc, context.now_ms(), own_read)
        values[settings.BILLING] = {"BillingMode": mode, "ModeHlc": hlc if switched else old.get("ModeHlc", 0), **value}
    elif switched:
        values[settings.BILLING] = {"BillingMode": mode, "ModeHlc": hlc}
    return values


def _check_index_throughput(table: Table, request: Request) -> None:
    updates = request.get("GlobalSecondaryIndexUpdates") or []
    given = {it["Update"]["IndexName"] for it in updates if it.get("Update", {}).get("ProvisionedThroughput")}
    gone = {it["Delete"]["IndexName"] for it in updates if it.get("Delete")}
    missing = [name for name in settings.family(table.registers, settings.INDEX) if name not in given | gone]
    if missing:
        raise ValidationError(f"{INVALID}ProvisionedThroughput must be specified for index: {','.join(missing)}")


def _check_stream(context: Context, table: Table, wanted: dict[str, Any] | None) -> None:
    enabled = bool(table.setting(settings.STREAM))
    if wanted is not None and enabled:
        raise ValidationError("Table already has an enabled stream")
    if wanted is None:
        if others(context, table):
            raise ValidationError("Disabling Stream is not allowed for a Global Table replica.")
        if not enabled:
            raise ValidationError("Table has no stream to disable")


def _local_changes(table: Table, request: Request) -> LocalState:
    local = table.local
    protection = request.get("DeletionProtectionEnabled")
    if protection is not None:
        local = msgspec.structs.replace(local, deletion_protection=protection)
    specification = request.get("SSESpecification")
    if specification:
        key = options.encryption(specification).key
        extra = {name: value for name, value in local.extra.items() if name != "KMSMasterKeyId"}
        local = msgspec.structs.replace(local, extra={**extra, "KMSMasterKeyId": key} if key else extra)
    return local


def _other_changes(table: Table, request: Request, mode: str, hlc: int, now_ms: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if request.get("SSESpecification"):
        values[settings.SSE] = options.encryption(request["SSESpecification"]).shared
    if request.get("TableClass"):
        values[settings.TABLE_CLASS] = {"TableClass": request["TableClass"], "ChangedMs": now_ms}
    limits = request.get("OnDemandThroughput")
    if limits is not None:
        throughput.check_on_demand(mode, limits, "table")
        values[settings.ON_DEMAND] = throughput.on_demand_value(table.setting(settings.ON_DEMAND), limits, hlc)
    warm = request.get("WarmThroughput")
    if warm:
        provisioned = request.get("ProvisionedThroughput") or table.setting(settings.BILLING)
        floor = throughput.warm_floor(mode, provisioned, table.setting(settings.WARM))
        throughput.check_warm(warm, floor, "table")
        values[settings.WARM] = {**floor, **warm}
    return values


def _apply(context: Context, table: Table, values: dict[str, Any], local: LocalState, hlc: int) -> Table:
    """Write what differs: nothing at all, the local state alone, or registers, which are announced."""
    if not values:
        return table if local == table.local else records.save(context, table, table.registers, local)
    end_ms = records.until(context)
    if end_ms:
        local = msgspec.structs.replace(local, status=UPDATING, status_until_ms=end_ms)
    registers = records.written(context, table.registers, hlc, values)
    changed = records.save(context, table, registers, local)
    context.publish_table(changed)
    return changed


def _deleted(context: Context, table: Table, values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Describe the indexes that are about to be deleted, as they stand in the answer."""
    names = [name for name in settings.family(table.registers, settings.INDEX) if settings.INDEX + name in values]
    names = [name for name in names if values[settings.INDEX + name] is None]
    if not names:
        return {}
    described = describe(context, table, index_status=dict.fromkeys(names, DELETING))["GlobalSecondaryIndexes"]
    return {it["IndexName"]: it for it in described if it["IndexName"] in names}


def _answer(
    context: Context, before: Table, changed: Table, deleted: dict[str, dict[str, Any]], *, updating: bool
) -> dict[str, Any]:
    """Describe the table in transition: a deleted index still stands in the answer, a new one has not begun."""
    created = [name for name, state in changed.local.indexes.items() if before.local.indexes.get(name) != state]
    created = [name for name in created if changed.local.indexes[name].status == CREATING]
    status = UPDATING if updating else None
    answer = describe(context, changed, status=status, index_status=dict.fromkeys(created, CREATING))
    if deleted:
        kept = [it for it in answer.get("GlobalSecondaryIndexes", []) if it["IndexName"] not in deleted]
        answer["GlobalSecondaryIndexes"] = [*kept, *deleted.values()]
        known = {it["AttributeName"] for it in answer["AttributeDefinitions"]}
        answer["AttributeDefinitions"] += [
            {"AttributeName": name, "AttributeType": kind} for name, kind in before.types.items() if name not in known
        ]
    return answer
