"""GlobalSecondaryIndexUpdates: what UpdateTable does to global secondary indexes.

What: creates, deletes and changes of the throughput of indexes, checked in AWS's order and turned into the registers
to write. The building of a new index is background work (:mod:`region.operation.archive.progress`).

Invariants: at most one index of a table is created or deleted at a time; one update an index and call.

Source: AWS API reference, UpdateTable; developer guide, "Managing global secondary indexes".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from region.errors import LimitExceededError, ResourceNotFoundError, ValidationError
from region.model import limits, settings
from region.model.table import ACTIVE, CREATING, DELETING, Table
from region.model.values import INVALID
from region.operation.capacity import overrides, throughput
from region.operation.table import schema
from region.operation.table.tables import index_value, stamped_index

ONE_AT_A_TIME: Final = (
    "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
)
_ACTIONS: Final = ("Create", "Update", "Delete")
_CHANGES: Final = ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")

Updates = Sequence[Mapping[str, Any]]


def check_request(updates: Updates) -> None:
    """Check what can be checked without the table."""
    names = []
    online = 0
    for update in updates:
        actions = [action for action in _ACTIONS if update.get(action) is not None]
        if not actions:
            raise ValidationError(
                f"{INVALID}One of GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Update, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        online += len([action for action in actions if action != "Update"])
        names += [update[action]["IndexName"] for action in actions]
    if online > 1:
        raise LimitExceededError(ONE_AT_A_TIME)
    for name in names:
        if names.count(name) > 1:
            raise ValidationError(
                f"{INVALID}Only one global secondary index update per index is allowed simultaneously. Index: {name}"
            )


def changes(
    table: Table,
    updates: Updates,
    definitions: list[dict[str, str]] | None,
    mode: str,
    hlc: int,
    now_ms: int,
    own: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the registers that the updates write.

    ``mode`` is the billing mode that holds afterwards, ``own`` are the overrides of this replica that count.

    Raises:
        ValidationError: in AWS's words.
        ResourceNotFoundError: an index is not there.
        LimitExceededError: another index is being created or deleted, or there are 20 already.
    """
    values: dict[str, Any] = {}
    for update in updates:
        if update.get("Create") is not None:
            index = update["Create"]
            _check_new(table, index, definitions, mode)
            values[settings.INDEX + index["IndexName"]] = stamped_index(index_value(index, definitions or []), hlc)
        elif update.get("Delete") is not None:
            name = update["Delete"]["IndexName"]
            _existing(table, name)
            _check_idle(table, unless=name)
            values[settings.INDEX + name] = None
        else:
            index = update["Update"]
            values[settings.INDEX + index["IndexName"]] = _changed(table, index, mode, hlc, now_ms, own)
    return values


