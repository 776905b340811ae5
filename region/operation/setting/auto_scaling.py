"""Auto scaling settings: DescribeTableReplicaAutoScaling, UpdateTableReplicaAutoScaling, and the rule that they serve.

What: bounds and a target utilisation for the write capacity of a table and of each global index (one for all replicas)
and for the read capacity of each replica, which begins with those of the replica where it was asked for. They are
shared registers, so every region shows the same. Nothing scales by
them: Atoll does not meter utilisation. What they decide is that a PROVISIONED table may be global.

Shape of a register ``scaling:write[:<index>]`` or ``scaling:read:<region>[:<index>]``: ``{MinimumUnits, MaximumUnits,
AutoScalingRoleArn?, Policy: {PolicyName?, DisableScaleIn?, ScaleInCooldown?, ScaleOutCooldown?, TargetValue}}``, in
capacity units, seconds and percent; ``None`` where scaling is switched off.

Deviation: AWS refuses UpdateTableReplicaAutoScaling for a table that is not global yet and has the settings made with
Application Auto Scaling first. Atoll has no such endpoint, so this operation works on every table.

Source: AWS API reference, the two operations; developer guide, "Global tables" (provisioned capacity); messages as AWS
sends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from region.errors import ResourceNotFoundError, ValidationError
from region.model import settings
from region.model.change import Response
from region.model.table import ACTIVE, Table
from region.operation.capacity import throughput
from region.operation.context import Context
from region.operation.table import records
from region.operation.table.description import others, status_of
from region.operation.table.lookup import existing
from region.operation.table.tables import find

ROLE: Final = (
    "arn:aws:iam::{account}:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"
)
REQUIRED: Final = ("MaximumUnits", "ScalingPolicyUpdate", "MinimumUnits")
NEW_INDEX: Final = {"MinimumUnits": 1, "MaximumUnits": 10, "Policy": {"TargetValue": 70.0}}
"""What AWS sets for the writes of an index that is added to a global table with provisioned capacity."""
TARGET_MIN: Final = 20
TARGET_MAX: Final = 90

_WRITE: Final = "write"
_READ: Final = "read"
_TABLE_WRITE: Final = "ProvisionedWriteCapacityAutoScalingUpdate"
_REPLICA_READ: Final = "ReplicaProvisionedReadCapacityAutoScalingUpdate"
_INDEX_READ: Final = "ProvisionedReadCapacityAutoScalingUpdate"

Request = dict[str, Any]
Value = Mapping[str, Any] | None


class Dimension(NamedTuple):
    """One capacity that can scale: writes of the table or an index, or reads of one replica of it."""

    kind: str
    region: str | None = None
    index_name: str | None = None

    @property
    def register(self) -> str:
        """The name of the register that holds its settings."""
        return settings.SCALING + ":".join(part for part in self if part is not None)


def update_table_replica_auto_scaling(context: Context, request: Request) -> Response:
    """Change auto scaling settings of a table and its replicas.

    Raises:
        ResourceNotFoundError: there is no such table, replica or index.
        ResourceInUseError: the table is being created or deleted.
        ValidationError: settings are incomplete, contradict each other, or there are none.
    """
    table = existing(context, request["TableName"])
    updates = _updates(context, table, request)
    values = {dimension.register: _value(table, update) for dimension, update in updates}
    if any(table.setting(name) != value for name, value in values.items()):
        registers = records.written(context, table.registers, records.next_hlc(context, table.registers), values)
        table = records.save(context, table, registers)
        context.publish_table(table)
    return {"TableAutoScalingDescription": _describe(context, table)}


def describe_table_replica_auto_scaling(context: Context, request: Request) -> Response:
    """Return the auto scaling settings of a table and all of its replicas.

    Raises:
        ResourceNotFoundError: there is no such table, or it is not global and has no settings.
    """
    table = find(context, request["TableName"])
    if not others(context, table) and not settings.family(table.registers, settings.SCALING):
        raise ResourceNotFoundError(f"Global table with name: '{table.name}' does not exist.")
    return {"TableAutoScalingDescription": _describe(context, table)}


def require_scaled_writes(table: Table) -> None:
    """Refuse a table with provisioned capacity as a global one, unless all of its writes scale.

    Raises:
        ValidationError: the table or one of its global indexes has no write auto scaling.
    """
    if table.setting(Dimension(_WRITE).register) is None:
        raise ValidationError("Table write capacity should either be Pay-Per-Request or AutoScaled.")
    for name in settings.family(table.registers, settings.INDEX):
        if table.setting(Dimension(_WRITE, index_name=name).register) is None:
            raise ValidationError("GSI write capacity should either be Pay-Per-Request or AutoScaled.")


def follow_indexes(context: Context, table: Table, values: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return the registers to write beside ``values`` where these add or remove global indexes.

    Raises:
        ValidationError: an index is added to a global table with provisioned capacity, and not all writes scale.
    """
    written: dict[str, Any] = {}
    present = settings.family(table.registers, settings.INDEX)
    for register, value in values.items():
        name = register.removeprefix(settings.INDEX)
        if name == register:
            continue
        if value is None:
            written |= dict.fromkeys(_registers_of(table, name))
        elif name not in present and mode == throughput.PROVISIONED and others(context, table):
            require_scaled_writes(table)
            written[Dimension(_WRITE, index_name=name).register] = NEW_INDEX
    return written


