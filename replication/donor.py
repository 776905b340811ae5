"""The donor: how a source answers when a peer fetches a piece of a table.

What: two kinds of pieces. A snapshot's: items and tombstones in key order, as this replica holds them. A range's: this
region's own changes of the table, out of its log. Pieces are stateless: the peer says after which key or sequence, so
that it can go on after any interruption, with this region or another.

Invariants: the vector is read before the first row, so every row includes at least what the vector says; the peer is
a known member when anything is answered, so what this region writes after the answer reaches it with the stream; a
replica that is itself incomplete gives no snapshot.

Source: the project's design, section 4 (bootstrap).
"""

from __future__ import annotations

from typing import Final

from region.engine import Engine
from region.errors import DamagedLogError
from region.model.change import LogRecord, StoredItem
from region.model.table import Table
from replication import obligations, resynchronisation
from replication.inquiry import Row
from replication.message import Fetch, FetchRefused, Records, Shipped, Snapshot, digest
from replication.source import RECORD_OVERHEAD_BYTES, shipped

Answer = Snapshot | Records | FetchRefused
ROWS_MIN: Final = 16
RANGE_RECORDS_MAX: Final = 64


def answer(engine: Engine, fetch: Fetch, peer: str, *, records_max: int, bytes_max: int) -> Answer:
    """Answer a fetch of ``peer`` from the last commit. The registers that it carries have been merged already."""
    table = engine.catalogue.by_uid.get(fetch.uid)
    if fetch.range_after is not None:
        return _range(engine, fetch, table, fetch.range_after, min(records_max, RANGE_RECORDS_MAX), bytes_max)
    if table is None or table.record.dropped:
        return FetchRefused(fetch.number, "the table is not held here", truncated=False)
    if not obligations.is_member(table, peer):
        return FetchRefused(fetch.number, f"{peer} is no member of the table", truncated=False)
    plan = obligations.load(engine.store, fetch.uid)
    if plan is not None and (plan.snapshot or plan.creating):
        return FetchRefused(fetch.number, "the replica here is not complete yet", truncated=False)
    if resynchronisation.has_lost(engine.store, table, [it for it in engine.fleet.regions() if it != peer]):
        return FetchRefused(fetch.number, "this region has lost writes and is getting them back", truncated=False)
    return _snapshot(engine, fetch, table, records_max, bytes_max)


def _snapshot(engine: Engine, fetch: Fetch, table: Table, records_max: int, bytes_max: int) -> Snapshot:
    store = engine.store
    purged = table.local.purged_hlc
    vector = obligations.vector(store, table, engine.settings.region) if fetch.first else None
    items, size = store.statistics(table, None)
    average = size // items if items else 0
    limit = max(ROWS_MIN, min(records_max, bytes_max // (average + RECORD_OVERHEAD_BYTES)))
    found = store.scan_versions(table, fetch.after_key, limit)
    rows: list[Row] = []
    total = 0
    for key, stored in found:
        if rows and total > bytes_max:
            break
        rows.append(_row(key, stored))
        total += len(key) + len(stored.image or b"") + RECORD_OVERHEAD_BYTES
    done = len(found) < limit and len(rows) == len(found)
    return Snapshot(fetch.number, fetch.uid, fetch.after_key, rows, digest(rows), done, items, vector, purged)


def _row(key: bytes, stored: StoredItem) -> Row:
    hlc, origin, vector = stored.version
    return Row(key, stored.image, stored.size, hlc, origin, dict(vector) if vector else None)


def _range(
    engine: Engine, fetch: Fetch, table: Table | None, after: int, records_max: int, bytes_max: int
) -> Records | FetchRefused:
    store = engine.store
    head = store.log_head()
    tail = store.log_tail()
    foreign = not store.lineage().follows(fetch.range_epoch, after)
    if (foreign or after < tail or after > head) and obligations.held(table):
        return FetchRefused(fetch.number, "the range is not in the log", truncated=True)
    if foreign or after > head:
        after = 0
    found: list[LogRecord] = []
    if table is not None:
        try:
            found = store.read_table_log(fetch.uid, after, head, limit=records_max, origin=engine.settings.region)
        except DamagedLogError as error:
            # What cannot be read is gone from the log; the rows hold what it did.
            return FetchRefused(fetch.number, str(error), truncated=obligations.held(table))
    changes: list[Shipped] = []
    seen = total = 0
    for record in found:
        if changes and total > bytes_max:
            break
        seen += 1
        if table is not None and record.version.hlc > table.local.global_since:
            changes.append(shipped(record, 0))
            total += len(record.key) + len(record.image or b"") + RECORD_OVERHEAD_BYTES
    done = len(found) < records_max and seen == len(found)
    upto = head if done else found[seen - 1].sequence
    return Records(fetch.number, fetch.uid, store.lineage().current, after, upto, done, changes)
