"""Table records: the one way in which operations and peers change what the catalogue holds.

What: a shared setting is changed by writing its register with a new timestamp and announcing all registers in the
change log; what follows from the registers in this region (which indexes exist, the stream's label) is derived here,
alike for a request and for registers that came from a peer.

Invariants: a register written here is later than the one it replaces. The local state follows the registers: an index
has storage here exactly when its register is present, or while it is still shown as DELETING. A dropped table keeps
its record, so that later registers still merge right.

Source: the project's design, section 4; AWS developer guide, "Managing global secondary indexes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from region.model import expiry, settings
from region.model.settings import Register, Registers
from region.model.table import ACTIVE, CREATING, DELETING, IndexState, LocalState, Table, TableRecord
from region.operation.context import Context
from region.operation.stream import shards as stream_shards
from region.randomness import uuid

UNNUMBERED: Final = 0
"""The number of a table or an index that the store has not numbered yet."""

_DEFINING: Final = ("KeySchema", "Projection", "AttributeDefinitions")


def next_hlc(context: Context, registers: Registers) -> int:
    """Return a timestamp greater than that of every register."""
    return context.clock.after(max((register.hlc for register in registers.values()), default=0))


def written(context: Context, registers: Registers, hlc: int, values: Mapping[str, Any]) -> dict[str, Register]:
    """Return ``registers`` with ``values`` written at ``hlc`` by this region; ``None`` removes."""
    origin = context.settings.region
    return {**registers, **{name: Register(hlc, origin, value) for name, value in values.items()}}


def own_register(context: Context) -> str:
    """Return the name of the register that says whether this region holds a replica."""
    return settings.REPLICA + context.settings.region


def own_membership(context: Context, registers: Registers) -> dict[str, Any] | None:
    """Return this region's own entry among the replicas, or ``None``."""
    member: dict[str, Any] | None = settings.members(registers).get(context.settings.region)
    return member


def kept(context: Context, registers: Registers) -> bool:
    """Whether this region, when it last ceased to be a member, left with its items."""
    return _value(registers, settings.KEPT + context.settings.region) is not None


def until(context: Context) -> int:
    """Return the end of a transition that begins now, 0 where transitions are immediate."""
    delay_ms = context.settings.transition_ms
    return context.now_ms() + delay_ms if delay_ms else 0


def new_local(context: Context, **fields: Any) -> LocalState:
    """Return the local state of a table that is made in this region now."""
    return LocalState(table_id=uuid(context.rng), created_ms=context.now_ms(), **fields)


def insert(context: Context, uid: str, name: str, registers: Registers, local: LocalState) -> Table:
    """Create a table here with all the indexes that its registers name, each ready at once: there are no items yet."""
    definition = registers[settings.DEFINITION].value
    names = [index["IndexName"] for index in definition.get("LocalSecondaryIndexes") or ()]
    names += settings.family(registers, settings.INDEX)
    indexes = {index: IndexState(UNNUMBERED, ACTIVE) for index in names}
    if _replicated(registers):
        # There are no rows yet, and so the digest of them is complete.
        local = msgspec.structs.replace(local, digest_after=None)
    known = context.catalogue.by_uid.get(uid)
    if known is not None:
        # The replica was here before; its streams can still be read.
        before = known.local
        local = msgspec.structs.replace(
            local, streams=before.streams, stream_label=before.stream_label, global_since=before.global_since
        )
    local = _follow_rest(context, name, {}, registers, msgspec.structs.replace(local, indexes=indexes))
    return _insert(context, TableRecord(id=UNNUMBERED, uid=uid, name=name, registers=dict(registers), local=local))


def remember(context: Context, uid: str, name: str, registers: Registers) -> Table:
    """Keep the registers of a table that this region does not hold."""
    known = context.catalogue.by_uid.get(uid)
    if known is not None:
        return context.save_table(msgspec.structs.replace(known.record, registers=dict(registers)))
    local = new_local(context)
    return _insert(
        context,
        TableRecord(id=UNNUMBERED, uid=uid, name=name, registers=dict(registers), local=local, dropped=True),
    )


def _insert(context: Context, record: TableRecord) -> Table:
    stored = context.transaction.insert_table(record)
    context.written += 1
    return context.catalogue.put(stored)


def save(context: Context, table: Table, registers: Registers, local: LocalState | None = None) -> Table:
    """Replace a table's registers and local state, which follows the registers. The peers are not told."""
    before = local or table.local
    if not table.replicated and _replicated(registers) and not context.reader.scan_versions(table, b"", 1):
        before = msgspec.structs.replace(before, digest_after=None)
    after = follow(context, table, registers, before)
    return context.save_table(msgspec.structs.replace(table.record, registers=dict(registers), local=after))