def inherited(table: Table, source: str, region: str) -> dict[str, Any]:
    """Return the registers by which a new replica's reads scale as those of the replica where it is asked for."""
    present = settings.family(table.registers, f"{settings.SCALING}{_READ}:{source}")
    return {
        f"{settings.SCALING}{_READ}:{region}{rest}": value for rest, value in present.items() if rest[:1] in ("", ":")
    }


def forgotten(table: Table, region: str) -> dict[str, None]:
    """Return the registers by which nothing is left of the read scaling of a replica that goes."""
    return dict.fromkeys(inherited(table, region, region))


def _registers_of(table: Table, index: str) -> Iterable[str]:
    """Return the registers with settings of an index."""
    for name in settings.family(table.registers, settings.SCALING):
        kind, _, rest = name.partition(":")
        if rest == index if kind == _WRITE else rest.endswith(f":{index}"):
            yield settings.SCALING + name


def _updates(context: Context, table: Table, request: Request) -> list[tuple[Dimension, Mapping[str, Any]]]:
    """Return what the request changes, checked against the table's replicas and indexes."""
    replicas = request.get("ReplicaUpdates") or []
    indexes = request.get("GlobalSecondaryIndexUpdates") or []
    updates: list[tuple[Dimension, Mapping[str, Any] | None]] = [(Dimension(_WRITE), request.get(_TABLE_WRITE))]
    updates += [(Dimension(_WRITE, index_name=it["IndexName"]), it.get(_TABLE_WRITE)) for it in indexes]
    for replica in replicas:
        region = replica["RegionName"]
        updates.append((Dimension(_READ, region), replica.get(_REPLICA_READ)))
        for it in replica.get("ReplicaGlobalSecondaryIndexUpdates") or []:
            updates.append((Dimension(_READ, region, it["IndexName"]), it.get(_INDEX_READ)))
    named = [(dimension, update) for dimension, update in updates if update is not None]
    if not named:
        raise _refused(table, "because at least one update parameter must be specified.")
    _check_regions(context, table, [it["RegionName"] for it in replicas])
    _check_indexes(table, [dimension for dimension, _ in named])
    return named


def _check_regions(context: Context, table: Table, regions: list[str]) -> None:
    repeated = sorted({region for region in regions if regions.count(region) > 1})
    if repeated:
        raise _refused(table, f"because the regions: {_listed(repeated)} were specified more than once.")
    members = {context.settings.region, *others(context, table)}
    strangers = [region for region in regions if region not in members]
    if strangers:
        raise _missing(table, f"because a replica does not exist in regions: {_listed(strangers)}.")


def _check_indexes(table: Table, dimensions: list[Dimension]) -> None:
    """Refuse settings for an index that is not there, or not ACTIVE yet."""
    usable = set(_usable_indexes(table))
    unknown = [it for it in dimensions if it.index_name is not None and it.index_name not in usable]
    writes = [it.index_name or "" for it in unknown if it.kind == _WRITE]
    if writes:
        raise _missing(table, f"because the global secondary indexes with names: {_listed(writes)} do not exist.")
    for it in unknown:
        raise _missing(
            table,
            f"because a global secondary index with name: {_marked(it.index_name)} does not exist in region: "
            f"{_marked(it.region)}.",
        )


def _usable_indexes(table: Table) -> list[str]:
    present = settings.family(table.registers, settings.INDEX)
    return [name for name in present if name in table.local.indexes and table.local.indexes[name].status == ACTIVE]


