"""TableDescription: a table as AWS shows it, from this region's point of view.

What: one function from a :class:`~region.model.table.Table` to the API's shape. Shared settings come from the
registers, with this replica's overrides; what is local (status, ids, creation, stream label, protection) from the
local state.

Invariants: ``Replicas`` never lists the region that answers; a table that is not global has none of the members that
speak of global tables; absent settings are absent members. Times are epoch seconds with fractions.

Source: AWS API reference, TableDescription and ReplicaDescription; the project's facts on global tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from region.model import settings
from region.model.encryption import INACCESSIBLE, SINCE
from region.model.table import ACTIVE, CREATING, DELETING, UPDATING, Table
from region.operation.capacity import overrides, throughput
from region.operation.context import Context, arn

GLOBAL_TABLE_VERSION: Final = "2019.11.21"
SETTINGS_MODE: Final = "ENABLED_WITH_OVERRIDES"
CREATION_FAILED: Final = "CREATION_FAILED"
REGION_DISABLED: Final = "REGION_DISABLED"
RESTORE: Final = "restore"
"""Under which name the ``RestoreSummary`` of a restored table stands in :attr:`LocalState.extra`."""

Description = dict[str, Any]


def status_of(context: Context, table: Table) -> str:
    """Return the ``TableStatus`` now: UPDATING also while a replica elsewhere comes, goes or leaves."""
    local = table.local
    if local.status == DELETING:
        return DELETING
    if local.status != ACTIVE and (local.status_until_ms == 0 or local.status_until_ms > context.now_ms()):
        return local.status
    if local.inaccessible is not None:
        return INACCESSIBLE
    if any(it["ReplicaStatus"] in (CREATING, UPDATING, DELETING) for it in others(context, table).values()):
        return UPDATING
    return ACTIVE


def others(context: Context, table: Table) -> dict[str, dict[str, Any]]:
    """Return the replicas in other regions, by region."""
    return {region: it for region, it in table.members().items() if region != context.settings.region}


def describe(
    context: Context,
    table: Table,
    *,
    status: str | None = None,
    index_status: Mapping[str, str] | None = None,
    unlisted: str | None = None,
) -> Description:
    """Return the ``TableDescription``.

    ``status`` and ``index_status`` replace what is stored, for answers that show a transition which has ended by the
    time they are read; ``unlisted`` is a replica that the answer does not show yet.
    """
    definition = table.setting(settings.DEFINITION)
    billing = table.setting(settings.BILLING)
    count, size = context.reader.statistics(table, None)
    mine = overrides.own(context.settings.region, table)
    now_ms = context.now_ms()
    answer: Description = {
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in _types(table).items()],
        "TableName": table.name,
        "KeySchema": definition["KeySchema"],
        "TableStatus": status or status_of(context, table),
        "CreationDateTime": table.local.created_ms / 1000,
        "ProvisionedThroughput": throughput.describe_provisioned(billing, now_ms, mine.get(overrides.READ)),
        "TableSizeBytes": size,
        "ItemCount": count,
        "TableArn": arn(context.settings, table.name),
        "TableId": table.local.table_id,
    }
    _add_billing(answer, table, mine)
    _add_indexes(context, answer, table, mine, index_status or {})
    _add_stream(answer, table)
    _add_replicas(context, answer, table, unlisted)
    _add_rest(context, answer, table, mine)
    return answer


def _types(table: Table) -> dict[str, str]:
    """Return the types of the key attributes, those of indexes that are being deleted too."""
    types = dict(table.types)
    for state in table.local.indexes.values():
        if state.retired:
            for it in state.retired["AttributeDefinitions"]:
                types.setdefault(it["AttributeName"], it["AttributeType"])
    return types


def _add_billing(answer: Description, table: Table, mine: Mapping[str, Any]) -> None:
    mode = table.setting(settings.BILLING)["BillingMode"]
    changed_ms = table.local.billing_changed_ms
    if mode == throughput.PAY_PER_REQUEST or changed_ms:
        summary: Description = {"BillingMode": mode}
        if changed_ms:
            summary["LastUpdateToPayPerRequestDateTime"] = changed_ms / 1000
        answer["BillingModeSummary"] = summary
    limits = throughput.describe_on_demand(table.setting(settings.ON_DEMAND), mine.get(overrides.ON_DEMAND_READ))
    if limits:
        answer["OnDemandThroughput"] = limits
    answer["WarmThroughput"] = _table_warm(table)


def _table_warm(table: Table) -> Description:
    billing = table.setting(settings.BILLING)
    return throughput.describe_warm(billing["BillingMode"], billing, table.setting(settings.WARM))


def _index_warm(table: Table, index: Mapping[str, Any]) -> Description:
    mode = table.setting(settings.BILLING)["BillingMode"]
    return throughput.describe_warm(mode, index.get("ProvisionedThroughput"), index.get("WarmThroughput"))


def _add_indexes(
    context: Context, answer: Description, table: Table, mine: Mapping[str, Any], index_status: Mapping[str, str]
) -> None:
    local = table.setting(settings.DEFINITION).get("LocalSecondaryIndexes") or ()
    if local:
        answer["LocalSecondaryIndexes"] = [_index(context, table, it) for it in local]
    present = settings.family(table.registers, settings.INDEX)
    retired = {name: it.retired for name, it in table.local.indexes.items() if it.retired and name not in present}
    described = [
        _global_index(context, table, index, mine, index_status.get(name))
        for name, index in {**present, **retired}.items()
        if name in table.local.indexes and index is not None
    ]
    if described:
        answer["GlobalSecondaryIndexes"] = described


def _index(context: Context, table: Table, description: Mapping[str, Any]) -> Description:
    name = description["IndexName"]
    index = table.indexes.get(name)
    count, size = context.reader.statistics(table, index) if index else (0, 0)
    return {
        "IndexName": name,
        "KeySchema": description["KeySchema"],
        "Projection": description["Projection"],
        "IndexSizeBytes": size,
        "ItemCount": count,
        "IndexArn": f"{arn(context.settings, table.name)}/index/{name}",
    }


def _global_index(
    context: Context, table: Table, description: Mapping[str, Any], mine: Mapping[str, Any], status: str | None
) -> Description:
    name = description["IndexName"]
    state = table.local.indexes[name]
    answer = _index(context, table, description)
    answer["IndexStatus"] = status or state.status
    if answer["IndexStatus"] == CREATING and state.backfill_after is not None:
        answer["Backfilling"] = status is None
    answer["ProvisionedThroughput"] = throughput.describe_provisioned(
        description.get("ProvisionedThroughput"), context.now_ms(), mine.get(overrides.INDEX_READ + name)
    )
    read = mine.get(overrides.INDEX_ON_DEMAND_READ + name)
    limits = throughput.describe_on_demand(description.get("OnDemandThroughput"), read)
    if limits:
        answer["OnDemandThroughput"] = limits
    answer["WarmThroughput"] = _index_warm(table, description)
    return answer


def _add_stream(answer: Description, table: Table) -> None:
    stream = table.setting(settings.STREAM)
    if stream:
        answer["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
    label = table.local.stream_label
    if label:
        answer["LatestStreamLabel"] = label
        answer["LatestStreamArn"] = f"{answer['TableArn']}/stream/{label}"


def _add_replicas(context: Context, answer: Description, table: Table, unlisted: str | None) -> None:
    replicas = others(context, table)
    if not replicas:
        return
    answer["GlobalTableVersion"] = GLOBAL_TABLE_VERSION
    answer["Replicas"] = [
        _replica(context, table, region, it) for region, it in sorted(replicas.items()) if region != unlisted
    ]
    answer["DisassociationProtectionEnabled"] = table.local.disassociation_protection


def _replica(context: Context, table: Table, region: str, member: Mapping[str, Any]) -> Description:
    answer: Description = {"RegionName": region, "ReplicaStatus": member["ReplicaStatus"]}
    inaccessible_ms = context.fleet.inaccessible_ms(region)
    if inaccessible_ms is not None and member["ReplicaStatus"] == ACTIVE:
        answer["ReplicaStatus"] = REGION_DISABLED
        answer["ReplicaInaccessibleDateTime"] = inaccessible_ms / 1000
    if SINCE in member and answer["ReplicaStatus"] == ACTIVE:
        answer["ReplicaStatus"] = INACCESSIBLE
        answer["ReplicaInaccessibleDateTime"] = member[SINCE] / 1000
    if "ReplicaStatusDescription" in member:
        answer["ReplicaStatusDescription"] = member["ReplicaStatusDescription"]
    if "KMSMasterKeyId" in member:
        answer["KMSMasterKeyId"] = member["KMSMasterKeyId"]
    theirs = overrides.effective(table, member)
    _add_read_overrides(answer, theirs, overrides.READ, overrides.ON_DEMAND_READ)
    answer["WarmThroughput"] = _table_warm(table)
    indexes = settings.family(table.registers, settings.INDEX)
    if indexes:
        answer["GlobalSecondaryIndexes"] = [_replica_index(table, it, theirs) for it in indexes.values()]
    class_ = _table_class(table, member, theirs)
    if class_:
        answer["ReplicaTableClassSummary"] = class_
    answer["GlobalTableSettingsReplicationMode"] = SETTINGS_MODE
    return answer


def _replica_index(table: Table, index: Mapping[str, Any], theirs: Mapping[str, Any]) -> Description:
    name = index["IndexName"]
    answer: Description = {"IndexName": name}
    _add_read_overrides(answer, theirs, overrides.INDEX_READ + name, overrides.INDEX_ON_DEMAND_READ + name)
    answer["WarmThroughput"] = _index_warm(table, index)
    return answer


def _add_read_overrides(answer: Description, theirs: Mapping[str, Any], read: str, on_demand: str) -> None:
    if read in theirs:
        answer["ProvisionedThroughputOverride"] = {"ReadCapacityUnits": theirs[read]}
    if on_demand in theirs:
        answer["OnDemandThroughputOverride"] = {"MaxReadRequestUnits": theirs[on_demand]}


def _table_class(table: Table, member: Mapping[str, Any] | None, own: Mapping[str, Any]) -> Description | None:
    """Return the class of a replica, with the time of its last change; a table of the first hour has none."""
    shared = table.setting(settings.TABLE_CLASS)
    if overrides.TABLE_CLASS in own:
        set_ms = overrides.set_ms(member, overrides.TABLE_CLASS)
        return {"TableClass": own[overrides.TABLE_CLASS], "LastUpdateDateTime": set_ms / 1000}
    if not shared:
        return None
    answer = {"TableClass": shared["TableClass"]}
    if "ChangedMs" in shared:
        answer["LastUpdateDateTime"] = shared["ChangedMs"] / 1000
    return answer


def _add_rest(context: Context, answer: Description, table: Table, mine: Mapping[str, Any]) -> None:
    own_key = (table.members().get(context.settings.region) or {}).get("KMSMasterKeyId")
    if own_key or table.setting(settings.SSE):
        answer["SSEDescription"] = encryption(context, own_key or table.local.extra.get("KMSMasterKeyId"))
        if table.local.inaccessible is not None:
            since_ms = table.local.inaccessible.since_ms
            answer["SSEDescription"]["InaccessibleEncryptionDateTime"] = since_ms / 1000
    class_ = _table_class(table, table.members().get(context.settings.region), mine)
    if class_:
        answer["TableClassSummary"] = class_
    answer["DeletionProtectionEnabled"] = table.local.deletion_protection
    restored = table.local.extra.get(RESTORE)
    if restored:
        answer["RestoreSummary"] = restored


def encryption(context: Context, key: str | None) -> Description:
    """Return the ``SSEDescription`` of a table that is encrypted with a key, ``None`` for AWS's own."""
    key = key or "alias/aws/dynamodb"
    if not key.startswith("arn:"):
        region, account = context.settings.region, context.settings.account
        key = f"arn:aws:kms:{region}:{account}:{key if key.startswith('alias/') else f'key/{key}'}"
    return {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": key}