def save_extra(context: Context, table: Table, name: str, value: Any) -> Table:
    """Replace what this region's own state keeps under a name in :attr:`LocalState.extra`."""
    local = msgspec.structs.replace(table.local, extra={**table.local.extra, name: value})
    return context.save_table(msgspec.structs.replace(table.record, local=local))


def in_transition(local: LocalState, status: str, end_ms: int) -> LocalState:
    """Return the local state with another status, shown until ``end_ms``; 0 is no limit."""
    return msgspec.structs.replace(local, status=status, status_until_ms=end_ms)


def drop(context: Context, table: Table, *, announce: bool = True) -> Table:
    """Remove a table's storage; where it was a replica, ``announce`` that this region holds it no more."""
    registers = table.registers
    member = announce and own_membership(context, registers) is not None
    if member:
        gone: dict[str, Any] = {own_register(context): None}
        if kept(context, registers):
            gone[settings.KEPT + context.settings.region] = None
        registers = written(context, registers, next_hlc(context, registers), gone)
    local = stream_shards.follow(context, table.name, table.local, None)
    local = in_transition(msgspec.structs.replace(local, indexes={}, extra={}, leaving=None), ACTIVE, 0)
    record = msgspec.structs.replace(table.record, registers=dict(registers), local=local, dropped=True)
    context.transaction.drop_table(record)
    context.written += 1
    dropped = context.catalogue.put(record)
    if member:
        context.publish_table(dropped)
    return dropped


def follow(context: Context, table: Table, registers: Registers, local: LocalState) -> LocalState:
    """Return the local state that the registers demand: indexes begun and ended, a label for a new stream."""
    old = settings.family(table.registers, settings.INDEX)
    new = settings.family(registers, settings.INDEX)
    indexes = dict(local.indexes)
    for name, description in old.items():
        if name not in new and name in indexes:
            _retire(context, indexes, name, description)
    for name, description in new.items():
        state = indexes.get(name)
        same = name in old and all(old[name].get(part) == description.get(part) for part in _DEFINING)
        if state is None or state.status == DELETING or not same:
            indexes[name] = IndexState(
                context.transaction.next_index_id(), CREATING, backfill_after="", until_ms=until(context)
            )
    return _follow_rest(
        context, table.name, table.registers, registers, msgspec.structs.replace(local, indexes=indexes)
    )


def _retire(context: Context, indexes: dict[str, IndexState], name: str, description: Mapping[str, Any]) -> None:
    end_ms = until(context)
    if end_ms:
        indexes[name] = msgspec.structs.replace(
            indexes[name], status=DELETING, backfill_after=None, until_ms=end_ms, retired=description
        )
    else:
        del indexes[name]


def _follow_rest(context: Context, name: str, old: Registers, new: Registers, local: LocalState) -> LocalState:
    stream = _value(new, settings.STREAM)
    if stream != _value(old, settings.STREAM):
        local = stream_shards.follow(context, name, local, stream)
    ttl = _value(new, settings.TTL)
    if ttl != _value(old, settings.TTL):
        local = _follow_expiry(context, local, ttl)
    before, after = _value(old, settings.BILLING), _value(new, settings.BILLING)
    if after and after["BillingMode"] == "PAY_PER_REQUEST" and (not before or before["BillingMode"] == "PROVISIONED"):
        local = msgspec.structs.replace(local, billing_changed_ms=context.now_ms())
    return local


def _follow_expiry(context: Context, local: LocalState, ttl: Mapping[str, Any] | None) -> LocalState:
    """Return the local state with an index of expiries begun or ended, as the ``ttl`` register asks."""
    if ttl is not None:
        number = context.transaction.next_index_id()
        state = expiry.ExpiryState(
            attribute=ttl["AttributeName"], index_id=number, built_after="", until_ms=until(context)
        )
        return expiry.with_state(local, state)
    known, end_ms = expiry.state_of(local), until(context)
    if known is None or not end_ms:
        return expiry.with_state(local, None)
    return expiry.with_state(local, expiry.ExpiryState(attribute=known.attribute, until_ms=end_ms))


def _replicated(registers: Registers) -> bool:
    return any(name.startswith(settings.REPLICA) for name in registers)


def _value(registers: Registers, name: str) -> Any:
    register = registers.get(name)
    return register.value if register else None