def for_mode(value: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return an index's register without the throughput that does not belong to the billing mode."""
    alien = "ProvisionedThroughput" if mode == throughput.PAY_PER_REQUEST else "OnDemandThroughput"
    return {name: part for name, part in value.items() if name != alien}


def _existing(table: Table, name: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] | None = table.setting(settings.INDEX + name)
    if value is None:
        raise ResourceNotFoundError(f"Requested resource not found: Index: {name} not found")
    return value


def _check_idle(table: Table, *, unless: str | None = None) -> None:
    """Refuse while another index comes or goes. One that is being filled may itself be deleted."""
    for name, state in table.local.indexes.items():
        if state.status in (CREATING, DELETING) and name != unless:
            raise LimitExceededError(ONE_AT_A_TIME)


def _check_new(table: Table, index: Mapping[str, Any], definitions: list[dict[str, str]] | None, mode: str) -> None:
    name = index["IndexName"]
    if not definitions:
        raise ValidationError(f"{INVALID}AttributeDefinitions must be specified when creating an index: {name}")
    schema.check_definitions(definitions)
    schema.check_global_keys(index["KeySchema"])
    defined = schema.key_names(definitions)
    if any(key not in defined for key in schema.key_names(index["KeySchema"])):
        raise ValidationError("Invalid KeySchema: Some index key attribute have no definition")
    schema.check_projection(index["Projection"])
    for definition in definitions:
        known = table.types.get(definition["AttributeName"])
        if known not in (None, definition["AttributeType"]):
            raise ValidationError(
                "invalid attribute, SchemaElement redefined should be of same type as previously defined"
            )
    _check_definitions_used(table, index, defined)
    _check_throughput(mode, index)
    throughput.check_index_billing(mode, index)
    if name in table.indexes:
        raise ValidationError("Attempting to create an index which already exists")
    present = settings.family(table.registers, settings.INDEX)
    if len(present) >= limits.GLOBAL_INDEXES_MAX:
        raise LimitExceededError(
            "Subscriber limit exceeded: Number of global secondary indexes exceeds per-table limit of "
            f"{limits.GLOBAL_INDEXES_MAX}"
        )
    local = table.setting(settings.DEFINITION).get("LocalSecondaryIndexes") or ()
    schema.check_projected([*present.values(), *local, index])
    _check_idle(table)


def _check_throughput(mode: str, index: Mapping[str, Any]) -> None:
    """Check for a ProvisionedThroughput against the billing mode, in the words that UpdateTable has for it."""
    if mode == throughput.PAY_PER_REQUEST:
        throughput.check_table_billing(mode, index.get("ProvisionedThroughput"))
    elif index.get("ProvisionedThroughput") is None:
        raise _throughput_missing(index["IndexName"])


def _throughput_missing(name: str) -> ValidationError:
    return ValidationError(
        f"{INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"
    )


def _check_definitions_used(table: Table, index: Mapping[str, Any], defined: Sequence[str]) -> None:
    used = [*table.types, *(key for key in schema.key_names(index["KeySchema"]) if key not in table.types)]
    if any(name not in used for name in defined):
        raise ValidationError(
            f"{INVALID}Some AttributeDefinitions are not used. "
            f"AttributeDefinitions: [{', '.join(defined)}], keys used: [{', '.join(used)}]"
        )


def _changed(
    table: Table, index: Mapping[str, Any], mode: str, hlc: int, now_ms: int, own: Mapping[str, Any]
) -> dict[str, Any]:
    name = index["IndexName"]
    value = for_mode(_existing(table, name), mode)
    if not any(index.get(change) for change in _CHANGES):
        raise _throughput_missing(name)
    state = table.local.indexes.get(name)
    if state is None or state.status != ACTIVE:
        raise LimitExceededError(ONE_AT_A_TIME)
    new = index.get("ProvisionedThroughput")
    if new:
        _check_throughput(mode, index)
        throughput.check_units(new)
        old = value.get("ProvisionedThroughput")
        own_read = own.get(overrides.INDEX_READ + name)
        check_different(old, new, f"the index {name}", "index", own_read)
        value["ProvisionedThroughput"] = throughput.provisioned_value(old, new, hlc, now_ms, own_read)
    limit = index.get("OnDemandThroughput")
    if limit:
        throughput.check_on_demand(mode, limit, f"index {name}")
        value["OnDemandThroughput"] = throughput.on_demand_value(value.get("OnDemandThroughput"), limit, hlc)
    warm = index.get("WarmThroughput")
    if warm:
        floor = throughput.warm_floor(mode, value.get("ProvisionedThroughput"), value.get("WarmThroughput"))
        throughput.check_warm(warm, floor, f"index {name}")
        value["WarmThroughput"] = {**floor, **warm}
    return value


def check_different(
    old: Mapping[str, Any] | None, new: Mapping[str, int], subject: str, kind: str, own_read: int | None = None
) -> None:
    """Refuse provisioned throughput that changes nothing of what this replica has."""
    if old and own_read is not None:
        old = {**old, "ReadCapacityUnits": own_read}
    if not old or any(old.get(name) != new[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits")):
        return
    sentences = [
        f"Current {name} provisioned for the {kind}: {old[name]}. Requested {name}: {new[name]}."
        for name in ("ReadCapacityUnits", "WriteCapacityUnits")
    ]
    raise ValidationError(
        f"The provisioned throughput for {subject} will not change. The requested value equals the current value. "
        f"{' '.join(sentences)} Refer to the Amazon DynamoDB Developer Guide for current limits and how to request "
        "higher limits."
    )
