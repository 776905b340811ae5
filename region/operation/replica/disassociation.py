"""Disassociate: a replica leaves its global table and keeps its items as a table of its own region.

What: UpdateTable with ReplicaUpdates ``Disassociate``, sent to the replica's own region, and the protection against it.
The request only begins: the table shows UPDATING while replication delivers what this region wrote and fetches what
the others had written (:mod:`replication.departures`). :func:`complete` then separates the table from the global one.

Invariants: the separation is one transaction. What this region wrote before it belongs to the global table and is
delivered; what it writes afterwards belongs to the table that it keeps, which has a ``uid`` of its own, so that the
two can never be merged again. Items, indexes, stream and settings stay; overrides become settings.

Hazard: the register of this replica shows UPDATING to the others, but another region may write it meanwhile. What
counts is :attr:`~region.model.table.LocalState.leaving`; a deletion asked for elsewhere still deletes.

Source: AWS API reference, UpdateTable and DisassociateReplicationGroupMemberAction; developer guide, "Disassociating a
global table replica".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from region.errors import ResourceInUseError, ValidationError
from region.model import settings
from region.model.change import Response
from region.model.table import ACTIVE, CREATING, UPDATING, Leaving, LocalState, Table
from region.model.values import INVALID
from region.operation.capacity import overrides
from region.operation.context import Context
from region.operation.messages import IN_FLIGHT, no_members, no_region
from region.operation.table import records
from region.operation.table.description import describe, others, status_of
from region.operation.table.lookup import changeable
from region.operation.table.tables import find
from region.randomness import uuid

OF_MEMBERS: Final = (settings.REPLICA, settings.KEPT, settings.DETACHED)
"""Families of registers that a table without replicas does not have."""


def set_protection(context: Context, name: str, *, enabled: bool) -> Response:
    """Switch the protection of this region's replica, which is of this region alone.

    Raises:
        ResourceNotFoundError: there is no such table.
        ResourceInUseError: it is being created, updated or deleted.
        ValidationError: it is no replica.
    """
    table = changeable(context, name)
    if not others(context, table):
        raise ValidationError(
            f"{INVALID}DisassociationProtectionEnabled can only be specified for a replica of a global table"
        )
    local = msgspec.structs.replace(table.local, disassociation_protection=enabled)
    if local != table.local:
        table = records.save(context, table, table.registers, local)
    return {"TableDescription": describe(context, table)}


def begin(context: Context, name: str, region: str) -> Response:
    """Begin to take this region's replica out of its global table; the answer shows the table UPDATING.

    Raises:
        ResourceNotFoundError: there is no such table.
        ResourceInUseError: it is being created, updated or deleted.
        ValidationError: ``region`` is another one, the table is not global, or it is protected.
    """
    if region != context.settings.region:
        if region not in context.fleet.regions():
            raise no_region(region, context.fleet.regions())
        raise ValidationError(
            f"{INVALID}A replica can only be disassociated by a request to its own Region: {region} is not "
            f"{context.settings.region}"
        )
    table = find(context, name)
    status = status_of(context, table)
    if status not in (ACTIVE, UPDATING):
        table = changeable(context, name)
    if not others(context, table):
        raise no_members([region])
    if table.local.disassociation_protection:
        raise ValidationError(
            "Resource cannot be disassociated as it is currently protected against disassociation. "
            "Disable disassociation protection first."
        )
    if status != ACTIVE:
        raise ResourceInUseError(IN_FLIGHT)
    return {"TableDescription": describe(context, _announce(context, table), status=UPDATING)}


def _announce(context: Context, table: Table) -> Table:
    """Show the replica as UPDATING, and note what has to be delivered before it may go."""
    own = records.own_register(context)
    hlc = records.next_hlc(context, table.registers)
    registers = records.written(context, table.registers, hlc, {own: {**table.setting(own), "ReplicaStatus": UPDATING}})
    table = records.save(context, table, registers, records.in_transition(table.local, UPDATING, 0))
    context.publish_table(table)
    leaving = Leaving(sequence=context.reader.log_head(), since_ms=context.now_ms())
    return records.save(context, table, table.registers, msgspec.structs.replace(table.local, leaving=leaving))


def complete(context: Context, uid: str, leaving: Leaving) -> Table | None:
    """Separate this region's replica from its global table, unless it is not ``leaving`` any more.

    Returns the table that it is now; ``None`` too while another replica is being made, perhaps from this one.
    """
    table = context.catalogue.by_uid.get(uid)
    if table is None or table.local.leaving != leaving:
        return None
    if any(member["ReplicaStatus"] == CREATING for member in others(context, table).values()):
        return None
    return separate(context, table)


def abandon(context: Context, uid: str, leaving: Leaving) -> bool:
    """Give a disassociation up: the replica stays what it was. Return whether there was one."""
    table = context.catalogue.by_uid.get(uid)
    if table is None or table.local.leaving != leaving:
        return False
    own = records.own_register(context)
    value = {**(table.setting(own) or {"RegionName": context.settings.region}), "ReplicaStatus": ACTIVE}
    registers = records.written(context, table.registers, records.next_hlc(context, table.registers), {own: value})
    local = records.in_transition(msgspec.structs.replace(table.local, leaving=None), ACTIVE, 0)
    context.publish_table(records.save(context, table, registers, local))
    return True


def separate(context: Context, table: Table, *, detached: bool = False) -> Table:
    """Make this region's replica a table of its own, with another ``uid``, and say that the region holds it no more.

    ``detached``: the others have said so already, and nothing that this region wrote is to reach them any more.
    """
    hlc = records.next_hlc(context, table.registers)
    before = table.record
    told = {records.own_register(context): None, settings.KEPT + context.settings.region: {"AtMs": context.now_ms()}}
    gone: dict[str, Any] = {} if detached else told
    since = context.clock.now() if detached else before.local.global_since
    left = msgspec.structs.replace(
        before,
        registers=records.written(context, before.registers, hlc, gone),
        local=LocalState(table_id=before.local.table_id, created_ms=before.local.created_ms, global_since=since),
        dropped=True,
    )
    kept = msgspec.structs.replace(
        before,
        uid=uuid(context.rng),
        registers=records.written(
            context, _own_settings(context, table), hlc, overrides.settled(table, _member(context, table), hlc)
        ),
        local=_own_state(context, table),
    )
    left = context.transaction.separate_table(left, kept)
    left_table = context.catalogue.put(left)
    if not detached:
        context.publish_table(left_table)
    kept_table = context.catalogue.put(kept)
    context.publish_table(kept_table)
    return kept_table


def _member(context: Context, table: Table) -> dict[str, Any]:
    return records.own_membership(context, table.registers) or {}


def _own_settings(context: Context, table: Table) -> dict[str, settings.Register]:
    """Return the registers without what speaks of replicas."""
    foreign = [f"{settings.SCALING}read:{region}" for region in others(context, table)]
    return {
        name: register
        for name, register in table.registers.items()
        if not name.startswith(OF_MEMBERS) and not any(name == it or name.startswith(f"{it}:") for it in foreign)
    }


def _own_state(context: Context, table: Table) -> LocalState:
    """Return the local state of a table that is no replica."""
    extra = dict(table.local.extra)
    key = _member(context, table).get("KMSMasterKeyId")
    if key:
        extra["KMSMasterKeyId"] = key
    local = msgspec.structs.replace(
        table.local,
        leaving=None,
        disassociation_protection=True,
        global_since=0,
        digest_after="",
        purged_hlc=0,
        purging=False,
        extra=extra,
    )
    return records.in_transition(local, ACTIVE, 0)
