"""Recounting: digests of tables made anew from their rows, because an operator asks or every start is to begin so.

What: the digest of a table is kept with each write; what changed the file from outside shows only when it is counted
again. The engine does that in steps between clients' writes; here it is asked for, and waited for.

Invariants: a table that is dropped meanwhile has no digest, and is done. At a start every table is recounted in the
end: what fails is told of, and tried again after the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from region.model.table import Table
from region.operation.context import Context
from replication import obligations
from replication.events import WorkInterrupted
from replication.link import Surroundings, reason, wait

RETRY_S: Final = 0.5


async def recount_all(around: Surroundings, tables: Iterable[Table]) -> None:
    """Make the digests of tables anew, one after another."""
    never = asyncio.Event()
    left = deque(tables)
    while left:
        table = left.popleft()
        try:
            await recount(around, table)
        except Exception as error:
            # Whatever it was, the digest is as it was: it is told of, and tried again after the others.
            left.append(table)
            around.emit(WorkInterrupted("counting a digest anew", table.name, reason(error)))
            await wait(never, RETRY_S)


async def recount(around: Surroundings, table: Table) -> None:
    """Make the digest of a table anew from its rows, and wait until that is done, or the table is gone.

    Raises:
        StoreError: it cannot be written that the digest is to be made.
    """

    def work(context: Context) -> None:
        now = context.catalogue.by_uid.get(table.uid)
        if obligations.held(now):
            local = msgspec.structs.replace(now.local, digest_after="")
            context.save_table(msgspec.structs.replace(now.record, local=local))

    await around.durably(work)
    never = asyncio.Event()
    while obligations.held(now := around.engine.catalogue.by_uid.get(table.uid)) and now.local.digest_after is not None:
        await wait(never, around.settings.heartbeat_ms / 1000)