def _value(table: Table, update: Mapping[str, Any]) -> Value:
    """Return the register's value that an update of one dimension asks for."""
    given = [name for name in REQUIRED if update.get(name) is not None]
    if update.get("AutoScalingDisabled"):
        if given:
            raise ValidationError(
                f"Failed to update settings for global table with name {_marked(table.name)}: Parameters "
                f"{_quoted(given)} must be left blank when disabling auto scaling."
            )
        return None
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise ValidationError(
            f"Failed to update settings for global table with name: {_marked(table.name)}: Parameters "
            f"{_quoted(missing)} are required unless auto scaling is being disabled."
        )
    policy = update["ScalingPolicyUpdate"]
    configuration = policy["TargetTrackingScalingPolicyConfiguration"]
    if update["MinimumUnits"] > update["MaximumUnits"]:
        raise _refused(table, "because MaximumUnits is less than MinimumUnits.")
    if not TARGET_MIN <= configuration["TargetValue"] <= TARGET_MAX:
        raise _refused(table, f"because TargetValue is not between {TARGET_MIN} and {TARGET_MAX}.")
    value = {"MinimumUnits": update["MinimumUnits"], "MaximumUnits": update["MaximumUnits"]}
    if update.get("AutoScalingRoleArn"):
        value["AutoScalingRoleArn"] = update["AutoScalingRoleArn"]
    named = {"PolicyName": policy["PolicyName"]} if policy.get("PolicyName") else {}
    return {**value, "Policy": {**named, **configuration}}


def _marked(name: str | None) -> str:
    """Return a name between the quotation marks that AWS uses here."""
    return f"\u2018{name}\u2019"


def _listed(names: Iterable[str]) -> str:
    return _marked(f"[{', '.join(names)}]")


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _refused(table: Table, reason: str) -> ValidationError:
    return ValidationError(f"Failed to update settings for global table with name: {_marked(table.name)} {reason}")


def _missing(table: Table, reason: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(
        f"Failed to update settings for global table with name: {_marked(table.name)} {reason}"
    )


def _describe(context: Context, table: Table) -> dict[str, Any]:
    members = {context.settings.region: {"ReplicaStatus": ACTIVE}, **table.members()}
    return {
        "TableName": table.name,
        "TableStatus": status_of(context, table),
        "Replicas": [
            _describe_replica(context, table, region, member["ReplicaStatus"])
            for region, member in sorted(members.items())
        ],
    }


def _describe_replica(context: Context, table: Table, region: str, status: str) -> dict[str, Any]:
    return {
        "RegionName": region,
        "GlobalSecondaryIndexes": [
            {
                "IndexName": name,
                "IndexStatus": ACTIVE,
                "ProvisionedReadCapacityAutoScalingSettings": _settings(context, table, Dimension(_READ, region, name)),
                "ProvisionedWriteCapacityAutoScalingSettings": _settings(
                    context, table, Dimension(_WRITE, index_name=name)
                ),
            }
            for name in _usable_indexes(table)
        ],
        "ReplicaProvisionedReadCapacityAutoScalingSettings": _settings(context, table, Dimension(_READ, region)),
        "ReplicaProvisionedWriteCapacityAutoScalingSettings": _settings(context, table, Dimension(_WRITE)),
        "ReplicaStatus": status,
    }


def _settings(context: Context, table: Table, dimension: Dimension) -> dict[str, Any]:
    """Describe one dimension; on-demand capacity keeps its settings, but they are shown as disabled."""
    value = table.setting(dimension.register)
    if value is None:
        return {"AutoScalingDisabled": True, "ScalingPolicies": []}
    policy = dict(value["Policy"])
    resource = f"table/{table.name}" + (f"/index/{dimension.index_name}" if dimension.index_name else "")
    name = policy.pop("PolicyName", None) or f"DynamoDB{dimension.kind.capitalize()}CapacityUtilization:{resource}"
    answer = {
        "MinimumUnits": value["MinimumUnits"],
        "MaximumUnits": value["MaximumUnits"],
        "AutoScalingRoleArn": value.get("AutoScalingRoleArn") or ROLE.format(account=context.settings.account),
        "ScalingPolicies": [{"PolicyName": name, "TargetTrackingScalingPolicyConfiguration": policy}],
    }
    if table.setting(settings.BILLING)["BillingMode"] == throughput.PAY_PER_REQUEST:
        answer["AutoScalingDisabled"] = True
    return answer
