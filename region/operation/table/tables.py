"""CreateTable, DescribeTable, ListTables and DeleteTable.

What: the life of a table in one region. The shared settings of a new table become registers and are announced in the
change log; what belongs to this region alone becomes its local state.

Invariants: every check comes before the first write. Answers show AWS's transitional states (CREATING, DELETING); with
immediate transitions the state has ended by the time the answer is read.

Source: AWS API reference, the four operations; the project's facts on global tables.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from region.errors import (
    DynamoError,
    KeyUnavailableError,
    LimitExceededError,
    ResourceInUseError,
    ResourceNotFoundError,
    ValidationError,
)
from region.keyring import OWNED
from region.model import limits, settings
from region.model.change import Response
from region.model.encryption import INACCESSIBLE, KEY
from region.model.settings import Register
from region.model.table import ACTIVE, CREATING, DELETING, UPDATING, LocalState, Table
from region.operation.archive import backups
from region.operation.capacity import throughput
from region.operation.context import Context
from region.operation.table import options, policy_document, records, schema, tags
from region.operation.table.description import Description, describe, status_of
from region.randomness import uuid

LIST_LIMIT: Final = 100
UNSUPPORTED: Final = ("GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "VectorIndexes")

Request = dict[str, Any]


def create_table(context: Context, request: Request) -> Response:
    """Create a table; the answer shows it CREATING.

    Raises:
        ValidationError: a parameter is wrong or not supported.
        ResourceInUseError: there is a table of that name.
        LimitExceededError: the region holds 2,500 tables.
        KeyUnavailableError: tables are encrypted here, and the master key cannot be used.
    """
    name = context.table_name(request["TableName"])
    values = shared_settings(request)
    local = local_state(context, request)
    if name in context.catalogue.by_name:
        raise ResourceInUseError(f"Table already exists: {name}")
    table = insert(context, name, values, local)
    indexes = settings.family(table.registers, settings.INDEX)
    return {
        "TableDescription": describe(context, table, status=CREATING, index_status=dict.fromkeys(indexes, CREATING))
    }


def insert(context: Context, name: str, values: dict[str, Any], local: LocalState) -> Table:
    """Make a table of checked settings, under a name that is free, and announce it in the change log.

    Raises:
        LimitExceededError: the region holds 2,500 tables.
    """
    if len(context.catalogue.by_name) >= limits.TABLES_MAX:
        raise LimitExceededError(
            f"Subscriber limit exceeded: Number of tables exceeds per-account limit of {limits.TABLES_MAX}"
        )
    named = local.extra.get(KEY) if settings.SSE in values else None
    context.transaction.sealing.require_master(named or OWNED)
    hlc = context.clock.now()
    registers = {key: Register(hlc, context.settings.region, value) for key, value in _stamped(values, hlc).items()}
    table = records.insert(context, uuid(context.rng), name, registers, local)
    context.publish_table(table)
    return table


def describe_table(context: Context, request: Request) -> Response:
    """Return the description of a table in any state."""
    return {"Table": describe(context, find(context, request["TableName"]))}


def list_tables(context: Context, request: Request) -> Response:
    """Return a page of table names in order."""
    after = request.get("ExclusiveStartTableName")
    names = sorted(name for name in context.catalogue.by_name if after is None or name > after)
    page = names[: request.get("Limit") or LIST_LIMIT]
    answer: Response = {"TableNames": page}
    if len(page) < len(names):
        answer["LastEvaluatedTableName"] = page[-1]
    return answer


def delete_table(context: Context, request: Request) -> Response:
    """Delete this region's table; where it is a replica, the others learn of it. The answer shows it DELETING.

    Raises:
        ResourceNotFoundError: there is no such table.
        ResourceInUseError: it is being created or updated.
        ValidationError: it is protected.
    """
    table = find(context, request["TableName"])
    status = status_of(context, table)
    if status != DELETING:
        if status not in (ACTIVE, INACCESSIBLE):
            raise in_use(table, status)
        if table.local.deletion_protection:
            raise ValidationError(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
    answer = describe(context, table, status=DELETING)
    if status != DELETING:
        retire(context, table)
    return {"TableDescription": answer}


def find(context: Context, name_or_arn: str) -> Table:
    """Return the table of that name in whatever state it is.

    Raises:
        ResourceNotFoundError: there is none.
    """
    name = context.table_name(name_or_arn)
    table = context.catalogue.by_name.get(name)
    if table is None:
        raise ResourceNotFoundError(f"Requested resource not found: Table: {name} not found")
    return table


def in_use(table: Table, status: str) -> DynamoError:
    """Return the error of a table that cannot be changed in its state."""
    if table.local.inaccessible is not None:
        return KeyUnavailableError(table.local.inaccessible.message)
    doing = {CREATING: "created", UPDATING: "updated", DELETING: "deleted"}[status]
    return ResourceInUseError(
        f"Attempt to change a resource which is still in use: Table is being {doing}: {table.name}"
    )


def retire(context: Context, table: Table) -> Table:
    """Begin the end of this region's table: at once, or after the transition, in which the others see it DELETING."""
    backups.save_last(context, table)
    end_ms = records.until(context)
    if not end_ms:
        return records.drop(context, table)
    local = msgspec.structs.replace(table.local, status=DELETING, status_until_ms=end_ms)
    member = records.own_membership(context, table.registers)
    if member is None or member["ReplicaStatus"] == DELETING:
        return records.save(context, table, table.registers, local)
    values = {records.own_register(context): {**member, "ReplicaStatus": DELETING}}
    registers = records.written(context, table.registers, records.next_hlc(context, table.registers), values)
    table = records.save(context, table, registers, local)
    context.publish_table(table)
    return table


