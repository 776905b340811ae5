"""ReplicaUpdates: the rules by which a table's replicas are added, changed and removed.

What: UpdateTable with ReplicaUpdates, sent to any member region. It writes the register of a replica; the region
concerned finds the change in the log and does the rest (:mod:`region.operation.replica.replicas`).

Invariants: one Create or one Delete a call, alone in the call; none while another is under way; the answer does not
list a new replica yet, and never the region that answers.

Shape of a register ``replica:<region>``: ``{RegionName, ReplicaStatus, ReplicaStatusDescription?, KMSMasterKeyId?,
Overrides?, CreatedHlc?}`` with ``ReplicaStatus`` CREATING, ACTIVE, UPDATING, DELETING or CREATION_FAILED, and the
overrides of :mod:`region.operation.capacity.overrides`; ``None`` once the replica is gone.

Source: the project's facts on global tables, whose table of answers this module follows row by row; AWS API reference,
UpdateTable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from region.errors import ResourceInUseError, ResourceNotFoundError, ValidationError
from region.model import settings
from region.model.change import Response
from region.model.table import ACTIVE, CREATING, DELETING, UPDATING, Table
from region.model.values import INVALID
from region.operation.capacity import overrides, throughput
from region.operation.context import Context
from region.operation.messages import IN_FLIGHT, no_members, no_region
from region.operation.replica import disassociation
from region.operation.setting import auto_scaling
from region.operation.table import records
from region.operation.table.description import describe, others, status_of
from region.operation.table.tables import find, in_use

ACTIONS: Final = ("Create", "Update", "Delete", "Disassociate")
STRONG: Final = "STRONG"
STRONG_REPLICAS: Final = 3
COMPANIONS: Final = ("ReplicaUpdates", "MultiRegionConsistency", "GlobalTableWitnessUpdates")
NO_ACTIONS: Final = "There are no actions specified in the Replica Update Action of the request."
DEFAULT_VIEW: Final = "NEW_AND_OLD_IMAGES"

Request = dict[str, Any]


class Action(NamedTuple):
    """One action of the request: its kind, the region that it is about, and its parameters."""

    kind: str
    region: str
    parameters: Mapping[str, Any]


def check_consistency(request: Request) -> None:
    """Refuse what AWS refuses of multi-Region strong consistency without looking at the table."""
    mode = request.get("MultiRegionConsistency")
    witnesses = request.get("GlobalTableWitnessUpdates") or []
    if witnesses and mode != STRONG:
        raise ValidationError(
            "MultiRegionConsistency must be set as STRONG when GlobalTableWitnessUpdates parameter is present."
        )
    creates = [update for update in request.get("ReplicaUpdates") or [] if update.get("Create")]
    if mode is not None and not creates:
        raise ValidationError(f"{INVALID}MultiRegionConsistency can only be specified when creating a global table")
    if mode == STRONG and 1 + len(creates) + len(witnesses) != STRONG_REPLICAS:
        raise ValidationError("Unsupported replica count for global tables with MultiRegionConsistency set to STRONG.")


def check_request(request: Request, named: Iterable[str]) -> None:
    """Check what can be checked without the table; ``named`` are the request's changes."""
    updates = request["ReplicaUpdates"]
    kinds = [[kind for kind in ACTIONS if update.get(kind) is not None] for update in updates]
    for update, present in zip(updates, kinds, strict=True):
        if not present or (present == ["Update"] and set(update["Update"]) == {"RegionName"}):
            raise ValidationError(NO_ACTIONS)
    if any(len(present) > 1 for present in kinds):
        raise ValidationError("Update table operation with more than one type of replica actions not allowed")
    if any(name not in COMPANIONS for name in named):
        raise ValidationError(f"{INVALID}Replica modification must be the only operation in the request")
    if ["Disassociate"] in kinds and len(kinds) > 1:
        raise ValidationError("Update table operation with a disassociate replica action allows no other action")
    comings = _distinct(updates, ("Create", "Delete"))
    if len(comings) > 1 and request.get("MultiRegionConsistency") != STRONG:
        raise ValidationError("Update table operation with more than one create or delete replica actions not allowed")
    if comings and any(present == ["Update"] for present in kinds):
        raise ValidationError("Update table operation with more than one type of replica actions not allowed")


def update(context: Context, name: str, request: Request) -> Response:
    """Carry out the replica actions of a checked request; the answer shows the table UPDATING."""
    leaving = request["ReplicaUpdates"][0].get("Disassociate")
    if leaving is not None:
        return disassociation.begin(context, name, leaving["RegionName"])
    actions = _distinct(request["ReplicaUpdates"], ("Create", "Update", "Delete"))
    _check_local(context, actions)
    table = context.catalogue.by_name.get(name)
    _check_regions(context, table, actions)
    table = _find(context, name)
    _check_members(context, table, actions)
    _check_mode(context, table, request.get("MultiRegionConsistency"))
    _check_status(context, table)
    for action in actions:
        _check_overrides(table, action)
    if actions[0].kind == "Create":
        require_auto_scaling(table, table.setting(settings.BILLING)["BillingMode"])
    changed = _apply(context, table, actions)
    created = actions[0].region if actions[0].kind == "Create" else None
    return {"TableDescription": describe(context, changed, status=UPDATING, unlisted=created)}


def require_auto_scaling(table: Table, mode: str) -> None:
    """Refuse a table as a global one whose capacity is (to be) provisioned, unless its write capacity scales."""
    if mode == throughput.PROVISIONED:
        auto_scaling.require_scaled_writes(table)


