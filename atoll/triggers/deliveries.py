"""What the triggers of a region have had, proved from its own file: the change log, and how far each trigger has come.

What: nothing is noted when a function is called. A write was handed over (or given up) if its record lies before the
position of its line and the trigger wants it; so the list costs nothing until somebody asks, survives what the log
survives, and reaches as far back.

Hazard: a trigger that was removed, or given other filters, is judged by what it is now.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from atoll import item_keys
from atoll.triggers.function import function_name
from atoll.triggers.report import Delivery, DeliveryPage
from atoll.triggers.trigger import Trigger
from region.engine import Engine
from region.model.cause import chain_of, echoes
from region.model.change import ITEM, UNCHANGED
from region.model.limits import MIB

EXAMINED_MAX: Final = 2000
"""How many records of the log one page looks at."""


def deliveries(
    engine: Engine, triggers: Sequence[Trigger], *, after: int, since_ms: int, table: str | None
) -> DeliveryPage:
    """Return which writes of a stretch of the log triggers have had, in the order of the log."""
    reader = engine.reading.reader
    wanted = {trigger.record.settings.table for trigger in triggers}
    wanted = wanted if table is None else wanted & {table}
    tables = {uid: held for uid, held in engine.catalogue.by_uid.items() if held.name in wanted}
    head = reader.log_head()
    changes = reader.read_log(max(after, reader.log_tail()), limit=EXAMINED_MAX, bytes_max=8 * MIB) if tables else []
    found = []
    for change in changes:
        held = tables.get(change.table_uid)
        if held is None or change.kind != ITEM or change.effect == UNCHANGED or change.seen_ms < since_ms:
            continue
        chain = chain_of(change.request_id)
        found += [
            Delivery(
                trigger=trigger.name,
                function=function,
                table=held.name,
                table_uid=held.uid,
                key=change.key.hex(),
                item_key=item_keys.attributes(held, change.key),
                origin=change.version.origin,
                hlc=change.version.hlc,
                seen_ms=change.seen_ms,
                chain=list(chain),
                echoes=echoes(function, chain),
            )
            for trigger in triggers
            for function in (function_name(trigger.record.settings),)
            if trigger.record.settings.table == held.name and trigger.has_had(change)
        ]
    reached = changes[-1].sequence if changes else head
    return DeliveryPage(region=engine.settings.region, deliveries=found, next=reached, head=head)