def shared_settings(request: Request) -> dict[str, Any]:
    """Check a CreateTable request in AWS's order and return the registers' values."""
    options.refuse_unsupported(request, UNSUPPORTED, "CreateTable")
    missing = [name for name in ("AttributeDefinitions", "KeySchema") if request.get(name) is None]
    if missing:
        raise ValidationError(
            f"{len(missing)} validation error{'s' if len(missing) > 1 else ''} detected: "
            + "; ".join(
                f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
                for name in missing
            )
        )
    mode = request.get("BillingMode") or throughput.PROVISIONED
    provisioned = request.get("ProvisionedThroughput")
    throughput.check_table_billing(mode, provisioned)
    schema.check_table(request)
    global_ = request.get("GlobalSecondaryIndexes") or []
    for index in global_:
        throughput.check_index_billing(mode, index)
    stream = options.stream_value(request.get("StreamSpecification"), creating=True)
    encryption = options.encryption(request["SSESpecification"]) if request.get("SSESpecification") else None
    throughput.check_on_demand(mode, request.get("OnDemandThroughput"), "table")
    throughput.check_warm(request.get("WarmThroughput"), throughput.warm_floor(mode, provisioned), "table")
    definitions = request["AttributeDefinitions"]
    local = request.get("LocalSecondaryIndexes") or []
    values: dict[str, Any] = {
        settings.DEFINITION: {
            "AttributeDefinitions": _definitions(definitions, [request["KeySchema"], *(i["KeySchema"] for i in local)]),
            "KeySchema": request["KeySchema"],
            "LocalSecondaryIndexes": [
                {"IndexName": i["IndexName"], "KeySchema": i["KeySchema"], "Projection": i["Projection"]} for i in local
            ],
        },
        settings.BILLING: {"BillingMode": mode, **(provisioned or {})},
        settings.STREAM: stream,
        settings.SSE: encryption.shared if encryption else None,
        settings.TABLE_CLASS: {"TableClass": request["TableClass"]} if request.get("TableClass") else None,
        settings.ON_DEMAND: request.get("OnDemandThroughput"),
        settings.WARM: request.get("WarmThroughput"),
    }
    values |= {settings.INDEX + i["IndexName"]: index_value(i, definitions) for i in global_}
    return {name: value for name, value in values.items() if value is not None}


def _stamped(values: dict[str, Any], hlc: int) -> dict[str, Any]:
    """Bring throughput to its stored form, which says when its read part last changed."""
    stamped = dict(values)
    billing = values[settings.BILLING]
    if billing["BillingMode"] == throughput.PROVISIONED:
        stamped[settings.BILLING] = {**billing, "ReadHlc": hlc}
    if settings.ON_DEMAND in values:
        stamped[settings.ON_DEMAND] = throughput.on_demand_value(None, values[settings.ON_DEMAND], hlc)
    for name, value in values.items():
        if name.startswith(settings.INDEX):
            stamped[name] = stamped_index(value, hlc)
    return stamped


def index_value(index: dict[str, Any], definitions: list[dict[str, str]]) -> dict[str, Any]:
    """Return the register of a new global index, as requested; :func:`stamped_index` completes it."""
    value = {
        "IndexName": index["IndexName"],
        "KeySchema": index["KeySchema"],
        "Projection": index["Projection"],
        "AttributeDefinitions": _definitions(definitions, [index["KeySchema"]]),
    }
    for name in ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"):
        if index.get(name):
            value[name] = index[name]
    return value


def stamped_index(value: dict[str, Any], hlc: int) -> dict[str, Any]:
    """Return a new index's register with its throughput in stored form; no older override is about it."""
    stamped = {**value, settings.CREATED_HLC: hlc}
    if "ProvisionedThroughput" in value:
        stamped["ProvisionedThroughput"] = throughput.provisioned_value(None, value["ProvisionedThroughput"], hlc, 0)
    if "OnDemandThroughput" in value:
        stamped["OnDemandThroughput"] = throughput.on_demand_value(None, value["OnDemandThroughput"], hlc)
    return stamped


def _definitions(definitions: list[dict[str, str]], schemas: list[list[dict[str, str]]]) -> list[dict[str, str]]:
    used = {name for elements in schemas for name in schema.key_names(elements)}
    return [definition for definition in definitions if definition["AttributeName"] in used]


def local_state(context: Context, request: Request) -> LocalState:
    """Check what a CreateTable request asks of this region alone, and return the new table's local state."""
    given = tags.checked(request.get("Tags") or ())
    end_ms = records.until(context)
    key = (request.get("SSESpecification") or {}).get("KMSMasterKeyId")
    extra: dict[str, Any] = {"KMSMasterKeyId": key} if key else {}
    if request.get("ResourcePolicy"):
        policy = policy_document.canonical(request["ResourcePolicy"], context.settings.account)
        extra |= policy_document.created(policy, context.now_ms())
    return records.new_local(
        context,
        status=CREATING if end_ms else ACTIVE,
        status_until_ms=end_ms,
        deletion_protection=bool(request.get("DeletionProtectionEnabled")),
        tags=given,
        extra=extra,
    )


__all__ = ["Description", "create_table", "delete_table", "describe_table", "list_tables"]