def _distinct(updates: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> list[Action]:
    """Return the actions of some kinds; identical ones count once."""
    actions: list[Action] = []
    for update_ in updates:
        for kind in kinds:
            parameters = update_.get(kind)
            if parameters is not None:
                action = Action(kind, parameters["RegionName"], parameters)
                if action not in actions:
                    actions.append(action)
    return actions


def _check_local(context: Context, actions: Sequence[Action]) -> None:
    if any(action.region == context.settings.region for action in actions):
        raise ValidationError(
            "Cannot add or delete the local region through ReplicaUpdates. Use CreateTable, DeleteTable, or "
            "UpdateTable as required."
        )


def _check_regions(context: Context, table: Table | None, actions: Sequence[Action]) -> None:
    """Refuse regions that are not configured; a member that has left the configuration may still be removed."""
    regions = context.fleet.regions()
    members = table.members() if table else {}
    for action in actions:
        if action.region not in regions and not (action.kind == "Delete" and action.region in members):
            raise no_region(action.region, regions)


def _find(context: Context, name: str) -> Table:
    """Return the table. A replica that is still being made is not there yet; one that goes is in use."""
    table = find(context, name)
    status = status_of(context, table)
    if status == CREATING and records.own_membership(context, table.registers) is not None:
        raise ResourceNotFoundError(f"Requested resource not found: Table: {name} not found")
    if status in (CREATING, DELETING):
        raise in_use(table, status)
    return table


def _check_members(context: Context, table: Table, actions: Sequence[Action]) -> None:
    members = others(context, table)
    strangers = []
    for action in actions:
        if action.kind == "Create":
            if action.region in members or context.fleet.holds_table(action.region, table.name):
                raise ValidationError(
                    f"Failed to create a the new replica of table with name: '{table.name}' because one or more "
                    "replicas already existed as tables."
                )
        elif action.region not in members:
            strangers.append(action.region)
    if strangers:
        raise no_members(strangers)


def _check_status(context: Context, table: Table) -> None:
    if status_of(context, table) != ACTIVE:
        raise ResourceInUseError(IN_FLIGHT)


def _check_mode(context: Context, table: Table, mode: str | None) -> None:
    if mode is not None and others(context, table):
        raise ValidationError("MultiRegionConsistency parameter is unsupported on existing global table")
    if mode == STRONG:
        raise ValidationError(f"{INVALID}MultiRegionConsistency STRONG is not supported by Atoll")


def _check_overrides(table: Table, action: Action) -> None:
    mode = table.setting(settings.BILLING)["BillingMode"]
    wanted = overrides.requested(action.parameters, 0)
    for key, override in wanted.items():
        provisioned = key == overrides.READ or key.startswith(overrides.INDEX_READ)
        on_demand = key == overrides.ON_DEMAND_READ or key.startswith(overrides.INDEX_ON_DEMAND_READ)
        if (provisioned and mode != throughput.PROVISIONED) or (on_demand and mode != throughput.PAY_PER_REQUEST):
            name = "ProvisionedThroughputOverride" if provisioned else "OnDemandThroughputOverride"
            raise ValidationError(f"{INVALID}{name} should not be specified when BillingMode is {mode}")
        if provisioned:
            throughput.check_units({"ReadCapacityUnits": override["value"], "WriteCapacityUnits": 1})
        elif on_demand:
            _, _, index_name = key.partition(":")
            subject = f"index {index_name}" if index_name else "table"
            throughput.check_on_demand(mode, {"MaxReadRequestUnits": override["value"]}, subject)
    for index in action.parameters.get("GlobalSecondaryIndexes") or ():
        if table.setting(settings.INDEX + index["IndexName"]) is None:
            raise ValidationError(f"The table does not have the specified index: {index['IndexName']}")


def _apply(context: Context, table: Table, actions: Sequence[Action]) -> Table:
    hlc = records.next_hlc(context, table.registers)
    values: dict[str, Any] = {}
    for action in actions:
        name = settings.REPLICA + action.region
        if action.kind == "Create":
            values |= _founding(context, table)
            new = {"RegionName": action.region, "ReplicaStatus": CREATING, settings.CREATED_HLC: hlc}
            values[name] = _member(action, new, hlc)
            values |= auto_scaling.inherited(table, context.settings.region, action.region)
        elif action.kind == "Update":
            values[name] = _member(action, values.get(name) or table.setting(name), hlc)
        else:
            here = action.region in context.fleet.regions()
            values[name] = {**table.setting(name), "ReplicaStatus": DELETING} if here else None
            values |= auto_scaling.forgotten(table, action.region)
    local = table.local
    if not table.replicated:
        local = msgspec.structs.replace(local, global_since=hlc)
    end_ms = records.until(context)
    if end_ms:
        local = records.in_transition(local, UPDATING, end_ms)
    changed = records.save(context, table, records.written(context, table.registers, hlc, values), local)
    context.publish_table(changed)
    return changed


def _founding(context: Context, table: Table) -> dict[str, Any]:
    """Return what a table needs to have replicas: this region's own membership, and a stream."""
    values: dict[str, Any] = {}
    own = records.own_register(context)
    if table.setting(own) is None:
        values[own] = {"RegionName": context.settings.region, "ReplicaStatus": ACTIVE}
    if not table.setting(settings.STREAM):
        values[settings.STREAM] = {"StreamEnabled": True, "StreamViewType": DEFAULT_VIEW}
    return values


def _member(action: Action, member: Mapping[str, Any], hlc: int) -> dict[str, Any]:
    """Return a replica's register with what the action sets."""
    value = dict(member)
    if action.parameters.get("KMSMasterKeyId"):
        value["KMSMasterKeyId"] = action.parameters["KMSMasterKeyId"]
    wanted = overrides.requested(action.parameters, hlc)
    if wanted:
        value[overrides.OVERRIDES] = {**(value.get(overrides.OVERRIDES) or {}), **wanted}
    return value
