"""Tables whose master key comes and goes: what they say of themselves, and the encrypting anew that follows.

What: :func:`follow` is a step of the engine's key watch. It gives every table the data keys that it should have, marks
those whose master key cannot be used as closed, lets those go on whose key is back, and seals a piece anew where
there is a newer data key. :func:`require` is what operations ask that name a master key.

Invariants: a closed table keeps everything and answers nothing of it. Its replicas in other regions go on; what they
write waits for it there.

Source: AWS developer guide, "DynamoDB encryption at rest: Usage notes"; API reference, ``TableStatus`` and
``ReplicaStatus`` INACCESSIBLE_ENCRYPTION_CREDENTIALS, ``InaccessibleEncryptionDateTime``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from region.keyring import OWNED
from region.model import settings
from region.model.encryption import KEY, SINCE
from region.model.table import Inaccessible, Table
from region.operation.context import Context
from region.operation.table import records

ROWS: Final = 32
"""How many rows one step seals anew: 13 MB at the most, and rarely more than 100 KB."""


def follow(context: Context) -> bool:
    """Do one step of what master keys ask for; return whether there is more."""
    tables = list(context.catalogue.by_name.values())
    closed = context.transaction.sealing.follow(tables, context.now_ms())
    for table in tables:
        _mark(context, table, closed.get(table.id))
    return context.transaction.sealing.step(list(context.catalogue.by_name.values()), ROWS)


def require(context: Context, specification: Mapping[str, Any] | None) -> None:
    """Refuse an ``SSESpecification`` whose master key cannot be used, where encryption is on.

    Raises:
        KeyUnavailableError: it cannot.
    """
    asked = specification or {}
    context.transaction.sealing.require_master(str((asked.get("Enabled") and asked.get(KEY)) or OWNED))


def _mark(context: Context, table: Table, why: str | None) -> None:
    """Let a table, and its replica's register, say whether it is closed."""
    known = table.local.inaccessible
    if why == (known and known.message):
        return
    since_ms = known.since_ms if known else context.now_ms()
    state = None if why is None else Inaccessible(since_ms=since_ms, message=why)
    local = msgspec.structs.replace(table.local, inaccessible=state)
    member = table.members().get(context.settings.region)
    if member is None or (known is None) == (state is None):
        records.save(context, table, table.registers, local)
        return
    value = {name: each for name, each in member.items() if name != SINCE}
    if state is not None:
        value[SINCE] = since_ms
    written = {settings.REPLICA + context.settings.region: value}
    registers = records.written(context, table.registers, context.clock.now(), written)
    context.publish_table(records.save(context, table, registers, local))
