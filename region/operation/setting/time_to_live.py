"""Time to live: UpdateTimeToLive, DescribeTimeToLive, and the sweep that deletes what has expired.

What: the setting is the shared register ``ttl`` (``{AttributeName}``, ``None`` while TTL is off) and travels like every
other. Each region builds an index of expiries of its own and deletes on its own what its replica holds and what has
expired; the deletions are ordinary writes with the cause of an expiry, so regions that delete the same item converge.

Invariants: the sweep does a bounded amount of work a step. It decides on the item as it is in the transaction that
deletes it, so an item that was overwritten or renewed meanwhile, by a client or by a peer, is judged by what it is now.
A region never expires items of a replica that is still being made.

Hazard: a renewal that is under way from another region is not known here. The deletion then meets it as any write
meets a concurrent one, and the later of the two stays.

Source: AWS developer guide, "Using time to live (TTL) in DynamoDB"; AWS API reference, the two operations; messages as
AWS sends them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from region.errors import DefectError, ValidationError, require
from region.model import expiry, limits, settings
from region.model import image as images
from region.model.change import CAUSE_EXPIRY, Response
from region.model.expiry import ExpiryState
from region.model.table import CREATING, DELETING, Table
from region.operation.context import Context
from region.operation.table import records
from region.operation.table.description import status_of
from region.operation.table.lookup import existing
from region.operation.table.tables import find

BUILD_ITEMS: Final = 200
SWEEP_ITEMS: Final = 100
SWEEP_BYTES: Final = limits.MIB
"""How much one step of the sweep enters into an index, and how much it deletes: whichever is reached first."""

Request = dict[str, Any]


def update_time_to_live(context: Context, request: Request) -> Response:
    """Switch TTL of a table on or off, in all of its replicas.

    Raises:
        ResourceNotFoundError: there is no such table.
        ResourceInUseError: it is being created or deleted.
        ValidationError: TTL is in that state already, is on for another attribute, or was changed a short while ago.
    """
    table = existing(context, request["TableName"])
    specification = request["TimeToLiveSpecification"]
    attribute, enabled = specification["AttributeName"], specification["Enabled"]
    present = table.setting(settings.TTL)
    if present is not None and present["AttributeName"] != attribute:
        raise ValidationError(
            f"TimeToLive is active on a different AttributeName: current AttributeName is {present['AttributeName']}"
        )
    if enabled == (present is not None):
        raise ValidationError(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
    register = table.registers.get(settings.TTL)
    if register is not None and context.now_ms() - (register.hlc >> 16) < context.settings.ttl.change_ms:
        raise ValidationError("Time to live has been modified multiple times within a fixed interval")
    hlc = records.next_hlc(context, table.registers)
    values = {settings.TTL: {"AttributeName": attribute} if enabled else None}
    changed = records.save(context, table, records.written(context, table.registers, hlc, values))
    context.publish_table(changed)
    return {"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}}


def describe_time_to_live(context: Context, request: Request) -> Response:
    """Return the state of a table's TTL as this replica sees it.

    Raises:
        ResourceNotFoundError: there is no such table.
        ValidationError: it is being created or deleted.
    """
    table = find(context, request["TableName"])
    status = status_of(context, table)
    if status in (CREATING, DELETING):
        raise ValidationError(f"Cannot describe time to live while table is in {status} state")
    present, state = table.setting(settings.TTL), expiry.state_of(table.local)
    changing = state is not None and state.until_ms > context.now_ms()
    if present is not None:
        status = "ENABLING" if changing else "ENABLED"
        return {"TimeToLiveDescription": {"TimeToLiveStatus": status, "AttributeName": present["AttributeName"]}}
    if state is not None and changing:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLING", "AttributeName": state.attribute}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}


def sweeps(table: Table) -> bool:
    """Whether items of this replica may expire."""
    state = expiry.state_of(table.local)
    return state is not None and state.index_id != 0 and table.local.inaccessible is None


def sweep(context: Context) -> float | None:
    """Do one step of building and sweeping; return in how many ms to be called again, 0 for now.

    ``None``: no table has TTL, so not before one is changed.
    """
    tables = [table for table in context.catalogue.by_name.values() if sweeps(table)]
    if not tables:
        return None
    if any(_build(context, table) for table in tables):
        return 0
    items_left, bytes_left = SWEEP_ITEMS, SWEEP_BYTES
    for table in tables:
        items, size = _expire(context, table, items_left, bytes_left)
        items_left -= items
        bytes_left -= size
        if items_left <= 0 or bytes_left <= 0:
            return 0
    return context.settings.ttl.sweep_ms


def _build(context: Context, table: Table) -> bool:
    """Enter one chunk of items into an index of expiries that is not complete; return whether there was one."""
    state = expiry.state_of(table.local)
    if state is None or state.built_after is None:
        return False
    last = context.transaction.fill_expiries(table, bytes.fromhex(state.built_after), BUILD_ITEMS)
    built: ExpiryState = msgspec.structs.replace(state, built_after=None if last is None else last.hex())
    local = expiry.with_state(table.local, built)
    context.save_table(msgspec.structs.replace(table.record, local=local))
    return True


def _expire(context: Context, table: Table, items_max: int, bytes_max: int) -> tuple[int, int]:
    """Delete some of a table's expired items; return how many, and the bytes of their images."""
    state = expiry.state_of(table.local)
    now_ms = context.now_ms()
    if state is None or state.until_ms > now_ms or not context.usable(table):
        return 0, 0
    count = size = 0
    for at_s, key in context.transaction.expired(table, *expiry.due_s(now_ms), items_max):
        stored = context.transaction.get(table, key)
        if stored is None or stored.image is None:
            raise DefectError(f"the index of expiries of {table.name} names an item that is not there")
        item = images.decode(stored.image)
        require(
            expiry.expires_s(item, state.attribute) == at_s,
            f"the index of expiries of {table.name} names an item that expires at another time",
        )
        context.write(table, key, None, 0, stored, old_item=item, cause=CAUSE_EXPIRY)
        context.usages[table.name].expired += 1
        count += 1
        size += len(stored.image)
        if size >= bytes_max:
            break
    return count, size
